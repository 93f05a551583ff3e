"""Whether a run learned: its last losses, and the rank of its features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dabs.algorithm import Algorithm
from dabs.data.split import READ_BATCH, Split
from dabs.encoder import Encoder
from dabs.specs import Batch
from dabs.training.log import HELD_OUT, read_metrics

LOSS_MARGIN = 0.02  # a run must end this share of the constant answer's loss below it
SCORE_MARGIN = 0.05  # and this far above the constant answer's accuracy, where the algorithm states one
MIN_EFFECTIVE_RANK = 2.0  # features below it lie nearly on a line
RANK_EXAMPLES = 1024  # unlabelled validation inputs that the rank is computed from
MAX_REASON = 400  # characters, which is what a result can record
ENDING_SHARE, ENDING_STEPS = 0.05, 20  # the ending is this share of all steps, but at least so many
NOT_SCORES = (
    "step",
    "lr",
    "examples_per_second",
    HELD_OUT,
)  # the columns of metrics.csv that the algorithm did not log


def effective_rank(features_ND: np.ndarray) -> float:
    """Return the exponential of the entropy of the covariance's eigenvalues, from 0 (all equal) to D.

    Roy and Vetterli, The effective rank: a measure of effective dimensionality, EUSIPCO 2007; here of the covariance.
    """
    x = features_ND.astype(np.float64)
    x = x - x.mean(axis=0)
    values = np.linalg.eigvalsh(x.T @ x / len(x)).clip(min=0)
    if values.sum() <= 1e-12:
        return 0.0
    share = values[values > 0] / values.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


@torch.inference_mode()
def rank_of_features(encoder: Encoder, split: Split) -> float:
    """Return the effective rank of an encoder's features of the first examples of a split."""
    device, training = next(encoder.parameters()).device, encoder.training
    encoder.eval()
    starts = range(0, min(len(split), RANK_EXAMPLES), READ_BATCH)
    rows = [np.arange(start, min(start + READ_BATCH, len(split), RANK_EXAMPLES)) for start in starts]
    found = torch.cat([encoder(split.batch(index).to(device)).float().cpu() for index in rows])
    encoder.train(training)
    return effective_rank(found.numpy())


def ending_of(folder: Path) -> dict[str, float]:
    """Return the mean of each scalar that the algorithm logged over the last steps of a run; empty without steps."""
    rows = read_metrics(folder)
    last = rows[-max(ENDING_STEPS, round(ENDING_SHARE * len(rows))) :]
    names = [name for name in (last[0] if last else {}) if name not in NOT_SCORES]
    return {name: round(float(np.mean([float(row[name]) for row in last])), 6) for name in names}


def constant_answer(algorithm: Algorithm, batch: Batch) -> dict[str, float]:
    """Return what a constant answer scores on a batch, according to the algorithm; empty if it does not say."""
    return {name: round(float(value), 6) for name, value in algorithm.constant_answer(batch).items()}


def verdict(ending: Mapping[str, float], constant: Mapping[str, float], rank: float) -> dict[str, Any]:
    """Return the record of a trained run's learning, with the reason if it did not learn.

    Args:
        ending: from `ending_of`.
        constant: from `constant_answer`.
        rank: from `rank_of_features`.
    """
    reasons = []
    for name in sorted(constant.keys() & ending.keys()):
        found, guess = ending[name], constant[name]
        if name == "loss" and found > guess - LOSS_MARGIN * abs(guess):
            reasons.append(f"the loss ended at {found:.4g}, where a constant answer scores {guess:.4g}")
        elif name != "loss" and found < guess + SCORE_MARGIN:
            reasons.append(f"the {name.replace('_', ' ')} ended at {found:.3g}, a constant answer's is {guess:.3g}")
    if rank < MIN_EFFECTIVE_RANK:
        reasons.append(f"the features collapsed: their effective rank is {rank:.2f}, below {MIN_EFFECTIVE_RANK:g}")
    return {
        "learned": not reasons,
        "reason": "; ".join(reasons)[:MAX_REASON].rstrip(),
        "ending": dict(ending),
        "constant": dict(constant),
        "effective_rank": round(rank, 3),
    }


def nothing_to_learn(rank: float) -> dict[str, Any]:
    """Return the record of an encoder that takes no training steps."""
    return {"learned": True, "reason": "", "ending": {}, "constant": {}, "effective_rank": round(rank, 3)}
