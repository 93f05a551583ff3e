"""Tandem: what it moves, what it calls moved, and its two losses against independent computations."""

from __future__ import annotations

import math

import pytest
import torch

from dabs.algorithms.contrastive import nt_xent
from dabs.algorithms.tandem import Tandem
from dabs.check.mock import KINDS as SPECS
from dabs.check.mock import TINY, synthetic_batch
from dabs.encoder import Encoder
from dabs.errors import RequestError

LENGTHS = torch.tensor([12, 7, 4, 3, 2, 1])
MASK = torch.arange(12) < LENGTHS[:, None]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("padded", [False, True])
def test_a_share_of_the_real_embeddings_changes_places_in_one_cycle(padded):
    mask = MASK if padded else torch.ones_like(MASK)
    source = Tandem(Encoder(TINY, SPECS["tokens"])).draw(torch.randn(6, 12, 32), mask if padded else None)
    for b, real in enumerate(mask.sum(dim=1).tolist()):
        assert sorted(source[b].tolist()) == list(range(12))
        moved = [n for n in range(12) if source[b, n] != n]
        assert len(moved) == (max(2, math.ceil(0.3 * real)) if real > 1 else 0)
        assert all(n < real for n in moved)
        cycle = moved[:1]
        while moved and int(source[b, cycle[-1]]) != moved[0]:
            cycle.append(int(source[b, cycle[-1]]))
        assert sorted(cycle) == moved


@pytest.mark.parametrize(("kind", "padded"), [*((kind, False) for kind in SPECS), ("tokens", True)])
def test_a_constant_answer_scores_what_it_says(kind, padded):
    encoder, batch = Encoder(TINY, SPECS[kind]), synthetic_batch(SPECS[kind], 8, padded=padded)
    algorithm, x = Tandem(encoder, weight=0.7), encoder.embed(batch.inputs)
    source = algorithm.draw(x, batch.mask)
    moved = (x.gather(1, source[:, :, None].expand_as(x)) != x).any(dim=2)
    share = moved[torch.ones_like(moved) if batch.mask is None else batch.mask].float().mean()
    algorithm.draw = lambda *given: source
    with torch.no_grad():
        algorithm.head.weight.zero_()
        algorithm.head.bias.copy_(torch.stack([(1 - share).log(), share.log()]))
        algorithm.projector[2].weight.zero_()
    out = algorithm.loss(encoder, batch)
    assert out["loss"].item() == pytest.approx(algorithm.constant_answer(batch)["loss"], rel=1e-5)
    assert out["balanced_accuracy"].item() == pytest.approx(0.5)


@pytest.mark.parametrize("padded", [False, True])
def test_its_losses_are_a_cross_entropy_and_nt_xent_over_a_constant_answers(padded):
    encoder, batch = Encoder(TINY, SPECS["tokens"]), synthetic_batch(SPECS["tokens"], 8, padded=padded)
    algorithm, seen = Tandem(encoder), []
    encode = encoder.encode
    encoder.encode = lambda *given: seen.append((given, encode(*given))) or seen[-1][1]
    out = algorithm.loss(encoder, batch)
    encoder.encode = encode
    (shuffled, whole), (half, part) = seen
    moved = (shuffled[0] != encoder.embed(batch.inputs)).any(dim=2)
    real = torch.ones_like(moved) if batch.mask is None else batch.mask
    target = moved[real]
    share = target.double().mean()
    expected = -algorithm.head(whole[:, 1:])[real].log_softmax(dim=1)[torch.arange(len(target)), target.long()].mean()
    entropy = -(share * share.log() + (1 - share) * (1 - share).log())
    torch.testing.assert_close(out["detection"], (expected / entropy).float())
    u, v = algorithm.projector(encoder.pool(whole, batch.mask)), algorithm.projector(encoder.pool(part, half[1]))
    loss, accuracy = nt_xent(u, v, 0.2)
    torch.testing.assert_close(out["contrast"], loss / math.log(15))
    assert out["partner_accuracy"] == accuracy
    torch.testing.assert_close(out["loss"], out["detection"] + 0.3 * out["contrast"])


def test_equal_embeddings_that_change_places_are_not_called_moved():
    encoder, batch = Encoder(TINY, SPECS["tokens"]), synthetic_batch(SPECS["tokens"], 4)
    batch.inputs[0][:] = batch.inputs[0][:, :1]  # each text repeats one token
    algorithm = Tandem(encoder)
    with torch.no_grad():
        algorithm.head.weight.zero_()
        algorithm.head.bias.copy_(torch.tensor([50.0, -50.0]))  # "nothing moved", without a doubt
    out = algorithm.loss(encoder, batch)
    assert out["detection"].item() == pytest.approx(0.0, abs=1e-6)
    assert torch.isfinite(out["loss"])


def test_a_rate_out_of_range_is_refused():
    with pytest.raises(RequestError, match="corruption_rate"):
        Tandem(Encoder(TINY, SPECS["series"]), corruption_rate=0.0)
