"""`dabs submit`, `verify` and `reproduce` on runs of the toy domain."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dabs.cli import dispatch, main
from dabs.cli.pretrain import parse
from dabs.config import PROTOCOLS, PretrainConfig
from dabs.errors import DabsError, RequestError
from dabs.leaderboard.cli.reproduce import ReproduceOptions, ask_for_trust, choose_results, reproduce
from dabs.leaderboard.cli.submit import command_lines, submit
from dabs.leaderboard.submit.doc_tables import update_pages
from dabs.leaderboard.submit.rules import Rules
from dabs.leaderboard.submit.verify import find_problems
from dabs.results.files import load_results, npz_bytes, read_predictions
from dabs.results.submission import load_submission
from dabs.utils.files import sha256_file, write_json
from dabs.utils.strict_json import read_json
from tests.helpers.places import ROOT
from tests.helpers.submitting import make_runs, submit_options, toy_domain, toy_rules, write_rolled


@dataclass(frozen=True)
class Made:
    """Runs made once for all tests of this file."""

    folder: Path
    runs: Path
    rules: Rules


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Runs of an algorithm on the toy domain with two seeds, and the rules; no results are published meanwhile."""
    folder = tmp_path_factory.mktemp("submitting")
    (folder / "published").mkdir()
    with toy_domain(folder / "home"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("dabs.results.places.published_folder", lambda: folder / "published")
        yield Made(folder, make_runs(folder / "work"), toy_rules())


@pytest.fixture
def runs(made: Made, tmp_path: Path) -> Path:
    """A copy of the runs that a test may damage."""
    return Path(shutil.copytree(made.runs, tmp_path / "MyIdea"))


@pytest.fixture(scope="module")
def submission(made: Made) -> Path:
    """A submission with predictions, made once."""
    folder = submit(submit_options(made.runs, made.folder / "submissions"), made.rules)
    assert folder is not None
    return folder


@pytest.fixture
def submitted(submission: Path, tmp_path: Path) -> Path:
    """A copy of the submission in a folder laid out like a checkout."""
    return Path(shutil.copytree(submission, tmp_path / "leaderboard" / "submissions" / "mine"))


def submit_refused(runs: Path, rules: Rules, out: Path, **changes: Any) -> str:
    with pytest.raises(DabsError) as error:
        submit(submit_options(runs, out, **changes), rules)
    assert not (out / "mine").exists()
    return str(error.value)


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    value = read_json(path)
    change(value)
    write_json(path, value)


RESULT = "toy/seed0/results/shade.linear.result.json"


def test_a_complete_set_of_runs_is_gathered(submitted, made):
    submission, results = load_submission(submitted)
    assert len(results) == 2 * 3 * 3  # seeds, tasks, protocols
    assert {result.algorithm for result in results} == {"mine"}
    assert submission.algorithm.kind == "MyIdea"
    assert (submitted / "algorithm.py").read_text() == (made.folder / "work" / "my_idea.py").read_text()
    assert len(submission.predictions) == 18
    assert submission.runs[0].options == {"hidden": 0.3}
    original = made.runs / RESULT
    assert sha256_file(submitted / "results/toy/seed0/shade.linear.result.json") == sha256_file(original)


def test_predictions_are_part_of_a_submission(submitted):
    names = {path.relative_to(submitted).as_posix() for path in submitted.rglob("*.npz")}
    assert len(names) == 18
    assert set(load_submission(submitted)[0].predictions) == names


def test_check_only_writes_nothing(made, tmp_path):
    assert submit(submit_options(made.runs, tmp_path, check_only=True), made.rules) is None
    assert not list(tmp_path.iterdir())


def test_its_commands_parse_to_the_same_configuration(made, submitted):
    import shlex

    run = load_submission(submitted)[0].runs[1]
    words = shlex.split(run.commands[0])
    assert words[:4] == ["dabs", "pretrain", "algorithm.py:MyIdea", "toy"]
    path = str(submitted / "algorithm.py")
    config, where, _ = parse([f"{path}:MyIdea", *words[3:]])
    stated = read_json(made.runs / "toy/seed1/config.json")["pretrain"]
    assert config == PretrainConfig(**(stated | {"algorithm": f"{path}:MyIdea"}))
    assert shlex.split(run.commands[1])[2] == str(where.out)


def test_commands_spell_out_lists_and_flags():
    config = PretrainConfig(algorithm="a.py:A", domain="toy", options={"deep": True, "sizes": [1, 2], "word": "a b"})
    (first, _) = command_lines(config, "A", ["knn"])
    assert "--no-compile" in first
    assert "--deep --sizes 1 2 --word 'a b'" in first


def test_a_missing_task_and_a_missing_seed_are_named(runs, made, tmp_path):
    (runs / RESULT).unlink()
    assert "missing results: toy/shade linear seed 0" in submit_refused(runs, made.rules, tmp_path)
    shutil.rmtree(runs / "toy" / "seed0")
    assert "the pretraining seeds are 1; they must be 0, 1" in submit_refused(runs, made.rules, tmp_path)


def test_a_missing_domain_is_named(runs, made, tmp_path):
    from dataclasses import replace

    rules = replace(made.rules, tasks={**made.rules.tasks, "sensor": ("exercise",)})
    assert "no results for the domain sensor" in submit_refused(runs, rules, tmp_path)


def test_an_edited_score_is_found(runs, made, tmp_path):
    edit(runs / RESULT, lambda value: value.update(score=0.99))
    message = submit_refused(runs, made.rules, tmp_path)
    assert "shade.linear.result.json: score is 0.99, its predictions give" in message
    assert "the file was edited" in message


def test_an_edited_interval_is_found(runs, made, tmp_path):
    edit(runs / RESULT, lambda value: value["interval"].update(low=0.0))
    assert "interval.low is 0, its predictions give" in submit_refused(runs, made.rules, tmp_path)


def test_edited_predictions_are_found(runs, made, tmp_path):
    path = runs / "toy/seed0/results/shade.linear.predictions.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert "one of the two was changed" in submit_refused(runs, made.rules, tmp_path)


def test_consistently_edited_labels_are_found(runs, made, tmp_path):
    """Someone who edits labels, hash and score alike is caught by the data, or by the other seed."""
    from dabs.evaluation.metrics import bootstrap_interval

    arrays = read_predictions(runs / RESULT)
    arrays["prediction"] = np.roll(arrays["prediction"], 1)  # the probe is right about this task
    arrays["label"] = arrays["prediction"].copy()
    path = runs / "toy/seed0/results/shade.linear.predictions.npz"
    path.write_bytes(npz_bytes(arrays))
    interval = bootstrap_interval("accuracy", arrays["prediction"], arrays["label"], arrays["group"])

    def change(value: dict[str, Any]) -> None:
        value.update(score=1.0, interval=interval)
        value["predictions"]["sha256"] = sha256_file(path)

    edit(runs / RESULT, change)
    message = submit_refused(runs, made.rules, tmp_path)
    assert "not those of the prepared data" in message
    assert "not those of the other results of this task" in message


def test_an_edited_configuration_is_found(runs, made, tmp_path):
    edit(runs / RESULT, lambda value: value["pretraining"]["config"]["options"].update(hidden=0.5))
    message = submit_refused(runs, made.rules, tmp_path)
    assert "pretraining.config is" in message
    assert "one setting in all domains" in message


def test_swapped_weights_are_found(runs, made, tmp_path):
    shutil.copy(runs / "toy/seed1/encoder/encoder.safetensors", runs / "toy/seed0/encoder/encoder.safetensors")
    assert "encoder.safetensors is missing or is not what the run wrote" in submit_refused(runs, made.rules, tmp_path)


def test_a_changed_source_is_found(runs, made, tmp_path):
    other = tmp_path / "other.py"
    other.write_text((made.folder / "work" / "my_idea.py").read_text() + "# a change\n")
    message = submit_refused(runs, made.rules, tmp_path, algorithm=f"{other}:MyIdea")
    assert "source was changed after" in message
    assert "(2 of 2 runs)" in message


def test_a_missing_source_says_how_to_name_it(runs, made, tmp_path):
    for path in runs.rglob("config.json"):
        if path.parent.name != "encoder":
            edit(path, lambda value: value["pretrain"].update(algorithm="gone.py:MyIdea"))
    assert "say where it is now with --algorithm" in submit_refused(runs, made.rules, tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (("environment", "git_dirty"), True, "uncommitted changes"),
        (("environment", "git_commit"), "b" * 40, "environment.git_commit is mixed"),
        (("environment", "dabs_version"), "0.0.9", "environment.dabs_version is mixed"),
        (("evaluation", "config"), {"k": 5}, "evaluation.k is 5, but the protocol of toy requires None"),
        (("pretraining", "steps"), 60, "pretraining.steps is 60"),
    ],
)
def test_another_version_a_dirty_checkout_or_another_protocol_is_refused(runs, made, tmp_path, field, value, message):
    edit(runs / RESULT, lambda result: result[field[0]].update({field[1]: value}))
    assert message in submit_refused(runs, made.rules, tmp_path)


def test_a_dirty_pretraining_is_refused(runs, made, tmp_path):
    edit(runs / "toy/seed0/run.json", lambda value: value["environment"].update(git_dirty=True))
    assert "was pretrained from a checkout of dabs with uncommitted changes" in submit_refused(
        runs, made.rules, tmp_path
    )


def test_an_unfinished_run_and_runs_of_two_algorithms_are_refused(runs, made, tmp_path):
    (runs / "toy/seed1/run.json").rename(tmp_path / "kept.json")
    assert "is not complete" in submit_refused(runs, made.rules, tmp_path)
    (tmp_path / "kept.json").rename(runs / "toy/seed1/run.json")
    edit(runs / "toy/seed1/run.json", lambda value: value.update(label="Other"))
    assert "runs of several algorithms (MyIdea, Other)" in submit_refused(runs, made.rules, tmp_path)


def test_every_problem_is_reported_at_once(runs, made, tmp_path):
    (runs / RESULT).unlink()
    edit(runs / "toy/seed1/results/length.knn.result.json", lambda value: value.update(score=0.5))
    message = submit_refused(runs, made.rules, tmp_path)
    assert len([line for line in message.splitlines() if line.startswith("  - ")]) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../up"}, "name"),
        ({"name": "a" * 99}, "name"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"authors": ("a\nb",)}, "authors"),
        ({"ruleset": "tuned"}, "needs --tuning FILE"),
        ({"tuning": Path("x.json")}, "--ruleset fixed takes none"),
    ],
)
def test_invalid_names_and_options_are_refused(made, tmp_path, changes, message):
    with pytest.raises(RequestError, match=message):
        submit(submit_options(made.runs, tmp_path, **changes), made.rules)


def test_a_tuned_submission_declares_its_grid(made, tmp_path):
    declared = tmp_path / "tuning.json"
    value = {"grid": {"hidden": [0.1, 0.3]}, "budget": 4, "selected_by": "linear probe on the validation splits"}
    write_json(declared, value)
    folder = submit(submit_options(made.runs, tmp_path / "out", ruleset="tuned", tuning=declared), made.rules)
    assert read_json(folder / "submission.json")["tuning"] == value
    write_json(declared, value | {"grid": {"hidden": [0.1, 0.2]}})
    with pytest.raises(DabsError, match=r"hidden is 0\.3 in toy, which is not on the declared grid"):
        submit(submit_options(made.runs, tmp_path / "other", ruleset="tuned", tuning=declared), made.rules)
    write_json(declared, {"grid": {}, "budget": 0})
    with pytest.raises(RequestError, match=r"tuning.json: grid"):
        submit(submit_options(made.runs, tmp_path / "other", ruleset="tuned", tuning=declared), made.rules)


def test_a_name_and_an_algorithm_can_be_submitted_only_once(made, submitted):
    again = submit_options(made.runs, submitted.parent)
    with pytest.raises(RequestError, match="is there already"):
        submit(again, made.rules)
    with pytest.raises(DabsError, match="mine is the same algorithm with the same options"):
        submit(submit_options(made.runs, submitted.parent, name="other"), made.rules)


def test_without_a_checkout_a_submission_is_compared_with_the_published_results(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    published = tmp_path / "published"
    monkeypatch.setattr("dabs.results.places.published_folder", lambda: published)
    for path in made.runs.rglob("*.result.json"):
        value = read_json(path) | {"algorithm": "emix", "algorithm_sha256": "0" * 64}
        write_json(published / "lite" / "emix" / path.relative_to(made.runs), value)
    message = submit_refused(made.runs, made.rules, tmp_path / "submissions", name="emix")
    assert "the name emix is taken" in message
    monkeypatch.setattr("dabs.leaderboard.cli.suite_rules.build_rules", lambda suite: made.rules)
    words = ["--name", "mine", "--authors", "A", "--url", "https://example.org/x"]
    assert dispatch(["submit", str(made.runs), *words]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "compared with the results that came with dabs" in said
    assert "a copy of leaderboard/submissions/mine in leaderboard/submissions" in said
    load_submission(Path("leaderboard/submissions/mine"))


def checkout(submitted: Path, made: Made) -> Path:
    """Add what `verify` reads to the checkout of a submission: pages, timing, a committed random encoder."""
    root = submitted.parents[2]
    results = root / "leaderboard" / "results" / "lite"
    (root / "algorithms").mkdir()
    source = shutil.copy(ROOT / "algorithms" / "none.py", root / "algorithms")
    write_rolled(made.runs, results / "none", algorithm="none", algorithm_sha256=sha256_file(Path(source)))
    machine = {"cores": 2, "processor": "x"}
    write_json(results / "timing.json", {"minutes": {"cells": 1.0}, "machine": machine, "cells": 1, "jobs": 1})
    for page, names in {
        "README.md": ("table", "wins", "timing"),
        "docs/results.md": ("references", "overview", *PROTOCOLS, "submissions", "tuned"),
        "docs/protocol.md": ("agreement", "choices"),
        "docs/budgets.md": ("budgets", "trend"),
        "docs/architecture.md": ("tree",),
    }.items():
        (root / page).parent.mkdir(exist_ok=True)
        (root / page).write_text("".join(f"<!-- {n}:begin -->\n<!-- {n}:end -->\n" for n in names))
    update_pages(root)
    return root


def test_verify_accepts_what_submit_wrote(submitted, made):
    root = checkout(submitted, made)
    assert find_problems(root, made.rules) == []
    assert "| domain | *none* | mine |" in (root / "README.md").read_text()
    page = (root / "docs" / "results.md").read_text()
    assert "| mine | A. Stranger | fixed |" in page
    assert "No tuned submission yet." in page


def test_verify_finds_stale_tables(submitted, made):
    root = checkout(submitted, made)
    readme = root / "README.md"
    readme.write_text(readme.read_text().replace("| toy", "| 99.9 toy"))
    before = readme.read_text()
    assert find_problems(root, made.rules) == [
        "the generated parts of README.md are out of date: run docs/update_tables.py"
    ]
    assert readme.read_text() == before


def add_line(path: Path) -> None:
    path.write_text(path.read_text() + "\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: add_line(f / "algorithm.py"), "algorithm.py was changed"),
        (lambda f: (f / "algorithm.py").unlink(), "algorithm.py is missing"),
        (lambda f: add_line(f / "results/toy/seed0/shade.linear.result.json"), "was changed"),
        (lambda f: (f / "extra.txt").write_text("x"), "extra.txt is not listed"),
        (lambda f: (f / "link").symlink_to("/etc"), "link is not listed"),
        (lambda f: edit(f / "submission.json", lambda v: v.update(name="other")), "its folder is called 'mine'"),
        (lambda f: edit(f / "submission.json", lambda v: v.update(submission_version=9)), "submission_version is 9"),
        (lambda f: edit(f / "submission.json", lambda v: v.update(note="x")), "note: extra inputs are not permitted"),
        (lambda f: edit(f / "submission.json", lambda v: v["runs"].pop()), "runs and results are of different domains"),
        (
            lambda f: edit(f / "submission.json", lambda v: v["runs"][0]["options"].update(hidden=0.9)),
            "runs.options in submission.json is not that of",
        ),
        (
            lambda f: edit(f / "submission.json", lambda v: v["files"].update({"results/../x.npz": "0" * 64})),
            "string should match pattern",
        ),
        (lambda f: (f / "submission.json").unlink(), "has no submission.json"),
        (lambda f: f.rename(f.with_name("NONE")) and edit(
            f.with_name("NONE") / "submission.json", lambda v: v.update(name="NONE")
        ), "the name NONE is taken"),
    ],
)  # fmt: skip
def test_verify_finds_damage(submitted, made, damage, message):
    root = checkout(submitted, made)
    damage(submitted)
    found = find_problems(root, made.rules)
    assert any(message in line for line in found), found


def test_verify_finds_an_edit_with_updated_hashes(submitted, made):
    """If the predictions are included, a changed score is found even if every hash was updated."""
    root = checkout(submitted, made)
    name = "results/toy/seed0/shade.linear.result.json"
    edit(submitted / name, lambda value: value.update(score=0.99))
    edit(submitted / "submission.json", lambda value: value["files"].update({name: sha256_file(submitted / name)}))
    assert any("score is 0.99, its predictions give" in line for line in find_problems(root, made.rules))


def label_as_predicted(folder: Path, name: str) -> None:
    """Set a result's labels and predictions to others that agree, and update everything that follows from them."""
    from dabs.evaluation.metrics import bootstrap_interval

    result, predictions = f"{name}.result.json", f"{name}.predictions.npz"
    arrays = read_predictions(folder / result)
    # the probe is right about this task, so its own predictions would be the labels of the data
    guesses, group = np.roll(arrays["prediction"], 1), arrays["group"]
    (folder / predictions).write_bytes(npz_bytes(arrays | {"prediction": guesses, "label": guesses}))
    digest, interval = sha256_file(folder / predictions), bootstrap_interval("accuracy", guesses, guesses, group)
    edit(folder / result, lambda v: v.update(score=1.0, interval=interval))
    edit(folder / result, lambda v: v["predictions"].update(sha256=digest))
    updated = {predictions: digest, result: sha256_file(folder / result)}
    edit(folder / "submission.json", lambda v: v["files"].update(updated))
    edit(folder / "submission.json", lambda v: v["predictions"].update({predictions: digest}))


def test_verify_finds_edited_labels_with_updated_hashes(submitted, made):
    """Labels set to the predictions give a perfect, consistent score; the other seed and the data contradict it."""
    from dabs.leaderboard.cli.suite_rules import read_labels

    root = checkout(submitted, made)
    for seed in (0, 1):
        label_as_predicted(submitted, f"results/toy/seed{seed}/shade.linear")
    others = [line for line in find_problems(root, made.rules) if "not those of the other results" in line]
    assert others
    found = find_problems(root, made.rules, lambda domain, task: read_labels("lite", domain, task))
    assert len([line for line in found if "shade.linear" in line and "not those of the prepared data" in line]) == 2


def test_verify_finds_missing_predictions(submitted, made):
    root = checkout(submitted, made)
    name = "results/toy/seed0/shade.linear.predictions.npz"
    (submitted / name).unlink()
    edit(submitted / "submission.json", lambda value: value["files"].pop(name))
    found = find_problems(root, made.rules)
    assert any("the predictions of 1 of 18 results are missing" in line for line in found)


def test_verify_finds_broken_rules_and_copies(submitted, made):
    from dataclasses import replace

    root = checkout(submitted, made)
    stricter = replace(made.rules, seeds=(0, 1, 2))
    assert any("they must be 0, 1, 2" in line for line in find_problems(root, stricter))
    copy = submitted.with_name("copy")
    shutil.copytree(submitted, copy)
    edit(copy / "submission.json", lambda value: value.update(name="copy"))
    assert any("is the same algorithm with the same options" in line for line in find_problems(root, made.rules))


def test_verify_checks_the_projects_own_results(submitted, made):
    root = checkout(submitted, made)
    folder = root / "leaderboard/results/lite/none/toy/seed0/results"
    edit(folder / "shade.knn.result.json", lambda value: value["environment"].update(git_dirty=True))
    (folder / "shade.linear.result.json").rename(folder / "other.linear.result.json")
    found = " ".join(find_problems(root, made.rules))
    assert "was made from a checkout with uncommitted changes" in found
    assert "other.linear.result.json is a result that belongs in" in found


def test_verify_prints_problems_and_sets_the_exit_code(submitted, made, monkeypatch, capsys):
    root = checkout(submitted, made)
    monkeypatch.setattr("dabs.leaderboard.cli.suite_rules.build_rules", lambda suite: made.rules)
    for damaged, code in ((False, 0), (True, 1)):
        if damaged:
            (submitted / "algorithm.py").unlink()
        with pytest.raises(SystemExit) as stop:
            main(["leaderboard", "verify", "--root", str(root)])
        assert (stop.value.code or 0) == code
    assert "algorithm.py is missing" in capsys.readouterr().out


def test_reproduce_gives_the_same_numbers_and_leaves_runs_alone(submitted, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made.runs, "runs/lite/MyIdea")
    wanted = ReproduceOptions(submission=submitted, cell=("toy/shade",), seed=1, trust=True)
    submission, results = load_submission(submitted)
    (again,) = reproduce(wanted, submission, choose_results(wanted, results))
    assert again.verdict == "equal"
    assert again.weights_equal
    assert again.stated.seed == 1
    assert len(load_results(Path("runs"))) == len(results)


def test_reproduce_reports_a_score_that_does_not_hold(submitted, tmp_path, capsys):
    name = "results/toy/seed0/shade.linear.result.json"
    value = read_json(submitted / name)
    value.update(score=0.0, interval=value["interval"] | {"low": 0.0, "high": 0.01})
    write_json(submitted / name, value)
    edit(submitted / "submission.json", lambda v: v["files"].update({name: sha256_file(submitted / name)}))
    words = ["reproduce", str(submitted), "--cell", "toy/shade", "--trust", "--out", str(tmp_path / "again")]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 1
    assert "outside toy/shade linear seed 0: stated 0.0000" in " ".join(capsys.readouterr().out.split())


def test_reproduce_runs_nothing_without_trust(submitted):
    wanted = ReproduceOptions(submission=submitted)
    submission, results = load_submission(submitted)
    with pytest.raises(RequestError, match=r"Repeat the command with --isolated.* or read it and give --trust"):
        ask_for_trust(wanted, submission)
    assert len(choose_results(wanted, results)) == 3
    for unknown in ({"cell": ("toy/nothing",)}, {"seed": 9}):
        with pytest.raises(RequestError, match="the submission has no"):
            choose_results(ReproduceOptions(submission=submitted, **unknown), results)


def test_reproduce_refuses_a_changed_source(submitted):
    add_line(submitted / "algorithm.py")
    with pytest.raises(SystemExit) as stop:
        main(["reproduce", str(submitted), "--trust"])
    assert stop.value.code == 1


def test_what_is_committed_here_is_valid():
    """Only the project's own results; CI checks the tables with `dabs leaderboard verify`."""
    from dabs.leaderboard.submit.verify import read_committed_rows

    rows, wrong = read_committed_rows(ROOT / "leaderboard" / "results")
    assert wrong == []
    assert {"none", "raw"} < set(rows)


def test_the_tuning_example_of_the_docs_is_valid():
    import re

    from dabs.results.submission import Tuning

    page = (ROOT / "docs" / "submitting.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert Tuning.model_validate_json(block).budget == 3


def test_submit_prints_what_it_did(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("dabs.leaderboard.cli.suite_rules.build_rules", lambda suite: made.rules)
    words = ["submit", str(made.runs), "--name", "mine", "--authors", "A", "B", "--url", "https://example.org"]
    for out, code in ((tmp_path / "board" / "submissions", 0), (tmp_path / "board" / "submissions", 2)):
        with pytest.raises(SystemExit) as stop:
            main([*words, "--out", str(out)])
        assert (stop.value.code or 0) == code
    captured = capsys.readouterr()
    assert "this is not the top of a checkout" in " ".join(captured.out.split())
    assert "is there already" in captured.err
    assert load_submission(tmp_path / "board" / "submissions" / "mine")[0].authors == ("A", "B")


def test_the_exported_schema_is_current():
    from dabs.results.submission import SCHEMA_FILE, json_schema

    assert json.loads(SCHEMA_FILE.read_text()) == json_schema(), "run python -m dabs.results.submission"
