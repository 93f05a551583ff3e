"""What `dabs leaderboard verify` says of made-up checkouts."""

from __future__ import annotations

from leaderboard.schema import Result
from leaderboard.verify import taken
from tests.leaderboard.conftest import altered


def row(**options: float) -> list[Result]:
    """Results of one algorithm with an option chosen in each domain."""
    return [
        altered("pretraining.config", {"options": {"rate": rate}}, domain=domain) for domain, rate in options.items()
    ]


def test_an_algorithm_may_be_tuned_again() -> None:
    """Tuned options agree with the default ones, or another's, in some domains; a copy agrees in all."""
    rows = {"shed": row(sensor=0.1, speech=0.1)}
    assert taken("ours", row(sensor=0.1, speech=0.3), rows) == []
    (said,) = taken("ours", row(sensor=0.1, speech=0.1), rows)
    assert said == "shed is the same algorithm with the same options"
