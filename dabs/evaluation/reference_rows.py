"""The reference rows of every table: what a score is to be compared with. Importing this does not load torch."""

from __future__ import annotations

RANDOM, RAW, SUMMARY, SUPERVISED = REFERENCES = ("none", "raw", "summary", "supervised")

EXPLANATIONS = {
    RANDOM: "the random encoder: the floor that every algorithm has to beat",
    RAW: "the input itself, averaged over its patches, segments or tokens, without an encoder",
    SUMMARY: "mean and deviation of each channel, or length and entropy of a text: what a task gives away for nothing",
    SUPERVISED: "the same encoder and budget, trained with the labels of the task: what this encoder can reach",
}
