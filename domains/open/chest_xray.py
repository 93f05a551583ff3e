"""Chest radiographs of 64×64 pixels: ChestMNIST's findings, PneumoniaMNIST."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dabs.data.domain import (
    PRETRAIN,
    TRAIN,
    VALIDATION,
    Card,
    Classes,
    Domain,
    MultiLabel,
    Part,
    Rows,
    Task,
    Workspace,
)
from dabs.domains.images.medmnist_sets import SIDE, MedMnistFile, check_findings, read_splits, split_rows
from dabs.domains.sources.listing import check_count
from dabs.specs import Image

FINDINGS = (
    *("atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax"),
    *("consolidation", "edema", "emphysema", "fibrosis", "pleural", "hernia"),
)
CHEST = MedMnistFile(flag="chestmnist", size=401_604_127)
PNEUMONIA = MedMnistFile(flag="pneumoniamnist", size=20_000_000)
COUNTS = {"chestmnist": 78_468 + 11_219 + 22_433, "pneumoniamnist": 4_708 + 524 + 624}  # pictures in all splits


def build_pretraining(workspace: Workspace) -> Iterator[Rows]:
    """Yield ChestMNIST's training and validation pictures without labels."""
    splits, count = read_splits(workspace.sources[CHEST.name], CHEST.flag)
    check_count(workspace, count, COUNTS[CHEST.flag])
    for split in (TRAIN, VALIDATION):
        yield from split_rows(PRETRAIN, split, splits[split], None)


def build_findings(workspace: Workspace) -> Iterator[Rows]:
    """Yield ChestMNIST with its fourteen findings."""
    splits, count = read_splits(workspace.sources[CHEST.name], CHEST.flag)
    check_count(workspace, count, COUNTS[CHEST.flag])
    for split, found in splits.items():
        check_findings(found.labels, FINDINGS, f"ChestMNIST, {split}")
        yield from split_rows("chest_mnist", split, found, found.labels.astype(np.int8))


def build_pneumonia(workspace: Workspace) -> Iterator[Rows]:
    """Yield PneumoniaMNIST: 0 is normal, 1 pneumonia."""
    splits, count = read_splits(workspace.sources[PNEUMONIA.name], PNEUMONIA.flag)
    check_count(workspace, count, COUNTS[PNEUMONIA.flag])
    for split, found in splits.items():
        yield from split_rows("pneumonia_mnist", split, found, found.labels[:, 0].astype(np.int64))


_MEDMNIST = (
    "Yang et al., MedMNIST v2: a large-scale lightweight benchmark for 2D and 3D biomedical image classification, "
    "Scientific Data 2023"
)
CARD = Card(
    title="ChestMNIST at 64×64 (MedMNIST+), from ChestX-ray14",
    origin="recorded",
    licence="CC BY 4.0",
    citation=f"{_MEDMNIST}; Wang et al., ChestX-ray8: hospital-scale chest X-ray database and benchmarks on "
    "weakly-supervised classification and localization of common thorax diseases, CVPR 2017, arXiv:1705.02315",
    source="https://zenodo.org/records/10519652, chestmnist_64.npz; 112,120 films of 30,805 patients, official splits "
    "(78,468, 11,219 and 22,433)",
    size="402 MB; prepared 370 MB to pretrain and 460 MB labelled",
    notes="Address, MD5, licence, numbers and reader are those of the package medmnist 3.0.2. The file has no patient "
    "numbers: MedMNIST says that it keeps the official split of the NIH, which separates patients, and here only equal "
    "pictures could be looked for in two splits and left out of the looser. The labels were extracted from reports by "
    "a program.",
)
PNEUMONIA_CARD = Card(
    title="PneumoniaMNIST at 64×64 (MedMNIST+)",
    origin="recorded",
    licence="CC BY 4.0",
    citation=f"{_MEDMNIST}; Kermany et al., Identifying medical diagnoses and treatable diseases by image-based deep "
    "learning, Cell 2018",
    source="https://zenodo.org/records/10519652, pneumoniamnist_64.npz; 5,856 films of children, official splits "
    "(4,708, 524 and 624)",
    size="about 20 MB (estimated); prepared 24 MB",
    notes="Address, MD5, licence, numbers and reader are those of the package medmnist 3.0.2. The test split is the "
    "source's own; train and validation were divided by film, so a child may be in both. Equal pictures are only in "
    "the strictest split that has them.",
)

OPEN = Domain(
    name="chest_xray",
    suite="open",
    title="Chest radiographs",
    specs=(Image(height=SIDE, width=SIDE, channels=1, patch=8),),
    card=CARD,
    tasks=(
        Task(
            name="chest_mnist",
            question="Which of fourteen findings does this film show?",
            target=MultiLabel(names=FINDINGS),
            metric="auroc",
            split_by="picture; patients as in the official split",
            card=CARD,
        ),
        Task(
            name="pneumonia_mnist",
            question="Does this film of a child's chest show pneumonia?",
            target=Classes(names=("normal", "pneumonia")),
            metric="accuracy",
            split_by="picture",
            card=PNEUMONIA_CARD,
        ),
    ),
    parts=(
        Part(
            dataset=PRETRAIN,
            sources=(CHEST,),
            build=build_pretraining,
            prepared=(78_468 + 11_219) * SIDE * SIDE,
        ),
        Part(dataset="chest_mnist", sources=(CHEST,), build=build_findings, prepared=COUNTS[CHEST.flag] * SIDE * SIDE),
        Part(
            dataset="pneumonia_mnist",
            sources=(PNEUMONIA,),
            build=build_pneumonia,
            prepared=COUNTS[PNEUMONIA.flag] * SIDE * SIDE,
        ),
    ),
    encoder="paper",
    steps=20_000,
    batch_size=64,
)
