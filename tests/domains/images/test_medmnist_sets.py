"""MedMNIST's files: the package's reader, equal pictures, findings that are constant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dabs.data.domain import PRETRAIN, BuildError, Workspace
from dabs.domains.images.medmnist_sets import check_findings, read_splits
from dabs.domains.open import chest_xray

pytest.importorskip("medmnist", reason="the extra `open` is not installed")


def write(folder: Path, flag: str, sizes: dict[str, int], labels: int, **changed: np.ndarray) -> Path:
    """Write a file in MedMNIST's layout; every second example has every label."""
    random, content = np.random.default_rng(0), {}
    for split, size in sizes.items():
        content[f"{split}_images"] = random.integers(0, 256, (size, 64, 64), dtype=np.uint8)
        content[f"{split}_labels"] = np.repeat(np.arange(size)[:, None] % 2, labels, axis=1).astype(np.uint8)
    folder.mkdir(exist_ok=True)
    np.savez(folder / f"{flag}_64.npz", **(content | changed))
    return folder


def rows_of(build, folder: Path):
    workspace = Workspace(sources={"medmnist": folder}, say=lambda line: None)
    return list(build(workspace)), workspace


def test_splits_are_the_official_ones(tmp_path):
    folder = write(tmp_path / "m", "chestmnist", {"train": 20, "val": 6, "test": 8}, 14)
    blocks, workspace = rows_of(chest_xray.build_findings, folder)
    assert {block.split: len(block.group) for block in blocks} == {"train": 20, "validation": 6, "test": 8}
    assert all(block.inputs[0].shape[1:] == (1, 64, 64) and block.label.dtype == np.int8 for block in blocks)
    with np.load(folder / "chestmnist_64.npz") as file:
        test = next(block for block in blocks if block.split == "test")
        assert (test.inputs[0][:, 0] == file["test_images"]).all()
        assert (test.label == file["test_labels"]).all()
    assert workspace.notes == ["this copy has 34 of the publisher's 112,120 files; scores hold for this copy only."]


def test_an_equal_picture_is_only_in_the_strictest_split(tmp_path):
    sizes = {"train": 20, "val": 6, "test": 8}
    folder = write(tmp_path / "m", "pneumoniamnist", sizes, 1)
    with np.load(folder / "pneumoniamnist_64.npz") as file:
        train, val = file["train_images"].copy(), file["val_images"].copy()
        train[3], train[5], val[0] = file["test_images"][1], val[2], file["test_images"][2]
    write(folder, "pneumoniamnist", sizes, 1, train_images=train, val_images=val)
    blocks, _ = rows_of(chest_xray.build_pneumonia, folder)
    assert {block.split: len(block.group) for block in blocks} == {"train": 18, "validation": 5, "test": 8}
    assert len({group for block in blocks for group in block.group}) == 31


def test_pretraining_has_no_labels_and_no_test_picture(tmp_path):
    folder = write(tmp_path / "m", "chestmnist", {"train": 20, "val": 6, "test": 8}, 14)
    blocks, _ = rows_of(chest_xray.build_pretraining, folder)
    assert {(block.dataset, block.split) for block in blocks} == {(PRETRAIN, "train"), (PRETRAIN, "validation")}
    assert all(block.label is None for block in blocks)
    tested = {
        group
        for block in rows_of(chest_xray.build_findings, folder)[0]
        if block.split == "test"
        for group in block.group
    }
    assert not tested & {group for block in blocks for group in block.group}


def test_a_finding_that_is_in_no_picture_of_a_split_is_named(tmp_path):
    labels = np.ones((6, 14), np.uint8) * (np.arange(6)[:, None] % 2).astype(np.uint8)
    labels[:, 13] = 0
    folder = write(tmp_path / "m", "chestmnist", {"train": 20, "val": 6, "test": 8}, 14, val_labels=labels)
    with pytest.raises(BuildError, match="ChestMNIST, validation: hernia is in all or in none of its 6 pictures"):
        rows_of(chest_xray.build_findings, folder)
    check_findings(np.array([[0, 1], [1, 0]]), ("a", "b"), "x")


@pytest.mark.parametrize("wrong", ["shape", "damage"])
def test_a_file_of_another_layout(tmp_path, wrong):
    folder = write(tmp_path / "m", "pneumoniamnist", {"train": 4, "val": 2, "test": 2}, 1)
    path = folder / "pneumoniamnist_64.npz"
    if wrong == "shape":
        write(
            folder, "pneumoniamnist", {"train": 4, "val": 2, "test": 2}, 1, test_images=np.zeros((2, 28, 28), np.uint8)
        )
    else:
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BuildError, match=r"pneumoniamnist_64\.npz"):
        read_splits(folder, "pneumoniamnist")
