"""Fine-tuning of the encoder and a linear head on one task, by one fixed recipe.

The recipe is the same for every domain and algorithm: AdamW, batches of 64, at most eight epochs or 100 steps, warm-up
and cosine decay. The learning rate is chosen on validation; the chosen model, trained on the training split alone,
predicts the test split once.
"""

from __future__ import annotations

import copy
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


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The fixed recipe; it is part of every fine-tune result."""

    learning_rates: tuple[float, ...] = (3e-4, 1e-3)
    batch_size: int = 64
    epochs: int = 8
    max_steps: int = 100
    weight_decay: float = 1e-4
    clip_norm: float = 1.0


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
    model.eval()
    device = next(model.parameters()).device
    batches = read_batches(split, split.in_order(READ_BATCH), device)
    out = torch.cat([model(batch) for batch in batches]).cpu().double().numpy()
    if isinstance(target, Classes):
        return np.asarray(out.argmax(axis=1))
    return out[:, 0] if isinstance(target, Scalar) else out


def finetune(
    encoder: Encoder, data: Prepared, task: Task, seed: int, recipe: Recipe, precision: str = "fp32"
) -> ProbeResult:
    """Fine-tune a copy of the encoder at each learning rate; the best model on validation predicts the test split.

    Args:
        encoder: pretrained; it is not changed.
        data: the task's prepared dataset.
        task: what to predict.
        seed: of the head's weights and the order of examples.
        recipe: the fixed settings.
        precision: of the training steps ("bf16" means autocast); predictions are made in fp32.
    """
    splits = {name: Split(data, name, labels=True) for name in SPLITS}
    score = metric_of(task.metric).score
    label = data.labels(VALIDATION)
    tried = []
    for rate in recipe.learning_rates:
        model = _tune(encoder, splits[TRAIN], task.target, seed, rate, recipe, precision)
        tried.append((score(predict(model, splits[VALIDATION], task.target), label), -rate, model))
    best, negative, model = max(tried, key=lambda row: row[:2])
    prediction = predict(model, splits[TEST], task.target)
    return ProbeResult(prediction=prediction, validation_score=best, selected={"lr": -negative})


def _tune(
    encoder: Encoder, train: Split, target: Target, seed: int, rate: float, recipe: Recipe, precision: str
) -> FineTuneModel:
    seed_all(seed, 0)
    model = FineTuneModel(copy.deepcopy(encoder), len(target)).to(next(encoder.parameters()).device).train()
    size = min(recipe.batch_size, len(train))
    per_epoch = len(train) // size
    steps = min(recipe.max_steps, recipe.epochs * per_epoch)

    def loss_of(batch: Batch) -> dict[str, torch.Tensor]:
        assert batch.label is not None  # noqa: S101  a labelled split was opened
        with autocast(batch.inputs[0].device, precision):
            out = model(batch)
        return {"loss": target_loss(out.float(), batch.label, target)}

    take_step = OptimizerStep(loss_of, adamw(model.parameters(), rate, recipe.weight_decay), clip_norm=recipe.clip_norm)
    indices = step_indices(len(train), size, steps, seed, seed_by_step=True)
    for step, batch in enumerate(read_batches(train, indices, next(model.parameters()).device)):
        take_step(batch, learning_rate(step, steps, rate))
    return model
