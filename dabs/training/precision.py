"""The precision of a run: fp32, or bf16 autocast if the machine is faster in it.

Under autocast, matrix products are in bf16; weights, their gradients and the optimiser's state stay in fp32.
"""

from __future__ import annotations

from functools import cache
from math import inf
from time import perf_counter

import torch

from dabs.config import Precision


def has_bf16() -> bool:
    """Whether the GPU, or the processor if there is no GPU, has instructions for bf16 products."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    # PyTorch has no public function for this; oneDNN's own also says yes where it would emulate bf16
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@cache
def bf16_is_faster() -> bool:
    """Whether matrix products in bf16 take clearly less time here than in fp32; measured once, in about 0.1 s.

    Instructions for bf16 alone do not say so. A step of the small encoder takes 0.55 times as long in bf16 as in fp32
    on an AMD Zen 4 with AVX512_BF16, but 1.5 times as long on an Intel Sapphire Rapids without AMX, whose products run
    at half the rate in bf16.
    """
    if not has_bf16():
        return False
    if torch.cuda.is_available():
        return True
    seconds = {torch.float32: inf, torch.bfloat16: inf}
    for _ in range(6):  # the first of them warms up, and the least of the others is what no other program disturbed
        for dtype in seconds:
            a, b = torch.ones(2048, 256, dtype=dtype), torch.ones(256, 256, dtype=dtype)
            begun = perf_counter()
            a @ b
            seconds[dtype] = min(seconds[dtype], perf_counter() - begun)
    return 1.2 * seconds[torch.bfloat16] < seconds[torch.float32]


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
