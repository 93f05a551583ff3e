"""The row `supervised`: the same encoder and budget, trained with labels.

It says what this encoder can reach on a task. It has the domain's steps, batches, optimiser and learning rate, and a
linear head on the pooled features. The readers then read its features like those of any other encoder; in the table of
fine-tuning, its row is what its own head predicts.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

import torch

from dabs.config import PretrainConfig
from dabs.data.domain import TEST, TRAIN, VALIDATION, Task
from dabs.data.prepared import Prepared
from dabs.data.split import Split
from dabs.encoder import PRESETS, Encoder
from dabs.evaluation.finetune import FineTuneModel, predict, train_on_labels
from dabs.evaluation.metrics import metric_of
from dabs.evaluation.probes import ProbeResult
from dabs.training.learning import rank_of_features
from dabs.training.precision import finetune_precision
from dabs.training.step import CLIP_NORM, flush_denormals, seed_all


@dataclass(frozen=True, kw_only=True)
class SupervisedEncoder:
    """An encoder trained on the labels of one task, and how it was trained."""

    model: FineTuneModel
    config: PretrainConfig
    steps: int
    seconds: float
    effective_rank: float
    weights_sha256: str

    @property
    def encoder(self) -> Encoder:
        """The encoder without its head."""
        return self.model.encoder


def train_supervised(data: Prepared, task: Task, config: PretrainConfig) -> SupervisedEncoder:
    """Train the encoder of a resolved configuration on the training split of a task.

    The encoder starts from the weights that every algorithm starts from with this seed.
    """
    begun = time.perf_counter()
    train = Split(data, TRAIN, labels=True)
    seed_all(config.seed, -1)
    encoder = Encoder(PRESETS[config.encoder], data.domain.specs, data.standardisation())
    model = FineTuneModel(encoder, len(task.target)).to("cuda" if torch.cuda.is_available() else "cpu")
    with flush_denormals():
        train_on_labels(
            model,
            train,
            task.target,
            seed=config.seed,
            steps=config.steps,
            batch_size=min(config.batch_size, len(train)),
            rate=config.lr,
            weight_decay=config.weight_decay,
            clip_norm=CLIP_NORM,
            beta2=config.beta2,
            precision=finetune_precision(config.precision),
        )
    return SupervisedEncoder(
        model=model.eval(),
        config=config,
        steps=config.steps,
        seconds=time.perf_counter() - begun,
        effective_rank=rank_of_features(encoder, Split(data, VALIDATION, labels=False)),
        weights_sha256=_hash_of_weights(encoder),
    )


def own_predictions(trained: SupervisedEncoder, data: Prepared, task: Task) -> ProbeResult:
    """Return what the trained head predicts on the test split."""
    splits = {name: Split(data, name, labels=False) for name in (VALIDATION, TEST)}
    found = {name: predict(trained.model, split, task.target) for name, split in splits.items()}
    score = metric_of(task.metric).score(found[VALIDATION], data.labels(VALIDATION))
    return ProbeResult(prediction=found[TEST], validation_score=score, selected={"lr": trained.config.lr})


def _hash_of_weights(encoder: Encoder) -> str:
    found = hashlib.sha256()
    for name, value in sorted(encoder.state_dict().items()):
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
