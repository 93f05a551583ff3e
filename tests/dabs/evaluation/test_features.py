"""Features of an encoder: in order, in any batch, without padding; those of all positions keep the layout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from dabs.data.domain import PRETRAIN, Classes, Domain, Rows, Task
from dabs.data.prepare import prepare
from dabs.data.prepared import open_prepared
from dabs.data.split import Split
from dabs.encoder import PRESETS, Encoder
from dabs.evaluation import features as module
from dabs.evaluation.features import both_features, pooled_features
from dabs.specs import Tokens


def position_features(encoder: Encoder, train: Split, splits: dict[str, Split]) -> dict[str, np.ndarray]:
    return {name: positions for name, (_, positions) in both_features(encoder, train, splits).items()}


def split_of(toy: Domain, name: str = "train", task: str = "length") -> Split:
    return Split(open_prepared(toy, task), name, labels=False)


def test_features_in_bf16_agree_with_fp32_and_keep_their_order(toy):
    torch.manual_seed(0)
    encoder, split = Encoder(PRESETS["paper"], toy.specs), split_of(toy)
    wide, fast = pooled_features(encoder, split), pooled_features(encoder, split, "bf16")
    apart = (wide - fast) / wide.std(axis=0)
    assert 0 < np.sqrt((apart**2).mean()) < 0.05
    shuffled = np.roll(fast, 1, axis=0)
    assert np.sqrt((((wide - shuffled) / wide.std(axis=0)) ** 2).mean()) > 0.5
    assert wide.dtype == fast.dtype == np.float32


def test_features_in_fp32_are_computed_in_order_and_in_whole_batches(toy):
    encoder, split = Encoder(PRESETS["small"], toy.specs), split_of(toy)
    with torch.inference_mode():
        plain = torch.cat([encoder.eval()(batch) for batch in split.batches(256)]).numpy()
    # texts are read by length, so a batch may be shorter
    np.testing.assert_allclose(pooled_features(encoder, split), plain, atol=1e-5)


def test_pooled_features_are_the_same_when_both_are_computed(toy):
    encoder, train, test = Encoder(PRESETS["small"], toy.specs), split_of(toy), split_of(toy, "test")
    both = both_features(encoder, train, {"train": train, "test": test})
    for name, split in (("train", train), ("test", test)):
        np.testing.assert_allclose(both[name][0], pooled_features(encoder, split), atol=1e-6)


def test_position_features_are_the_projection_of_all_tokens(toy):
    """Compare with principal components computed directly; padding counts as zeros."""
    encoder = Encoder(PRESETS["small"], toy.specs).eval()
    train, test = split_of(toy), split_of(toy, "test")
    found = position_features(encoder, train, {"train": train, "test": test})
    assert {name: x.shape for name, x in found.items()} == {"train": (90, 90), "test": (60, 90)}

    def flat(split: Split) -> np.ndarray:
        batch = split.batch(np.arange(len(split)))
        with torch.inference_mode():
            tokens = encoder.encode(encoder.embed(batch.inputs), batch.mask)
        real = torch.nn.functional.pad(batch.mask, (1, 0), value=True)[:, :, None]
        return (tokens * real).flatten(1).double().numpy()

    mean = flat(train).mean(axis=0)
    _, values, directions = np.linalg.svd(flat(train) - mean, full_matrices=False)
    for name, split in (("train", train), ("test", test)):
        expected = (flat(split) - mean) @ directions[:40].T  # the later ones have nearly equal values
        np.testing.assert_allclose(np.abs(found[name][:, :40]), np.abs(expected), atol=2e-3 * values[0] ** 0.5)


def test_features_do_not_depend_on_how_examples_are_batched(toy, monkeypatch):
    encoder, train = Encoder(replace(PRESETS["small"], depth=1), toy.specs), split_of(toy)
    whole = pooled_features(encoder, train), position_features(encoder, train, {"train": train})["train"]
    monkeypatch.setattr(module, "READ_BATCH", 7)
    parts = pooled_features(encoder, train), position_features(encoder, train, {"train": train})["train"]
    np.testing.assert_allclose(parts[0], whole[0], atol=1e-5)
    distances = [np.linalg.norm(x[:20, None] - x[None, :20], axis=-1) for x in (whole[1], parts[1])]
    np.testing.assert_allclose(distances[1], distances[0], atol=1e-3)


def ordered(toy: Domain) -> Domain:
    """Return a domain of texts of equal words: only their order differs between the classes."""

    def build(workspace):
        for number, (dataset, split) in enumerate(
            [(PRETRAIN, "train"), (PRETRAIN, "validation"), *(("order", s) for s in ("train", "validation", "test"))]
        ):
            generator = workspace.generator(number, 7)
            label = generator.integers(0, 2, 80)
            ids = np.where(label[:, None] == 1, [[1, 2, 3, 4, 0, 0]], [[4, 3, 2, 1, 0, 0]]).astype(np.int32)
            ids[generator.random(80) < 0.5, 4] = 5
            named = None if dataset == PRETRAIN else label
            group = [f"{dataset}{split}{i}" for i in range(80)]
            yield Rows(dataset=dataset, split=split, inputs=(ids,), label=named, group=group)

    task = Task(name="order", question="?", target=Classes(names=("a", "b")), metric="accuracy", split_by="row")
    domain = replace(toy, name="ordered", specs=(Tokens(length=6, vocabulary=6),), tasks=(task,), build=build)
    prepare(domain, lambda line: None)
    return domain


def test_features_of_all_positions_keep_the_layout_that_a_mean_of_plain_embeddings_loses(toy):
    domain = ordered(toy)
    blind = replace(PRESETS["small"], sinusoids=1e-9, rotary=False, depth=1)
    encoder = Encoder(blind, domain.specs)
    prepared = open_prepared(domain, "order")
    train = Split(prepared, "train", labels=False)
    label, long = prepared.labels("train"), train.lengths() == 5
    kinds = [(label == side) & (long == tail) for tail in (False, True) for side in (0, 1)]
    pooled = pooled_features(encoder, train)
    everywhere = position_features(encoder, train, {"train": train})["train"]
    for first, second in (kinds[:2], kinds[2:]):
        np.testing.assert_allclose(pooled[first][0], pooled[second][0], atol=1e-5)
        assert np.linalg.norm(everywhere[first][0] - everywhere[second][0]) > 1
        np.testing.assert_allclose(everywhere[first][0], everywhere[first][-1], atol=1e-4)


def test_the_content_of_padding_never_matters(toy, monkeypatch):
    encoder, train = Encoder(PRESETS["small"], toy.specs), split_of(toy)
    before = pooled_features(encoder, train), position_features(encoder, train, {"train": train})["train"]
    batch_of = Split.batch

    def filled(split, index):
        batch = batch_of(split, index)
        pixels, ids = batch.inputs
        return replace(batch, inputs=(pixels, torch.where(batch.mask[:, pixels[0].numel() // 16 :], ids, 13)))

    monkeypatch.setattr(module, "read_batches", lambda split, parts, device: (filled(split, part) for part in parts))
    after = pooled_features(encoder, train), position_features(encoder, train, {"train": train})["train"]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-4)


def test_the_components_are_fitted_on_spread_training_examples(toy, monkeypatch):
    monkeypatch.setattr(module, "POSITION_EXAMPLES", 10)
    encoder, train = Encoder(PRESETS["small"], toy.specs), split_of(toy)
    seen = []
    read = module._read
    monkeypatch.setattr(module, "_read", lambda e, s, rows, p, f: seen.append(rows.tolist()) or read(e, s, rows, p, f))
    found = position_features(encoder, train, {"train": train})["train"]
    assert found.shape == (90, 10)
    assert seen[0][0] == 0
    assert seen[0][-1] == 89
    assert len(set(seen[0])) == 10
