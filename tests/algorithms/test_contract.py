"""What every registered algorithm must do on every kind of input. A new algorithm is tested by registering it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.contrastive import Contrastive, nt_xent
from algorithms.emix import EMix, mixed_cross_entropy
from algorithms.shed import ShED, shuffle
from dabs.encoder import Encoder, EncoderConfig
from dabs.errors import RequestError
from dabs.prepared import padding_mask
from dabs.pretrain import Objective, seed_all
from dabs.registry import algorithm_names, find_algorithm
from dabs.specs import Batch, Specs, Tokens
from tests.conftest import SPECS

TINY = EncoderConfig(width=32, depth=2, heads=2, head_width=16, mlp=64, projection=16, dropout=0.0)
NAMES = algorithm_names()
TRAINED = [name for name in NAMES if find_algorithm(name).trains]
every_case = pytest.mark.parametrize(("name", "kind"), [(n, k) for n in TRAINED for k in SPECS])


def make_batch(specs: Specs, size: int, seed: int = 0, *, padded: bool = False) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    inputs = []
    for spec in specs:
        if isinstance(spec, Tokens):
            ids = torch.randint(1, spec.vocabulary, (size, spec.length), generator=generator)
            lengths = torch.randint(3, spec.length, (size, 1), generator=generator)
            inputs.append(ids.where(torch.arange(spec.length) < lengths, spec.pad) if padded else ids)
        else:
            inputs.append(torch.randn(size, *spec.shape, generator=generator))
    return Batch(inputs=tuple(inputs), mask=padding_mask(tuple(inputs), specs))


def objective(name: str, kind: str, seed: int = 0, config: EncoderConfig = TINY) -> Objective:
    seed_all(seed, -1)
    encoder = Encoder(config, SPECS[kind])
    return Objective(encoder, find_algorithm(name)(encoder))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("size", [2, 3, 7])
def test_loss_is_finite_for_any_batch_size(name, kind, size):
    seed_all(0, 0)
    out = objective(name, kind)(make_batch(SPECS[kind], size, padded=True))
    assert out["loss"].shape == ()
    assert all(torch.isfinite(value) for value in out.values())


# what an objective leaves out on purpose: only e-Mix uses the projection head, only ShED and contrastive their own
UNUSED = {"shed": ("encoder.project.",), "contrastive": ("encoder.project.",), "emix": ()}


@every_case
def test_gradients_reach_every_parameter(name, kind):
    module = objective(name, kind)
    seed_all(0, 0)
    module(make_batch(SPECS[kind], 6))["loss"].backward()
    for parameter_name, parameter in module.named_parameters():
        if parameter_name.startswith(UNUSED.get(name, ("encoder.project.",)) or ("-",)):
            continue
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@every_case
def test_loss_falls_when_one_batch_is_repeated(name, kind):
    module = objective(name, kind)
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    batch = make_batch(SPECS[kind], 8)
    losses = []
    for step in range(60):
        seed_all(0, step % 2)
        loss = module(batch)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert sum(losses[-6:]) < 0.9 * sum(losses[:6])


@every_case
def test_same_seed_same_numbers(name, kind):
    def run() -> list[float]:
        module = objective(name, kind, seed=3)
        values = []
        for step in range(3):
            seed_all(3, step)
            loss = module(make_batch(SPECS[kind], 4, padded=True))["loss"]
            loss.backward()
            values.append(loss.item())
        return values

    assert run() == run()


@every_case
def test_padding_content_does_not_change_the_loss(name, kind):
    if not any(isinstance(spec, Tokens) for spec in SPECS[kind]):
        pytest.skip("nothing is padded here")
    module = objective(name, kind).eval()
    batch = make_batch(SPECS[kind], 5, padded=True)
    noisy = list(batch.inputs)
    noisy[-1] = torch.where(noisy[-1] == 0, torch.randint(1, 50, noisy[-1].shape), noisy[-1])
    losses = []
    for inputs in (batch.inputs, tuple(noisy)):
        seed_all(0, 0)
        losses.append(module(replace(batch, inputs=inputs))["loss"])
    torch.testing.assert_close(losses[0], losses[1])


@every_case
def test_bf16_autocast_runs_and_agrees(name, kind):
    module = objective(name, kind)
    batch = make_batch(SPECS[kind], 6)
    seed_all(0, 0)
    exact = module(batch)["loss"]
    seed_all(0, 0)
    with torch.autocast("cpu", torch.bfloat16):
        rough = module(batch)["loss"]
    rough.backward()
    torch.testing.assert_close(rough.float(), exact, rtol=0.05, atol=0.05)


@every_case
def test_labels_are_never_read(name, kind):
    class Forbidden:
        def __getattr__(self, attribute: str):
            raise AssertionError("an algorithm touched a label")

    module = objective(name, kind)
    seed_all(0, 0)
    module(replace(make_batch(SPECS[kind], 4), label=Forbidden()))


@given(st.integers(2, 9), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_emix_weights_meet_their_own_examples(size, seed):
    """Against the definition, example by example in a loop: a batch-wide mean of the weights would differ."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, size, generator=generator)
    lam = 0.5 + 0.5 * torch.rand(size, generator=generator)
    partner = torch.randperm(size, generator=generator)
    expected = 0.0
    for b in range(size):
        log_p = logits[b] - torch.logsumexp(logits[b], dim=0)
        expected -= lam[b] * log_p[b] + (1 - lam[b]) * log_p[partner[b]]
    torch.testing.assert_close(mixed_cross_entropy(logits, lam, partner), expected / size)


def test_emix_passes_no_gradient_to_the_partner_in_the_mixture():
    """With the coefficient at 0 the mixture is all partner: no gradient reaches the embeddings through it."""
    encoder = Encoder(TINY, SPECS["series"])
    algorithm = EMix(encoder)
    x = torch.randn(4, 4, 32, requires_grad=True)
    seen = {}
    algorithm._view = lambda enc, e, m: seen.setdefault(len(seen), e).mean(dim=1)  # type: ignore[method-assign]
    algorithm.loss_of(encoder, x, None, torch.zeros(4), torch.tensor([1, 2, 3, 0]))
    (gradient,) = torch.autograd.grad(seen[0].sum(), x)
    torch.testing.assert_close(gradient, torch.zeros_like(x))


def test_emix_coefficient_favours_the_example_itself():
    lam, partner = EMix(Encoder(TINY, SPECS["series"])).draw(500, torch.device("cpu"))
    assert (lam >= 0.5).all()
    assert (lam <= 1).all()
    assert sorted(partner.tolist()) == list(range(500))


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_shed_moves_its_share_and_never_padding(seed):
    torch.manual_seed(seed)
    algorithm = ShED(Encoder(TINY, SPECS["tokens"]), corruption_rate=0.3)
    lengths = torch.randint(1, 13, (8, 1))
    mask = torch.arange(12) < lengths
    moved, order = algorithm.draw(torch.randn(8, 12, 32), mask)
    assert not (moved & ~mask).any()
    assert moved.sum(dim=1).tolist() == [max(2, -(-3 * int(n) // 10)) if n > 1 else 0 for n in lengths]
    x = torch.randn(8, 12, 32)
    changed = (shuffle(x, moved, order) != x).any(dim=2)
    assert (changed == moved).all(), "what is called moved has moved, and nothing else has"
    assert (order.sort(dim=1).values == torch.arange(12)).all()


def test_shed_refuses_a_rate_it_cannot_use():
    with pytest.raises(RequestError, match="corruption_rate"):
        ShED(Encoder(TINY, SPECS["series"]), corruption_rate=0.0)


def test_contrastive_views_are_disjoint_halves_of_the_real_positions():
    mask = torch.arange(12).expand(5, 12) < torch.tensor([[12], [7], [4], [3], [2]])
    order = Contrastive.draw(torch.randn(5, 12, 8), mask)
    for row, real in zip(order, mask, strict=True):
        first, second = row[0::2], row[1::2]
        assert not set(first.tolist()) & set(second.tolist())
        counts = real[first].sum().item(), real[second].sum().item()
        assert counts[0] - counts[1] in (0, 1)


def test_nt_xent_against_the_definition():
    u, v = torch.randn(3, 5), torch.randn(3, 5)
    z = torch.nn.functional.normalize(torch.cat([u, v]), dim=1)
    expected = 0.0
    for i in range(6):
        others = [j for j in range(6) if j != i]
        similar = torch.stack([z[i] @ z[j] / 0.2 for j in others])
        expected -= (z[i] @ z[(i + 3) % 6] / 0.2 - similar.logsumexp(dim=0)) / 6
    torch.testing.assert_close(nt_xent(u, v, 0.2)[0], expected)
