"""Attention by batched products equals PyTorch's, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

import dabs.encoder
from dabs.attention import LONGEST, attend_on_cpu, is_faster_on_cpu
from dabs.encoder import Attention, EncoderConfig, position_angles

B, S, H, K = 3, 17, 2, 8
BY_KEY = (torch.arange(S) < torch.tensor([[S], [9], [1]]))[:, None, None, :]
CAUSAL = torch.ones(S, S, dtype=torch.bool).tril()
MASKS = {"none": None, "padding": BY_KEY, "causal": CAUSAL, "both": CAUSAL & BY_KEY}


def reference(qkv, mask):
    """PyTorch's attention of (B, S, 3HK), (B, S, HK)."""
    q, k, v = qkv.reshape(B, S, 3, H, K).permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(B, S, -1)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("scale", [1.0, 30.0])  # large scores must not overflow
def test_it_is_as_exact_as_the_fused_kernel(mask, scale):
    torch.manual_seed(0)
    given, weight = scale * torch.randn(B, S, 3 * H * K), torch.randn(B, S, H * K)

    def results(attention, dtype):
        qkv = given.to(dtype).requires_grad_()
        y = attention(qkv)
        (gradient,) = torch.autograd.grad((y * weight.to(dtype)).sum(), qkv)
        return y.detach(), gradient

    exact = results(lambda qkv: reference(qkv, MASKS[mask]), torch.float64)
    fused = results(lambda qkv: reference(qkv, MASKS[mask]), torch.float32)
    found = results(lambda qkv: attend_on_cpu(qkv, H, MASKS[mask], None), torch.float32)
    for true, theirs, ours in zip(exact, fused, found, strict=True):
        error, usual = (float((x - true).norm() / true.norm()) for x in (ours, theirs))
        assert error < max(1e-6, 3 * usual)


@pytest.mark.parametrize("mask", MASKS)
def test_in_bf16_it_equals_the_fused_kernel_up_to_rounding(mask):
    torch.manual_seed(0)
    qkv, weight = torch.randn(B, S, 3 * H * K, requires_grad=True), torch.randn(B, S, H * K)
    exact, found = reference(qkv, MASKS[mask]), attend_on_cpu(qkv.bfloat16(), H, MASKS[mask], None)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, atol=0.02, rtol=0.02)
    of_exact, of_found = (torch.autograd.grad((y.float() * weight).sum(), qkv)[0] for y in (exact, found))
    torch.testing.assert_close(of_found, of_exact, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("rotated", ["not", "in order", "of a subset"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 0.05)])
def test_a_layer_has_the_same_gradients_both_ways(monkeypatch, mask, rotated, precision, tolerance):
    torch.manual_seed(0)
    layer = Attention(EncoderConfig(width=16, heads=H, head_width=K, dropout=0.0))
    rotation = None
    if rotated != "not":
        angle = position_angles(S, K // 2, base=100.0).float()
        if rotated == "of a subset":
            angle = angle[torch.randint(0, S, (B, 1, S))]
        rotation = (angle.cos(), angle.sin())
    x, weight = torch.randn(B, S, 16, requires_grad=True), torch.randn(B, S, 16)

    def gradients(ours):
        monkeypatch.setattr(dabs.encoder, "is_faster_on_cpu", lambda *_, **__: ours)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16" and ours):
            y = layer(x, MASKS[mask], rotation)
        return [y.float(), *torch.autograd.grad((y * weight).sum(), [x, *layer.parameters()])]

    for found, exact in zip(gradients(True), gradients(False), strict=True):
        assert float((found - exact).detach().norm() / exact.detach().norm()) < tolerance
    with torch.no_grad():
        monkeypatch.setattr(dabs.encoder, "is_faster_on_cpu", lambda *_, **__: True)
        frozen = layer(x, MASKS[mask], rotation)
    torch.testing.assert_close(frozen, gradients(False)[0])


def test_the_gradient_that_arrives_is_left_as_it_is():
    qkv, weight = torch.randn(B, S, 3 * K, requires_grad=True), torch.randn(B, S, K)
    before = weight.clone()
    torch.autograd.backward(attend_on_cpu(qkv, 1, None, None), weight)
    assert torch.equal(weight, before)


def test_it_is_used_where_it_is_faster():
    x, weight = torch.zeros(2, LONGEST, 4), torch.zeros(12, 4, requires_grad=True)
    longer = torch.zeros(2, LONGEST + 1, 4)
    assert is_faster_on_cpu(x, weight, rotated=False)
    assert not is_faster_on_cpu(longer, weight, rotated=True)
    assert not is_faster_on_cpu(x.double(), weight.double(), rotated=True)
    assert not is_faster_on_cpu(x.to("meta"), weight.to("meta"), rotated=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert is_faster_on_cpu(longer, weight, rotated=True)
    with torch.no_grad():
        assert [is_faster_on_cpu(longer, weight, rotated=rotated) for rotated in (True, False)] == [True, False]
