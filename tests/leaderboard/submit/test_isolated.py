"""`dabs reproduce --isolated`: a submission's code runs in a sandbox, and only its weights leave it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dabs.config import PretrainConfig
from dabs.errors import DabsError, RequestError
from dabs.evaluation import evaluate as evaluation
from dabs.leaderboard.cli import reproduce as verb
from dabs.leaderboard.cli.reproduce import ReproduceOptions, ask_for_trust, choose_results, reproduce
from dabs.leaderboard.cli.submit import submit
from dabs.leaderboard.submit.isolated import RUN_FILES, build_sandbox, copy_plain_file, pretrain_isolated
from dabs.results.submission import load_submission
from dabs.training.run_folder import load_config
from dabs.utils.files import sha256_file, write_json
from dabs.utils.sandbox import ISOLATIONS, NOTHING, Sandbox, find_isolation, python_command
from dabs.utils.strict_json import read_json
from tests.helpers.submitting import make_runs, offer_to_processes, submit_options, toy_domain, toy_rules

# what a file can do to the process that runs it: from then on every prediction is the label
PATCH = """

def _cheat():
    import dataclasses
    from dabs.evaluation import evaluate

    honest = evaluate.build_result

    def cheating(data, task, protocol, found, labels, *rest):
        found = dataclasses.replace(found, prediction=labels["test"])
        return honest(data, task, protocol, found, labels, *rest)

    evaluate.build_result = cheating


_cheat()
"""


@pytest.fixture(scope="module")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A submission of one seed of the toy domain, which processes of their own find as well."""
    folder = tmp_path_factory.mktemp("isolated")
    (folder / "published").mkdir()
    with toy_domain(folder / "home"), pytest.MonkeyPatch.context() as patch:
        offer_to_processes(folder, patch)
        patch.setattr("dabs.results.places.published_folder", lambda: folder / "published")
        runs = make_runs(folder / "work", seeds=(0,))
        made = submit(submit_options(runs, folder / "submissions"), replace(toy_rules(), seeds=(0,)))
        assert made is not None
        yield made


def config_of(submission: Path) -> PretrainConfig:
    return load_config(submission.parents[1] / "work/runs/lite/MyIdea/toy/seed0")


def complete_isolation() -> None:
    if not find_isolation().complete:
        pytest.skip("bubblewrap is not installed, or this machine does not let it make namespaces")


def test_only_weights_leave_the_sandbox(submission, tmp_path, monkeypatch):
    """A file that patches the evaluation fools the process that it runs in, but not the one outside the sandbox."""
    complete_isolation()
    source = submission / "algorithm.py"
    honest = source.read_text()
    monkeypatch.setattr(evaluation, "build_result", evaluation.build_result)  # restored afterwards
    try:
        source.write_text(honest + PATCH)
        digest = sha256_file(source)
        value = read_json(submission / "submission.json")
        changed = {"algorithm": value["algorithm"] | {"sha256": digest}}
        changed["files"] = value["files"] | {"algorithm.py": digest}
        write_json(submission / "submission.json", value | changed)
        options = ReproduceOptions(submission=submission, cell=("toy/length",), out=tmp_path, isolated=True)
        made, results = load_submission(submission)
        wanted = choose_results(options, results)
        ask_for_trust(options, made, find_isolation())
        (isolated,) = reproduce(options, made, wanted, find_isolation())
        (fooled,) = reproduce(replace(options, trust=True), made, wanted)
    finally:
        source.write_text(honest)
        write_json(submission / "submission.json", value)
    assert (isolated.verdict, isolated.weights_equal) == ("equal", True)
    assert isolated.score < 1
    assert fooled.score == pytest.approx(1)
    left = {path.relative_to(tmp_path / "mine/toy").as_posix() for path in tmp_path.rglob("seed0-bwrap/**/*")}
    assert {f"seed0-bwrap/{name}" for name in RUN_FILES} < left
    assert not list((tmp_path / "mine" / "toy").glob(".*.sandbox"))


def test_the_sandbox_holds_no_labels(submission, tmp_path):
    complete_isolation()
    home, found = Path(os.environ["DABS_HOME"]), tmp_path / "out"
    found.mkdir()
    source = submission / "algorithm.py"
    sandbox = build_sandbox(config_of(submission), find_isolation(), read=[source], write=[found])
    code = (
        "import dabs.config, json, os, pathlib, sys\n"
        "names = [str(path) for path in pathlib.Path(os.environ['DABS_HOME']).rglob('*') if path.is_file()]\n"
        "names += [str(p) for place in dabs.__path__ for p in pathlib.Path(place, 'leaderboard').rglob('*.npz')]\n"
        "names += [str(path) for path in pathlib.Path(sys.argv[1]).parent.iterdir()]\n"
        "json.dump(names, open(sys.argv[2] + '/found.json', 'w'))"
    )
    sandbox.run(python_command("-c", code, str(source), str(found)))
    assert {str(home / "lite/toy/shade/test.arrow")} < {str(path) for path in home.rglob("*.arrow")}
    assert set(json.loads((found / "found.json").read_text())) == {
        *(str(home / "lite" / "toy" / name) for name in ("manifest.json", "pretrain/train.arrow")),
        str(home / "lite" / "toy" / "pretrain" / "validation.arrow"),
        str(source),
    }


def leave(change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, run: Path) -> None:
    """Let the sandbox leave a copy of a finished run, changed in some way, without running anything."""

    def run_nothing(self: Sandbox, words: list[str]) -> None:
        out = Path(words[words.index("--out") + 1])
        for name in RUN_FILES:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes((run / name).read_bytes())
        change(out)

    monkeypatch.setattr(Sandbox, "run", run_nothing)


def linked(path: Path) -> None:
    content = path.with_name("elsewhere")
    path.rename(content)
    path.symlink_to(content)


def edited(path: Path, *keys: str, value: object) -> None:
    whole = part = read_json(path)
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    write_json(path, whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: None, ""),
        (lambda run: linked(run / "run.json"), "run.json, which the sandbox should have left, is missing, or lies beh"),
        (lambda run: linked(run / "encoder"), "encoder/config.json, which the sandbox should have left"),
        (lambda run: (run / "run.json").unlink(), "run.json, which the sandbox should have left, is missing"),
        (lambda run: (run / "metrics.csv").unlink() or os.mkfifo(run / "metrics.csv"), "is not a plain file"),
        (lambda run: os.link(run / "run.json", run / "second"), "run.json, which the sandbox left, is not a plain"),
        (
            lambda run: os.truncate(run / "run.json", 1_000_001),
            "run.json, which the sandbox left, has more than 1,000,",
        ),
        (lambda run: edited(run / "config.json", "pretrain", "steps", value=60), "asked for. Different: steps"),
        (lambda run: edited(run / "config.json", "pretrain", "seed", value=9), "asked for. Different: seed"),
        (lambda run: edited(run / "run.json", "algorithm_sha256", value="0" * 64), "asked for. Different: the source"),
        (lambda run: edited(run / "encoder/config.json", "encoder", "depth", value=9), "the size of the encoder"),
        (lambda run: (run / "encoder" / "encoder.safetensors").write_bytes(b"x"), ""),  # `evaluate` refuses it
    ],
)
def test_what_the_sandbox_leaves_is_not_trusted(submission, tmp_path, monkeypatch, change, message):
    run = submission.parents[1] / "work/runs/lite/MyIdea/toy/seed0"
    leave(change, monkeypatch, run)
    folder = tmp_path / "again" / "seed0"
    if message:
        with pytest.raises(DabsError, match=message):
            pretrain_isolated(config_of(submission), folder, NOTHING)
        assert not folder.exists()
        return
    pretrain_isolated(config_of(submission), folder, NOTHING)
    assert asdict(load_config(folder)) == asdict(config_of(submission))
    if hashlib.sha256(b"x").hexdigest() == sha256_file(folder / "encoder" / "encoder.safetensors"):
        with pytest.raises(DabsError, match="not what the run wrote"):
            next(evaluation.evaluate(folder, ("shade",)))


def test_a_file_below_a_link_is_not_copied(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("key")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "encoder").symlink_to(tmp_path / "secret")
    with pytest.raises(DabsError, match="lies behind a link"):
        copy_plain_file(tmp_path / "run", "encoder/key", tmp_path / "copy", 100)
    copy_plain_file(tmp_path / "secret", "key", tmp_path / "copy", 3)
    assert (tmp_path / "copy").read_text() == "key"


@pytest.mark.parametrize("isolation", [*ISOLATIONS, NOTHING], ids=lambda one: one.tool or "nothing")
def test_only_a_complete_sandbox_makes_trust_unnecessary(submission, monkeypatch, isolation, capsys):
    made = load_submission(submission)[0]
    options = ReproduceOptions(submission=submission, isolated=True)
    ask_for_trust(replace(options, trust=True), made, isolation)
    if isolation.complete:
        ask_for_trust(options, made, isolation)
    else:
        with pytest.raises(RequestError, match=f"Not isolated: {isolation.let_in[:20]}.*Install bubblewrap") as error:
            ask_for_trust(options, made, isolation)
        assert "\n" not in str(error.value)
    monkeypatch.setattr("dabs.utils.sandbox.find_isolation", lambda: isolation)
    monkeypatch.setattr(verb, "reproduce", lambda *_: iter(()))
    verb.main([str(submission), "--isolated", "--trust"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"): {isolation.kept_out}." in said
    assert f"not isolated: {isolation.let_in}." in said
