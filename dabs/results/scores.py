"""Whether a result's score follows from its predictions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dabs.results.bootstrap import SCORERS
from dabs.results.predictions import find_mismatch
from dabs.results.schema import Result

TOLERANCE = 1e-9  # between a stated score and the one from its predictions


def find_wrong_score(result: Result, arrays: Mapping[str, np.ndarray]) -> str:
    """Return why a result's score does not follow from its predictions; an empty string if it does."""
    wrong = find_mismatch(result, arrays)
    if wrong:
        return wrong
    each_once = np.ones((len(arrays["label"]), 1), dtype=np.float64)
    score = float(SCORERS[result.metric.name](arrays["prediction"], arrays["label"])(each_once)[0])
    if abs(score - result.score) <= TOLERANCE:
        return ""
    return f"the score is {result.score:.6g}, but its predictions give {score:.6g}: one of the two was changed"
