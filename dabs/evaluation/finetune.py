"""Fine-tuning of the encoder and a linear head on one task, by one fixed recipe.

The head starts as the encoder's own linear probe, so fine-tuning starts from what frozen features can do. AdamW with
warm-up and cosine decay then trains all weights on the training split. Several learning rates are tried; of the
probe and of every rate's model at each quarter of its steps, the best on validation predicts the test split once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from dabs.data.domain import SPLITS, TEST, TRAIN, VALIDATION, Classes, MultiLabel, Scalar, Target, Task
from dabs.data.loader import read_batches, step_indices
from dabs.data.prepared import Prepared
from dabs.data.split import READ_BATCH, Split
from dabs.encoder import Encoder
from dabs.evaluation.metrics import metric_of
from dabs.evaluation.probes import ProbeResult
from dabs.specs import Batch
from dabs.training.precision import autocast
from dabs.training.step import OptimizerStep, adamw, learning_rate, seed_all

Head = tuple[np.ndarray, np.ndarray]  # weight (outputs, D) and bias (outputs,)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The fixed recipe of a suite; it is part of every fine-tune result."""

    learning_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    batch_size: int = 64
    epochs: int = 8
    max_steps: int = 100
    checks: int = 4  # how often a model is scored on validation, evenly spaced over its steps
    weight_decay: float = 1e-4
    clip_norm: float = 1.0


RECIPES = {"lite": Recipe()}  # a laptop's evenings; other suites train for all their epochs
WHOLE_EPOCHS = Recipe(learning_rates=(3e-5, 1e-4, 3e-4), epochs=10, max_steps=1_000_000)


def recipe_of(suite: str) -> Recipe:
    """Return the recipe of a suite."""
    return RECIPES.get(suite, WHOLE_EPOCHS)


class FineTuneModel(nn.Module):
    """An encoder with a linear head on its features."""

    def __init__(self, encoder: Encoder, outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.width, outputs)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return predictions (B, outputs)."""
        return self.head(self.encoder(batch))  # type: ignore[no-any-return]


def target_loss(out: torch.Tensor, label: torch.Tensor, target: Target) -> torch.Tensor:
    """Return cross-entropy, binary cross-entropy, or the squared error of the score scaled to [0, 1]."""
    if isinstance(target, Classes):
        return F.cross_entropy(out, label)
    if isinstance(target, MultiLabel):
        return F.binary_cross_entropy_with_logits(out, label.float())
    return F.mse_loss(out[:, 0], (label - target.low) / (target.high - target.low))


@torch.inference_mode()
def predict(model: FineTuneModel, split: Split, target: Target) -> np.ndarray:
    """Predict a whole split, in the form that `dabs.evaluation.metrics` takes."""
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    batches = read_batches(split, split.in_order(READ_BATCH), device)
    out = torch.cat([model(batch) for batch in batches]).cpu().double().numpy()
    model.train(training)
    if isinstance(target, Classes):
        return np.asarray(out.argmax(axis=1))
    return out[:, 0] if isinstance(target, Scalar) else out


def finetune(
    encoder: Encoder, data: Prepared, task: Task, seed: int, recipe: Recipe, head: Head, precision: str = "fp32"
) -> ProbeResult:
    """Fine-tune a copy of the encoder at each learning rate; the best model on validation predicts the test split.

    Args:
        encoder: pretrained; it is not changed.
        data: the task's prepared dataset.
        task: what to predict.
        seed: of the order of examples.
        recipe: the fixed settings.
        head: the linear probe of the encoder's features, from `dabs.evaluation.probes.probe_head`.
        precision: of the training steps ("bf16" means autocast); predictions are made in fp32.

    Returns:
        The predictions, and the chosen learning rate: 0 where no training improved on the probe.
    """
    splits = {name: Split(data, name, labels=True) for name in SPLITS}
    search = _Search(splits[VALIDATION], task, data.labels(VALIDATION))
    start = _with_head(encoder, head)
    search.offer(start, 0.0)
    for rate in recipe.learning_rates:
        _tune(copy.deepcopy(start), splits[TRAIN], task.target, seed, rate, recipe, precision, search)
    prediction = predict(search.model, splits[TEST], task.target)
    return ProbeResult(prediction=prediction, validation_score=search.score, selected={"lr": search.rate})


class _Search:
    """Keeps the model with the best validation score; of equal ones the first."""

    def __init__(self, validation: Split, task: Task, label: np.ndarray) -> None:
        self.validation, self.target, self.label = validation, task.target, label
        self.metric = metric_of(task.metric)
        self.score, self.rate = -np.inf, 0.0
        self.model: FineTuneModel

    def offer(self, model: FineTuneModel, rate: float) -> None:
        """Score a model, and keep a copy if it is the best so far."""
        found = self.metric.score(predict(model, self.validation, self.target), self.label)
        if found > self.score:
            self.score, self.rate, self.model = found, rate, copy.deepcopy(model)


def _tune(
    model: FineTuneModel,
    train: Split,
    target: Target,
    seed: int,
    rate: float,
    recipe: Recipe,
    precision: str,
    search: _Search,
) -> None:
    """Train a model at one learning rate, in place, and offer it to the search at each check."""
    size = min(recipe.batch_size, len(train))
    steps = min(recipe.max_steps, recipe.epochs * (len(train) // size))
    every = max(1, -(-steps // recipe.checks))

    def check(done: int) -> None:
        if done % every == 0 or done == steps:
            search.offer(model, rate)

    seed_all(seed, 0)
    train_on_labels(
        model,
        train,
        target,
        seed=seed,
        steps=steps,
        batch_size=size,
        rate=rate,
        weight_decay=recipe.weight_decay,
        clip_norm=recipe.clip_norm,
        precision=precision,
        after_step=check,
    )


def _with_head(encoder: Encoder, head: Head) -> FineTuneModel:
    """Return a copy of the encoder with a head, on the encoder's device."""
    model = FineTuneModel(copy.deepcopy(encoder), len(head[1]))
    with torch.no_grad():
        for parameter, values in zip((model.head.weight, model.head.bias), head, strict=True):
            parameter.copy_(torch.from_numpy(values))
    return model.to(next(encoder.parameters()).device)


def train_on_labels(
    model: FineTuneModel,
    train: Split,
    target: Target,
    *,
    seed: int,
    steps: int,
    batch_size: int,
    rate: float,
    weight_decay: float,
    clip_norm: float,
    beta2: float = 0.999,
    precision: str = "fp32",
    after_step: Callable[[int], None] = lambda step: None,
) -> None:
    """Train all weights of a model on a labelled split, in place.

    Args:
        model: on its device.
        train: the split, with labels.
        target: what the labels mean.
        seed: of the order of examples.
        steps: optimiser steps.
        batch_size: examples per step.
        rate: peak of the warm-up and cosine schedule.
        weight_decay, clip_norm, beta2: of the optimiser.
        precision: of the steps; "bf16" means autocast.
        after_step: called with the number of steps done, after each.
    """
    device = next(model.parameters()).device

    def loss_of(batch: Batch) -> dict[str, torch.Tensor]:
        assert batch.label is not None  # noqa: S101  a labelled split was opened
        with autocast(batch.inputs[0].device, precision):
            out = model(batch)
        return {"loss": target_loss(out.float(), batch.label, target)}

    model.train()
    take_step = OptimizerStep(loss_of, adamw(model.parameters(), rate, weight_decay, beta2), clip_norm=clip_norm)
    indices = step_indices(len(train), batch_size, steps, seed)
    for step, batch in enumerate(read_batches(train, indices, device)):
        take_step(batch, learning_rate(step, steps, rate))
        after_step(step + 1)
