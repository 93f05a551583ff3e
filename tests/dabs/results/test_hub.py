"""Reading runs from a hub: references, verification, accidents."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dabs.config import PretrainConfig
from dabs.errors import RequestError
from dabs.evaluation.evaluate import evaluate, write_results
from dabs.results.hub import is_on_hub, local_run, parse_reference, results_home, verify_run
from dabs.training.pretrain import pretrain
from dabs.training.push import collect_files
from dabs.utils.strict_json import read_json
from tests.helpers.hub_server import WritableHub, writable_hub
from tests.helpers.refusing import refusal
from tests.helpers.submitting import toy_domain

RUN = "hf://alice/toys"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a run as they are on a hub."""
    folder = tmp_path_factory.mktemp("hub")
    with toy_domain(folder / "home"):
        run = pretrain(PretrainConfig(algorithm="none", domain="toy"), folder / "run", logger="none")
        for _ in write_results(run, evaluate(run, ("shade", "length"), ("knn",))):
            pass
        files = collect_files(run, "alice/toys")
    return {name: x.read_bytes() if isinstance(x, Path) else x for name, x in files.items()}


@pytest.fixture
def hub(tmp_path: Path, content: dict[str, bytes]) -> Iterator[WritableHub]:
    """A hub with this run, and an empty cache."""
    with writable_hub(tmp_path) as found:
        found.create("alice/toys")
        found.commit("alice/toys", content)
        yield found


@pytest.mark.parametrize(
    ("reference", "repo", "revision"),
    [
        ("hf://alice/toys", "alice/toys", ""),
        ("hf://alice/toys@v1.0", "alice/toys", "v1.0"),
        ("hf://a/shed-sensor_2@refs/pr/1", "a/shed-sensor_2", "refs/pr/1"),
        (Path("hf://alice/toys"), "alice/toys", ""),
    ],
)
def test_a_reference_has_a_repository_and_a_revision(reference, repo, revision):
    found = parse_reference(reference)
    assert (found.repo, found.revision) == (repo, revision)
    assert is_on_hub(reference)


@pytest.mark.parametrize(
    "reference",
    [
        *("hf://", "hf://alice", "hf://alice/", "hf://a/b/c", "hf://../b"),
        *("hf://a/b@", "hf://a/b@../x", "hf://a--b/c", "hf://a b/c"),
    ],
)
def test_a_wrong_reference_is_refused(reference):
    with pytest.raises(RequestError, match="hf://USER/NAME"):
        parse_reference(reference)


def test_a_path_is_a_path(tmp_path):
    assert local_run(str(tmp_path)) == tmp_path
    assert results_home(tmp_path, tmp_path) == tmp_path
    assert not is_on_hub(tmp_path)


def test_only_files_of_a_run_are_downloaded(hub, content):
    hub.commit("alice/toys", {**content, "evil.py": b"1 / 0", "weights.bin": b"pickle", "results/x.pkl": b"pickle"})
    folder = local_run(RUN)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == set(content) - {"README.md"}
    assert not [line for line in hub.asked if "evil" in line or "pkl" in line]


def test_a_revision_is_read_and_the_cache_is_used_offline(hub, content, monkeypatch):
    first = hub.head("alice/toys")
    changed = hub.commit("alice/toys", {**content, "README.md": b"# New"})
    assert local_run(f"{RUN}@{first}").name == first
    assert local_run(RUN).name == changed
    assert results_home(RUN, local_run(RUN)) == Path("hub/alice") / f"toys@{changed[:12]}"
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert local_run(RUN).name == changed
    refusal(lambda: local_run("hf://alice/others"), "hf://alice/others", "HF_HUB_OFFLINE")


@pytest.mark.parametrize("name", ["encoder/encoder.safetensors", "results/shade.knn.predictions.npz"])
def test_a_changed_file_is_refused(hub, content, name):
    flipped = bytearray(content[name])
    flipped[-1] ^= 1
    hub.commit("alice/toys", {**content, name: bytes(flipped)})
    text = refusal(lambda: local_run(RUN), RUN, Path(name).name, "is not used", "sha256")
    assert "models--alice--toys" in text  # what to delete


def test_files_of_different_runs_are_refused(hub, content):
    other = content["run.json"].replace(b'"data_sha256": "', b'"data_sha256": "0')
    hub.commit("alice/toys", {**content, "run.json": other})
    refusal(lambda: local_run(RUN), "config.json", "data_sha256")
    of_others = content["results/shade.knn.result.json"].replace(b'"weights_sha256": "', b'"weights_sha256": "0', 1)
    wrong = of_others.replace(b'"weights_sha256": "0', b'"weights_sha256": "', 1)
    assert wrong == content["results/shade.knn.result.json"]
    start = of_others.index(b'"weights_sha256": "0') + len(b'"weights_sha256": "')
    foreign = of_others[:start] + b"f" * 64 + of_others[start + 65 :]
    hub.commit("alice/toys", {**content, "results/shade.knn.result.json": foreign})
    refusal(lambda: local_run(RUN), "shade.knn.result.json", "other weights")


@pytest.mark.parametrize("name", ["run.json", "config.json", "encoder/config.json", "encoder/encoder.safetensors"])
def test_a_repository_without_a_run_is_refused(hub, content, name):
    hub.commit("alice/toys", {path: x for path, x in content.items() if path != name})
    refusal(lambda: local_run(RUN), RUN, "not a complete run", name)


def test_a_path_that_leads_out_of_the_folder_is_not_written(hub, content, tmp_path):
    hub.commit("alice/toys", {**content, "results/../../../../../../escaped.result.json": b"{}"})
    refusal(lambda: local_run(RUN), RUN)
    assert not list(tmp_path.parent.rglob("escaped*"))


@pytest.mark.parametrize(
    ("reference", "token", "said"),
    [
        ("hf://alice/missing", "hf_alice", "404"),
        ("hf://alice/missing", "", "401"),
        ("hf://alice/toys@v9", "hf_alice", "no revision 'v9'"),
        ("hf://alice/toys", "hf_wrong", "401"),
    ],
)
def test_what_is_not_there_is_explained(hub, monkeypatch, reference, token, said):
    monkeypatch.setenv("HF_TOKEN", token)
    refusal(lambda: local_run(reference), reference, said)


def test_a_cut_connection_is_explained_and_the_next_try_succeeds(hub):
    hub.fault = "cut tree"
    refusal(lambda: local_run(RUN), RUN, "could not be reached, or the connection was cut")
    hub.fault = ""
    verify_run(local_run(RUN))


def test_the_environment_names_the_hub(hub, tmp_path):
    """In a process of its own, as a user sets HF_ENDPOINT; and without torch."""
    code = (
        "import sys; from dabs.results.hub import local_run; from dabs.training.run_folder import load_run\n"
        f"print(local_run({RUN!r})); print(load_run({RUN!r})[0].domain); assert 'torch' not in sys.modules"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = {**kept, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home of hf")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder, domain = done.stdout.split("\n")[:2]
    assert read_json(Path(folder) / "config.json")["pretrain"]["domain"] == domain == "toy"
