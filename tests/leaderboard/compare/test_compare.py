"""Comparisons of synthetic runs: numbers, refusals, missing data, all formats."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from dabs.cli import dispatch
from dabs.errors import DabsError, RequestError
from dabs.evaluation.metrics import METRICS
from dabs.leaderboard.compare import pairwise
from dabs.leaderboard.compare.contestants import load_contestants
from dabs.leaderboard.compare.formats import FORMATS, escape_latex, show
from dabs.leaderboard.compare.model import Comparison, Estimate
from dabs.leaderboard.compare.pairwise import compare
from dabs.leaderboard.compare.scores import Evidence
from dabs.leaderboard.compare.statistics import holm_correction
from dabs.results.files import read_predictions
from tests.helpers.made_results import alter, make, make_payload, submit, write_payload

TASKS = {
    ("sensor", "exercise"): "accuracy",
    ("sensor", "tempo"): "spearman",
    ("speech", "word"): "accuracy",
    ("chest_xray", "findings"): "auroc",
    ("english_text", "spam"): "matthews",
}
N = 300
Writer = Callable[..., Path]


def predictions(metric: str, skill: float, task: str, seed: int) -> dict[str, np.ndarray]:
    """Return predictions that improve with skill; labels and hard examples of a task are the same for all."""
    of_task, own = np.random.default_rng(len(task)), np.random.default_rng([seed, int(1000 * skill)])
    if metric == "accuracy":
        return {"label": np.ones(N, dtype=np.int64), "prediction": (of_task.random(N) < skill).astype(np.int64)}
    label = of_task.integers(0, 5, N).astype(np.float64)
    value = skill * label + own.normal(size=N)
    if metric == "spearman":
        return {"label": label, "prediction": value}
    hit = (label > 2).astype(np.int64)
    if metric == "matthews":
        return {"label": hit, "prediction": (value > 3 * skill).astype(np.int64)}
    return {"label": hit[:, None], "prediction": value[:, None]}


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Return a function that writes an algorithm's runs with predictions and returns their folder."""

    def writer(algorithm: str, skill: float, seeds: int = 2, tasks: Any = TASKS, size: int = 1, **fields: Any) -> Path:
        for (domain, task), metric in ((key, TASKS[key]) for key in tasks):
            for seed in range(seeds):
                arrays = predictions(metric, skill + 0.02 * seed, task, seed) | {"group": np.arange(N) // size}
                payload = _payload(algorithm, domain, task, metric, seed, arrays)
                for path, value in fields.items():
                    payload = alter(payload, path.replace("__", "."), value)
                write_payload(tmp_path / algorithm / domain / f"seed{seed}", payload, arrays)
        return tmp_path / algorithm

    return writer


def _payload(algorithm: str, domain: str, task: str, metric: str, seed: int, arrays: Any) -> dict[str, Any]:
    payload = make_payload(algorithm=algorithm, domain=domain, task=task, seed=seed)
    known = METRICS[metric]
    chance = 0.0 if metric in ("spearman", "matthews") else 0.5
    payload["metric"] = {"name": metric, "direction": "higher", "low": known.low, "high": known.high, "chance": chance}
    payload["score"] = payload["validation_score"] = known.score(arrays["prediction"], arrays["label"])
    payload["interval"] |= {"low": payload["score"] - 0.06, "high": payload["score"] + 0.06}
    payload["counts"]["test"], units = N, int(arrays["group"].max()) + 1
    payload["interval"] |= {"units": units, "resampled": "groups" if units < N else "examples"}
    return payload


def both(write: Writer, **changes: Any) -> Comparison:
    """Compare two algorithms, of which the first is better."""
    return compare([str(write("better", 0.8)), str(write("worse", 0.5, **changes))], resamples=500)


def test_numbers_of_a_task(write: Writer) -> None:
    task = both(write).pair("better", "worse").tasks[-1]
    assert (task.domain, task.task, task.metric, task.units) == ("speech", "word", "accuracy", N)
    assert task.difference.value == pytest.approx(np.mean(task.scores_a) - np.mean(task.scores_b))
    assert task.difference.low is not None
    assert task.difference.low < task.difference.value
    assert (task.verdict, task.covers, task.basis) == ("win", "seeds and test examples", "paired predictions")
    assert task.resampled == "examples"
    assert [one.seed for one in task.mcnemar] == [0, 1]


def test_with_one_seed_each_the_test_is_mcnemars(write: Writer) -> None:
    comparison = compare([str(write("better", 0.8, 1)), str(write("worse", 0.5, 1))], resamples=500)
    task = next(one for one in comparison.pairs[0].tasks if one.task == "exercise")
    one = task.mcnemar[0]
    assert task.test == "exact McNemar"
    assert task.difference.p == pytest.approx(stats.binomtest(one.only_a, one.only_a + one.only_b).pvalue)
    assert any("one pretraining seed" in note for note in comparison.notes)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_p_is_no_evidence(write: Writer, monkeypatch: pytest.MonkeyPatch, missing: float | None) -> None:
    before = both(write).pairs[0]
    tasks = before.tasks
    assert tasks[-1].verdict == "win"
    measured = pairwise.estimate_difference

    def without_last(a: Evidence, *others: Any, **options: Any) -> tuple[Estimate, str, str]:
        difference, *words = measured(a, *others, **options)
        return (replace(difference, p=missing) if a.mean == tasks[-1].a else difference, *words)

    monkeypatch.setattr(pairwise, "estimate_difference", without_last)
    comparison = both(write)
    found = comparison.pairs[0]
    assert (found.tasks[-1].verdict, found.tasks[-1].p_holm) == ("tie", None)
    assert (found.swapped().tasks[-1].verdict, found.swapped().tasks[-1].p_holm) == ("tie", None)
    assert (found.overall.wins, found.overall.ties) == (before.overall.wins - 1, before.overall.ties + 1)
    p_values = [task.difference.p or 1.0 for task in tasks[:-1]]
    assert [task.p_holm for task in found.tasks[:-1]] == pytest.approx(holm_correction([*p_values, 1.0])[:-1])
    assert FORMATS["markdown"](comparison).count("| – |") > 0


def test_aggregates_and_their_means(write: Writer) -> None:
    pair = both(write).pairs[0]
    sensor = next(one for one in pair.domains if one.scope == "sensor")
    assert sensor.a == pytest.approx(np.mean([one.a for one in pair.tasks if one.domain == "sensor"]))
    assert pair.overall.difference is not None
    assert pair.overall.difference.value == pytest.approx(
        np.mean([d.a - d.b for d in pair.domains if d.a is not None and d.b is not None])
    )
    assert pair.overall.tasks == pair.overall.wins + pair.overall.ties + pair.overall.losses == 5
    runs = [[np.greater.outer(t.scores_a, t.scores_b).mean() for t in pair.tasks]]
    assert pair.overall.improvement is not None
    assert pair.overall.improvement.value == pytest.approx(np.mean(runs))


def test_a_plug_in_domain_is_compared_but_is_no_part_of_all_domains(
    write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = both(write).pairs[0].overall
    monkeypatch.setitem(TASKS, ("plugged", "own"), "accuracy")
    pair = both(write).pairs[0]
    assert [one.a is not None for one in pair.domains if one.scope == "plugged"] == [True]
    assert pair.overall.difference is not None
    assert alone.difference is not None
    assert pair.overall.difference.value == pytest.approx(alone.difference.value)
    assert (pair.overall.tasks, pair.overall.complete) == (alone.tasks, True)


def test_exchanging_the_sides_mirrors_the_pair(write: Writer) -> None:
    a, b = str(write("better", 0.8)), str(write("worse", 0.6))
    there, back = compare([a, b], resamples=500), compare([b, a], resamples=500)
    mine, theirs = there.pair("worse", "better"), back.pair("worse", "better")
    assert [t.verdict for t in mine.tasks] == [t.verdict for t in theirs.tasks]
    for x, y in zip(mine.tasks, theirs.tasks, strict=True):
        assert (x.difference.low, x.difference.p) == pytest.approx((y.difference.low, y.difference.p))
        assert (x.scores_a, x.mcnemar) == (y.scores_a, y.mcnemar)
    assert mine.overall.wins == theirs.overall.wins
    assert mine.overall.improvement is not None
    assert theirs.overall.improvement is not None
    assert mine.overall.improvement.high == pytest.approx(theirs.overall.improvement.high)


def test_a_third_contestant_changes_no_pair(write: Writer) -> None:
    a, b, c = (str(write(name, skill)) for name, skill in (("x", 0.8), ("y", 0.6), ("z", 0.7)))
    two, three = compare([a, b], resamples=500), compare([a, c, b], resamples=500)
    assert two.pair("x", "y") == three.pair("x", "y")
    assert two.ranks == {}
    assert three.ranks["all domains"][0].name == "x"
    assert sum(rank.rank.value for rank in three.ranks["all domains"]) == pytest.approx(6)


@pytest.mark.parametrize(
    ("field", "value", "said", "advice"),
    [
        ("suite", "paper", "suite (all results", "settings of the other"),
        (
            "data__split_sha256__test",
            "0" * 64,
            "data.split_sha256 (chest_xray/findings and 4 more)",
            "dabs data verify",
        ),
        ("evaluation__config", {"protocol": "other"}, "evaluation.config", "settings of the other"),
        ("pretraining__config", {"batch_size": 32}, "pretraining.config.batch_size", "settings of the other"),
        ("pretraining__steps", 601, "pretraining.steps", "settings of the other"),
        ("encoder__config", {"width": 128, "depth": 4}, "encoder.config", "settings of the other"),
    ],
)
def test_results_made_with_other_settings_are_refused_and_listed(
    write: Writer, field: str, value: Any, said: str, advice: str
) -> None:
    with pytest.raises(RequestError, match="may not be compared") as refusal:
        both(write, **{field: value})
    assert said in str(refusal.value)
    assert "better has" in str(refusal.value)
    assert "worse has" in str(refusal.value)
    assert advice in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "value"), [("data__sha256__test", "0" * 64), ("pretraining__steps", 601), ("interval__units", 7)]
)
def test_a_domain_that_differs_is_left_out_and_the_others_are_compared(write: Writer, field: str, value: Any) -> None:
    write("worse", 0.5, tasks=[key for key in TASKS if key[0] != "speech"])
    comparison = both(write, tasks=[("speech", "word")], **{field: value})
    pair = comparison.pairs[0]
    assert {task.domain for task in pair.tasks} == set(comparison.tasks) == {key[0] for key in TASKS} - {"speech"}
    assert list(comparison.left_out) == ["speech"]
    name = field.replace("__test", "").replace("__", ".")
    assert name in comparison.left_out["speech"]
    assert comparison.notes[0].startswith("speech is left out, because its results were made under different")
    assert "the 3 other domains" in comparison.notes[1]
    means = [domain.a for domain in pair.domains if domain.a is not None]
    assert pair.overall.a == pytest.approx(np.mean(means))
    assert json.loads(FORMATS["json"](comparison))["left_out"] == comparison.left_out
    for form in ("markdown", "html", "latex"):
        assert "all domains but speech" in FORMATS[form](comparison)
        assert "speech is left out" in FORMATS[form](comparison)


def test_nothing_is_left_out_without_a_difference(write: Writer) -> None:
    comparison = both(write)
    assert comparison.left_out == {}
    assert "all domains but" not in FORMATS["markdown"](comparison)


def test_every_difference_is_listed(write: Writer) -> None:
    with pytest.raises(RequestError) as refusal:
        both(write, suite="paper", pretraining__steps=700)
    assert len(re.findall(r"^  - ", str(refusal.value), re.M)) == 2


def test_options_chosen_per_domain_give_a_note(write: Writer) -> None:
    one, other = TASKS, {"pretraining__config": {"options": {"rate": 0.3}}}
    write("worse", 0.5, tasks=list(one)[:2], pretraining__config={"options": {"rate": 0.1}})
    tuned, plain = str(write("worse", 0.5, tasks=list(one)[2:], **other)), str(write("better", 0.8, **other))
    notes = compare([plain, tuned], resamples=200).notes
    assert any("chosen per domain for worse (ruleset tuned)" in note for note in notes)
    assert not any("ruleset tuned" in note for note in both(write).notes)


def test_other_protocols_are_not_read(write: Writer) -> None:
    a, b = str(write("better", 0.8)), str(write("worse", 0.5, protocol="knn"))
    with pytest.raises(RequestError, match=r"no results for the protocol 'linear' \(it has some for: knn\)\. Name"):
        compare([a, b], resamples=200)


def test_a_folder_without_results_says_how_to_get_some(write: Writer, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        RequestError, match=r"no results for the protocol 'knn'\. Evaluate its runs first.*dabs eval RUN"
    ):
        load_contestants([str(write("better", 0.8, protocol="knn")), f"{tmp_path / 'empty'}:shed"], "knn")
    with pytest.raises(RequestError, match=r"no algorithm 'shed' in .*better.*`dabs eval RUN --protocol knn`"):
        load_contestants([f"{tmp_path / 'better'}:shed"], "knn")


def test_without_predictions_the_interval_is_wider_and_a_note_says_so(write: Writer) -> None:
    with_them = both(write)
    root = Path(with_them.contestants[1].source)
    for file in root.rglob("*.npz"):
        file.unlink()
    without = compare([entry.source for entry in with_them.contestants], resamples=500)
    for paired, unpaired in zip(with_them.pairs[0].tasks, without.pairs[0].tasks, strict=True):
        assert unpaired.basis == "published intervals"
        assert unpaired.difference.error is not None
        assert paired.difference.error is not None
        assert unpaired.difference.error > 0.95 * paired.difference.error
        assert unpaired.mcnemar == ()
    assert any("Predictions are missing" in note for note in without.notes)


def edit_score(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"score": 0.9}))


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "but its predictions give": edit_score,
    "was changed": lambda path: next(path.parent.glob("word.*.npz")).write_bytes(b"other"),
    "is not valid JSON": lambda path: path.write_text(path.read_text()[:500]),
}


@pytest.mark.parametrize("said", DAMAGE)
def test_a_task_of_a_broken_result_is_not_compared_and_a_note_says_so(write: Writer, said: str) -> None:
    a, b = write("better", 0.8), write("worse", 0.5)
    path = next(b.rglob("word.linear.result.json"))
    DAMAGE[said](path)
    comparison = compare([str(a), str(b)], resamples=200)
    (pair,) = comparison.pairs
    assert {task.task for task in pair.tasks} == {task for _, task in TASKS} - {"word"}
    assert pair.overall.a is None
    first, *others = comparison.notes
    assert "speech/word of worse" in first
    assert str(path.parent) in first
    assert said in first
    assert any("worse lacks speech/word" in note for note in others)


def test_a_broken_result_counts_against_its_own_algorithm_only(write: Writer, tmp_path: Path) -> None:
    write("better", 0.8)
    broken = next(write("worse", 0.5).rglob("tempo.linear.result.json"))
    edit_score(broken)
    better, worse = load_contestants([str(tmp_path)], "linear")
    assert better.left_out == ()
    assert ("sensor", "tempo") in better.cells
    assert len(worse.left_out) == 1
    assert {key for key in better.cells if key not in worse.cells} == {("sensor", "tempo")}
    words = ["compare", str(tmp_path), "--resamples", "200"]
    assert dispatch(words) == 1
    broken.unlink()
    broken.with_name("tempo.linear.predictions.npz").unlink()
    assert dispatch(words) == 0


def test_a_broken_result_that_could_be_anyones_counts_against_all(write: Writer, tmp_path: Path) -> None:
    write("better", 0.8)
    write("worse", 0.5)
    (tmp_path / "word.linear.result.json").write_text("{")
    assert [("speech", "word") in one.cells for one in load_contestants([str(tmp_path)], "linear")] == [False, False]
    (tmp_path / "word.linear.result.json").rename(tmp_path / "word.knn.result.json")
    assert [one.left_out for one in load_contestants([str(tmp_path)], "linear")] == [(), ()], "of another protocol"


def test_rows_whose_only_common_task_is_broken_say_which_file_is(write: Writer, tmp_path: Path) -> None:
    a, b = write("better", 0.8, tasks=[("sensor", "tempo")]), write("worse", 0.5, tasks=[("sensor", "tempo")])
    edit_score(next(b.rglob("tempo.linear.result.json")))
    with pytest.raises(RequestError, match=r"no task in common.*A broken file is left out.*tempo\.linear"):
        compare([str(a), str(b)], resamples=200)


def test_rows_of_different_tasks_are_told_to_be_evaluated_on_the_same(write: Writer) -> None:
    a, b = write("better", 0.8, tasks=[("sensor", "tempo")]), write("worse", 0.5, tasks=[("speech", "word")])
    with pytest.raises(RequestError, match=r"no task in common.*Evaluate both on the same tasks"):
        compare([str(a), str(b)], resamples=200)


def test_a_source_that_cannot_be_read_at_all_says_why(write: Writer, tmp_path: Path) -> None:
    a, b = write("better", 0.8), tmp_path / "worse"
    b.mkdir()
    (b / "word.linear.result.json").write_text("{")
    with pytest.raises(DabsError, match=r"no results that can be read.*word\.linear.*not valid JSON"):
        compare([str(a), str(b)], resamples=200)
    with pytest.raises(RequestError, match=r"no algorithm 'worse'.*Left out: .*word\.linear.*not valid JSON"):
        compare([f"{tmp_path}:worse", str(a)], resamples=200)


def test_a_missing_task_empties_the_means(write: Writer) -> None:
    comparison = both(write, tasks=[key for key in TASKS if key[1] != "tempo"])
    pair = comparison.pairs[0]
    assert pair.overall.a is None
    assert pair.overall.tasks == 4
    assert next(one for one in pair.domains if one.scope == "speech").a is not None
    assert any("worse lacks sensor/tempo" in note for note in comparison.notes)


def test_the_mean_of_one_shared_domain_is_not_that_of_all(write: Writer) -> None:
    comparison = both(write, tasks=[key for key in TASKS if key[0] == "sensor"])
    (sensor,), overall = comparison.pairs[0].domains, comparison.pairs[0].overall
    assert sensor.a is not None
    assert (overall.scope, overall.tasks, overall.complete) == ("all domains", 2, False)
    assert (overall.a, overall.b, overall.difference, overall.iqm_difference) == (None, None, None, None)


def test_examples_that_share_a_group_are_resampled_together(write: Writer) -> None:
    single = both(write)
    grouped = both(lambda *args, **fields: write(*args, size=30, **fields))
    for alone, together in zip(single.pairs[0].tasks, grouped.pairs[0].tasks, strict=True):
        assert (together.resampled, together.units, together.covers) == ("groups", 10, "seeds and groups")
        assert together.difference.value == alone.difference.value
        if together.task == "word":
            assert together.difference.error != alone.difference.error
    assert any("were resampled together in chest_xray/findings (10)" in note for note in grouped.notes)
    assert not any("resampled together" in note for note in single.notes)
    assert not any("Too few groups" in note for note in grouped.notes)
    assert any("Too few groups" in n for n in both(lambda *args, **fields: write(*args, size=60, **fields)).notes)


def test_mcnemar_says_nothing_where_examples_share_a_group(write: Writer) -> None:
    a, b = (str(write(name, skill, 1, size=30)) for name, skill in (("better", 0.8), ("worse", 0.5)))
    task = next(one for one in compare([a, b], resamples=500).pairs[0].tasks if one.task == "word")
    assert task.test == "t (paired bootstrap over groups)"
    assert task.difference.df == 9


def test_groups_of_results_without_predictions_are_in_their_intervals(write: Writer) -> None:
    a, b = write("better", 0.8, size=30), write("worse", 0.5, size=30)
    next(b.rglob("word.linear.predictions.npz")).unlink()
    tasks = {task.task: task for task in compare([str(a), str(b)], resamples=200).pairs[0].tasks}
    assert (tasks["word"].basis, tasks["word"].resampled, tasks["word"].units) == ("published intervals", "groups", 10)
    assert tasks["exercise"].basis == "paired predictions"


def test_predictions_with_other_groups_are_refused(write: Writer) -> None:
    a, b = str(write("better", 0.8, size=30)), write("worse", 0.5, size=30)
    for path in b.rglob("word.linear.result.json"):
        arrays = read_predictions(path)
        arrays["group"] = arrays["group"][::-1].copy()
        write_payload(path.parent, json.loads(path.read_text()), arrays)
    with pytest.raises(DabsError, match="different groups"):
        compare([a, str(b)], resamples=200)


def test_sources_select_contestants(write: Writer, tmp_path: Path) -> None:
    a, b = write("better", 0.8), write("worse", 0.5)
    assert [one.name for one in load_contestants([str(tmp_path)], "linear")] == ["better", "worse"]
    assert [one.name for one in load_contestants([f"{tmp_path}:worse", str(a)], "linear")] == ["worse", "better"]
    assert [one.name for one in load_contestants([str(tmp_path)], "linear", ("worse", "better"))] == ["worse", "better"]
    with pytest.raises(RequestError, match="several algorithms"):
        load_contestants([str(tmp_path), str(b)], "linear")
    with pytest.raises(RequestError, match="named twice"):
        load_contestants([str(a), str(a)], "linear")
    with pytest.raises(RequestError, match="better"):
        load_contestants([f"{tmp_path}:bettr", str(b)], "linear")
    with pytest.raises(RequestError, match="needs two"):
        load_contestants([str(a)], "linear")
    with pytest.raises(RequestError, match="is an HTML page"):
        load_contestants(["report.html", str(b)], "linear")


def test_submissions_go_by_name_and_must_be_intact(write: Writer, tmp_path: Path) -> None:
    b, both = write("worse", 0.5), tmp_path / "submissions"
    mine, other = (submit(both / name, [make(algorithm="Mine")]) for name in ("mine", "other"))
    assert [one.name for one in load_contestants([str(mine), str(b)], "linear")] == ["mine", "worse"]
    assert [one.name for one in load_contestants([str(both)], "linear")] == ["mine", "other"]
    assert [one.name for one in load_contestants([f"{both}:other", str(b)], "linear")] == ["other", "worse"]
    next(other.rglob("*.result.json")).write_text(make(score=0.9).model_dump_json())
    with pytest.raises(DabsError, match="was changed"):
        load_contestants([str(other), str(b)], "linear")


def test_json_holds_every_number(write: Writer) -> None:
    comparison = both(write)
    value = json.loads(FORMATS["json"](comparison))
    assert value == comparison.to_json()
    assert value["pairs"][0]["tasks"][0]["difference"]["p"] == comparison.pairs[0].tasks[0].difference.p


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    r"\input{/etc/passwd} & 50% $x$ #_{}~^",
    "[link](http://x) | `code` *b*",
    "\u05e9\u05dc\u05d5\u05dd\u202e\x1b[31m",
    "n" * 10_000,
)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_never_act_as_markup(write: Writer, name: str) -> None:
    harmless = both(write)
    pair = replace(harmless.pairs[0], a=name)
    entry = replace(harmless.contestants[0], name=name)
    hostile = replace(harmless, pairs=(pair,), contestants=(entry, harmless.contestants[1]), notes=(f"{name} lacks",))
    tags = []
    for comparison in (harmless, hostile):
        parser = _Tags()
        parser.feed(FORMATS["html"](comparison))
        tags.append([tag for tag in parser.tags if tag != "li"])
    assert tags[0] == tags[1]
    latex = FORMATS["latex"](hostile)
    assert "\\input" not in latex.replace("for \\input", "")
    assert latex.count("{") - latex.count("\\{") == latex.count("}") - latex.count("\\}")
    markdown = FORMATS["markdown"](hostile)
    assert (
        len({line.replace("\\|", "").count("|") for line in markdown.splitlines() if line.startswith("| speech/")}) == 1
    )
    assert "<script" not in markdown.replace("\\<", "")
    console = Console(width=200)
    with console.capture() as capture:
        show(hostile, console)
    assert "\x1b" not in capture.get()
    assert json.loads(FORMATS["json"](hostile))["pairs"][0]["a"] == name


def test_latex_letters() -> None:
    assert escape_latex(r"a_b & 5% \x [y]") == r"a\_b \& 5\% \textbackslash{}x {[}y{]}"


def test_markdown_of_more_than_two_has_pairs_and_ranks(write: Writer) -> None:
    sources = [str(write(name, skill)) for name, skill in (("x", 0.8), ("y", 0.6), ("z", 0.7))]
    text = FORMATS["markdown"](compare(sources, resamples=200))
    assert "Every pair, all domains" in text
    assert "Mean rank over tasks" in text
