"""The command line: its options, how fast it answers, and its error messages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dabs.cli import main
from dabs.cli.pretrain import argument_help, parse
from dabs.config import FIRST_SEED
from dabs.errors import RequestError
from dabs.utils.strict_json import read_json
from tests.helpers.in_process import InThisProcess

# Frozen: a change here is a change of the command line and belongs in the changelog.
OPTIONS = {
    ("list",): {"--suite", "--cards", "--no-cards", "--json", "--no-json"},
    ("data",): set(),
    ("data", "prepare"): {"--suite", "--tasks", "--force", "--no-force", "--data-dir", "--tokenizer"},
    ("data", "status"): {"--suite"},
    ("data", "verify"): {"--suite"},
    ("new",): {"--domain", "--no-domain"},
    ("check",): {"--domains", "--suite", "--limit", "--only"},
    ("pretrain",): {
        "--suite", "--encoder", "--seed", "--budget", "--steps", "--batch-size", "--accumulate", "--lr",
        "--weight-decay", "--beta2", "--precision", "--compile", "--no-compile", "--out", "--logger",
        "--checkpoint-every", "--keep-checkpoints", "--force", "--no-force", "--config", "--devices", "--num-nodes",
        "--strategy", "--gather", "--no-gather",
    },
    ("pretrain", "shed"): {"--corruption-rate"},
    ("pretrain", "emix"): {"--temperature", "--alpha"},
    ("pretrain", "contrastive"): {"--temperature", "--projection"},
    ("pretrain", "none"): set(),
    ("eval",): {"--tasks", "--protocol", "--domain"},
    ("choose",): {"--results", "--protocol", "--out"},
    ("push",): {"--private", "--no-private", "--message", "--license", "--with-source", "--no-with-source"},
    ("run",): {
        "--algorithms", "--domains", "--seeds", "--first-seed", "--protocol", "--suite", "--encoder", "--budget",
        "--steps", "--accumulate", "--precision", "--set", "--choice", "--config", "--out", "--jobs", "--report",
        "--store", "--force", "--no-force", "--launcher", "--address", "--cpus", "--gpus", "--minutes", "--sbatch",
        "--retries",
    },
    ("bench",): {"--algorithm", "--encoder", "--batch-size", "--rounds"},
    ("compare",): {
        "--algorithms", "--protocol", "--budget", "--alpha", "--resamples", "--figure", "--format", "--out",
    },
    ("leaderboard",): set(),
    ("leaderboard", "show"): {
        *("--results", "--store", "--suite", "--protocol", "--budget", "--tests", "--no-tests"),
    },
    ("leaderboard", "build"): {"--results", "--store", "--suite", "--budget", "--out"},
    ("leaderboard", "export"): {"--results", "--store", "--suite", "--out", "--format"},
    ("leaderboard", "verify"): {"--root", "--suite"},
    ("submit",): {
        "--name", "--authors", "--url", "--ruleset", "--tuning", "--algorithm",
        "--check-only", "--no-check-only", "--suite", "--out",
    },
    ("reproduce",): {
        "--cell", "--seed", "--protocol", "--isolated", "--no-isolated", "--trust", "--no-trust", "--out",
    },
}  # fmt: skip


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    return int(stop.value.code or 0)


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_options_are_frozen(words, capsys):
    assert call(*words, "--help") == 0
    found = set(re.findall(r"(?<![\w`-])--[a-z][a-z0-9-]*", capsys.readouterr().out)) - {"--help"}
    wanted = OPTIONS[words] | (OPTIONS["pretrain",] if words[0] == "pretrain" else set())
    assert found == wanted


def test_help_answers_without_torch():
    begun = time.perf_counter()
    code = "import sys; from dabs.cli import main\ntry: main(['--help'])\nfinally: assert 'torch' not in sys.modules"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "leaderboard" in result.stdout
    assert time.perf_counter() - begun < 10  # a hang, not a benchmark


def test_an_unknown_verb_suggests_a_known_one(capsys):
    assert call("evaluate") == 2
    assert "Did you mean 'eval'" in capsys.readouterr().err


def test_pretrain_eval_and_leaderboard(toy, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = ("pretrain", "shed", "toy", "--steps", "6", "--corruption-rate", "0.3", "--logger", "none")
    assert call(*run) == 0
    folder = Path("runs/lite/shed/toy/seed7")
    out = capsys.readouterr().out
    assert str(folder) in out
    assert re.search(r"waiting for data: \d+\.\d % of", out)
    done = read_json(folder / "run.json")
    assert 0 < done["waited_seconds"] < done["wall_seconds"]
    assert read_json(folder / "config.json")["pretrain"]["options"] == {"corruption_rate": 0.3}
    assert call("eval", str(folder), "--tasks", "shade", "--protocol", "linear", "knn") == 0
    assert sorted(p.name for p in (folder / "results").glob("*.json")) == [
        "shade.knn.result.json", "shade.linear.result.json",
    ]  # fmt: skip
    assert call("leaderboard", "show") == 0
    assert "shade" in capsys.readouterr().out
    assert call("leaderboard", "build", "--out", "page.html") == 0
    assert "shade" in Path("page.html").read_text()


def test_config_replays_into_another_folder(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("pretrain", "emix", "toy", "--steps", "5", "--alpha", "0.5", "--logger", "none") == 0
    assert call("pretrain", "--config", "runs/lite/emix/toy/seed7", "--out", "again", "--logger", "none") == 0
    hashes = [read_json(Path(p) / "run.json")["weights_sha256"] for p in ("runs/lite/emix/toy/seed7", "again")]
    assert hashes[0] == hashes[1]
    with pytest.raises(RequestError, match="--lr would change it"):
        parse(["--config", "again", "--lr", "1"])


def test_the_grid_runs_resumes_and_survives_a_failing_algorithm(toy, tmp_path, monkeypatch, capsys):
    from dabs.cli import run as grid

    (tmp_path / "broken.py").write_text(
        "from dabs.algorithm import Algorithm\n\n\nclass Broken(Algorithm):\n"
        '    """Raises."""\n\n    def loss(self, encoder, batch):\n        raise ValueError("my own mistake")\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dabs.launch.local.LocalExecutor", InThisProcess)  # a worker does not see the toy domain
    options = grid.GridOptions(algorithms=("none", "shed", "supervised", "broken.py:Broken"), domains=("toy",), steps=4)
    failed = grid.run_grid(options)
    assert list(failed) == [f"Broken toy seed {FIRST_SEED}"]
    assert "my own mistake" in failed[f"Broken toy seed {FIRST_SEED}"]
    assert "broken.py:" in failed[f"Broken toy seed {FIRST_SEED}"]
    results = sorted(Path("runs").rglob("*.result.json"))
    # raw, summary, none, shed and supervised x linear, knn and linear_tokens x three tasks
    assert len(results) == 5 * 3 * 3
    assert Path("runs/report.html").exists()
    assert "Broken toy" in capsys.readouterr().out
    stamps = [p.stat().st_mtime_ns for p in results]
    grid.run_grid(options)
    assert [p.stat().st_mtime_ns for p in results] == stamps
    failed = grid.run_grid(grid.GridOptions(algorithms=("shed",), domains=("toy",), steps=5))
    assert "steps is 4 there and 5 here" in failed["shed"]


@pytest.mark.parametrize(
    "words",
    [
        ("--algorithms", "none", "none"),
        ("--algorithms", "raw.py:raw"),
        ("--seeds", "0"),
        ("--steps", "-1"),
        ("--first-seed", "-1"),
        ("--protocol",),
        ("--algorithms", "nome"),
    ],
)
def test_an_invalid_grid_is_refused(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("raw.py").write_text('from dabs.algorithm import Algorithm\n\n\nclass raw(Algorithm):\n    """Nothing."""\n')
    assert call("run", *words) == 2
    assert capsys.readouterr().err
    assert not Path("runs").exists()


def test_options_before_the_names_are_refused_with_the_right_order(capsys):
    assert call("pretrain", "--seed", "1", "shed", "sensor") == 2
    assert "ALGORITHM and DOMAIN come first" in capsys.readouterr().err


def test_a_hyper_parameter_with_the_name_of_an_option_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        'from dabs.algorithm import Algorithm\n\n\nclass Mine(Algorithm):\n    """Nothing."""\n\n'
        "    def __init__(self, encoder, *, steps: int = 3):\n        super().__init__(encoder)\n"
    )
    assert call("pretrain", "mine.py:Mine", "sensor") == 2
    assert "rename it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("eval", "nowhere"), 1, "not a run folder"),
        (("pretrain", "shed", "toy", "--out", "/proc/x", "--steps", "2"), 1, "cannot write /proc/x"),
        (("pretrain", "shed", "toy", "--precision", "fp8"), 2, "fp8"),
        (("pretrain", "--config", "missing.json"), 1, "no file missing.json"),
        (("leaderboard", "show", "--results", "nowhere"), 1, "nowhere"),
        (("pretrain", "bad.py:Bad", "toy"), 1, "bad.py failed to load: ZeroDivisionError"),
    ],
)
def test_errors_are_one_paragraph(toy, tmp_path, monkeypatch, capsys, words, code, said):
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text("1 / 0\n")
    assert call(*words) == code
    captured = capsys.readouterr()
    assert said in " ".join((captured.err + captured.out).split())
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("verb", "action", "words", "owners"),
    [
        ("leaderboard", "build", ("--protocol", "knn"), "show"),
        ("leaderboard", "export", ("--protocol=linear",), "show"),
        ("leaderboard", "show", ("--out", "x"), "build and export"),
        ("leaderboard", "show", ("--format", "csv"), "export"),
        ("leaderboard", "build", ("--format", "csv"), "export"),
        ("leaderboard", "verify", ("--results", "x"), "show and build and export"),
        ("leaderboard", "show", ("--root", "x"), "verify"),
        ("data", "status", ("--force",), "prepare"),
        ("data", "verify", ("--no-force",), "prepare"),
        ("data", "verify", ("--data_dir", "x"), "prepare"),
        ("data", "status", ("toy", "--tasks", "shade"), "prepare"),
    ],
)
def test_an_action_refuses_the_options_of_another(verb, action, words, owners, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    assert call(verb, action, *words) == 2
    option = next(word for word in words if word.startswith("--")).partition("=")[0].replace("_", "-")
    said = " ".join(capsys.readouterr().err.split())
    assert f"`dabs {verb} {action}` has no use for {option}, which belongs to {owners}. Leave it out." in said
    assert not list(Path("runs").iterdir())


@pytest.mark.parametrize("verb", ["data", "leaderboard"])
def test_a_verb_without_its_action_names_the_actions(verb, capsys):
    assert call(verb) == 2
    assert "verify" in capsys.readouterr().err
    assert call(verb, "--suite", "lite") == 2
    assert "verify" in capsys.readouterr().err
    assert call(verb, "verfy") == 2
    assert "Did you mean 'verify'" in capsys.readouterr().err


def test_debug_shows_the_traceback(capsys):
    assert call("eval", "nowhere", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_missing_data_says_what_to_run(home, capsys):
    assert call("pretrain", "shed", "sensor", "--steps", "2", "--out", str(home / "run")) == 1
    assert "dabs data prepare sensor --suite lite" in capsys.readouterr().err


def test_data_status_and_verify(toy, capsys):
    assert call("data", "status", "toy") == 0
    assert "ready" in capsys.readouterr().out
    assert call("data", "verify", "toy") == 0
    assert call("data", "prepare", "toy") == 0


def test_argument_help_reads_docstrings():
    text = "Does.\n\nArgs:\n    rate: how much,\n        at most 1.\n    other: more.\n\nReturns:\n    nothing: x."
    assert argument_help(text) == {"rate": "how much, at most 1.", "other": "more."}


def test_every_writer_of_a_task_takes_the_same_lock(toy, tmp_path, monkeypatch):
    """A grid of whole cells, one that spreads them over a cluster, and `dabs eval` meet on one run."""
    from dabs.config import PretrainConfig
    from dabs.evaluation import evaluate as evaluation
    from dabs.grid import cells
    from dabs.utils.files import sole_use

    taken = []

    def noted(path, *, wait=False):
        taken.append(path.absolute())
        return sole_use(path, wait=wait)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluation, "sole_use", noted)
    config = PretrainConfig(algorithm="none", domain="toy")
    cell = cells.Cell(config=config, label="none", protocols=("knn",), tasks=("shade", "length"), out=Path("runs"))
    call("pretrain", "none", "toy")
    lock_of = {task: tmp_path / f"runs/lite/none/toy/seed7-{task}" for task in ("shade", "length")}
    cells.evaluate_cell(cell)
    assert taken[:2] == [lock_of["length"], lock_of["shade"]], (
        "locked before it looks for missing results, in a fixed order"
    )
    (cell.folder / "results" / "shade.knn.result.json").unlink()
    for write in (
        lambda: cells.evaluate_cell(cell, "shade"),
        lambda: call("eval", str(cell.folder), "--tasks", "shade", "--protocol", "knn"),
    ):
        taken.clear()
        write()
        assert set(taken) == {lock_of["shade"]}


def test_results_hold_no_null(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("pretrain", "none", "toy")
    call("eval", "runs/lite/none/toy/seed7", "--protocol", "knn")
    for path in Path("runs").rglob("*.result.json"):
        assert "null" not in json.dumps(json.loads(path.read_text()))
