"""Only the commands that say so run an algorithm's file: check, pretrain, run, reproduce.

The file used here leaves a mark when it is imported, in a way that the scan of sources allows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dabs.algorithm import source_of
from dabs.cli import dispatch
from dabs.cli.new import write_new
from dabs.errors import DabsError
from dabs.evaluation.evaluate import evaluate
from dabs.leaderboard.cli.submit import submit
from dabs.leaderboard.submit.verify import find_problems
from dabs.registry import find_algorithm, read_algorithm
from tests.helpers.submitting import make_runs, submit_options, toy_domain, toy_rules

MARK = "my_idea was run"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs of an algorithm whose file leaves a mark among the filters of warnings when it is imported."""
    folder = tmp_path_factory.mktemp("unrun")
    with toy_domain(folder / "home"):
        write_new("my_idea", folder)
        with open(folder / "my_idea.py", "a", encoding="utf-8") as handle:
            handle.write(f"\n\nimport warnings\n\nwarnings.filterwarnings('ignore', {MARK!r})\n")
        made = make_runs(folder)
        assert was_run()
        yield made


def was_run() -> bool:
    """Whether the file was imported since the last call."""
    left = [kept for kept in warnings.filters if not (kept[1] and kept[1].pattern == MARK)]  # type: ignore[union-attr]
    found, warnings.filters[:] = len(left) < len(warnings.filters), left  # type: ignore[index]
    return found


@pytest.fixture(scope="module")
def checkout(runs: Path) -> Path:
    """A folder with the runs' submission, as `dabs submit` writes it."""
    was_run()
    root = runs.parents[2] / "checkout"
    (root / "leaderboard" / "results").mkdir(parents=True)
    submit(submit_options(runs, root / "leaderboard" / "submissions"), toy_rules())
    assert not was_run(), "dabs submit"
    return root


def test_loading_it_leaves_the_mark(runs: Path) -> None:
    path = runs.parents[2] / "my_idea.py"
    kind, text = read_algorithm(f"{path}:MyIdea")
    assert not was_run()
    found = find_algorithm(str(path))
    assert was_run()
    assert (kind, text) == (found.__name__, source_of(found))


def test_evaluating_runs_none(runs: Path) -> None:
    assert list(evaluate(runs / "toy" / "seed0", ("shade",), ("knn",)))
    assert not was_run()


def test_verifying_runs_none(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dabs.leaderboard.submit.verify.find_stale_pages", lambda root: [])
    find_problems(checkout, toy_rules())
    assert not was_run()


COMMANDS: dict[str, Callable[[Path, Path], list[str]]] = {
    "show": lambda roots, out: ["leaderboard", "show", "--results", str(roots)],
    "report": lambda roots, out: ["leaderboard", "build", "--results", str(roots), "--out", str(out / "report.html")],
    "site": lambda roots, out: ["leaderboard", "build", "--results", str(roots), "--out", str(out / "site")],
    "csv": lambda roots, out: ["leaderboard", "export", "--results", str(roots), "--out", str(out / "a.csv")],
    "records": lambda roots, out: [
        *("leaderboard", "export", "--results", str(roots), "--out", str(out / "all"), "--format", "every-eval-ever")
    ],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("of", ["runs", "submission"])
def test_tables_run_none(runs: Path, checkout: Path, tmp_path: Path, command: str, of: str) -> None:
    roots = runs if of == "runs" else checkout / "leaderboard" / "submissions"
    assert dispatch(COMMANDS[command](roots, tmp_path)) == 0
    assert not was_run()


def test_comparing_runs_none(runs: Path, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", str(runs), str(checkout / "leaderboard" / "submissions" / "mine"), "--resamples", "100"]
    assert dispatch(words) == 0
    assert "MyIdea" in capsys.readouterr().out
    assert not was_run()


def test_reproducing_asks_first(checkout: Path) -> None:
    with pytest.raises(DabsError, match="--trust"):
        dispatch(["reproduce", str(checkout / "leaderboard" / "submissions" / "mine")])
    assert not was_run()
