"""What of many submissions the pages of text show."""

from __future__ import annotations

from dabs.leaderboard.submit.doc_tables import MOST_ROWS, leading
from tests.helpers.made_results import make

OWN = [make(algorithm="none", score=0.2), make(algorithm="shed", score=0.1)]


def submitted(count: int) -> list:
    return [make(algorithm=f"idea-{i}", score=0.3 + 0.5 * i / count) for i in range(count)]


def test_few_submissions_are_all_shown() -> None:
    theirs = submitted(MOST_ROWS)
    assert leading([*OWN, *theirs], {r.algorithm for r in theirs}) == ([*OWN, *theirs], "")


def test_of_many_the_best_are_shown_with_all_of_the_projects_own_rows() -> None:
    theirs = submitted(1000)
    found, note = leading([*OWN, *theirs], {r.algorithm for r in theirs})
    assert [r.algorithm for r in found] == [
        "none",
        "shed",
        *(f"idea-{i}" for i in range(1000 - MOST_ROWS, 1000)),
    ]
    assert f"Of 1,000 submissions the {MOST_ROWS} with the highest mean" in note


def test_a_submission_without_a_mean_over_all_domains_comes_last() -> None:
    whole = [
        make(algorithm=f"idea-{i}", domain=domain, task=task, score=0.3)
        for i in range(MOST_ROWS)
        for domain, task in TASKS
    ]
    part = make(algorithm="part", score=0.99)
    found, _ = leading([part, *whole], {r.algorithm for r in [part, *whole]})
    assert "part" not in {r.algorithm for r in found}


TASKS = (("sensor", "exercise"), ("speech", "word"))
