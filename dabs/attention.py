"""Softmax attention on a CPU; training uses products with their own gradient.

For the short sequences of this benchmark PyTorch's fused kernel computes at a fraction of the rate of plain products,
and autograd copies the gradients of queries, keys and values twice (docs/performance.md). The result is the same.

Shapes: B batch, S positions, H heads, K head width, M = 3HK.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

LONGEST = 128  # positions up to which products are faster than the fused kernel in fp32


def is_faster_on_cpu(x_BSD: Tensor, weight: Tensor, *, rotated: bool) -> bool:
    """Whether `attend_on_cpu` is the faster way for queries, keys and values that are products of x and a weight.

    In training it is on short sequences, and always in bf16, where the backward pass of the fused kernel takes several
    times as long. Otherwise only rotating is faster.
    """
    if x_BSD.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x_BSD.dtype
    if _trains(x_BSD, weight):
        return dtype == torch.bfloat16 or (dtype == torch.float32 and x_BSD.shape[1] <= LONGEST)
    return rotated and dtype == torch.float32


def _trains(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(x.requires_grad for x in tensors)


def attend_on_cpu(qkv_BSM: Tensor, heads: int, mask: Tensor | None, turns: Tensor | None) -> Tensor:
    """Return softmax attention over all heads, (B, S, HK).

    Args:
        qkv_BSM: queries, keys and values side by side, fp32 or bf16, each of them head by head; may be overwritten.
        heads: H.
        mask: true where a position (row) attends to another (column), bool, broadcast to (B, H, S, S); None: all do.
        turns: the angle of each position, as a complex number of length one for each pair of neighbouring values of a
            query or key, complex64 (S, K/2) or (B, 1, S, K/2); queries and keys are turned by it. None turns nothing.
    """
    if _trains(qkv_BSM):
        bias = None
        if mask is not None:
            bias = torch.zeros(mask.shape, dtype=qkv_BSM.dtype).masked_fill_(~mask, -torch.inf)
        return _Products.apply(qkv_BSM, heads, bias, turns)  # type: ignore[no-any-return, no-untyped-call]
    b, s, m = qkv_BSM.shape
    q, k, v = qkv_BSM.view(b, s, 3, heads, m // (3 * heads)).permute(2, 0, 3, 1, 4)
    if turns is not None:
        for x_BHSK in (q, k):
            _turn(x_BHSK, turns)
    y_BHSK = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return y_BHSK.transpose(1, 2).reshape(b, s, -1)


class _Products(torch.autograd.Function):
    """Attention with weights e / total, where e = exp(dots - largest of the row) is kept and not divided."""

    @staticmethod
    def forward(ctx: Any, qkv_BSM: Tensor, heads: int, bias: Tensor | None, turns: Tensor | None) -> Tensor:
        """Return the mean of the values that each position attends to, (B, S, HK)."""
        b, s, m = qkv_BSM.shape
        size = m // (3 * heads)
        parts = _split(qkv_BSM.view(b, s, 3, heads, size), turns)
        q, k, v = parts.view(3, b * heads, s, size)
        e = torch.empty(b * heads, s, s, dtype=q.dtype)
        torch.baddbmm(e, q, k.transpose(1, 2), beta=0, alpha=size**-0.5, out=e)
        if bias is not None:
            e.view(b, heads, s, s).add_(bias)
        total = None
        if e.dtype == torch.float32:
            # on rows of a length that is no multiple of 16, these passes are twice as fast as torch.softmax
            e.sub_(e.amax(dim=-1, keepdim=True)).exp_()
            total = e.sum(dim=-1, keepdim=True)
        else:
            torch.softmax(e, dim=-1, out=e)
        y = e @ v
        if total is not None:
            y.div_(total)
        y_BSHK = y.view(b, heads, s, size).transpose(1, 2).contiguous()
        ctx.save_for_backward(parts, e, total, y_BSHK, turns)
        y_BSN: Tensor = y_BSHK.view(b, s, heads * size)
        return y_BSN

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy_BSN: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient of queries, keys and values, (B, S, M)."""
        parts, e, total, y_BSHK, turns = ctx.saved_tensors
        _, b, heads, s, size = parts.shape
        q, k, v = parts.view(3, b * heads, s, size)
        dy_BSHK = dy_BSN.view(b, s, heads, size)
        # a copy also where the order is right already, as with one head: it is overwritten below
        dy = dy_BSHK.transpose(1, 2).clone(memory_format=torch.contiguous_format).view(b * heads, s, size)
        mean = (dy_BSHK * y_BSHK).sum(dim=-1).transpose(1, 2).reshape(b * heads, s, 1)
        if total is not None:
            dy, mean = dy.div_(total), mean.div_(total)
        grads = torch.empty_like(parts)
        dq, dk, dv = grads.view(3, b * heads, s, size)
        torch.bmm(e.transpose(1, 2), dy, out=dv)
        de = torch.bmm(dy, v.transpose(1, 2)).sub_(mean).mul_(e)
        torch.baddbmm(dq, de, k, beta=0, alpha=size**-0.5, out=dq)
        torch.baddbmm(dk, de.transpose(1, 2), q, beta=0, alpha=size**-0.5, out=dk)
        return _join(grads, turns), None, None, None


def _split(qkv_BS3HK: Tensor, turns: Tensor | None) -> Tensor:
    """Copy queries, keys and values to (3, B, H, S, K), the first two turned."""
    b, s, _, heads, size = qkv_BS3HK.shape
    source = qkv_BS3HK.permute(2, 0, 3, 1, 4)
    parts = torch.empty(3, b, heads, s, size, dtype=source.dtype)
    if turns is None or parts.dtype == torch.float32:
        parts.copy_(source)
        if turns is not None:
            _turn(parts[:2], turns)
    else:
        parts[:2].copy_(_turn(torch.empty(2, b, heads, s, size).copy_(source[:2]), turns))
        parts[2].copy_(source[2])
    return parts


def _join(grads_3BHSK: Tensor, turns: Tensor | None) -> Tensor:
    """Undo `_split` for gradients, which may be overwritten: turn the first two back, and return all as (B, S, M)."""
    _, b, heads, s, size = grads_3BHSK.shape
    out = torch.empty(b, s, 3, heads, size, dtype=grads_3BHSK.dtype)
    target, pairs = out.permute(2, 0, 3, 1, 4), grads_3BHSK[:2]
    if turns is not None:
        pairs = _turn(pairs.float(), turns.conj().resolve_conj())
    target[:2].copy_(pairs)
    target[2].copy_(grads_3BHSK[2])
    return out.view(b, s, -1)


def _turn(x: Tensor, turns: Tensor) -> Tensor:
    """Multiply neighbouring pairs of values (..., B, H, S, K), as complex numbers, by `turns`, in place and in fp32."""
    torch.view_as_complex(x.view(*x.shape[:-1], -1, 2)).mul_(turns)
    return x
