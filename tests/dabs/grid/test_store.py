"""The shared store, as a folder and on S3 (simulated by moto)."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dabs.config import PretrainConfig
from dabs.errors import DabsError, RequestError
from dabs.grid.cells import Cell, evaluate_cell, fetch_cell, is_done, pretrain_cell
from dabs.grid.store import Store
from dabs.training.checkpoint import latest_checkpoint
from dabs.training.log import read_metrics
from dabs.training.pretrain import Interrupted, pretrain
from dabs.training.run_folder import read_provenance

CONFIG = PretrainConfig(algorithm="shed", domain="toy", steps=24)
KEY = "lite/shed/toy/seed0"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of an empty bucket on a local server."""
    pytest.importorskip("s3fs")
    server_kind = pytest.importorskip("moto.server").ThreadedMotoServer
    import boto3

    server = server_kind(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    values = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="dabs")
        yield "s3://dabs"
    server.stop()


@pytest.fixture(params=["s3", "folder"])
def url(request, tmp_path) -> str:
    if request.param == "folder":
        return str(tmp_path / "store")
    return f"{request.getfixturevalue('s3')}/{tmp_path.name}"


def cell_of(out: Path, url: str) -> Cell:
    return Cell(config=CONFIG, label="shed", protocols=("knn",), tasks=("shade", "length"), out=out, store=url)


def test_a_cell_moves_between_machines_that_share_only_the_store(toy, tmp_path, url):
    first, second, third = (cell_of(tmp_path / name, url) for name in ("first", "second", "third"))
    pretrain_cell(first)
    evaluate_cell(second, "shade")  # fetches the run
    assert read_provenance(second.folder) is not None
    evaluate_cell(third, "length")
    assert not is_done(first)
    fetch_cell(first, results_only=True)
    assert is_done(first)
    stamp = (second.folder / "run.json").stat().st_mtime_ns
    assert evaluate_cell(third), "nothing is left to do"
    pretrain_cell(second)
    assert (second.folder / "run.json").stat().st_mtime_ns == stamp


def test_a_run_resumes_from_the_checkpoint_in_the_store(toy, tmp_path, url):
    whole = pretrain(CONFIG, tmp_path / "whole", logger="none")
    first, second = (Store(url, tmp_path / name) for name in ("first", "second"))

    def stop(step: int, *rest: float) -> None:
        first.send_checkpoint(first.root / KEY)
        if step == 16:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        pretrain(CONFIG, first.root / KEY, logger="none", checkpoint_every=4, watch=stop)
    shutil.rmtree(first.root)  # the machine is lost
    second.fetch(second.root / KEY)
    assert latest_checkpoint(second.root / KEY).name == "step-00000016"  # sent at step 17, before the run saved its own
    run = pretrain(CONFIG, second.root / KEY, logger="none")
    assert [row["loss"] for row in read_metrics(run)] == [row["loss"] for row in read_metrics(whole)]
    second.send(run)
    assert not second.files.exists(f"{second.base}/{KEY}/checkpoints")
    assert second.runs() == [run]


def test_only_results_are_fetched_for_a_table(toy, tmp_path, url):
    cell = cell_of(tmp_path / "first", url)
    pretrain_cell(cell)
    evaluate_cell(cell)
    other = replace(cell, out=tmp_path / "table")
    fetch_cell(other, results_only=True)
    assert is_done(other)
    assert sorted(path.name for path in other.folder.iterdir()) == ["config.json", "results"]


def test_a_store_that_cannot_be_reached_is_reported(tmp_path, s3):
    with pytest.raises(RequestError, match="nothing://"):
        Store("nothing://here", tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    with pytest.raises(DabsError, match="the store s3://absent cannot be used"):
        Store("s3://absent", tmp_path).send(tmp_path / "run")


def test_names_that_lead_elsewhere_are_refused(toy, tmp_path, s3):
    store = Store(f"{s3}/{tmp_path.name}", tmp_path / "out")
    folder = f"{store.base}/{KEY}"
    store.files.pipe_file(f"{folder}/checkpoints/LATEST", b"../../../../../../escape")
    with pytest.raises(DabsError, match="not a checkpoint"):
        store.fetch(store.root / KEY)
    store.files.pipe_file(f"{folder}/checkpoints/LATEST", b"step-00000001")
    store.files.pipe_file(f"{folder}/checkpoints/step-00000001/../../../../../../escape", b"1")
    with pytest.raises(DabsError, match="outside"):
        store.fetch(store.root / KEY)
    store.files.rm(f"{folder}/checkpoints", recursive=True)
    store.files.pipe_file(f"{folder}/../../../../../escape", b"1")
    with pytest.raises(DabsError, match="outside"):
        store.fetch(store.root / KEY)
    assert not list(tmp_path.rglob("escape"))
