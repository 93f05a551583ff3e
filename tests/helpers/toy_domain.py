"""A tiny domain without downloads; the fixture `toy` makes it a lite domain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dabs.data.domain import PRETRAIN, Card, Classes, Domain, MultiLabel, Rows, Scalar, Task, Workspace
from dabs.specs import Image, Tokens

SIZES = {"train": 90, "validation": 40, "test": 60}


def build(workspace: Workspace) -> Iterator[Rows]:
    """Yield images whose brightness depends on a class, with texts whose length is a score."""
    for number, dataset in enumerate((PRETRAIN, "shade", "findings", "length")):
        for place, (split, size) in enumerate(SIZES.items()):
            if dataset == PRETRAIN and split == "test":
                continue
            generator = workspace.generator(number, place)
            shade = generator.integers(0, 3, size)
            pixels = (generator.integers(0, 120, (size, 1, 8, 8)) + 60 * shade[:, None, None, None]).astype(np.uint8)
            length = generator.integers(1, 9, size)
            ids = generator.integers(1, 20, (size, 8)) * (np.arange(8) < length[:, None])
            labels = {
                "shade": shade,
                "findings": np.stack([shade == 0, length > 4], axis=1).astype(np.int8),
                "length": length.astype(np.float32),
            }
            group = [f"{dataset}-{split}-{i}" for i in range(size)]
            inputs = (pixels, ids.astype(np.int32))
            yield Rows(dataset=dataset, split=split, inputs=inputs, label=labels.get(dataset), group=group)
    workspace.files["words.txt"] = b"none\n"


LITE = Domain(
    name="toy",
    suite="lite",
    title="Toy",
    specs=(Image(height=8, width=8, channels=1, patch=4), Tokens(length=8, vocabulary=20)),
    card=Card(
        title="Shades and words", origin="generated", licence="MIT", citation="none", source="drawn here", size="40 kB"
    ),
    tasks=(
        Task(
            name="shade",
            question="How bright?",
            target=Classes(names=("dark", "grey", "bright")),
            metric="accuracy",
            split_by="row",
        ),
        Task(
            name="findings",
            question="Dark? Long?",
            target=MultiLabel(names=("dark", "long")),
            metric="auroc",
            split_by="row",
        ),
        Task(
            name="length",
            question="How many words?",
            target=Scalar(low=1, high=8),
            metric="spearman",
            split_by="row",
        ),
    ),
    sources=(),
    build=build,
    steps=30,
    batch_size=16,
)
