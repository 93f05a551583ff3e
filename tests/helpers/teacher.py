"""An algorithm with a moving-average teacher, whose loss is a mean over examples and draws nothing."""

import copy

import torch
from torch import Tensor, nn

from dabs.algorithm import Algorithm
from dabs.distributed import gather_examples
from dabs.encoder import Encoder
from dabs.specs import Batch


class Teacher(Algorithm):
    """Predict what a moving average of the encoder says about the same input, moved and stretched."""

    gathers = True

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.teacher = copy.deepcopy(encoder).requires_grad_(False)
        self.head = nn.Linear(encoder.width, encoder.width)

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            target_BD = self.teacher(batch)
        error_B = (self.head(encoder(batch)) - 2 * target_BD - 1).square().mean(dim=1)
        return {"loss": gather_examples(error_B).mean()}

    def after_step(self, encoder: Encoder, step: int) -> None:
        for kept, new in zip(self.teacher.parameters(), encoder.parameters(), strict=True):
            kept.lerp_(new, 0.5)
