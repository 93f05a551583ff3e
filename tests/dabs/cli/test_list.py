"""`dabs list`: at most one line per entry, cards for those that are named, and JSON that says everything."""

from __future__ import annotations

import json

import pytest

from dabs.cli.list import KINDS, entries_of
from dabs.registry import algorithm_names, domain_names, find_domain
from tests.dabs.cli.test_verbs import call


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert call("list", *words) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("suite", ["lite", "open", "paper", "paper32"])
def test_each_entry_has_one_line_of_at_most_100_columns(suite, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = listed(capsys, "--suite", suite).splitlines()
    assert max(map(len, lines)) <= 100
    domains = [find_domain(name, suite) for name in domain_names(suite)]
    counts = (len(domains), sum(len(domain.tasks) for domain in domains), len(algorithm_names()))
    titles = [f"domains ({suite})", f"tasks ({suite})", "algorithms"]
    assert len(lines) == sum(counts) + 3 + 2  # three titles, two empty lines
    for title, count in zip(titles, counts, strict=True):
        start = lines.index(title) + 1
        assert all(lines[start : start + count])
    for domain in domains:
        (line,) = [line for line in lines[1 : 1 + len(domains)] if line.split()[0] == domain.name]
        assert domain.card.origin in line
        assert f"{len(domain.tasks)} task" in line


def test_lines_are_cut_with_an_ellipsis(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    lines = listed(capsys, "tasks").splitlines()
    assert max(map(len, lines)) == 50
    assert all(line.endswith("…") for line in lines if len(line) == 50)
    for task in find_domain("sensor").tasks:
        assert any(line.startswith("sensor ") and f" {task.name} " in line for line in lines), "names are whole"


def test_a_selection_has_the_named_entries_only(capsys):
    assert {line.split()[0] for line in listed(capsys, "domains", "sensor", "speech").splitlines()[1:]} == {
        "sensor",
        "speech",
    }
    out = listed(capsys, "sensor")  # a domain and its tasks
    assert "domains" in out
    assert "tempo" in out
    assert "algorithms" not in out
    assert listed(capsys, "sensor/tempo").count("\n") == 2
    assert [line.split()[0] for line in listed(capsys, "algorithms").splitlines()[1:]] == algorithm_names()


def test_an_unknown_name_is_refused(capsys):
    assert call("list", "domains", "sensr") == 2
    assert "Did you mean 'sensor'" in capsys.readouterr().err
    assert call("list", "domains", "shed") == 2


def test_cards_say_everything_about_an_entry(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    out = listed(capsys, "domains", "sensor", "--cards")
    assert max(map(len, out.splitlines())) <= 70
    said, card = " ".join(out.split()), find_domain("sensor").card
    for text in (card.title, card.licence, card.citation, card.source, card.size, card.notes, card.origin):
        assert " ".join(text.split()) in said
    assert "speech" not in said
    said = " ".join(listed(capsys, "--cards", "sensor/exercise", "shed").split())
    for word in ("pendulum", "never in two splits", "--corruption-rate 0.15", "share of the"):
        assert word in said


def test_json_is_one_document_with_everything(capsys):
    document = json.loads(listed(capsys, "--json"))
    assert set(document) == {"suite", *KINDS}
    assert [domain["name"] for domain in document["domains"]] == domain_names()
    for domain in document["domains"]:
        found = find_domain(domain["name"])
        assert domain["card"]["citation"] == found.card.citation
        assert domain["tasks"] == [task["name"] for task in document["tasks"] if task["domain"] == domain["name"]]
    (exercise,) = [task for task in document["tasks"] if task["name"] == "exercise"]
    assert len(exercise["target"]["names"]) == 7
    (shed,) = [algorithm for algorithm in document["algorithms"] if algorithm["name"] == "shed"]
    assert shed["options"] == {"corruption_rate": 0.15}
    only = json.loads(listed(capsys, "domains", "sensor", "--json"))
    assert [domain["name"] for domain in only["domains"]] == ["sensor"]
    assert "tasks" not in only


def test_plug_ins_are_marked(toy):
    (entry,) = [entry for entry in entries_of("domains", "lite") if entry.names == ("toy",)]
    assert entry.value["plugin"]
    assert "plug-in" in " ".join(entry.line)
