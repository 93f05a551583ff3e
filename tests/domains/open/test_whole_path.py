"""The suite `open` from its publishers to results: download, prepare, pretrain, evaluate.

The publishers and the hub are servers on loopback, which serve samples; the scores mean nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from dabs.cli import main
from dabs.data.domain import PRETRAIN, Classes, MultiLabel
from dabs.data.prepared import open_prepared
from dabs.registry import domain_names, find_domain
from dabs.results.files import load_results
from dabs.utils.strict_json import read_json
from tests.helpers.paper.hub import Hub, serve_hub
from tests.helpers.paper.open_layouts import lay_out_open
from tests.helpers.paper.open_served import hub_files, publishers_files
from tests.helpers.paper.samples import Samples
from tests.helpers.paper.server import Served, serve
from tests.helpers.places import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
each_domain = pytest.mark.parametrize("name", domain_names("open"))


@dataclass(frozen=True)
class Prepared:
    """What one `dabs data prepare --suite open` did.

    Attributes:
        home: its $DABS_HOME.
        said: what it printed.
        checksums: the checksum that each downloaded file was compared with.
        data: a folder with the same data in the publishers' layouts.
    """

    home: Path
    said: str
    checksums: dict[str, str]
    data: Path


@pytest.fixture(scope="module")
def everything(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """Prepare the whole suite from local servers, with a first failure that the second run mends."""
    pytest.importorskip("medmnist", reason="the extra `open` is not installed")
    base = tmp_path_factory.mktemp("open")
    data = lay_out_open(samples, base / "data")
    served, hub = Served(files=publishers_files(data)), Hub(files=hub_files(data))
    servers = [serve(served), serve_hub(hub)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DABS_", "HF_"))}
    environment |= {"DABS_HOME": str(base / "home"), "HF_HOME": str(base / "hf"), "HF_ENDPOINT": hub.url}
    environment |= {"SERVED_AT": served.url, "CHECKSUMS_ASKED": str(base / "asked"), "COLUMNS": "200"}
    command = [sys.executable, "-m", "tests.helpers.paper.open_served", "data", "prepare", "--suite", "open"]
    served.status["/zips/val2017.zip"] = [404]
    served.cut_after["/tiny-imagenet-200.zip"] = [1000]
    for expected in (1, 0):
        done = subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1500, check=False
        )
        assert done.returncode == expected, done.stderr
        assert "Traceback" not in done.stderr
    assert done.stdout.count("ready in") == 6  # all but the domain whose images were not there
    asked = dict(line.split(" ", 1) for line in (base / "asked").read_text().splitlines())
    patch = pytest.MonkeyPatch()
    patch.setenv("DABS_HOME", str(base / "home"))
    yield Prepared(home=base / "home", said=done.stdout, checksums=asked, data=data)
    patch.undo()
    for server in servers:
        server.shutdown()
        server.server_close()


def call(*words: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert not stop.value.code, words


def test_every_archive_was_compared_with_its_checksum(everything):
    wanted = {"chestmnist_64.npz": "md5:9de6cd0b934ebb5b7426cfba5efbae16"}
    for name in domain_names("open"):
        for source in (source for part in find_domain(name, "open").parts for source in part.sources):
            wanted |= {archive.file_name: archive.checksum for archive in getattr(source, "archives", ())}
    assert {name: value.strip() for name, value in everything.checksums.items()}.items() >= wanted.items()
    marker = everything.home / "raw/pamap2/.done/pamap2+physical+activity+monitoring.zip.json"
    assert read_json(marker)["checksum"].startswith("sha256:")


@each_domain
def test_no_group_is_in_two_splits_and_no_test_group_is_pretrained_on(everything, name):
    domain = find_domain(name, "open")
    pretrained = set(open_prepared(domain).columns("train", ("group",))["group"].tolist())
    for task in domain.tasks:
        groups = {s: open_prepared(domain, task.name).columns(s, ("group",))["group"].tolist() for s in SPLITS}
        for a, b in combinations(SPLITS, 2):
            assert not set(groups[a]) & set(groups[b]), f"{task.name}: {a} and {b}"
        assert not pretrained & set(groups["test"]), task.name


SPLITS = ("train", "validation", "test")


@each_domain
def test_rows_fit_their_specs_and_labels_their_targets(everything, name):
    domain = find_domain(name, "open")
    for dataset, splits in domain.datasets().items():
        for split in splits:
            columns = open_prepared(domain, dataset).columns(split)
            for number, spec in enumerate(domain.specs):
                x = columns[f"input_{number}"]
                assert x.shape[1:] == spec.shape
                assert np.isfinite(x.astype(np.float32)).all()
                assert len(x) < 2 or x.std(axis=0).max() > 0
            if dataset == PRETRAIN:
                assert "label" not in columns
                continue
            label, target = columns["label"], domain.task(dataset).target
            if isinstance(target, MultiLabel):
                assert label.shape[1] == len(target)
                assert ((label.mean(axis=0) > 0) & (label.mean(axis=0) < 1)).all()
            else:
                assert isinstance(target, Classes)
                assert 0 <= label.min() < label.max() < len(target)


@each_domain
def test_pretrain_and_evaluate(everything, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    call("data", "verify", name, "--suite", "open")
    # sensor uses its default, the paper's encoder
    size = ("--encoder", "small") if name != "sensor" else ("--precision", "fp32")
    call("pretrain", "shed", name, "--suite", "open", *size, "--steps", "3", "--batch-size", "8", "--logger", "none")
    run = Path("runs/open/shed") / name / "seed7"
    call("eval", str(run), "--protocol", "knn")
    results = load_results(run)
    assert {r.suite for r in results} == {"open"}
    assert {r.task for r in results} == {task.name for task in find_domain(name, "open").tasks}
    for result in results:
        assert result.metric.low <= result.score <= result.metric.high


@pytest.mark.parametrize("name", ["chest_xray", "speech"])
def test_files_placed_by_hand_give_the_same_rows(everything, name, monkeypatch, tmp_path):
    domain = find_domain(name, "open")
    before = {dataset: open_prepared(domain, dataset).manifest["splits"] for dataset in domain.datasets()}
    monkeypatch.setenv("DABS_HOME", str(tmp_path))
    monkeypatch.setenv("DABS_DATA_DIR", "")  # the command sets it; restored after the test
    call("data", "prepare", name, "--suite", "open", "--data-dir", str(everything.data))
    assert {dataset: open_prepared(domain, dataset).manifest["splits"] for dataset in before} == before
