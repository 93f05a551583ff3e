"""Running out of memory: that it is recognised, and that the message names what to try."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dabs.config import PretrainConfig
from dabs.errors import DabsError
from dabs.training.memory import explain_out_of_memory, is_out_of_memory
from dabs.training.pretrain import pretrain

CONFIG = PretrainConfig(algorithm="shed", domain="toy", steps=4, batch_size=16)
GREEDY = '''
import torch
from dabs.algorithm import Algorithm

class Greedy(Algorithm):
    """Wants a petabyte for every example that it is handed beyond eight."""
    def loss(self, encoder, batch):
        torch.empty(max(len(batch.inputs[0]) - 8, 0) << 50, dtype=torch.uint8)
        return {"loss": encoder(batch).square().mean()}
'''


def test_memory_that_the_allocator_refuses(toy, tmp_path):
    (tmp_path / "own.py").write_text(GREEDY)
    config = replace(CONFIG, algorithm=f"{tmp_path / 'own.py'}:Greedy")
    with pytest.raises(DabsError) as caught:
        pretrain(config, tmp_path / "run", logger="none")
    for said in (
        "step of 16 examples at once",
        "--accumulate 2",
        "parts of 8",
        "--batch-size 8",
        str(tmp_path / "run"),
    ):
        assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    pretrain(replace(config, accumulate=2), tmp_path / "parts", logger="none")
    pretrain(replace(config, batch_size=8), tmp_path / "small", logger="none")


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_which_errors_mean_it(error, wanted):
    assert is_out_of_memory(error) == wanted
    with pytest.raises(DabsError if wanted else type(error)), explain_out_of_memory(CONFIG, Path("run")):
        raise error


@pytest.mark.parametrize(
    ("size", "parts", "said"),
    [(64, 1, "--accumulate 2 "), (64, 2, "--accumulate 4 "), (90, 3, "--accumulate 6 "), (15, 1, "--accumulate 3 ")],
)
def test_the_next_number_of_parts_divides_the_batch(size, parts, said):
    with (
        pytest.raises(DabsError, match=said),
        explain_out_of_memory(replace(CONFIG, batch_size=size, accumulate=parts), Path()),
    ):
        raise MemoryError


def test_of_two_examples_nothing_can_be_halved():
    two = replace(CONFIG, batch_size=2)
    with pytest.raises(DabsError, match="--encoder small") as caught, explain_out_of_memory(two, Path()):
        raise MemoryError
    assert "--accumulate" not in str(caught.value)
    assert "--batch-size" not in str(caught.value)
