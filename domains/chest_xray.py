"""Generated chest radiographs with five findings and the size of the heart.

Each finding is drawn by its radiological sign (`images/radiographs.py`). Scores say nothing about medical use.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, Card, Domain, MultiLabel, Rows, Scalar, Task, Workspace
from dabs.domains.images.radiographs import FINDINGS, SIDE, Films, draw_random_films
from dabs.specs import Image

BLOCK_FILMS = 250  # drawn at a time
LABELLED_FILMS = {TRAIN: 4000, VALIDATION: 750, TEST: 2000}  # both tasks use the same films
UNLABELLED_FILMS = {TRAIN: 10_000, VALIDATION: 500}
MIN_HEART_RATIO, MAX_HEART_RATIO = 0.35, 0.70  # bounds of the generated cardiothoracic ratios


def _film_blocks(workspace: Workspace, kind: int, counts: dict[str, int]) -> Iterator[tuple[str, list[str], Films]]:
    """Yield films of each split with their groups; each patient has one film, so a group is a patient."""
    for i, (split, count) in enumerate(counts.items()):
        for start in range(0, count, BLOCK_FILMS):
            films = draw_random_films(BLOCK_FILMS, workspace.generator(kind, i, start))
            yield split, [f"patient:{kind}-{i}-{start + j}" for j in range(BLOCK_FILMS)], films


def build(workspace: Workspace) -> Iterator[Rows]:
    """Yield the labelled films once for each task, then unlabelled films of other patients."""
    for split, group, films in _film_blocks(workspace, 1, LABELLED_FILMS):
        heart = films.heart.astype(np.float32)
        yield Rows(dataset="findings", split=split, inputs=(films.pixels,), label=films.findings, group=group)
        yield Rows(dataset="heart_size", split=split, inputs=(films.pixels,), label=heart, group=group)
    for split, group, films in _film_blocks(workspace, 2, UNLABELLED_FILMS):
        yield Rows(dataset=PRETRAIN, split=split, inputs=(films.pixels,), label=None, group=group)


CARD = Card(
    title="Generated frontal chest radiographs",
    origin="generated",
    licence="MIT, like this project; no patient data",
    citation="prevalences: Irvin et al., CheXpert: a large chest radiograph dataset with uncertainty labels and expert "
    "comparison, AAAI 2019, table 1",
    source="generated from random numbers: rib cage, lungs, heart, diaphragm, spine, exposure and noise vary",
    size="nothing is fetched, 95 MB prepared",
    notes="Generated; says nothing about medical use. Findings are drawn independently of each other, unlike real "
    "ones; each follows its sign: a raised base with a linear density, an enlarged cardiac silhouette, a dense "
    "patch, a bilateral haze, a filled costophrenic angle.",
)

LITE = Domain(
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
            target=Scalar(low=MIN_HEART_RATIO, high=MAX_HEART_RATIO),
            metric="spearman",
            split_by="patient",
        ),
    ),
    sources=(),
    build=build,
)
