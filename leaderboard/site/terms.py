"""The terms that pages explain in place: what a button beside the word opens."""

from __future__ import annotations

from dabs.evaluation.reference_rows import EXPLANATIONS, SUPERVISED
from dabs.leaderboard.tables.ranking import RANKS, TESTED_RANKS, describe_bold
from dabs.leaderboard.tables.render import FAILED, READERS

_WHITENED = (
    "Whitened: centred and divided, direction by direction, by the spread in the training split, so that no direction "
    "counts more because its numbers are larger."
)
TERMS: dict[str, tuple[str, str]] = {  # key -> the term, and what it means
    "linear": (
        "Linear probe",
        f"A {READERS['linear']}: the encoder stays as it is, and a linear classifier (or ridge regression) reads the "
        f"mean of its whitened features over all positions. {_WHITENED}",
    ),
    "knn": (
        "K-nearest neighbours",
        "The answer is a vote, or the mean, of the 20 training examples whose mean-pooled, whitened features are the "
        f"most similar. {_WHITENED}",
    ),
    "linear_tokens": (
        "Linear probe of all positions",
        "As the linear probe, but it reads the whitened features of every position side by side, reduced to 256 "
        f"principal components, so that the layout of the input is kept. {_WHITENED}",
    ),
    "finetune": (
        "Fine-tuning",
        "All weights are trained on the labels of the task, starting from the encoder and its linear probe.",
    ),
    "score": (
        "Score",
        "The metric of a task times 100, higher is better: accuracy, AUROC, Spearman's or Matthews correlation. The "
        "score of a domain is the mean of its tasks, and the overall score the mean of the domains.",
    ),
    "rank": ("Rank", f"{RANKS}. Two algorithms are in order only where one interval lies wholly above the other."),
    "tested": (
        "Tested rank",
        f"{TESTED_RANKS}. A test needs the predictions and uses that all algorithms answered the same examples, so it "
        "can tell apart what overlapping intervals cannot.",
    ),
    "bold": ("Bold", f"{describe_bold((SUPERVISED,))}. Where no row does, nothing is bold."),
    "interval": (
        "Interval",
        "How far the score could be off: of 100 such 95 % intervals, made with other test data and other seeds, about "
        "95 hold the true score. With one seed an interval covers the test data alone.",
    ),
    "seeds": (
        "Seeds",
        "The same pretraining again with other random numbers: other initial weights, batches and masks. The spread "
        "over seeds shows how much of a score is luck.",
    ),
    "chance": ("Chance", "What the best constant answer scores, which does not look at the input."),
    "gap": (
        "Gap closed",
        "The share of the way from the random encoder (none, 0 %) to the one trained with labels (supervised, 100 %). "
        "Below 0 %, pretraining made the features worse than random ones. Left out where supervised is not ahead by a "
        "point.",
    ),
    "failed": (
        f"{FAILED} did not learn",
        "A pretraining run that ended no better than a constant answer to its own objective, or whose features "
        "collapsed. Its scores stay in every mean, and each such mean is marked.",
    ),
    "beats": (
        "Beats none",
        "On how many tasks a score exceeds the random encoder's by more than the spread over seeds, which is the "
        "larger of the two ranges. With one seed there is no spread, and every excess counts.",
    ),
    "references": (
        "Reference rows",
        "Not algorithms, so they have no rank: they say what a score is worth. "
        + " ".join(f"{name}: {words}." for name, words in EXPLANATIONS.items()),
    ),
}
