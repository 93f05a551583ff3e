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

EXPLANATIONS: dict[str, str] = {
    RANDOM: "the encoder at its random initialisation, the floor that every algorithm has to beat",
    RAW: "the input itself without an encoder, read in the same way as the encoder's features",
    SUMMARY: (
        "a few summary numbers of the input (mean and deviation of each channel; length and entropy of the token "
        "counts for text): what a task gives away for nothing"
    ),
    SUPERVISED: "the same encoder and budget, trained with the labels of the task: the ceiling of this encoder",
}
