"""What every registered algorithm must do on every kind of input. Registering a new algorithm adds it here."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dabs.algorithms.contrastive import Contrastive, centred, nt_xent
from dabs.algorithms.emix import EMix, mixed_cross_entropy
from dabs.algorithms.shed import ShED, shuffle
from dabs.check.learning import collapsed_scores
from dabs.check.mock import KINDS as SPECS
from dabs.check.mock import TINY, Subject, synthetic_batch
from dabs.check.suite import all_checks, run_checks
from dabs.encoder import Encoder
from dabs.errors import RequestError
from dabs.registry import algorithm_names, find_algorithm
from dabs.training.step import seed_all

NAMES = algorithm_names()
TRAINED = [name for name in NAMES if find_algorithm(name).trains]
every_case = pytest.mark.parametrize(("name", "kind"), [(n, k) for n in TRAINED for k in SPECS])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", [c.name for c in all_checks() if c.name != "torch.compile"])
def test_every_check_passes(name, check):
    findings = list(run_checks(find_algorithm(name), only=(check,)))
    assert findings
    assert not [str(finding) for finding in findings if finding.outcome == "failed"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_compiles(name):
    findings = list(run_checks(find_algorithm(name), only=("torch.compile",)))
    assert {finding.outcome for finding in findings} == {"passed"}


def test_an_algorithm_that_does_not_train_skips_the_checks_of_training():
    names = [check.name for check in all_checks() if check.name != "torch.compile"]
    skipped = {f.check for f in run_checks(find_algorithm("none"), only=names) if f.outcome == "skipped"}
    assert skipped == {
        "gradients reach the encoder",
        "loss falls",
        "constant answer",
        "padding invariance",
        "cost of a step",
    }


# parameters that an objective does not use: only e-Mix uses the projection head, the others have their own
UNUSED = {"emix": ()}
# objectives that state no constant answer, and those whose stated loss a collapsed encoder has before its head learns
UNSTATED = ("data2vec", "dabs_mae", "lfr", "mae")
EXACT = ("capri", "contrastive", "dacl", "emix", "vicreg")


@every_case
def test_gradients_reach_every_parameter(name, kind):
    subject = Subject(find_algorithm(name))
    module = subject.objective(SPECS[kind])
    seed_all(0, 0)
    module(synthetic_batch(SPECS[kind], 6))["loss"].backward()
    for parameter_name, parameter in module.named_parameters():
        if parameter_name.startswith(UNUSED.get(name, ("encoder.project.",)) or ("-",)):
            continue
        if not parameter.requires_grad:  # of a teacher or a random network
            continue
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@given(st.integers(2, 9), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_emix_weights_meet_their_own_examples(size, seed):
    """Compare with the definition, computed example by example: a batch-wide mean of the weights would differ."""
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
    """With a coefficient of 0 the mixture is the partner alone, and no gradient reaches the embeddings through it."""
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


@pytest.mark.parametrize("padded", [False, True])
def test_a_contrastive_view_is_a_half_of_the_real_positions(padded):
    lengths = [12, 7, 4, 3, 2, 1] if padded else [12] * 6
    mask = torch.arange(12).expand(6, 12) < torch.tensor(lengths)[:, None]
    index = Contrastive.draw(torch.randn(6, 12, 8), mask if padded else None)
    assert index.shape == (6, 6)
    for row, real, length in zip(index, mask, lengths, strict=True):
        assert len(set(row.tolist())) == 6
        assert real[row].sum() == -(-length // 2)


def test_contrastive_draws_its_two_views_independently():
    """Halves that never share a position would be complements: what one lacks the other has."""
    torch.manual_seed(0)
    algorithm = Contrastive(Encoder(TINY, SPECS["image"]))
    drawn, draw = [], Contrastive.draw
    algorithm.draw = lambda x, mask: drawn.append(draw(x, mask)) or drawn[-1]  # type: ignore[method-assign]
    batch = synthetic_batch(SPECS["image"], 500)
    algorithm.loss(Encoder(TINY, SPECS["image"]), batch)
    assert len(drawn) == 2
    inside = torch.stack([torch.zeros(500, 16).scatter_(1, index, 1.0) for index in drawn])  # 8 of 16 positions
    shared = (inside[0] * inside[1]).sum(dim=1)
    assert shared.mean().item() == pytest.approx(4, abs=0.2)  # hypergeometric: mean 4, variance 16 / 15
    assert shared.var().item() == pytest.approx(16 / 15, abs=0.3)


def test_similarities_have_the_digits_of_fp32_under_autocast():
    """64 embeddings that differ by less than bf16 resolves are still told apart."""
    torch.manual_seed(0)
    u = torch.randn(1, 16) + 1e-3 * torch.randn(64, 16)
    exact = nt_xent(u, u, 1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = nt_xent(u, u, 1e-4)
        encoder = Encoder(TINY, SPECS["series"])
        algorithm = EMix(encoder, temperature=1e-4)
        z = torch.nn.functional.normalize(u, dim=1)
        algorithm._view = lambda enc, e, m: z  # type: ignore[method-assign]
        mixed = algorithm.loss_of(encoder, torch.randn(64, 4, 32), None, torch.ones(64), torch.arange(64))
    torch.testing.assert_close(rounded, exact)
    torch.testing.assert_close(mixed["loss"], torch.nn.functional.cross_entropy(z @ z.T / 1e-4, torch.arange(64)))
    assert mixed["accuracy"] == 1


@every_case
@pytest.mark.parametrize("padded", [False, True])
def test_the_constant_answer_is_what_a_collapsed_encoder_scores(name, kind, padded):
    """An objective over equal tokens: the loss is that of the constant answer if the head learns its best bias."""
    objective = Subject(find_algorithm(name)).objective(SPECS[kind])
    batch = synthetic_batch(SPECS[kind], 16, padded=padded)
    stated = objective.algorithm.constant_answer(batch)
    assert bool(stated) == (name not in UNSTATED)
    if not stated:
        return
    assert stated.get("loss", 1.0) > 0
    found = collapsed_scores(Subject(find_algorithm(name)), objective, batch)
    assert stated.keys() <= found.keys()
    for key, value in stated.items():
        better = value - found[key] if key == "loss" else found[key] - value
        assert better < 1e-3, (key, value, found[key])
    if name == "shed":  # the entropy of the share of moved embeddings is reached by the best bias
        with torch.no_grad():
            objective.algorithm.head.weight.zero_()
        optimizer = torch.optim.LBFGS([objective.algorithm.head.bias], max_iter=50)
        seed_all(0, 0)
        moved, _ = objective.algorithm.draw(objective.encoder.embed(batch.inputs), batch.mask)
        real = torch.ones_like(moved) if batch.mask is None else batch.mask
        target = moved[real].long()

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            logits = objective.algorithm.head.bias.expand(len(target), 2)
            loss = torch.nn.functional.cross_entropy(logits, target)
            loss.backward()
            return loss

        optimizer.step(closure)
        assert closure().item() == pytest.approx(stated["loss"], abs=1e-3)
    elif name in EXACT:
        assert found["loss"] == pytest.approx(stated["loss"], abs=1e-3)


def test_nt_xent_against_the_definition():
    u, v = torch.randn(3, 5), torch.randn(3, 5)
    z = torch.nn.functional.normalize(torch.cat([u, v]), dim=1)
    expected = 0.0
    for i in range(6):
        others = [j for j in range(6) if j != i]
        similar = torch.stack([z[i] @ z[j] / 0.2 for j in others])
        expected -= (z[i] @ z[(i + 3) % 6] / 0.2 - similar.logsumexp(dim=0)) / 6
    torch.testing.assert_close(nt_xent(u, v, 0.2)[0], expected)


@given(st.integers(0, 500))
@settings(max_examples=20, deadline=None)
def test_contrastive_takes_what_all_embeddings_share_out_of_a_view(seed):
    torch.manual_seed(seed)
    x, offset = torch.randn(4, 6, 8), 10 * torch.randn(4, 1, 8)
    mask = torch.arange(6) < torch.tensor([[6], [4], [2], [1]])
    for given_mask in (None, mask):
        real = torch.ones(4, 6, dtype=torch.bool) if given_mask is None else given_mask
        found = centred(x + offset, given_mask)
        torch.testing.assert_close(found[real], centred(x, given_mask)[real], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close((found * real[:, :, None]).sum(dim=1), torch.zeros(4, 8), atol=1e-4, rtol=0)
