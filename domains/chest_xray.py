"""Chest radiographs, lite: generated frontal films with five findings and the size of the heart.

The drawing follows the radiological sign of each finding (`_radiographs.py`); it tells nothing about medical use.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, Card, Domain, MultiLabel, Rows, Scalar, Task, Workspace
from dabs.domains.images.radiographs import FINDINGS, SIDE, Films, draw_films
from dabs.specs import Image

BLOCK = 250  # films drawn at a time
FILMS = {TRAIN: 4000, VALIDATION: 750, TEST: 2000}  # labelled; the tasks ask about the same films
UNLABELLED = {TRAIN: 10_000, VALIDATION: 500}
SMALLEST, LARGEST = 0.35, 0.70  # around the cardiothoracic ratios that are drawn


def _blocks(workspace: Workspace, kind: int, counts: dict[str, int]) -> Iterator[tuple[str, list[str], Films]]:
    """Films of each split with their groups; a patient has one film, so its number is the group."""
    for i, (split, count) in enumerate(counts.items()):
        for start in range(0, count, BLOCK):
            films = draw_films(BLOCK, workspace.generator(kind, i, start))
            yield split, [f"patient:{kind}-{i}-{start + j}" for j in range(BLOCK)], films


def build(workspace: Workspace) -> Iterator[Rows]:
    """Yields the labelled films once for each task, then the unlabelled films of other patients."""
    for split, group, films in _blocks(workspace, 1, FILMS):
        heart = films.heart.astype(np.float32)
        yield Rows(dataset="findings", split=split, inputs=(films.pixels,), label=films.findings, group=group)
        yield Rows(dataset="heart_size", split=split, inputs=(films.pixels,), label=heart, group=group)
    for split, group, films in _blocks(workspace, 2, UNLABELLED):
        yield Rows(dataset=PRETRAIN, split=split, inputs=(films.pixels,), label=None, group=group)


CARD = Card(
    title="Generated frontal chest radiographs",
    origin="generated",
    licence="MIT, as this project; no patient's data",
    citation="prevalences: Irvin et al., CheXpert: a large chest radiograph dataset with uncertainty labels and expert "
    "comparison, AAAI 2019, table 1",
    source="drawn from random numbers: rib cage, lungs, heart, diaphragm, spine, exposure and noise vary",
    size="nothing is fetched, 95 MB prepared",
    notes="Generated; tells nothing about medical use. Findings are drawn independently of each other, which real ones "
    "are not; each follows its sign: a raised base with a linear density, an enlarged cardiac silhouette, a dense "
    "patch, a bilateral haze, a filled costophrenic angle.",
)

CHEST_XRAY = Domain(
    name="chest_xray",
    suite="lite",
    title="Chest radiographs (generated)",
    specs=(Image(height=SIDE, width=SIDE, channels=1, patch=8),),
    card=CARD,
    tasks=(
        Task(
            name="findings",
            question="Which of five findings does this film show?",
            target=MultiLabel(names=FINDINGS),
            metric="auroc",
            split_by="patient",
        ),
        Task(
            name="heart_size",
            question="How wide is the heart, as a share of the chest's inner width (cardiothoracic ratio)?",
            target=Scalar(low=SMALLEST, high=LARGEST),
            metric="spearman",
            split_by="patient",
        ),
    ),
    sources=(),
    build=build,
)
