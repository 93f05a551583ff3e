"""The general objectives: their losses against independent computations, what they hide, and what they draw."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dabs.algorithms.bestrq import BestRQ
from dabs.algorithms.capri import Capri
from dabs.algorithms.dabs_mae import DabsMAE
from dabs.algorithms.dacl import DACL
from dabs.algorithms.data2vec import Data2Vec
from dabs.algorithms.lejepa import LeJEPA, sigreg
from dabs.algorithms.lfr import LFR, agreement
from dabs.algorithms.mae import MAE
from dabs.algorithms.red import RED
from dabs.algorithms.vicreg import VICReg
from dabs.check.mock import KINDS as SPECS
from dabs.check.mock import TINY, synthetic_batch
from dabs.encoder import Encoder
from dabs.errors import RequestError

LENGTHS = torch.tensor([12, 7, 4, 3, 2, 1])
MASK = torch.arange(12) < LENGTHS[:, None]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("padded", [False, True])
def test_mae_never_looks_at_what_it_hides(kind, padded):
    encoder, batch = Encoder(TINY, SPECS[kind]), synthetic_batch(SPECS[kind], 6, padded=padded)
    algorithm, x = MAE(encoder), encoder.embed(batch.inputs)
    index, shown = algorithm.draw(x, batch.mask)
    hidden = torch.ones(6, x.shape[1], dtype=torch.bool).scatter_(1, index, ~shown)
    assert hidden.sum(dim=1).min() >= 1 or padded
    other = torch.where(hidden[:, :, None], torch.randn_like(x), x)
    seen = []
    algorithm.bridge.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    losses = [algorithm.loss_of(encoder, values, batch, index, shown)["loss"] for values in (x, other)]
    torch.testing.assert_close(losses[0], losses[1], atol=0, rtol=0)
    real = F.pad(shown, (1, 0), value=True)
    torch.testing.assert_close(seen[0][real], seen[1][real], atol=0, rtol=0)
    assert seen[0].shape[1] == 1 + math.floor(0.25 * x.shape[1])


def test_mae_shows_a_quarter_of_the_real_positions_and_at_least_one():
    index, shown = MAE(Encoder(TINY, SPECS["tokens"])).draw(torch.randn(6, 12, 32), MASK)
    assert MASK.gather(1, index)[shown].all()
    assert shown.sum(dim=1).tolist() == [max(1, int(n) // 4) for n in LENGTHS]


@pytest.mark.parametrize("kind", SPECS)
def test_an_uninformed_guess_scores_one_in_mae_whatever_the_input(kind):
    encoder = Encoder(TINY, SPECS[kind])
    algorithm = MAE(encoder)
    for head in algorithm.heads:
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    loss = algorithm.loss(encoder, synthetic_batch(SPECS[kind], 6, padded=True))["loss"]
    assert loss.item() == pytest.approx(1, abs=1e-4)


def test_the_error_of_mae_place_by_place():
    specs = SPECS["image_tokens"]
    encoder, batch = Encoder(TINY, specs), synthetic_batch(specs, 3)
    algorithm, out = MAE(encoder), torch.randn(3, 28, 32)
    hidden = torch.rand(3, 28) < 0.5
    expected = 0.0
    with torch.no_grad():
        for b, n in hidden.nonzero().tolist():
            if n >= 16:
                logits = algorithm.heads[1](out[b, n]).double().numpy()
                wanted = logits[int(batch.inputs[1][b, n - 16])]
                expected += (np.log(np.exp(logits).sum()) - wanted) / np.log(50)
                continue
            row, column = 4 * (n // 4), 4 * (n % 4)
            patch = batch.inputs[0][b, :, row : row + 4, column : column + 4].permute(1, 2, 0).double().numpy().ravel()
            guess = algorithm.heads[0](out[b, n]).double().numpy()
            expected += np.square(guess - (patch - patch.mean()) / np.sqrt(patch.var() + 1e-6)).mean()
    found = algorithm.error(encoder, out, hidden, batch)
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("kind", "share"), [(DabsMAE, 0.15), (Capri, 0.15), (Data2Vec, 0.5)])
def test_a_share_of_the_real_positions_is_blanked(kind, share):
    algorithm = kind(Encoder(TINY, SPECS["tokens"]))
    blank = algorithm.draw(torch.randn(6, 12, 32), MASK)
    assert not (blank & ~MASK).any()
    assert blank.sum(dim=1).tolist() == [math.ceil(share * int(n)) for n in LENGTHS]
    assert not torch.equal(blank, algorithm.draw(torch.randn(6, 12, 32), MASK))


def test_capri_with_padding_is_capri_on_each_example_alone():
    encoder = Encoder(TINY, SPECS["tokens"])
    algorithm, x = Capri(encoder), torch.randn(6, 12, 32)
    blank = algorithm.draw(x, MASK)
    whole = algorithm.loss_of(encoder, x, MASK, blank)
    parts = [
        algorithm.loss_of(encoder, x[b : b + 1, :n], None, blank[b : b + 1, :n]) for b, n in enumerate(LENGTHS.tolist())
    ]
    for name, value in whole.items():
        expected = sum(n * part[name] for n, part in zip(LENGTHS, parts, strict=True)) / LENGTHS.sum()
        torch.testing.assert_close(value, expected, atol=1e-4, rtol=1e-4)


def test_the_agreement_of_lfr_against_its_definition():
    p, g = torch.randn(5, 2, 7), torch.randn(5, 2, 7)
    expected = 0.0
    for k in range(2):
        for i in range(5):
            for j in range(5):
                cosine = float(F.cosine_similarity(p[i, k], g[j, k], dim=0))
                expected += (cosine - 1) ** 2 if i == j else 0.01 * cosine**2
    assert agreement(p, g, 0.01).item() == pytest.approx(expected / 10, rel=1e-5)
    order = torch.randperm(5)
    torch.testing.assert_close(agreement(p[order], g[order], 0.01), agreement(p, g, 0.01))


def test_the_random_networks_of_lfr_stay_and_ignore_padding():
    specs = SPECS["tokens"]
    encoder, batch = Encoder(TINY, specs), synthetic_batch(specs, 6, padded=True)
    algorithm = LFR(encoder)
    before = algorithm.targets(batch)
    other = batch.inputs[0].where(batch.mask, torch.tensor(7))
    torch.testing.assert_close(algorithm.targets(type(batch)(inputs=(other,), mask=batch.mask)), before)
    algorithm.loss(encoder, batch)["loss"].backward()
    assert all(p.grad is None for p in [*algorithm.frozen.parameters(), *algorithm.first.parameters()])
    with torch.no_grad():
        encoder.embeddings[0].weight.add_(1)
    assert torch.equal(algorithm.targets(batch), before)


def test_vicreg_against_its_definition():
    u, v = (torch.randn(6, 8) * torch.tensor([0.3] * 4 + [2.0] * 4) for _ in range(2))
    expected = 25 * np.square((u - v).numpy()).mean()
    for z in (u.double().numpy(), v.double().numpy()):
        expected += 25 * np.maximum(0, 1 - np.sqrt(z.var(axis=0, ddof=1) + 1e-4)).mean() / 2
        covariance = np.cov(z.T)
        expected += sum(covariance[i, j] ** 2 for i in range(8) for j in range(8) if i != j) / 8
    algorithm = VICReg(Encoder(TINY, SPECS["series"]))
    assert algorithm.loss_of(u, v)["loss"].item() == pytest.approx(expected, rel=1e-5)
    order = torch.randperm(6)
    torch.testing.assert_close(algorithm.loss_of(u[order], v[order]), algorithm.loss_of(u, v))
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(algorithm.loss_of(u, v)["loss"].item(), expected, rtol=1e-5, atol=0)


def test_vicreg_is_lightlys():
    lightly = pytest.importorskip("lightly.loss", reason="pip install 'dabs[lightly]'")
    u, v = torch.randn(9, 16), torch.randn(9, 16)
    torch.testing.assert_close(VICReg(Encoder(TINY, SPECS["series"])).loss_of(u, v)["loss"], lightly.VICRegLoss()(u, v))


def test_sigreg_against_an_integral():
    """The statistic is N times the weighted distance of characteristic functions, integrated over both signs."""
    z, direction = torch.randn(2, 5, 3), F.normalize(torch.randn(3, 4), dim=0)
    expected = []
    t = np.linspace(-3, 3, 33)
    for view in z.double().numpy():
        for axis in direction.T.double().numpy():
            empirical = np.exp(1j * np.outer(view @ axis, t)).mean(axis=0)
            error = np.abs(empirical - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2)
            expected.append(5 * np.trapezoid(error, t))
    assert sigreg(z, direction).item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_sigreg_prefers_normal_features():
    direction = F.normalize(torch.randn(8, 32), dim=0)
    normal = torch.randn(1, 512, 8)
    scores = [sigreg(z, direction).item() for z in (normal, 3 * normal, normal.sign() * 1.5, 0 * normal)]
    assert scores[0] < 0.1 * min(scores[1:])
    algorithm = LeJEPA(Encoder(TINY, SPECS["series"]))
    constant = algorithm.constant_answer(synthetic_batch(SPECS["series"], 512))
    assert constant["loss"] == pytest.approx(0.02 * scores[3], rel=1e-5)


def test_the_views_of_vicreg_and_lejepa_are_halves_without_their_mean():
    encoder = Encoder(TINY, SPECS["tokens"])
    x = torch.randn(6, 12, 32)
    for algorithm in (VICReg(encoder), LeJEPA(encoder)):
        seen = []
        encoder.encode = lambda part, mask, index, seen=seen: (
            seen.append((part, mask, index)) or part.new_zeros(6, 7, 32)
        )
        algorithm._view(encoder, x, MASK)
        part, mask, index = seen[0]
        assert mask.sum(dim=1).tolist() == [-(-int(n) // 2) for n in LENGTHS]
        for b in range(6):
            drawn = x[b, index[b][mask[b]]]
            torch.testing.assert_close(part[b][mask[b]], drawn - drawn.mean(dim=0), atol=1e-5, rtol=1e-5)


def test_bestrq_hides_spans_and_never_padding():
    algorithm = BestRQ(Encoder(TINY, SPECS["tokens"]), mask_rate=0.3, span=3)
    x, mask = torch.randn(400, 60, 2), torch.arange(60) < torch.randint(1, 61, (400, 1))
    hidden = algorithm.draw(x, None)
    assert 0.27 < hidden.float().mean() < 0.33
    runs = [len(run) for row in hidden for run in "".join("x" if h else " " for h in row).strip().split()]
    assert np.mean([run >= 3 for run in runs]) > 0.95, "but at the end of an example, spans are whole"
    hidden = algorithm.draw(x, mask)
    assert not (hidden & ~mask).any()
    assert hidden.any(dim=1).all()


def test_the_codes_of_bestrq_are_the_nearest_by_the_cosine():
    encoder, batch = Encoder(TINY, SPECS["image_tokens"]), synthetic_batch(SPECS["image_tokens"], 3)
    algorithm = BestRQ(encoder, codes=40)
    z = F.normalize(encoder.embed(batch.inputs) @ algorithm.projection, dim=2)
    distance = (z[:, :, None] - algorithm.codebook).square().sum(dim=3)
    assert torch.equal(algorithm.quantize(batch), distance.argmin(dim=2))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(algorithm.quantize(batch), distance.argmin(dim=2))
    with torch.no_grad():
        encoder.embeddings[0].linear.weight.mul_(-1)
    assert torch.equal(algorithm.quantize(batch), distance.argmin(dim=2)), "the codes stay while the encoder learns"


@pytest.mark.parametrize("padded", [False, True])
def test_red_takes_real_embeddings_of_others_at_the_same_place(padded):
    mask = MASK if padded else torch.ones_like(MASK)
    algorithm = RED(Encoder(TINY, SPECS["tokens"]), corruption_rate=0.3)
    chosen, donor = algorithm.draw(torch.randn(6, 12, 32), mask if padded else None)
    possible = mask & (mask.sum(dim=0) > 1)
    assert not (chosen & ~possible).any()
    assert chosen.sum(dim=1).tolist() == [math.ceil(0.3 * int(n)) for n in possible.sum(dim=1)]
    for b, n in possible.nonzero().tolist():
        assert mask[donor[b, n], n]
        assert donor[b, n] != b


def test_red_does_not_call_an_equal_embedding_replaced():
    encoder = Encoder(TINY, SPECS["tokens"])
    algorithm = RED(encoder)
    x = torch.randn(12, 32).expand(6, 12, 32).clone()
    x[0, 3] += 1
    seen = []
    encoder.encode = lambda values, mask: seen.append(values) or torch.cat([values[:, :1], values], dim=1)
    chosen = torch.zeros(6, 12, dtype=torch.bool)
    chosen[1, 3] = chosen[1, 4] = chosen[2, 5] = True
    with torch.no_grad():
        algorithm.head.weight.zero_()
        algorithm.head.bias.copy_(torch.tensor([0.0, 1.0]))
    out = algorithm.loss_of(encoder, x, None, chosen, torch.zeros(6, 12, dtype=torch.long))
    assert torch.equal((seen[0] != x).any(dim=2).nonzero(), torch.tensor([[1, 3]]))
    # one of 72 places is replaced, and all are called so
    assert out["accuracy"].item() == pytest.approx(1 / 72)
    assert out["loss"].item() == pytest.approx(math.log(1 + math.e) - 1 / 72, rel=1e-5)


def test_dacl_mixes_a_little_of_another_example_into_both_views():
    share, partner = DACL(Encoder(TINY, SPECS["series"])).draw(1000, torch.device("cpu"))
    assert 0.9 <= share.min() < 0.901
    assert 0.999 < share.max() <= 1
    assert sorted(partner.tolist()) == list(range(1000))
    encoder, batch = Encoder(TINY, SPECS["tokens"]), synthetic_batch(SPECS["tokens"], 6, padded=True)
    algorithm, seen = DACL(encoder, temperature=0.2), []
    view = algorithm._view
    algorithm._view = lambda *given: seen.append((given, view(*given))) or seen[-1][1]
    out = algorithm.loss(encoder, batch)
    assert not torch.equal(seen[0][0][3], seen[1][0][3])
    z = F.normalize(torch.cat([views for _, views in seen]), dim=1)
    expected = 0.0
    for i in range(12):
        others = torch.stack([z[i] @ z[j] / 0.2 for j in range(12) if j != i])
        expected += (others.logsumexp(dim=0) - z[i] @ z[(i + 6) % 12] / 0.2) / 12
    torch.testing.assert_close(out["loss"], expected)


def test_the_teacher_of_data2vec_follows_the_encoder_and_sees_everything():
    encoder, batch = Encoder(TINY, SPECS["series"]), synthetic_batch(SPECS["series"], 4)
    algorithm = Data2Vec(encoder, momentum=0.9, top=1)
    tokens = list(encoder.layers(encoder.embed(batch.inputs)))[-1][:, 1:]
    expected = F.layer_norm(F.layer_norm(tokens, (32,)), (32,))
    torch.testing.assert_close(algorithm.targets(batch), expected)
    before = [parameter.clone() for parameter in encoder.parameters()]
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(1.0)
        algorithm.after_step(encoder, 0)
    for old, kept in zip(before, algorithm.teacher.parameters(), strict=True):
        torch.testing.assert_close(kept, old + 0.1)


def test_data2vec_scores_hidden_places_alone():
    encoder, batch = Encoder(TINY, SPECS["tokens"]), synthetic_batch(SPECS["tokens"], 4, padded=True)
    algorithm = Data2Vec(encoder)
    hidden, target = algorithm.draw(encoder.embed(batch.inputs), batch.mask), torch.randn(4, 12, 32)
    algorithm.draw = lambda x, mask: hidden
    losses = []
    for noise in (torch.zeros(4, 12, 32), torch.randn(4, 12, 32).masked_fill(hidden[:, :, None], 0)):
        algorithm.targets = lambda given, noise=noise: target + noise
        losses.append(algorithm.loss(encoder, batch)["loss"])
    torch.testing.assert_close(losses[0], losses[1], atol=0, rtol=0)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (MAE, {"mask_rate": 1.0}),
        (DabsMAE, {"corruption_rate": 0.0}),
        (Capri, {"corruption_rate": 1.5}),
        (RED, {"corruption_rate": 0.0}),
        (BestRQ, {"span": 0}),
        (DACL, {"smallest_share": 0.0}),
        (Data2Vec, {"momentum": 1.5}),
    ],
)
def test_options_out_of_range_are_refused(kind, options):
    with pytest.raises(RequestError, match=next(iter(options))):
        kind(Encoder(TINY, SPECS["series"]), **options)
