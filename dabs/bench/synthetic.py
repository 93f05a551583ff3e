"""Synthetic data: features with classes, stored rows, a prepared domain, a batch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from dabs.data.domain import PRETRAIN, TRAIN, Card, Classes, Domain, Rows, Task, Workspace
from dabs.data.prepare import prepare
from dabs.data.split import padding_mask
from dabs.evaluation.probes import Features
from dabs.specs import Batch, Image, Specs, Tokens
from dabs.utils.processes import environment_variables


def synthetic_features(rows: int, width: int, classes: int, seed: int = 0) -> tuple[Features, Task]:
    """Return features whose classes a probe can partly tell apart, and the task.

    Args:
        rows: training examples; validation and test have a fifth as many each.
        width: D.
        classes: how many.
        seed: of the values.
    """
    generator = np.random.default_rng(seed)
    centres = generator.normal(0, 0.15, (classes, width))
    mixing = generator.normal(0, 1, (width, width)) / np.sqrt(width)  # an encoder's features are correlated
    features, labels = {}, {}
    for split, count in (("train", rows), ("validation", rows // 5), ("test", rows // 5)):
        labels[split] = generator.integers(0, classes, count)
        noisy = centres[labels[split]] + generator.normal(0, 1, (count, width))
        features[split] = (noisy @ mixing).astype(np.float32)
    names = tuple(str(i) for i in range(classes))
    task = Task(name="synthetic", question="Which?", target=Classes(names=names), metric="accuracy", split_by="row")
    return Features(features=features, labels=labels), task


def synthetic_rows(
    specs: Specs, count: int, *, pixels: type[np.generic] = np.uint8, seed: int = 0
) -> tuple[np.ndarray, ...]:
    """Return arrays as domains store them.

    Args:
        specs: the inputs.
        count: rows.
        pixels: the type of images: uint8, or float16 for spectrograms. Ids are int32, series float32.
        seed: of the values.
    """
    generator = np.random.default_rng(seed)
    arrays: list[np.ndarray] = []
    for spec in specs:
        if isinstance(spec, Tokens):
            arrays.append(generator.integers(spec.pad + 1, spec.vocabulary, (count, spec.length), dtype=np.int32))
        elif isinstance(spec, Image):
            arrays.append(generator.integers(0, 256, (count, *spec.shape), dtype=np.uint8).astype(pixels))
        else:
            arrays.append(generator.normal(size=(count, *spec.shape)).astype(np.float32))
    return tuple(arrays)


@contextmanager
def synthetic_domain(specs: Specs, rows: int, *, pixels: type[np.generic] = np.uint8) -> Iterator[Domain]:
    """Prepare a synthetic domain with one task of two classes in a temporary $DABS_HOME, removed afterwards.

    Args:
        specs: the inputs.
        rows: pretraining examples, and training examples of the task up to 10,000; other splits have eight.
        pixels: the type in which images are stored.
    """

    def _build(workspace: Workspace) -> Iterator[Rows]:
        for dataset, splits in domain.datasets().items():
            for split in splits:
                count = 8 if split != TRAIN else rows if dataset == PRETRAIN else min(rows, 10_000)
                label = None if dataset == PRETRAIN else np.arange(count) % 2
                inputs = synthetic_rows(specs, count, pixels=pixels)
                yield Rows(
                    dataset=dataset, split=split, inputs=inputs, label=label, group=[f"{dataset}/{split}"] * count
                )

    nothing = Card(title="synthetic", origin="generated", licence="", citation="", source="", size="")
    target = Classes(names=("0", "1"))
    task = Task(name="task", question="Which?", target=target, metric="accuracy", split_by="row")
    domain = Domain(
        name="synthetic", suite="paper", title="synthetic", specs=specs, card=nothing, tasks=(task,), build=_build
    )
    with tempfile.TemporaryDirectory() as folder, environment_variables(DABS_HOME=folder):
        prepare(domain, lambda line: None)
        yield domain


def synthetic_batch(specs: Specs, size: int, *, seed: int = 0, padded: bool = False, device: str = "cpu") -> Batch:
    """Return a synthetic batch without labels: uniform ids, standard normal values.

    Args:
        specs: the inputs.
        size: B.
        seed: of the values.
        padded: whether token inputs end in padding; the first example then has a single real token.
        device: "cpu", "cuda" or "meta".
    """
    drawn = None if device == "meta" else torch.Generator().manual_seed(seed)
    inputs = []
    for spec in specs:
        if not isinstance(spec, Tokens):
            inputs.append(torch.randn(size, *spec.shape, generator=drawn).to(device))
            continue
        ids = torch.randint(spec.pad + 1, spec.vocabulary, (size, spec.length), generator=drawn)
        if padded:
            lengths = torch.randint(3, spec.length, (size, 1), generator=drawn)
            lengths[0] = 1
            ids = ids.where(torch.arange(spec.length) < lengths, spec.pad)
        inputs.append(ids.to(device))
    return Batch(inputs=tuple(inputs), mask=padding_mask(tuple(inputs), specs))
