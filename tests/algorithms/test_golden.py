"""Losses and gradients compared with those of the reference implementation."""

from __future__ import annotations

import pytest
import torch

from dabs.algorithms.emix import EMix
from dabs.algorithms.shed import ShED, shuffle
from tests.conftest import SPECS
from tests.helpers.golden_weights import golden_encoder, golden_inputs, parameters_of


@pytest.mark.parametrize("kind", SPECS)
def test_emix_per_example_loss(golden, kind):
    arrays = golden(f"emix_{kind}")
    encoder, _ = golden_encoder(arrays, SPECS[kind])
    lam, partner = torch.from_numpy(arrays["mix_coeff"]), torch.from_numpy(arrays["permutation"])
    x = encoder.embed(golden_inputs(arrays, SPECS[kind]))
    out = EMix(encoder).loss_of(encoder, x, None, lam, partner)
    torch.testing.assert_close(out["loss"], torch.from_numpy(arrays["loss_per_example"]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out["accuracy"], torch.from_numpy(arrays["accuracy"]))


@pytest.mark.parametrize("kind", SPECS)
def test_emix_gradients_under_the_references_weights(golden, kind):
    """Compare gradients of the reference's broadcast loss, which weights every example by the mean coefficient.

    Our loss has the same gradients if that mean replaces each coefficient in the loss only.
    """
    from torch.nn import functional as F

    from dabs.algorithms.emix import mixed_cross_entropy

    arrays = golden(f"emix_{kind}")
    encoder, _ = golden_encoder(arrays, SPECS[kind])
    lam, partner = torch.from_numpy(arrays["mix_coeff"]), torch.from_numpy(arrays["permutation"])
    x = encoder.embed(golden_inputs(arrays, SPECS[kind]))
    mixed = lam[:, None, None] * x + (1 - lam)[:, None, None] * x[partner].detach()
    views = [F.normalize(encoder.project(encoder.pool(encoder.encode(e))), dim=1) for e in (mixed, x)]
    logits = views[0] @ views[1].T / 0.2
    torch.testing.assert_close(logits, torch.from_numpy(arrays["logits"]), atol=1e-5, rtol=1e-4)
    loss = mixed_cross_entropy(logits, lam.mean().expand_as(lam), partner)
    torch.testing.assert_close(loss, torch.from_numpy(arrays["loss_original"]), atol=1e-5, rtol=1e-5)
    loss.backward()
    _assert_gradients(dict(encoder.named_parameters()), parameters_of(arrays, "grad"))


@pytest.mark.parametrize("kind", SPECS)
def test_shed_loss_and_gradients(golden, kind):
    arrays = golden(f"shed_{kind}")
    encoder, head = golden_encoder(arrays, SPECS[kind])
    algorithm = ShED(encoder)
    algorithm.load_state_dict(head)
    x = encoder.embed(golden_inputs(arrays, SPECS[kind]))
    indices = torch.from_numpy(arrays["indices"])
    moved = torch.zeros(x.shape[:2], dtype=torch.bool).scatter_(1, indices, True)
    order = torch.cat([indices, torch.stack([(~m).nonzero().flatten() for m in moved])], dim=1)
    torch.testing.assert_close(moved.long(), torch.from_numpy(arrays["is_permuted"]))
    torch.testing.assert_close(shuffle(x, moved, order), torch.from_numpy(arrays["permuted"]), atol=1e-5, rtol=1e-5)
    out = algorithm.loss_of(encoder, x, None, moved, order)
    torch.testing.assert_close(out["loss"], torch.from_numpy(arrays["loss"]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out["accuracy"], torch.from_numpy(arrays["accuracy"]))
    out["loss"].backward()
    parameters = dict(encoder.named_parameters()) | dict(algorithm.named_parameters())
    _assert_gradients(parameters, parameters_of(arrays, "grad"))


def _assert_gradients(parameters: dict[str, torch.nn.Parameter], expected: dict[str, torch.Tensor]) -> None:
    assert expected
    for name, gradient in expected.items():
        found = parameters[name].grad
        found = torch.zeros_like(gradient) if found is None else found
        torch.testing.assert_close(found, gradient, atol=1e-5, rtol=1e-3, msg=lambda m, n=name: f"{n}: {m}")
