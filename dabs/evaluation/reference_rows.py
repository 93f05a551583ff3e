"""The reference rows of a table: their names, and what each of them is.

They say what a score is worth: what an encoder reads without learning, what the input gives away on its own, and what
the same encoder reaches with the labels.
"""

from __future__ import annotations

RANDOM = "none"
RAW = "raw"
SUMMARY = "summary"
SUPERVISED = "supervised"
REFERENCES = (RANDOM, RAW, SUMMARY, SUPERVISED)
WITHOUT_ENCODER = (RAW, SUMMARY)  # no seed, no training, nothing to fine-tune

EXTERNAL_PREFIX = "external-"  # of the rows of encoders that were not pretrained here


def is_reference(name: str) -> bool:
    """Return whether a row is shown apart and not ranked. No algorithm has such a name: classes have no dashes."""
    return name in REFERENCES or name.startswith(EXTERNAL_PREFIX)


def reference_place(name: str) -> int:
    """Return the place of a reference row among the reference rows; rows of external encoders come last."""
    return REFERENCES.index(name) if name in REFERENCES else len(REFERENCES)


def has_no_seed(name: str) -> bool:
    """Return whether a row has nothing that a seed could change."""
    return name in WITHOUT_ENCODER or name.startswith(EXTERNAL_PREFIX)


def explanation_of(name: str) -> str:
    """Return what a reference row is; empty for a row that is ranked."""
    external = "an encoder that was not pretrained here, with data and a budget of its own"
    return external if name.startswith(EXTERNAL_PREFIX) else EXPLANATIONS.get(name, "")


EXPLANATIONS: dict[str, str] = {
    RANDOM: "the encoder at its random initialisation, the floor that every algorithm has to beat",
    RAW: "the input itself without an encoder (for text, counts of its tokens), read in the same way as features",
    SUMMARY: (
        "a few summary numbers of the input (mean and deviation of each channel; length and entropy of the token "
        "counts for text): what a task gives away for nothing"
    ),
    SUPERVISED: "the same encoder and budget, trained with the task's labels: 100 % of the gap, which a row may exceed",
}
