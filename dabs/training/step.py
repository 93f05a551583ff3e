"""One optimiser step, from a batch to the update; all training uses it."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from dabs.algorithm import Algorithm, checked_output
from dabs.config import PretrainConfig
from dabs.data.domain import Domain
from dabs.encoder import PRESETS, Encoder
from dabs.errors import DabsError, RequestError
from dabs.specs import Batch, Standardisation

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Fields = tuple[tuple[Tensor, ...], Tensor | None]  # the inputs and the mask of a batch
WARMUP_SHARE = 0.1  # of all steps
CLIP_NORM = 1.0


class Objective(nn.Module):
    """The encoder and the algorithm as the one module that is trained."""

    def __init__(self, encoder: Encoder, algorithm: Algorithm) -> None:
        super().__init__()
        try:
            inspect.signature(algorithm.after_step).bind(encoder, 0)
        except TypeError as error:
            name = type(algorithm).__name__
            raise RequestError(f"{name}.after_step must take (self, encoder, step): {error}.") from error
        self.encoder = encoder
        self.algorithm = algorithm

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Let the algorithm do what it does after each optimiser step."""
        self.algorithm.after_step(self.encoder, step)

    def forward(self, batch: Batch | Fields) -> dict[str, Tensor]:
        """Return what the algorithm's `loss` returns for a batch, after checking its form.

        The batch may be given as (inputs, mask), because Fabric does not pass a frozen dataclass on in bf16.
        """
        given = batch if isinstance(batch, Batch) else Batch(inputs=batch[0], mask=batch[1])
        return checked_output(self.algorithm, self.algorithm.loss(self.encoder, given))


def build(
    config: PretrainConfig,
    algorithm: type[Algorithm],
    domain: Domain,
    standardisation: Standardisation | None = None,
) -> Objective:
    """Build the seeded encoder and the algorithm.

    The encoder is drawn first, so that with one seed every algorithm starts from the same weights.

    Raises:
        RequestError: the algorithm refuses its options.
    """
    seed_all(config.seed, -1)
    encoder = Encoder(PRESETS[config.encoder], domain.specs, standardisation)
    try:
        return Objective(encoder, algorithm(encoder, **config.options))
    except (TypeError, ValueError) as error:
        raise RequestError(f"{config.algorithm} refuses its options {config.options}: {error}") from error


def seed_all(seed: int, step: int, process: int = 0) -> None:
    """Seed every random generator for one step (-1: the initialisation), by default the same in every process."""
    mixed = int(np.random.SeedSequence([seed, step + 1], spawn_key=(process,) * (process > 0)).generate_state(1)[0])
    torch.manual_seed(mixed)
    np.random.seed(mixed)
    random.seed(mixed)


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return the rate of a step: linear warm-up over the first tenth of the steps, then cosine decay to zero."""
    warmup = max(1, round(WARMUP_SHARE * steps))
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def adamw(
    parameters: Iterable[nn.Parameter], rate: float, weight_decay: float, beta2: float = 0.999
) -> torch.optim.AdamW:
    """Return the optimiser of all training; `beta2` is the decay of its mean of squared gradients."""
    return torch.optim.AdamW(parameters, lr=rate, betas=(0.9, beta2), weight_decay=weight_decay, fused=True)


class OptimizerStep:
    """Takes one optimiser step when called with a batch.

    Args:
        loss_of: maps a batch to {"loss": scalar, ...}.
        optimizer: of the parameters to train.
        clip_norm: the largest norm of the gradient over all parameters.
        parts: how many equal parts the batch is computed in. Their gradients are summed before the one update, which
            needs less memory. The algorithm sees each part as a batch of its own: contrastive negatives and e-Mix's
            partners come from the same part, so `parts` changes the results of such algorithms.
        fabric: places the run on its devices; None computes on one device, in fp32 or as `loss_of` chooses.
        module: what `fabric` set up.
    """

    def __init__(
        self,
        loss_of: Callable[[Batch], dict[str, Tensor]],
        optimizer: Any,
        *,
        clip_norm: float = CLIP_NORM,
        parts: int = 1,
        fabric: Fabric | None = None,
        module: Any = None,
    ) -> None:
        self.loss_of, self.optimizer, self.clip_norm, self.parts = loss_of, optimizer, clip_norm, parts
        self.fabric, self.module = fabric, module

    def __call__(self, batch: Batch, rate: float | None = None) -> dict[str, Tensor]:
        """Update the parameters on a batch.

        Args:
            batch: on the device.
            rate: the learning rate of this step; None keeps the optimiser's.

        Returns:
            What `loss_of` returned, detached: the mean over the parts.
        """
        if rate is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = rate

        # forward and backward, part by part: gradients add up
        logged: dict[str, Tensor] = {}
        for number, part in enumerate(parts_of(batch, self.parts), 1):
            with self._gradients_kept_local(number < self.parts):
                out = self.loss_of(part)
                loss = out["loss"] / self.parts
                loss.backward() if self.fabric is None else self.fabric.backward(loss)  # type: ignore[no-untyped-call]
            for name, value in out.items():
                logged[name] = logged.get(name, 0.0) + value.detach() / self.parts

        # clip
        if self.fabric is None:
            parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.clip_norm)
        else:
            self.fabric.clip_gradients(self.module, self.optimizer, max_norm=self.clip_norm, error_if_nonfinite=False)

        # update
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return logged

    def _gradients_kept_local(self, wanted: bool) -> Any:
        """Skip the exchange of gradients between processes for every part but the last."""
        return nullcontext() if self.fabric is None else self.fabric.no_backward_sync(self.module, enabled=wanted)


def parts_of(batch: Batch, parts: int) -> Iterator[Batch]:
    """Cut a batch of B examples into parts of B / N, all padded to the longest example of the whole batch."""
    size = len(batch) // parts
    for start in range(0, size * parts, size):
        rows = slice(start, start + size)
        mask, label = (None if x is None else x[rows] for x in (batch.mask, batch.label))
        yield Batch(inputs=tuple(x[rows] for x in batch.inputs), mask=mask, label=label)


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Treat denormal numbers as zero: vocabulary cross-entropies produce them, and they are thirty times slower."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def check_finite(module: nn.Module, step: int, advice: str) -> None:
    """Refuse to save weights that are not finite: a gradient can overflow where the loss did not.

    Args:
        module: whose weights to check.
        step: how many steps were taken.
        advice: what is left of the run and what to do, as `after_divergence` says it.

    Raises:
        DabsError: a parameter is not finite; nothing of this step was written.
    """
    for name, parameter in module.named_parameters():
        local = parameter.detach()
        local = local.to_local() if hasattr(local, "to_local") else local  # this process's shard
        if not bool(torch.isfinite(local).all()):
            raise DabsError(f"the weights {name} are not finite after step {step - 1}, although the loss was. {advice}")
