"""A run on two processes, however they were started, equals the run on one, and each can resume the other."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dabs.config import PretrainConfig
from dabs.errors import DabsError, RequestError
from dabs.evaluation.evaluate import evaluate
from dabs.training.checkpoint import latest_checkpoint, load_encoder
from dabs.training.devices import Devices, launch
from dabs.training.log import read_metrics
from dabs.training.pretrain import Interrupted, pretrain
from dabs.utils.strict_json import read_json
from tests.helpers.places import TEACHER_FILE

CONFIG = PretrainConfig(precision="fp32", algorithm="emix", domain="toy", steps=30, seed=0)
# `dabs` with the toy domain; after step STOP_AT the first process gets SIGINT, as from Ctrl-C
ENTRY = """
import os, signal
from dabs import domains
domains.__path__.append(os.environ["MORE_DOMAINS"])
from dabs.cli import main
from dabs.cli import pretrain as pretraining
if "STOP_AT" in os.environ:
    from contextlib import contextmanager
    @contextmanager
    def watch(title):
        yield lambda step, *rest: step == int(os.environ["STOP_AT"]) and os.kill(os.getpid(), signal.SIGINT)
    pretraining.progress_watch = watch
main()
"""


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


class Starter:
    """Starts `dabs pretrain` on two processes in several ways."""

    def __init__(self, folder: Path) -> None:
        self.script = folder / "entry.py"
        self.script.write_text(ENTRY)
        self.extra = str(folder / "more_domains")

    def start(self, way: str, *words: str, code: int = 0, **environment: str) -> str:
        """Run to the end and return what all processes printed."""
        exact = (
            "--precision",
            "fp32",
            "--logger",
            "none",
            "--seed",
            str(CONFIG.seed),
        )  # rounding to bf16 would hide small faults
        command = [sys.executable, str(self.script), "pretrain", *words, *exact]
        base = {**os.environ, **environment, "OMP_NUM_THREADS": "1", "MORE_DOMAINS": self.extra}
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
        if way == "fabric":
            runs = [([*command, "--devices", "2"], {})]
        elif way == "torchrun":
            launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
            runs = [([*launcher, meeting["MASTER_PORT"], *command[1:]], {})]
        elif way == "nodes":
            both = [*command, "--devices", "1", "--num-nodes", "2"]
            runs = [(both, {**meeting, "NODE_RANK": str(node)}) for node in range(2)]
        else:
            slurm = {
                "SLURM_STEP_ID": "0",
                "SLURM_JOB_ID": "77",
                "SLURM_JOB_NAME": "dabs",
                "SLURM_NTASKS": "2",
                "SLURM_NTASKS_PER_NODE": "2",
                "SLURM_NNODES": "1",
                "SLURM_NODEID": "0",
            }
            ranks = [{"SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)} for task in range(2)]
            runs = [(command, {**meeting, **slurm, **places}) for places in ranks]
        started = [
            subprocess.Popen(words, env={**base, **extra}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for words, extra in runs
        ]
        texts = [process.communicate(timeout=200)[0] for process in started]
        assert [process.returncode for process in started] == [code] * len(started), "\n".join(texts)
        return "\n".join(texts)


@pytest.fixture
def starter(toy, tmp_path) -> Starter:
    return Starter(tmp_path)


def assert_alike(a: Path, b: Path, tolerance: float = 1e-4) -> None:
    """The losses of every step and the final weights agree up to rounding."""
    losses = [[float(row["loss"]) for row in read_metrics(folder)] for folder in (a, b)]
    assert len(losses[0]) == len(losses[1])
    torch.testing.assert_close(*map(torch.tensor, losses), atol=tolerance, rtol=0)
    weights = [load_encoder(folder / "encoder").state_dict() for folder in (a, b)]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, atol=1e-2, rtol=0, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize(
    ("way", "algorithm", "options"),
    [
        ("fabric", "emix", ()),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ("fabric", "shed", ("--strategy", "fsdp")),
                ("torchrun", "contrastive", ()),
                ("nodes", "shed", ()),
                ("srun", "emix", ()),
                ("fabric", "emix", ("--accumulate", "4")),
                ("fabric", f"{TEACHER_FILE}:Teacher", ("--strategy", "fsdp")),
            )
        ),
    ],
)
def test_a_run_on_two_processes_equals_the_run_on_one(starter, tmp_path, way, algorithm, options):
    steps = 10  # a difference in the last bits grows with every step, to 1e-4 after 15 and 1e-3 after 30
    text = starter.start(way, algorithm, "toy", "--steps", str(steps), "--out", str(tmp_path / "two"), *options)
    assert text.count("run complete") == 1, "only one process prints"
    parts = 4 if "--accumulate" in options else 1
    one = pretrain(replace(CONFIG, algorithm=algorithm, accumulate=parts, steps=steps), tmp_path / "one", logger="none")
    assert_alike(one, tmp_path / "two")
    alone, shared = (read_json(folder / "run.json") for folder in (one, tmp_path / "two"))
    assert (alone["environment"]["processes"], shared["environment"]["processes"]) == (1, 2)
    assert shared["examples_seen"] == alone["examples_seen"] == steps * 16
    assert shared["parameters"] == alone["parameters"]
    assert read_json(one / "config.json") == read_json(tmp_path / "two" / "config.json")


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--strategy", "fsdp")], ids=["ddp", "fsdp"])
def test_a_run_stopped_on_two_processes_resumes_on_one(starter, tmp_path, options):
    parts = tmp_path / "parts"
    words = ("emix", "toy", "--steps", "30", "--out", str(parts), *options)
    assert "stopped at step 20 of 30" in starter.start("fabric", *words, code=130, STOP_AT="10")
    assert latest_checkpoint(parts).name == "step-00000020"
    pretrain(CONFIG, parts, logger="none")
    assert_alike(pretrain(CONFIG, tmp_path / "whole", logger="none"), parts)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--strategy", "fsdp")], ids=["ddp", "fsdp"])
def test_a_run_stopped_on_one_process_resumes_on_two(starter, tmp_path, options):
    parts = tmp_path / "parts"
    with pytest.raises(Interrupted):
        pretrain(CONFIG, parts, logger="none", checkpoint_every=4, watch=lambda *n: n[0] == 8 and interrupt())
    starter.start("fabric", "emix", "toy", "--steps", "30", "--out", str(parts), *options)
    assert_alike(pretrain(CONFIG, tmp_path / "whole", logger="none"), parts)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
def test_without_gathering_the_number_of_processes_defines_the_run(starter, tmp_path):
    folder = tmp_path / "apart"
    starter.start("fabric", "contrastive", "toy", "--steps", "10", "--out", str(folder), "--no-gather")
    assert read_json(folder / "run.json")["processes_apart"] == 2
    config = replace(CONFIG, algorithm="contrastive", steps=10)
    with pytest.raises(DabsError, match="processes_apart is 2 there and None here"):
        pretrain(config, folder, logger="none")
    whole = pretrain(config, tmp_path / "one", logger="none")
    (result,) = evaluate(folder, ("shade",), ("knn",))
    assert result.result.pretraining.config["processes_apart"] == 2
    losses = [float(read_metrics(where)[0]["loss"]) for where in (whole, folder)]
    assert losses[1] < losses[0] - 0.1, "half as many candidates are easier"


@pytest.mark.slow
def test_a_batch_that_cannot_be_shared_is_refused(starter, tmp_path):
    text = starter.start("fabric", "emix", "toy", "--batch-size", "15", "--out", str(tmp_path / "run"), code=2)
    assert "batch_size 15 cannot be shared evenly by 2 processes" in text
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("algorithm", ["shed", "emix", "contrastive"])
def test_bf16_trains(toy, tmp_path, algorithm):
    config = replace(CONFIG, algorithm=algorithm, precision="bf16", steps=12)
    rows = read_metrics(pretrain(config, tmp_path / "run", logger="none"))
    full = read_metrics(pretrain(replace(config, precision="fp32"), tmp_path / "full", logger="none"))
    difference = abs(float(rows[0]["loss"]) - float(full[0]["loss"]))
    assert 0 < difference < 0.05, "the first step follows fp32, but not exactly"


def test_options_that_contradict_torchrun_are_refused(monkeypatch):
    values = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RequestError, match="devices cannot be 3; torchrun started 2"):
        launch(Devices(devices=3), "fp32")
    with pytest.raises(RequestError, match="num-nodes cannot be 1; torchrun started 2"):
        launch(Devices(num_nodes=1), "fp32")


def test_one_process_is_the_default():
    fabric = launch(Devices(), "fp32")
    assert fabric.world_size == 1
    assert fabric.is_global_zero
