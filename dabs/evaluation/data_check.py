"""Whether the tasks of a domain ask for more than a summary of the input."""

from __future__ import annotations

from dabs.data.domain import SPLITS, TEST, TRAIN, Domain
from dabs.data.prepared import open_prepared
from dabs.evaluation.metrics import chance, metric_of
from dabs.evaluation.probes import Features, linear_probe
from dabs.evaluation.raw_input import summary_features

SOLVED = 0.5  # the share of the way from chance to a perfect score


def tasks_that_a_summary_solves(domain: Domain) -> list[str]:
    """Return a sentence for each task that mean and deviation of the channels, or length and entropy, already answer.

    A linear probe of the row `summary` is read on validation. Where it goes half of the way from chance to a perfect
    score, an encoder has little left to show.
    """
    found = []
    for task in domain.tasks:
        data = open_prepared(domain, task.name)
        labels = {split: data.labels(split) for split in SPLITS}
        features = Features(features=summary_features(data), labels=labels)
        score, metric = linear_probe(features, task).validation_score, metric_of(task.metric)
        floor = chance(metric.name, labels[TRAIN], labels[TEST])
        if score - floor > SOLVED * (metric.high - floor):
            found.append(
                f"{task.name}: a summary of the input (mean and deviation of each channel; length and entropy of a "
                f"text) scores {100 * score:.1f} on validation, chance is {100 * floor:.1f}. Ask for something else, "
                "or remove what gives it away, such as brightness or gain"
            )
    return found
