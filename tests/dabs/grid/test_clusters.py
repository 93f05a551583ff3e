"""The grid on a Ray cluster that loses a node, as submitit jobs, and from two launchers at once."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dabs.config import FIRST_SEED, PretrainConfig
from dabs.training.log import read_metrics
from dabs.training.pretrain import pretrain

STEPS = 600
GATED = '''"""ShED that waits in the middle of its run until a file exists."""

import time
from pathlib import Path

from dabs.algorithms.shed import ShED


class Gated(ShED):
    """Wait at step {step} for {gate}."""

    def __init__(self, encoder):
        super().__init__(encoder)
        self.steps = 0

    def loss(self, encoder, batch):
        self.steps += 1
        while self.steps > {step} and not Path("{gate}").exists():
            time.sleep(0.05)
        return super().loss(encoder, batch)
'''
pytestmark = pytest.mark.slow


def start(out: Path, *words: str) -> subprocess.Popen[str]:
    fixed = ["--domains", "toy", "--protocol", "knn", "--out", str(out)]
    command = [sys.executable, "-m", "dabs", "run", *fixed, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=out.parent)


def ended(grid: subprocess.Popen[str], code: int = 0) -> str:
    text, _ = grid.communicate(timeout=280)
    assert grid.returncode == code, text
    return text


def losses(run: Path) -> list[float]:
    return [float(row["loss"]) for row in read_metrics(run)]


def alike(run: Path, config: PretrainConfig, scratch: Path) -> bool:
    """Return whether a run's losses equal those of an undisturbed run in a single thread, as every cell here has.

    Another number of threads adds numbers in another order, which changes losses in bf16 after some hundred steps.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return losses(pretrain(config, scratch, logger="none")) == losses(run)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_a_node_of_a_ray_cluster_is_killed(toy_plugin, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # Ray's 15 would starve its workers on a busy machine
    from ray.cluster_utils import Cluster

    out, gate, own = tmp_path / "runs", tmp_path / "gate", tmp_path / "gated.py"
    own.write_text(GATED.format(step=STEPS // 2, gate=gate))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        nodes = [cluster.head_node, cluster.add_node(num_cpus=1)]
        cluster.wait_for_nodes()
        where = ("--launcher", "ray", "--address", cluster.address)
        words = (*where, "--algorithms", f"{own}:Gated", "--seeds", "2", "--steps", str(STEPS))
        grid = start(out, *words)
        runs = [out / "lite" / "Gated" / "toy" / name for name in (f"seed{FIRST_SEED}", f"seed{FIRST_SEED + 1}")]
        deadline = time.monotonic() + 400  # of a busy machine; an idle one needs 30
        while not all(losses(run) for run in runs):
            assert time.monotonic() < deadline, grid.poll()
            assert grid.poll() is None, ended(grid)
            time.sleep(0.1)
        cluster.remove_node(nodes[1], allow_graceful=False)  # both train, one on each node, and wait for the gate
        gate.touch()
        text = ended(grid)
    finally:
        cluster.shutdown()
    lost = re.findall(r"lost Gated toy seed (\d), running it again", text)
    assert len(lost) == 1, text
    assert len(list(out.rglob("*.result.json"))) == 4 * 3  # raw, summary and two seeds of Gated x three tasks
    config = PretrainConfig(algorithm=f"{own}:Gated", domain="toy", seed=int(lost[0]), steps=STEPS)
    assert alike(runs[config.seed - FIRST_SEED], config, tmp_path / "whole")
    log = (out / "logs" / f"Gated-toy-seed-{lost[0]}.log").read_text()
    assert log.count("--- ") == 2, "one log of both attempts"


def test_submitit_jobs_of_which_one_fails_and_none_is_repeated(toy_plugin, tmp_path):
    pytest.importorskip("submitit")
    out = tmp_path / "runs"
    (tmp_path / "broken.py").write_text(
        "from dabs.algorithm import Algorithm\n\n\nclass Broken(Algorithm):\n"
        '    """Raises."""\n\n    def loss(self, encoder, batch):\n        raise ValueError("my own mistake")\n'
    )
    where = ("--launcher", "slurm", "--address", "local", "--store", str(tmp_path / "store"))
    words = (*where, "--algorithms", "none", "broken.py:Broken", "--steps", "4")
    text = " ".join(ended(start(out, *words), code=1).split())
    assert text.count("my own mistake") == 1
    assert f"left out Broken toy seed {FIRST_SEED} shade: it needs Broken toy seed {FIRST_SEED}, which failed" in text
    log = out / "logs" / f"Broken-toy-seed-{FIRST_SEED}.log"
    assert f"(log: {log})" in text
    assert "Traceback" in log.read_text()
    results = sorted(out.rglob("*.result.json"))
    assert len(results) == 3 * 3  # raw, summary and none x three tasks
    kept = sorted((tmp_path / "store").rglob("*.result.json"))
    assert [path.relative_to(tmp_path / "store") for path in kept] == [path.relative_to(out) for path in results]
    stamps = [path.stat().st_mtime_ns for path in results]
    again = ended(start(out, *where, "--algorithms", "none", "--steps", "4"))
    assert "3 cells, 3 done already" in again
    assert [path.stat().st_mtime_ns for path in results] == stamps


def test_two_launchers_on_one_folder_share_the_work(toy_plugin, tmp_path):
    out = tmp_path / "runs"
    grids = [start(out, "--algorithms", "shed", "--steps", "60", "--jobs", "2") for _ in range(2)]
    texts = [ended(grid) for grid in grids]
    assert all("failed" not in text for text in texts)
    run = out / "lite" / "shed" / "toy" / f"seed{FIRST_SEED}"
    assert len(losses(run)) == 60, "no step was logged twice"
    assert alike(run, PretrainConfig(algorithm="shed", domain="toy", seed=FIRST_SEED, steps=60), tmp_path / "whole")
    assert len(list(out.rglob("*.result.json"))) == 3 * 3
