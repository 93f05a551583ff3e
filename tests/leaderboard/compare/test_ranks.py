"""Ranks by paired tests: how many rows are better, after Holm's correction over the pairs of a column."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabs.leaderboard.compare import ranks
from dabs.leaderboard.compare.contestants import load_contestants
from dabs.leaderboard.compare.model import Estimate
from dabs.leaderboard.compare.pairwise import compare_contestants
from dabs.leaderboard.compare.ranks import rank_contestants, rank_differences, rank_entries, ranks_of_comparison
from dabs.leaderboard.tables.aggregate import build_table
from dabs.results.entries import entries_of, read_entries
from tests.helpers.made_results import alter, make_payload, make_suite, write_payload

SKILLS = {"weak": 0.40, "middle": 0.60, "close": 0.61, "strong": 0.85}
TASKS = (("sensor", "exercise"), ("sensor", "side"), ("speech", "word"))
N = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of four algorithms and none with predictions; `weak` lacks the domain speech."""
    root = tmp_path_factory.mktemp("ranks")
    for name, skill in {**SKILLS, "none": 0.2}.items():
        for domain, task in TASKS[: 2 if name == "weak" else 3]:
            for seed in range(3):
                write_one(root / name, name, domain, task, seed, skill)
    return root


def write_one(root: Path, name: str, domain: str, task: str, seed: int, skill: float) -> None:
    hard = np.random.default_rng(len(task)).random(N)  # the same examples are hard for all
    noise = np.random.default_rng([seed, int(100 * skill)]).normal(0, 0.05, N)
    arrays = {"label": np.ones(N, "u1"), "prediction": (hard + noise < skill + 0.005 * seed).astype("u1")}
    score = float(arrays["prediction"].mean())
    payload = make_payload(algorithm=name, domain=domain, task=task, seed=seed, score=score)
    for path, value in (("counts.test", N), ("interval.units", N)):
        payload = alter(payload, path, value)
    write_payload(root / domain / f"seed{seed}" / "results", payload, arrays)


def test_ranks_are_those_of_the_tests_of_a_comparison(folder: Path) -> None:
    contestants = load_contestants([str(folder)], "linear", ("close", "middle", "strong"))
    comparison = compare_contestants(contestants, resamples=300)
    quick = rank_contestants(contestants, ("sensor", "speech"), resamples=300)
    assert quick == ranks_of_comparison(comparison, set(SKILLS))
    assert quick[None] == {"close": 2, "middle": 2, "strong": 1}, "the close ones cannot be told apart"
    assert list(quick) == [None, "sensor", "speech"]


def test_every_estimate_is_the_comparisons(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contestants = load_contestants([str(folder)], "linear", ("close", "middle", "strong"))
    seen: dict[int, list[ranks.Difference]] = {}
    monkeypatch.setattr(ranks, "rank_differences", lambda names, found, alpha: seen.setdefault(len(seen), found) and {})
    rank_contestants(contestants, ("sensor", "speech"), resamples=300)
    comparison = compare_contestants(contestants, resamples=300)
    for found, scope in zip(seen.values(), ("all domains", "sensor", "speech"), strict=True):
        for a, b, estimate in found:
            pair = comparison.pair(a, b)
            (same,) = (one for one in (*pair.domains, pair.overall) if one.scope == scope)
            assert same.difference is not None
            assert estimate.value == pytest.approx(same.difference.value)
            assert estimate.p == pytest.approx(same.difference.p)


def test_a_row_without_a_mean_has_no_rank_and_keeps_none_from_the_others(folder: Path) -> None:
    entries = read_entries(folder).entries
    results = [result for entry in entries for result in entry.results]
    found = rank_entries(entries, build_table(results, "linear"), resamples=300)
    assert found[None] == {"close": 2, "middle": 2, "strong": 1}
    assert found["sensor"] == {"close": 2, "middle": 2, "strong": 1, "weak": 4}
    assert set(found["speech"]) == {"close", "middle", "strong"}
    assert all("none" not in column for column in found.values()), "reference rows have no rank"


def test_a_single_domain_is_ranked_as_all_domains_too(folder: Path) -> None:
    contestants = load_contestants([str(folder)], "linear", ("close", "middle", "strong"))
    cells = {key: cell for key, cell in contestants[0].cells.items() if key[0] == "sensor"}
    assert cells
    found = rank_contestants(contestants, ("sensor",), resamples=300)
    assert found[None] == found["sensor"]


def test_fewer_than_two_algorithms_have_no_ranks(folder: Path) -> None:
    entries = [entry for entry in read_entries(folder).entries if entry.name in ("none", "strong")]
    table = build_table([result for entry in entries for result in entry.results], "linear")
    assert rank_entries(entries, table, resamples=300) == {}


def test_of_many_rows_the_best_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "MAX_RANKED", 2)
    results = make_suite(("linear",))
    found = rank_entries(entries_of(results), build_table(results, "linear"), resamples=300)
    assert found[None] == {"emix": 2, "shed": 1}, "contrastive, the third, is not tested"


def differences(p_values: dict[tuple[str, str], float | None]) -> list[ranks.Difference]:
    """Return differences in which the first of each pair is ahead."""
    return [(a, b, Estimate(value=0.1, p=p)) for (a, b), p in p_values.items()]


def test_ties_need_not_be_transitive() -> None:
    found = differences({("a", "b"): 0.2, ("b", "c"): 0.2, ("a", "c"): 0.001})
    assert rank_differences("abc", found) == {"a": 1, "b": 1, "c": 2}


def test_holm_corrects_over_the_pairs_of_a_column() -> None:
    assert rank_differences("ab", differences({("a", "b"): 0.04})) == {"a": 1, "b": 2}
    three = differences({("a", "b"): 0.04, ("a", "c"): 0.04, ("b", "c"): 0.04})
    assert rank_differences("abc", three) == {"a": 1, "b": 1, "c": 1}, "0.04 times three is not below 0.05"
    assert rank_differences("abc", three, alpha=0.13) == {"a": 1, "b": 2, "c": 3}


def test_a_missing_p_or_no_difference_is_a_tie() -> None:
    assert rank_differences("ab", differences({("a", "b"): None})) == {"a": 1, "b": 1}
    assert rank_differences("ab", [("a", "b", Estimate(value=0.0, p=0.0))]) == {"a": 1, "b": 1}


@given(
    values=st.lists(st.floats(-1, 1), min_size=6, max_size=6),
    p_values=st.lists(st.floats(0, 1), min_size=6, max_size=6),
)
def test_the_order_of_pairs_and_sides_changes_nothing(values: list[float], p_values: list[float]) -> None:
    pairs = list(combinations("abcd", 2))
    found = [(a, b, Estimate(value=v, p=p)) for (a, b), v, p in zip(pairs, values, p_values, strict=True)]
    swapped = [(b, a, estimate.mirrored()) for a, b, estimate in reversed(found)]
    ranked = rank_differences("abcd", found)
    assert rank_differences("abcd", swapped) == ranked
    assert min(ranked.values()) >= 1
    assert sum(ranked.values()) - 4 <= len(pairs), "each pair makes at most one row worse"
