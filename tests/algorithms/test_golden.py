"""Losses and gradients compared with those of the reference implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dabs.algorithms.capri import Capri
from dabs.algorithms.dabs_mae import DabsMAE
from dabs.algorithms.emix import EMix
from dabs.algorithms.shed import ShED, shuffle
from dabs.check.mock import KINDS as SPECS
from dabs.specs import Batch
from tests.helpers.golden_files import EXAMPLES, FILES, SEEDS, cut, read_golden
from tests.helpers.golden_weights import assert_gradients, golden_encoder, golden_inputs
from tests.helpers.places import GOLDEN


@pytest.mark.parametrize("kind", SPECS)
def test_emix_per_example_loss(kind):
    arrays = read_golden(f"emix_{kind}")
    encoder, _ = golden_encoder(arrays, SPECS[kind])
    lam, partner = torch.from_numpy(arrays["mix_coeff"]), torch.from_numpy(arrays["permutation"])
    x = encoder.embed(golden_inputs(arrays, SPECS[kind]))
    out = EMix(encoder).loss_of(encoder, x, None, lam, partner)
    torch.testing.assert_close(out["loss"], torch.from_numpy(arrays["loss_per_example"]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out["accuracy"], torch.from_numpy(arrays["accuracy"]))


@pytest.mark.parametrize("kind", SPECS)
def test_emix_gradients_under_the_references_weights(kind):
    """Compare gradients of the reference's broadcast loss, which weights every example by the mean coefficient.

    Our loss has the same gradients if that mean replaces each coefficient in the loss only.
    """
    from torch.nn import functional as F

    from dabs.algorithms.emix import mixed_cross_entropy

    arrays = read_golden(f"emix_{kind}")
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
    assert_gradients(dict(encoder.named_parameters()), arrays)


@pytest.mark.parametrize("kind", SPECS)
def test_shed_loss_and_gradients(kind):
    arrays = read_golden(f"shed_{kind}")
    encoder, head = golden_encoder(arrays, SPECS[kind])
    algorithm = ShED(encoder)
    algorithm.load_state_dict(head)
    x = encoder.embed(golden_inputs(arrays, SPECS[kind]))
    indices = torch.from_numpy(arrays["indices"])
    moved = torch.zeros(x.shape[:2], dtype=torch.bool).scatter_(1, indices, True)
    order = torch.cat([indices, torch.stack([(~m).nonzero().flatten() for m in moved])], dim=1)
    torch.testing.assert_close(moved.long(), torch.from_numpy(arrays["is_permuted"]))
    shuffled = shuffle(x, moved, order)[:EXAMPLES]
    torch.testing.assert_close(shuffled, torch.from_numpy(arrays["permuted"]), atol=1e-5, rtol=1e-5)
    out = algorithm.loss_of(encoder, x, None, moved, order)
    torch.testing.assert_close(out["loss"], torch.from_numpy(arrays["loss"]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out["accuracy"], torch.from_numpy(arrays["accuracy"]))
    out["loss"].backward()
    parameters = dict(encoder.named_parameters()) | dict(algorithm.named_parameters())
    assert_gradients(parameters, arrays)


@pytest.mark.parametrize("kind", [kind for kind in SPECS if kind != "series"])
def test_the_references_masked_autoencoder(kind):
    arrays = read_golden(f"mae_{kind}")
    encoder, head = golden_encoder(arrays, SPECS[kind])
    algorithm = DabsMAE(encoder)
    algorithm.load_state_dict(head)
    batch = Batch(inputs=golden_inputs(arrays, SPECS[kind]))
    blank = torch.from_numpy(arrays["is_masked"])
    x = encoder.embed(batch.inputs)
    assert torch.equal(algorithm.draw(x, None).sum(dim=1), blank.sum(dim=1)), "as many places as the reference blanks"
    out = algorithm.loss_of(encoder, x, batch, blank)
    torch.testing.assert_close(out["loss"], torch.from_numpy(arrays["loss"]), atol=1e-5, rtol=1e-5)
    out["loss"].backward()
    assert_gradients(dict(encoder.named_parameters()) | dict(algorithm.named_parameters()), arrays)


@pytest.mark.parametrize("kind", SPECS)
def test_the_references_contrastive_prediction(kind):
    arrays = read_golden(f"capri_{kind}")
    encoder, head = golden_encoder(arrays, SPECS[kind])
    algorithm = Capri(encoder)
    algorithm.load_state_dict(head)
    blank = torch.from_numpy(arrays["is_masked"])
    x = encoder.embed(golden_inputs(arrays, SPECS[kind]))
    assert torch.equal(algorithm.draw(x, None).sum(dim=1), blank.sum(dim=1)), "as many places as the reference blanks"
    out = algorithm.loss_of(encoder, x, None, blank)
    torch.testing.assert_close(out["loss"], torch.from_numpy(arrays["loss"]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out["accuracy"], torch.from_numpy(arrays["accuracy"]))
    out["loss"].backward()
    assert_gradients(dict(encoder.named_parameters()) | dict(algorithm.named_parameters()), arrays)


def test_the_small_files_agree_with_the_whole_ones(shared):
    for name in FILES:
        with np.load(shared / "data" / "golden" / f"{name}.npz", allow_pickle=False) as archive:
            expected = cut(name, dict(archive))
        found = read_golden(name)
        assert set(found) == set(expected)
        for key, value in expected.items():
            drawn = key.startswith("weight/") and name.partition("_")[0] in SEEDS  # to rounding of the processor's
            close = {"rtol": 0, "atol": 1e-6 if drawn else 0}
            np.testing.assert_allclose(found[key], value, err_msg=f"{name}: {key}", strict=True, **close)


def test_the_small_files_are_small():
    assert sorted(path.stem for path in GOLDEN.glob("*.npz")) == sorted(FILES)
    assert sum(path.stat().st_size for path in GOLDEN.glob("*.npz")) <= 1_000_000
