"""The rows raw and summary: what the inputs give away, against direct computations."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from dabs.data.domain import PRETRAIN, Classes, Rows, Task
from dabs.data.prepare import prepare
from dabs.data.prepared import open_prepared
from dabs.encoder import image_patches, series_segments
from dabs.evaluation.raw_input import COMPONENTS, raw_features, summary_features
from dabs.specs import Image, Series, Tokens

SPECS = (
    Image(height=4, width=6, channels=3, patch=2),
    Series(steps=6, channels=2, segment=3),
    Tokens(length=7, vocabulary=9),
)


@pytest.fixture
def prepared(toy):
    def build(workspace):
        for number, (dataset, split) in enumerate(
            [(PRETRAIN, "train"), (PRETRAIN, "validation"), *(("t", s) for s in ("train", "validation", "test"))]
        ):
            generator = workspace.generator(number, 3)
            pixels = generator.integers(0, 256, (50, 3, 4, 6)).astype(np.uint8)
            series = generator.normal(size=(50, 6, 2)).astype(np.float32)
            length = generator.integers(1, 8, 50)
            ids = (generator.integers(1, 9, (50, 7)) * (np.arange(7) < length[:, None])).astype(np.int32)
            label = None if dataset == PRETRAIN else generator.integers(0, 2, 50)
            group = [f"{dataset}{split}{i}" for i in range(50)]
            yield Rows(dataset=dataset, split=split, inputs=(pixels, series, ids), label=label, group=group)

    task = Task(name="t", question="?", target=Classes(names=("a", "b")), metric="accuracy", split_by="row")
    domain = replace(toy, name="mixed", specs=SPECS, tasks=(task,), build=build)
    prepare(domain, lambda line: None)
    return open_prepared(domain, "t")


def columns_of(prepared, split):
    columns = prepared.columns(split)
    return [columns[f"input_{i}"].copy() for i in range(3)]


def distances(x):
    return np.linalg.norm(x[:, None] - x[None], axis=-1)


def scaled(train, x):
    """Return values centred and scaled to a mean variance of 1 over the components that vary."""
    train = np.asarray(train, np.float64)
    spread = np.linalg.svd(train - train.mean(axis=0), compute_uv=False) ** 2 / len(train)
    rank = min(len(train), train.shape[1])
    return (x - train.mean(axis=0)) / np.sqrt(spread[:rank].sum() / rank)


def direct(prepared, split, pooled):
    """Return the values that each input is reduced from, standardised by channel."""
    image, series, ids = columns_of(prepared, split)
    channels = prepared.standardisation()
    mean, deviation = (np.reshape([getattr(channels[0], name)], (3, 1, 1)) for name in ("mean", "deviation"))
    image = (image / 255 - mean) / deviation
    series = (series - np.array(channels[1].mean)) / np.array(channels[1].deviation)
    counts = np.stack([(ids == word).sum(axis=1) for word in range(9)], axis=1) * (np.arange(9) > 0)
    if pooled:
        patches = image_patches(torch.from_numpy(image).double(), 2).mean(dim=1).numpy()
        return patches, series_segments(torch.from_numpy(series).double(), 3).mean(dim=1).numpy(), counts
    places = np.eye(9)[ids] * (ids != 0)[:, :, None]
    return image.reshape(50, -1), series.reshape(50, -1), places.reshape(50, -1)


@pytest.mark.parametrize("pooled", [True, False])
def test_raw_features_keep_the_distances_of_patches_and_segments(prepared, pooled):
    """Fewer values than components are only turned and scaled, so all distances are those of the values themselves."""
    found = raw_features(prepared, pooled=pooled)
    widths = [min(50, x.shape[1]) for x in direct(prepared, "train", pooled)[:2]]
    edges = np.cumsum([0, *widths])
    for split in ("train", "test"):
        if split == "test" and not pooled:
            continue  # with more values than examples, the reduction loses what training examples do not span
        for i, (a, b) in enumerate(pairwise(edges)):
            values = scaled(direct(prepared, "train", pooled)[i], direct(prepared, split, pooled)[i])
            np.testing.assert_allclose(distances(found[split][:, a:b]), distances(values), atol=2e-3)


def test_raw_pooled_text_is_how_often_each_token_occurs(prepared):
    found = raw_features(prepared, pooled=True)["test"]
    start = 12 + 6
    assert found.shape[1] == start + 8  # the 9 words without the constant count of padding
    values = direct(prepared, "test", True)[2]
    ratio = distances(found[:, start:]) / np.maximum(distances(values), 1e-9)
    off = ~np.eye(50, dtype=bool) & (distances(values) > 0)
    assert ratio[off].std() < 1e-3 * ratio[off].mean()


def test_every_input_has_a_mean_variance_of_one(prepared):
    """Whitening all inputs together would otherwise drown words under pixels, whose numbers are larger."""
    for pooled in (True, False):
        found = raw_features(prepared, pooled=pooled)["train"]
        widths = [min(50, x.shape[1]) for x in direct(prepared, "train", pooled)[:2]]
        for part in np.split(found, np.cumsum(widths), axis=1):
            assert part.var(axis=0).mean() == pytest.approx(1, rel=1e-3)
            assert part.shape[1] <= COMPONENTS


def test_no_channel_drowns_another(prepared, monkeypatch):
    """Channels are standardised, so a channel in another unit changes nothing."""
    before = raw_features(prepared, pooled=True)["test"]
    columns, constants = type(prepared).columns, prepared.standardisation()
    unit = np.array([1.0, 1000.0], dtype=np.float32)

    def rescaled(self, split, only=(), optional=()):
        found = columns(self, split, only, optional)
        return found | {name: x * unit for name, x in found.items() if name == "input_1"}

    series = constants[1]
    changed = replace(series, **{n: tuple(np.array(getattr(series, n)) * unit) for n in ("mean", "deviation")})
    monkeypatch.setattr(type(prepared), "columns", rescaled)
    monkeypatch.setattr(type(prepared), "standardisation", lambda self: (constants[0], changed, constants[2]))
    after = raw_features(prepared, pooled=True)["test"]
    np.testing.assert_allclose(distances(after), distances(before), atol=1e-3)


def test_pooled_raw_features_know_no_layout_and_all_positions_do(prepared, monkeypatch):
    columns = prepared.columns

    def moved(split, only=()):
        """Return the test split with its patches, segments and tokens in another order."""
        found = columns(split, only)
        if split == "test":
            move = {
                "input_0": lambda image: np.roll(image, 2, axis=3),
                "input_1": lambda series: np.roll(series, 3, axis=1),
                "input_2": lambda ids: ids[:, ::-1],
            }
            found |= {name: move[name](found[name]) for name in move if name in found}
        return found

    before = {pooled: raw_features(prepared, pooled=pooled)["test"] for pooled in (True, False)}
    monkeypatch.setattr(type(prepared), "columns", lambda self, split, only=(): moved(split, only))
    after = {pooled: raw_features(prepared, pooled=pooled)["test"] for pooled in (True, False)}
    np.testing.assert_allclose(after[True], before[True], atol=1e-3)
    assert np.abs(after[False] - before[False]).max() > 0.5


def test_the_summary_is_mean_and_deviation_of_each_channel_and_length_and_entropy(prepared):
    found, expected = summary_features(prepared), {}
    for split in ("train", "validation", "test"):
        image, series, ids = columns_of(prepared, split)
        wide = image.astype(float)
        for i in range(50):
            real = ids[i][ids[i] != 0]
            share = np.bincount(real)[np.bincount(real) > 0] / len(real)
            values = [
                *wide[i].mean(axis=(1, 2)),
                *wide[i].std(axis=(1, 2)),
                *series[i].mean(axis=0, dtype=float),
                *series[i].std(axis=0, dtype=float),
                len(real),
                -(share * np.log(share)).sum(),
            ]
            expected.setdefault(split, []).append(values)
    scale = np.std(expected["train"], axis=0)
    for split, values in expected.items():
        np.testing.assert_allclose(found[split], values / scale, rtol=1e-5)  # pixels are read in fp32
