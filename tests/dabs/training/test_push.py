"""Pushing a run to a hub, and what is on the hub afterwards."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dabs.cli import dispatch
from dabs.config import PretrainConfig
from dabs.errors import RequestError
from dabs.evaluation.evaluate import evaluate, write_results
from dabs.results.files import load_results, reproducible_part
from dabs.results.hub import DOWNLOADED, local_run
from dabs.training.checkpoint import load_encoder
from dabs.training.pretrain import pretrain
from dabs.training.push import collect_files, push
from dabs.training.run_folder import load_run
from dabs.utils.strict_json import read_json
from tests.helpers.hub_server import WritableHub, writable_hub
from tests.helpers.refusing import refusal
from tests.helpers.submitting import make_runs, toy_domain

TARGET = "hf://alice/toys"
OWNER = "someone_private"  # a folder above the run, as a user's home folder would be


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An evaluated run of the toy domain by an algorithm whose file is in somebody's home folder."""
    folder = tmp_path_factory.mktemp("pushed") / OWNER
    with toy_domain(folder / "home"):
        yield make_runs(folder, seeds=(0,)) / "toy" / "seed0"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[WritableHub]:
    """A hub without repositories, and an empty cache."""
    with writable_hub(tmp_path) as found:
        yield found


def test_a_run_comes_back_as_it_was(run, hub, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert dispatch(["push", str(run), TARGET, "--message", "First"]) == 0
    said = capsys.readouterr().out
    assert f"{hub.url}/alice/toys" in said
    assert "encoder/encoder.safetensors" in said
    assert hub.messages == ["First"]  # one commit

    folder = local_run(TARGET)
    assert tmp_path / "hub" in folder.parents
    assert (folder / "encoder" / "encoder.safetensors").read_bytes() == (
        run / "encoder" / "encoder.safetensors"
    ).read_bytes()
    assert load_encoder(TARGET).state_dict().keys() == load_encoder(run / "encoder").state_dict().keys()
    assert load_run(TARGET)[1] == load_run(run)[1]
    scores = {(r.task, r.protocol): (r.score, r.interval) for r in load_results(folder)}
    assert scores == {(r.task, r.protocol): (r.score, r.interval) for r in load_results(run)}

    before = {path for path in (tmp_path / "hub").rglob("*") if "alice" not in path.parts}
    assert dispatch(["eval", TARGET, "--tasks", "shade", "--protocol", "linear", "knn"]) == 0
    home = Path("hub") / "alice" / f"toys@{hub.head('alice/toys')[:12]}"
    assert f"results in {home / 'results'}" in capsys.readouterr().out
    for path in (home / "results").glob("*.json"):
        again, first = (reproducible_part(read_json(one / "results" / path.name)) for one in (home, run))
        assert again.pop("pretraining")["config"].pop("algorithm") == "my_idea.py:MyIdea"
        first.pop("pretraining")
        assert again == first
    assert {path for path in (tmp_path / "hub").rglob("*") if "alice" not in path.parts} == before  # the cache


def test_nothing_of_the_machine_is_uploaded(run, hub, monkeypatch):
    monkeypatch.setenv("USER", OWNER)
    push(run, TARGET)
    files = hub.files("alice/toys")
    private = [OWNER, str(run), str(Path.home()), str(Path.cwd()), "tensorboard", "hf_alice"]
    for name, content in files.items():
        text = content.decode("utf-8", "replace")
        assert [word for word in private if word in name or word in text] == [], name
        binary = name.endswith((".npz", ".safetensors"))  # a short name of a host occurs in weights by chance
        assert binary or not re.search(rf"\b{re.escape(socket.gethostname())}\b", text), name
    allowed = {".gitattributes", "README.md", "config.json", "run.json", "metrics.csv"}
    assert {name for name in files if not name.startswith(("encoder/", "results/"))} == allowed
    assert json.loads(files["config.json"])["pretrain"]["algorithm"] == "my_idea.py:MyIdea"
    for name in files:
        if name.endswith(".result.json"):
            config = json.loads(files[name])["pretraining"]["config"]
            assert config["algorithm"] == "my_idea.py:MyIdea", name


def test_the_card_has_scores_provenance_and_origin(run, hub):
    push(run, TARGET, license_name="mit")
    text = hub.files("alice/toys")["README.md"].decode()
    _, front, body = text.split("---\n", 2)
    data = yaml.safe_load(front)
    assert (data["library_name"], data["license"]) == ("dabs", "mit")
    (index,) = data["model-index"]
    results = load_results(run)
    listed = [(one["dataset"]["config"], metric) for one in index["results"] for metric in one["metrics"]]
    assert {(task, metric["config"]): metric["value"] for task, metric in listed} == {
        (r.task, r.protocol): r.score for r in results
    }
    kinds = {r.task: metric["type"] for r in results for task, metric in listed if task == r.task}
    assert kinds == {"shade": "accuracy", "findings": "roc_auc", "length": "spearmanr"}
    for result in results:
        assert f"| {result.score:.4f} | {result.interval.low:.4f} to {result.interval.high:.4f} (95%) |" in body
    provenance = load_run(run)[1]
    for word in ("algorithm_sha256", "data_sha256", "weights_sha256"):
        assert provenance[word] in body
    assert provenance["environment"]["git_commit"] in body
    assert "dabs eval hf://alice/toys" in body
    assert "was generated by a program" in body
    code = body.split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)  # the hub of the fixture is the one that it reads
    assert "encoder" in names


def test_a_license_is_left_to_the_user(run, hub):
    push(run, TARGET)
    front = yaml.safe_load(hub.files("alice/toys")["README.md"].decode().split("---\n")[1])
    assert "license" not in front


def test_a_run_that_did_not_learn_says_so(run):
    from dabs.registry import find_domain
    from dabs.results.model_card import model_card

    config, provenance = load_run(run)
    failed = {**provenance, "learning": {"learned": False, "reason": "it answered at chance"}}
    text = model_card("alice/toys", config, failed, [], find_domain("toy"))
    assert "**This run did not learn**: it answered at chance" in text
    assert "had not been evaluated" in text


def test_the_source_is_uploaded_on_request_only(run, hub):
    push(run, TARGET, with_source=True)
    assert b"class MyIdea" in hub.files("alice/toys")["algorithm.py"]
    assert not list(local_run(TARGET).rglob("*.py"))  # code is never downloaded
    push(run, TARGET)
    assert "algorithm.py" not in hub.files("alice/toys")  # nothing is left of the run before
    source = run.parents[4] / "my_idea.py"
    before = source.read_text()
    try:
        source.write_text(before + "# changed\n")
        assert "no longer what ran" in refusal(lambda: push(run, TARGET, with_source=True), source)
    finally:
        source.write_text(before)


def test_a_second_push_replaces_the_run_and_keeps_the_history(run, hub):
    push(run, TARGET)
    first = hub.head("alice/toys")
    unfinished = {**hub.files("alice/toys"), "results/old.knn.result.json": b"{}", "notes.txt": b"mine"}
    hub.commit("alice/toys", unfinished)
    push(run, TARGET, message="Again")
    files = hub.files("alice/toys")
    assert "results/old.knn.result.json" not in files
    assert files["notes.txt"] == b"mine"
    assert local_run(f"{TARGET}@{first}").name == first


def test_a_private_repository_is_seen_by_its_owner_only(run, hub, monkeypatch):
    push(run, TARGET, private=True)
    assert hub.private == {"alice/toys"}
    local_run(TARGET)
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", f"{constants.HF_HUB_CACHE}-of-bob")
    refusal(lambda: local_run(TARGET), TARGET, "private", "404")


def none_written(hub: WritableHub) -> bool:
    """Whether no repository holds more than what it was created with."""
    return not hub.messages and all(set(hub.files(repo)) <= {".gitattributes"} for repo in hub.commits)


@pytest.mark.parametrize(
    ("token", "said"),
    [("", "there is no token"), ("hf_wrong", "(401)"), ("hf_bob", "(403)"), ("hf_reader", "(403)")],
)
def test_a_token_that_does_not_do_is_explained(run, hub, monkeypatch, token, said):
    monkeypatch.setenv("HF_TOKEN", token)
    text = refusal(lambda: push(run, TARGET), TARGET, said, f"{hub.url}/settings/tokens", "HF_TOKEN")
    assert "hf auth login" in text
    assert none_written(hub)
    if not token:
        assert not hub.asked


@pytest.mark.parametrize(
    ("fault", "said"),
    [("cut upload", "the connection was cut"), ("cut commit", "the connection was cut"), ("commit 412", "(412)")],
)
def test_an_interrupted_push_leaves_nothing_and_can_be_repeated(run, hub, fault, said):
    hub.fault = fault
    refusal(lambda: push(run, TARGET), TARGET, said, "run the same command again")
    assert none_written(hub)
    hub.fault = ""
    push(run, TARGET)
    assert len(hub.messages) == 1
    local_run(TARGET)


def test_a_hub_that_is_not_there_is_explained(run, hub, monkeypatch):
    from huggingface_hub import constants

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", nowhere)
    refusal(lambda: push(run, TARGET), nowhere, "could not be reached", "HF_ENDPOINT")


def test_a_hub_without_xet_is_explained(run, hub, monkeypatch):
    pytest.importorskip("hf_xet", reason="the client has no Xet")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    refusal(lambda: push(run, TARGET), TARGET, "HF_HUB_DISABLE_XET=1")
    assert none_written(hub)


def test_a_name_that_is_taken_is_refused(run, hub):
    hub.others.add("alice/data")
    refusal(lambda: push(run, "hf://alice/data"), "hf://alice/data", "the name is taken")
    hub.create("alice/bert", {"pytorch_model.bin": b"weights", "README.md": b"# BERT"})
    refusal(lambda: push(run, "hf://alice/bert"), "hf://alice/bert", "pytorch_model.bin", "Choose another name")
    assert not hub.messages
    hub.create("alice/empty", {"README.md": b"# To come"})
    push(run, "hf://alice/empty")
    assert "config.json" in hub.files("alice/empty")


@pytest.mark.parametrize("target", ["alice/toys", "hf://toys", "hf://alice/toys@main", "hf://../toys", "hf://a/b/c"])
def test_a_wrong_target_is_refused(run, hub, target):
    with pytest.raises(RequestError, match="hf://USER/NAME"):
        push(run, target)
    assert not hub.asked


def test_an_incomplete_or_changed_run_is_refused(run, hub, tmp_path):
    refusal(lambda: push(tmp_path, TARGET), tmp_path, "not a run folder")
    copy = shutil.copytree(run, tmp_path / "copy")
    with open(copy / "encoder" / "encoder.safetensors", "ab") as handle:
        handle.write(b"x")
    refusal(lambda: push(copy, TARGET), "is not what the run wrote")
    (copy / "run.json").unlink()
    refusal(lambda: push(copy, TARGET), copy, "not complete")
    assert not hub.asked


def test_a_path_in_an_option_or_a_file_is_not_published(tmp_path):
    (tmp_path / "listed.py").write_text(
        "from dabs.algorithm import Algorithm\n\n\nclass Listed(Algorithm):\n"
        '    """Does nothing, with a file."""\n\n    trains = False\n\n'
        '    def __init__(self, encoder, *, words: str = ""):\n        super().__init__(encoder)\n'
    )
    options = {"words": str(tmp_path / "words.txt")}
    config = PretrainConfig(algorithm=f"{tmp_path / 'listed.py'}:Listed", domain="toy", options=options)
    with toy_domain(tmp_path / "home"):
        made = pretrain(config, tmp_path / "run", logger="none")
        for _ in write_results(made, evaluate(made, ("shade",), ("knn",))):
            pass
        refusal(lambda: collect_files(made, "alice/toys"), "words", "Pretrain with a relative path")


def test_a_file_that_names_the_home_folder_is_not_published(run, tmp_path, monkeypatch):
    copy = shutil.copytree(run, tmp_path / "run")
    monkeypatch.setenv("HOME", "/home/somebody")
    collect_files(copy, "alice/toys")
    with open(copy / "metrics.csv", "a", encoding="utf-8") as handle:
        handle.write("# /home/somebody/notes\n")
    refusal(lambda: collect_files(copy, "alice/toys"), "metrics.csv would publish the path /home/somebody")


def test_what_is_uploaded_is_what_is_downloaded(run):
    from fnmatch import fnmatch

    names = set(collect_files(run, "alice/toys")) - {"README.md"}
    assert all(any(fnmatch(name, pattern) for pattern in DOWNLOADED) for name in names)
    assert all(any(fnmatch(name, pattern) for name in names) for pattern in DOWNLOADED)
