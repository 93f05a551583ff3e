"""The table in the terminal and in Markdown."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from dabs.cli import dispatch
from dabs.errors import DabsError
from dabs.leaderboard.tables.aggregate import build_table
from dabs.leaderboard.tables.render import (
    describe_failures,
    describe_seeds,
    describe_single_seeds,
    markdown_domains,
    markdown_gaps,
    markdown_tasks,
    percent,
    show,
    update_between_markers,
)
from tests.helpers.made_results import EVERY_ROW, make, make_suite, write


def shown(results: list, width: int = 100) -> str:
    out = io.StringIO()
    show(results, console=Console(file=out, width=width))
    return out.getvalue()


def test_the_terminal_shows_tasks_means_seeds_and_marks() -> None:
    text = shown(make_suite())
    lines = text.splitlines()
    header = next(line for line in lines if "domain, task" in line)
    assert header.split()[2:] == ["none", "raw", "contrastive", "emix", "shed"]
    assert next(line for line in lines if "mean of" in line).split()[-1] == "57.3"
    for part in ("  findings‡", "speech†", "76.4 ±0.3", "† synthesised data, ‡ generated data", "(3 seeds)"):
        assert part in text


def test_a_missing_task_shows_as_a_dash() -> None:
    text = shown([make(), make(algorithm="emix", task="side")])
    assert [line.split()[-2:] for line in text.splitlines() if "sensor" in line] == [["–", "–"]]


def test_names_never_act_as_markup() -> None:
    assert "[red]x[/red]" in shown([make(algorithm="[red]x[/red]")])
    markdown = markdown_domains(build_table([make(algorithm="a|b<script>")], "linear"))
    assert r"a\|b\<script\>" in markdown


def test_the_supervised_row_is_never_bold_and_the_rule_stands_below() -> None:
    table = build_table(make_suite(gains=EVERY_ROW), "linear")
    (row,) = (line for line in markdown_domains(table).splitlines() if line.startswith("| **mean of 4 domains** |"))
    cells = dict(zip(table.algorithms, row.split(" | ")[1:], strict=True))
    assert float(cells["supervised"]) > float(cells["shed"].strip("* |"))
    assert cells["shed"].startswith("**")
    rule = "Bold marks an algorithm whose interval lies above those of all other rows but supervised"
    for text in (markdown_domains(table), markdown_tasks(table), " ".join(shown(make_suite(gains=EVERY_ROW)).split())):
        assert rule in text
    assert "but supervised" not in markdown_domains(build_table(make_suite(), "linear"))


def test_a_mean_over_domains_is_called_what_it_is() -> None:
    from dabs.official import OFFICIAL_TASKS

    every = [make(algorithm="shed", domain=domain, task=tasks[0]) for domain, tasks in OFFICIAL_TASKS["lite"].items()]
    named = {
        "| **all domains** |": every,
        "| **mean of 6 domains** |": every[:-1],
        "": every[:1],  # a single domain has its own row
        "| **mean of 2 domains** |": [make(algorithm="shed", domain=f"own{i}", task="own") for i in range(2)],
    }
    for name, results in named.items():
        found = [line for line in markdown_domains(build_table(results, "linear")).splitlines() if "domains**" in line]
        assert [line[: len(name)] for line in found] == [name] * bool(name)
        assert name.strip("|* ") in shown(results)
        assert name or "domains" not in "".join(shown(results).splitlines()[:12])


def test_the_terminal_ranks_the_algorithms_alone() -> None:
    text = shown(make_suite(gains=EVERY_ROW), width=120)
    assert next(line.split() for line in text.splitlines() if line.split()[:1] == ["rank"])[1:5] == ["–"] * 4
    assert "Algorithms whose intervals overlap share ranks: 1–2 means first or second" in " ".join(text.split())


def test_a_table_names_its_reader_and_explains_each_reference_row() -> None:
    results = make_suite(("linear", "knn", "finetune"), gains=EVERY_ROW)
    names = ("none", "raw", "summary", "supervised")
    for protocol, reader in (("linear", "linear probe on mean-pooled"), ("knn", "k nearest neighbours")):
        text = markdown_domains(build_table(results, protocol))
        assert f"Reader: {reader}" in text
        explained = text.split("Reference rows: ")[1]
        assert sorted(names, key=explained.index) == list(names)
        assert all(f"`{name}` is " in explained for name in names)
    text = shown(results)
    assert "Reader: linear probe on mean-pooled features" in text
    assert [line.split(":")[0] for line in text.splitlines() if line.split(":")[0] in names] == list(names)
    assert "`raw` is " not in markdown_domains(build_table(results, "finetune"))


def test_a_run_that_did_not_learn_is_marked_in_its_cells_and_means() -> None:
    why = {("shed", "sensor", seed): "it ended at the constant answer" for seed in (0, 2)}
    results = make_suite(failed=why)
    table = build_table(results, "linear")
    legend = "✗ did not learn: shed on sensor (2 of 3 seeds: it ended at the constant answer)."
    assert describe_failures(table).startswith(legend)
    assert describe_failures(table, "emix") == ""
    for text in (markdown_domains(table), markdown_tasks(table), " ".join(shown(results).split())):
        assert legend in text
    marked = [line for line in markdown_domains(table).splitlines() if line.startswith("|") and "✗" in line]
    assert [line.split(" |")[0].strip("| *") for line in marked] == ["sensor", "mean of 4 domains"]
    assert [line.count("✗") for line in marked] == [1, 1]
    marked = [line.split()[0] for line in shown(results).splitlines() if re.search(r"\d✗", line)]
    assert marked == ["sensor", "exercise", "side", "mean"]
    assert "✗" not in markdown_domains(build_table(make_suite(), "linear"))


def test_many_failures_are_counted() -> None:
    results = [make(algorithm=f"a{i}", reason="it collapsed") for i in range(11)]
    assert "; and 3 more. Every mean" in describe_failures(build_table(results, "linear"))


def test_the_share_of_the_gap_has_a_table() -> None:
    scores = {"none": 0.2, "supervised": 0.6, "shed": 0.5, "raw": 0.1}
    results = [make(algorithm=name, score=score) for name, score in scores.items()]
    results += [make(algorithm=name, domain="speech", task="word", score=0.3) for name in scores]
    lines = markdown_gaps(build_table(results, "linear")).splitlines()
    assert lines[0] == "| domain | *raw* | shed |"
    assert lines[2:5] == ["| sensor | −25 % | 75 % |", "| speech | – | – |", "| **mean of 2 domains** | −25 % | 75 % |"]
    assert "gap closed" in shown(results)
    without = [result for result in results if result.algorithm != "supervised"]
    assert markdown_gaps(build_table(without, "linear")) == ""
    assert "gap closed" not in shown(without)


def test_percentages_are_whole_and_never_minus_zero() -> None:
    assert [percent(share) for share in (None, 0.634, -0.002, -0.25, 1.0)] == ["–", "63 %", "0 %", "−25 %", "100 %"]


def test_a_narrow_terminal_shows_no_deviations() -> None:
    results = make_suite(gains=EVERY_ROW)
    assert "76.4 ±0.3" in shown(results, width=110)
    narrow = shown(results, width=80)
    assert "±" not in narrow
    assert "A wider terminal shows the standard deviations" in " ".join(narrow.split())
    assert "contrastive" in narrow, "no name is broken"


def test_rows_with_one_seed_are_named_beside_the_intervals() -> None:
    results = [r for r in make_suite() if r.algorithm != "emix" or r.seed == 0]
    words = "With one seed only, an interval says nothing about other seeds: emix."
    assert words in markdown_tasks(build_table(results, "linear"))
    assert "With one seed" not in markdown_tasks(build_table(make_suite(), "linear"))


def test_long_names_and_many_names_do_not_fill_a_sentence() -> None:
    long = build_table([make(algorithm="ü" * 80, reason="it collapsed")], "linear")
    for words in (describe_failures(long), describe_single_seeds(long)):
        assert f" {'ü' * 39}…" in words
        assert "ü" * 40 not in words
    many = build_table([make(algorithm=f"a{i}") for i in range(11)], "linear")
    assert describe_single_seeds(many).endswith(" and 3 more.")


def test_rows_without_an_encoder_have_no_seed() -> None:
    table = build_table(make_suite(), "linear")
    assert describe_seeds(table.cells.values()) == "3 seeds"
    assert describe_seeds([table.cell("raw", "sensor", "side")]) == "no seed"


def test_markdown_by_domain() -> None:
    lines = markdown_domains(build_table(make_suite(), "linear")).splitlines()
    assert lines[0] == "| domain | *none* | *raw* | contrastive | emix | shed |"
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: | ---: |"
    assert lines[2].startswith("| chest_xray‡ | 60.6 |")
    assert lines[2].endswith(" 76.4 |"), "emix is at 75.4, within the interval"
    assert len([line for line in lines if line.startswith("|")]) == 2 + 4 + 1


def test_markdown_by_task_has_intervals() -> None:
    table = build_table(make_suite(), "linear")
    lines = markdown_tasks(table).splitlines()
    cell = table.cell("none", "chest_xray", "findings")
    assert cell is not None
    low, high = (f"{100 * end:.1f}" for end in cell.interval)
    assert lines[2].startswith(f"| chest_xray | findings‡ | auroc | 60.6 ({low} to {high}) |")
    assert len([line for line in lines if line.startswith("|")]) == 2 + 10


def test_text_between_markers_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- lite:begin -->\nold\n<!-- lite:end -->\nafter\n")
    assert update_between_markers(path, "lite", "new\n")
    assert path.read_text() == "before\n<!-- lite:begin -->\nnew\n<!-- lite:end -->\nafter\n"
    assert not update_between_markers(path, "lite", "new")


@pytest.mark.parametrize("text", ["", "<!-- a:begin -->", "<!-- a:end --><!-- a:begin -->", "<!-- a:begin -->" * 2])
def test_missing_or_misplaced_markers_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(DabsError, match="once each"):
        update_between_markers(path, "a", "new")
    assert path.read_text() == text


def test_text_that_contains_a_marker_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("<!-- a:begin --><!-- a:end -->")
    with pytest.raises(DabsError, match="own markers"):
        update_between_markers(path, "a", "x <!-- a:end --> y")


def test_tested_ranks_have_a_row_below_the_ranks() -> None:
    results = make_suite(("linear",))
    out = io.StringIO()
    show(results, tested={None: {"shed": 1, "emix": 2, "contrastive": 2}}, console=Console(file=out, width=100))
    lines = out.getvalue().splitlines()
    place = next(i for i, line in enumerate(lines) if line.split()[:1] == ["rank"])
    assert lines[place + 1].split() == ["tested", "rank", "–", "–", "2", "2", "1"]
    assert "Tested ranks: 1 and the number of algorithms" in " ".join(out.getvalue().split())
    assert "tested" not in shown(results).lower()


def test_the_command_ranks_by_tests_if_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for result in make_suite(("linear",), seeds=2):
        write(tmp_path / "runs" / result.algorithm, [result])
    assert dispatch(["leaderboard", "show", "--tests"]) == 0
    assert re.search(r"tested rank +– +– +\d +\d +1\b", capsys.readouterr().out)
    write(tmp_path / "alone", [make()])
    assert dispatch(["leaderboard", "show", "--tests", "--results", "alone"]) == 0
    assert "no tested ranks: there are fewer than two algorithms" in capsys.readouterr().out
