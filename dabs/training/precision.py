"""The precision of a run: fp32, or bf16 autocast if the processor is fast in it.

Under autocast, matrix products are in bf16; weights, their gradients and the optimiser's state stay in fp32.
"""

from __future__ import annotations

import torch

from dabs.config import Precision
from dabs.utils.environment import processor_name


def has_bf16() -> bool:
    """Whether the GPU, or the processor if there is no GPU, has instructions for bf16 products."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    # PyTorch has no public function for this; oneDNN's own also says yes where it would emulate bf16
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def bf16_is_faster() -> bool:
    """Whether matrix products in bf16 take clearly less time here than in fp32.

    The processor's instructions decide, not a measurement, so that every process of a grid decides alike, however busy
    the machine is. Instructions for bf16 alone do not say so: a step of the small encoder takes 0.55 times as long in
    bf16 as in fp32 on an AMD Zen 4 with AVX512_BF16 and 0.72 times on an Intel Sapphire Rapids with AMX, but 1.5 times
    on one that a virtual machine shows without AMX, whose products run at half the rate in bf16.
    """
    if torch.cuda.is_available() or not has_bf16():
        return has_bf16()
    return torch.cpu._is_amx_tile_supported() or "Intel" not in processor_name()


def resolve_precision(wanted: Precision) -> Precision:
    """Replace "auto" by the precision for this machine: bf16 where products are faster in it."""
    if wanted != "auto":
        return wanted
    return "bf16" if bf16_is_faster() else "fp32"


def finetune_precision(trained_in: str) -> str:
    """Return the precision of fine-tuning: that of pretraining, if this machine has it."""
    return trained_in if has_bf16() else "fp32"


def feature_precision(trained_in: str, width: int) -> str:
    """Return the precision of frozen features: that of pretraining, but fp32 for a small encoder.

    A small encoder's features cost little, and fp32 makes them nearly equal on every machine.
    """
    return finetune_precision(trained_in) if width >= 256 else "fp32"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the autocast context of a precision, which changes nothing for "fp32"."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
