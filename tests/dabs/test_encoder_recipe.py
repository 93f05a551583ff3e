"""The recipe of the small encoder: fixed positions, rotation by position, initial attention."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dabs.check.mock import KINDS as SPECS
from dabs.encoder import PRESETS, Attention, Encoder, EncoderConfig, position_angles, rotate, sinusoidal_positions

RECIPE = EncoderConfig(
    width=32,
    depth=2,
    heads=2,
    head_width=16,
    mlp=64,
    projection=16,
    dropout=0.0,
    standardise=True,
    sinusoids=0.5,
    rotary=True,
    mimetic=True,
    token_scale=0.3,
    cls_scale=0.02,
)


def rotation(places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    angle = position_angles(200, 8, base=100.0)[places]
    return angle.cos().float(), angle.sin().float()


@given(st.integers(0, 90), st.integers(0, 90), st.integers(0, 90), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_rotated_dots_depend_on_distances_only(a, b, shift, seed):
    q, k = torch.randn(2, 1, 1, 1, 16, generator=torch.Generator().manual_seed(seed))
    dots = [
        (rotate(q, rotation(torch.tensor([a + by]))) * rotate(k, rotation(torch.tensor([b + by])))).sum()
        for by in (0, shift)
    ]
    torch.testing.assert_close(dots[0], dots[1], atol=1e-4, rtol=1e-4)


def test_rotation_keeps_lengths_and_tells_places_apart():
    x = torch.randn(1, 1, 6, 16)
    turned = rotate(x, rotation(torch.arange(6)))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(turned[:, :, 0], x[:, :, 0])
    assert not torch.allclose(turned[:, :, 1], x[:, :, 1], atol=0.1)
    assert rotate(x.bfloat16(), rotation(torch.arange(6))).dtype == torch.bfloat16


def test_rotary_attention_sees_distances_where_plain_attention_sees_none():
    """Without additive positions, moving all places by one changes nothing; changing one distance does."""
    torch.manual_seed(0)
    layer = Attention(RECIPE)
    x = torch.randn(1, 5, 32)

    def out(places: list[int], rotary: bool = True) -> torch.Tensor:
        return layer(x, None, rotation(torch.tensor(places)) if rotary else None)

    torch.testing.assert_close(out([0, 1, 2, 3, 4]), out([7, 8, 9, 10, 11]), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(out([0, 1, 2, 3, 4]), out([0, 1, 2, 3, 40]), atol=1e-3)
    assert not torch.allclose(out([0, 1, 2, 3, 4]), out([], rotary=False), atol=1e-3)


@pytest.mark.parametrize("kind", SPECS)
def test_all_positions_by_index_equal_no_index(kind):
    encoder = Encoder(RECIPE, SPECS[kind]).eval()
    n = len(encoder.positions) - 1
    x, mask = torch.randn(3, n, 32), torch.arange(n) < torch.tensor([[n], [n - 1], [2]])
    index = torch.arange(n).expand(3, n)
    torch.testing.assert_close(encoder.encode(x, mask, index), encoder.encode(x, mask))


def test_the_order_in_which_a_subset_is_given_does_not_matter():
    encoder = Encoder(RECIPE, SPECS["image"]).eval()
    x, index = torch.randn(2, 16, 32), torch.stack([torch.randperm(16)[:7] for _ in range(2)])
    order = index.argsort(dim=1)
    part = x.gather(1, index[:, :, None].expand(-1, -1, 32))
    in_order = part.gather(1, order[:, :, None].expand(-1, -1, 32))
    first, second = encoder.encode(part, None, index), encoder.encode(in_order, None, index.gather(1, order))
    torch.testing.assert_close(encoder.pool(first), encoder.pool(second), atol=1e-5, rtol=1e-4)
    moved = encoder.encode(part, None, (index + 1) % 16)
    assert not torch.allclose(encoder.pool(first), encoder.pool(moved), atol=1e-3)


def test_cutting_trailing_padding_off_changes_nothing():
    encoder = Encoder(RECIPE, SPECS["tokens"]).eval()
    x, mask = torch.randn(2, 12, 32), torch.arange(12) < torch.tensor([[5], [3]])
    torch.testing.assert_close(encoder.encode(x[:, :5], mask[:, :5]), encoder.encode(x, mask)[:, :6])


def test_the_recipe_works_under_bf16():
    torch.manual_seed(0)
    encoder = Encoder(RECIPE, SPECS["image_tokens"])
    inputs = (torch.rand(2, 3, 16, 16), torch.randint(1, 50, (2, 12)))
    exact = encoder.pool(encoder.encode(encoder.embed(inputs)))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = encoder.pool(encoder.encode(encoder.embed(inputs)))
        rounded.float().square().mean().backward()
    torch.testing.assert_close(rounded.float(), exact, atol=0.05, rtol=0.05)
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


@given(st.integers(0, 300), st.integers(0, 15))
@settings(max_examples=60, deadline=None)
def test_sinusoids_are_those_of_the_formula(place, pair):
    table = sinusoidal_positions(301, 32)
    angle = place / 10_000 ** (2 * pair / 32)
    assert table[place, 2 * pair].item() == pytest.approx(math.sin(angle), abs=1e-5)
    assert table[place, 2 * pair + 1].item() == pytest.approx(math.cos(angle), abs=1e-5)


def test_fixed_positions_have_the_amplitude_are_not_trained_and_not_saved():
    encoder = Encoder(RECIPE, SPECS["series"])
    torch.testing.assert_close(encoder.positions, 0.5 * sinusoidal_positions(5, 32))
    for name in ("positions", "cos", "sin"):
        assert name not in dict(encoder.named_parameters())
        assert name not in encoder.state_dict()


def test_initial_scales_of_tokens_and_of_the_first_embedding():
    torch.manual_seed(0)
    encoder = Encoder(replace(RECIPE, width=128), SPECS["tokens"])
    assert encoder.embeddings[0].weight.std().item() == pytest.approx(0.3, rel=0.05)
    assert encoder.cls.std().item() == pytest.approx(0.02, rel=0.2)


def test_initial_attention_is_mimetic():
    """W_q W_k^T is the best approximation of its rank to 0.7 Z + 0.7 I, over all heads W_v W_o = 0.4 Z - 0.4 I."""
    torch.manual_seed(0)
    config = PRESETS["small"]
    layer = Attention(config)
    layer.initialise_mimetically()
    q, k, v = layer.qkv.weight.double().chunk(3)  # each (H K, D)
    written = (layer.out.weight.double() @ v).detach()  # (D, D), of full rank
    assert written.diagonal().mean().item() == pytest.approx(-0.4, abs=0.02)
    away = written - torch.diag(written.diagonal())
    assert away.std().item() == pytest.approx(0.4 * 128**-0.5, rel=0.1)
    for head in range(config.heads):
        rows = slice(32 * head, 32 * (head + 1))
        met = (q[rows].T @ k[rows]).detach()  # x_a met x_b is the dot of a query and a key
        # the sum of a quarter of the singular directions of a matrix that is half identity
        assert 0.7 * 32 / 128 < met.diagonal().mean().item() < 0.7
        assert abs((met - torch.diag(met.diagonal())).mean().item()) < 0.01
    assert not layer.out.bias.any()


@pytest.mark.parametrize(("heads", "head_width"), [(4, 32), (2, 16), (8, 64)])
def test_initial_attention_of_full_rank_heads_has_the_stated_diagonal(heads, head_width):
    """With heads as wide as the encoder nothing is cut off; narrower and wider inner widths than D also work."""
    torch.manual_seed(0)
    layer = Attention(EncoderConfig(width=64, heads=heads, head_width=head_width))
    layer.initialise_mimetically()
    q, k, _ = layer.qkv.weight.double().chunk(3)
    if head_width == 64:
        met = (q[:64].T @ k[:64]).detach()
        assert met.diagonal().mean().item() == pytest.approx(0.7, abs=0.05)
    assert torch.isfinite(layer.qkv.weight).all()
    assert layer(torch.randn(2, 3, 64), None).isfinite().all()


@pytest.mark.parametrize("size", PRESETS)
def test_presets_can_be_built_without_memory(size):
    with torch.device("meta"):
        encoder = Encoder(PRESETS[size], SPECS["image_tokens"])
    assert {x.device.type for x in encoder.state_dict().values()} == {"meta"}
    assert encoder.state_dict().keys() == Encoder(PRESETS[size], SPECS["image_tokens"]).state_dict().keys()
