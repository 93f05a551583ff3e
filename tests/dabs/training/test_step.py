"""A batch computed in parts: the same gradients if examples are independent, and part of a run's identity."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dabs.algorithm import Algorithm
from dabs.check.mock import KINDS as SPECS
from dabs.check.mock import TINY, Subject, synthetic_batch
from dabs.config import PretrainConfig, config_from_json
from dabs.data import loader as module
from dabs.data.loader import order_for_processes
from dabs.encoder import PRESETS, Encoder
from dabs.errors import DabsError, RequestError
from dabs.evaluation.evaluate import evaluate
from dabs.training.checkpoint import load_encoder
from dabs.training.devices import Devices, launch
from dabs.training.pretrain import Interrupted, pretrain
from dabs.training.run_folder import load_config
from dabs.training.step import Objective, OptimizerStep, adamw, parts_of
from dabs.utils.files import write_json
from dabs.utils.strict_json import read_json
from tests.dabs.training.test_pretrain import assert_same, losses
from tests.helpers.places import TEACHER_FILE

CONFIG = PretrainConfig(algorithm="shed", domain="toy", steps=24)


class MeanOverExamples(Algorithm):
    """An objective whose loss is the mean of a loss of each example alone."""

    def loss(self, encoder, batch):
        found = encoder(batch).square().mean(dim=1)
        return {"loss": found.mean(), "largest": found.detach().max()}


def gradients(kind: str, parts: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return what is logged for a batch of 12, and its gradients."""
    fabric = launch(Devices(devices=1, num_nodes=1), "fp32")
    objective = Subject(MeanOverExamples).objective(SPECS[kind], config=replace(TINY, dropout=0.0))
    wrapped = fabric.setup_module(objective)
    found: dict[str, torch.Tensor] = {}
    optimizer = fabric.setup_optimizers(adamw(objective.parameters(), 0.0, 0.0))
    step = OptimizerStep(
        lambda batch: wrapped((batch.inputs, batch.mask)),
        optimizer,
        clip_norm=1e9,
        parts=parts,
        fabric=fabric,
        module=wrapped,
    )
    with pytest.MonkeyPatch.context() as patch:  # read the gradients where the optimiser would use them
        patch.setattr(
            type(optimizer),
            "step",
            lambda self: found.update(
                {n: p.grad.clone() for n, p in objective.named_parameters() if p.grad is not None}
            ),
        )
        out = step(synthetic_batch(SPECS[kind], 12, padded=True))
    return out, found


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("parts", [2, 3, 6])
def test_the_gradients_are_those_of_the_whole_batch(kind, parts):
    (out, found), (whole, expected) = gradients(kind, parts), gradients(kind, 1)
    assert expected
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-6, rtol=1e-5, msg=lambda m, n=name: f"{n}: {m}")
    torch.testing.assert_close(out["loss"], whole["loss"].detach())
    assert out["largest"] < whole["largest"], "what is logged is the mean over the parts"


def test_parts_cover_the_batch_and_keep_its_padding():
    batch = synthetic_batch(SPECS["tokens"], 12, padded=True)
    parts = list(parts_of(batch, 3))
    assert [len(part.mask) for part in parts] == [4, 4, 4]
    assert torch.equal(torch.cat([part.inputs[0] for part in parts]), batch.inputs[0])
    assert torch.equal(torch.cat([part.mask for part in parts]), batch.mask)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))
def test_processes_share_the_parts_that_one_process_works_on(ranks, parts, size):
    index = np.arange(ranks * parts * size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "processes", lambda: ranks)
        found = order_for_processes(index, parts)
    own = found.reshape(ranks, parts, size)  # each process takes a stretch and cuts it into parts
    for number, part in enumerate(index.reshape(parts, ranks * size)):
        assert np.array_equal(np.concatenate(own[:, number]), part)


def test_a_run_in_parts_is_another_run_and_resumes_to_the_same_numbers(toy, tmp_path):
    config = replace(CONFIG, accumulate=4)
    whole = pretrain(config, tmp_path / "whole", logger="none")
    parts = tmp_path / "parts"
    with pytest.raises(Interrupted):
        pretrain(
            config, parts, logger="none", watch=lambda step, *r: step == 10 and os.kill(os.getpid(), signal.SIGINT)
        )
    with pytest.raises(DabsError, match="accumulate is 4 there and 1 here"):
        pretrain(CONFIG, parts, logger="none")
    pretrain(config, parts, logger="none")
    assert losses(parts) == losses(whole)
    assert_same(whole, parts)
    assert losses(whole) != losses(pretrain(CONFIG, tmp_path / "one", logger="none"))


@pytest.mark.parametrize("algorithm", ["emix", "contrastive"])
def test_objectives_that_compare_examples_train_in_parts(toy, tmp_path, algorithm):
    run = pretrain(replace(CONFIG, algorithm=algorithm, accumulate=2), tmp_path / "run", logger="none")
    assert all(torch.isfinite(value).all() for value in load_encoder(run / "encoder").state_dict().values())


@pytest.mark.parametrize("parts", [3, 16])
def test_parts_that_are_not_equal_or_too_small_are_refused(toy, tmp_path, parts):
    with pytest.raises(RequestError, match=f"accumulate {parts} .* batch of 16"):
        pretrain(replace(CONFIG, accumulate=parts), tmp_path / "run", logger="none")
    with pytest.raises(RequestError, match="accumulate must be at least 1"):
        replace(CONFIG, accumulate=0)


def test_an_old_configuration_without_parts_means_whole_batches(toy, tmp_path):
    run = pretrain(CONFIG, tmp_path / "run", logger="none")
    path = run / "config.json"
    saved = read_json(path)
    assert saved["pretrain"].pop("accumulate") == 1
    write_json(path, saved)
    assert load_config(run).accumulate == 1
    assert config_from_json(saved["pretrain"], path).accumulate == 1
    assert pretrain(CONFIG, run, logger="none") == run


def test_results_state_the_number_of_parts(toy, tmp_path):
    for parts in (1, 2):
        run = pretrain(replace(CONFIG, steps=4, accumulate=parts), tmp_path / str(parts), logger="none")
        (cell,) = evaluate(run, ("shade",), ("knn",))
        assert cell.result.pretraining.config["accumulate"] == parts


def test_a_teacher_moves_once_per_step_however_many_parts_a_batch_has(toy, tmp_path):
    """The loss is a mean over examples, so parts change nothing unless the teacher is moved once per part."""
    config = replace(CONFIG, algorithm=f"{TEACHER_FILE}:Teacher", steps=8, precision="fp32")
    runs = [pretrain(replace(config, accumulate=n), tmp_path / str(n), logger="none") for n in (1, 4)]
    torch.testing.assert_close(*([float(x) for x in losses(run)] for run in runs), atol=1e-4, rtol=1e-4)


def test_a_run_with_a_teacher_resumes_to_the_same_numbers(toy, tmp_path):
    config = replace(CONFIG, algorithm=f"{TEACHER_FILE}:Teacher")
    whole, parts = pretrain(config, tmp_path / "whole", logger="none"), tmp_path / "parts"
    with pytest.raises(Interrupted):
        pretrain(
            config, parts, logger="none", watch=lambda step, *r: step == 10 and os.kill(os.getpid(), signal.SIGINT)
        )
    pretrain(config, parts, logger="none")
    assert losses(parts) == losses(whole)
    assert_same(whole, parts)


def test_after_a_step_an_algorithm_gets_the_moved_encoder_without_gradients(toy):
    seen = []

    class Looking(Algorithm):
        """Records what after_step gets."""

        def loss(self, encoder, batch):
            return {"loss": encoder(batch).square().mean()}

        def after_step(self, encoder, step):
            seen.append((encoder, step, torch.is_grad_enabled()))

    objective = Objective(encoder := Encoder(PRESETS["small"], toy.specs), Looking(encoder))
    objective.after_step(7)
    assert seen == [(encoder, 7, False)]
