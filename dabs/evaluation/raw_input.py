"""The raw-input row: what a probe gets without any encoder.

Each input is reduced on its own to at most 256 principal components fitted on the training split; tokens count as how
often each id occurs, which knows no order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dabs.dataset import SPLITS, TRAIN, Domain
from dabs.prepared import read_columns
from dabs.specs import Spec, Tokens

RAW = "raw"  # the row's name in tables and folders
COMPONENTS = 256


def raw_features(domain: Domain, dataset: str) -> dict[str, np.ndarray]:
    """Features (n, at most 256 an input) of each split of a task's dataset."""
    columns = {split: read_columns(domain, dataset, split) for split in SPLITS}
    parts: dict[str, list[np.ndarray]] = {split: [] for split in columns}
    for i, spec in enumerate(domain.specs):
        flat = {split: _flat(c[f"input_{i}"], spec) for split, c in columns.items()}
        reduce = _reduction(flat[TRAIN]).fit(flat[TRAIN])
        for split, x in flat.items():
            parts[split].append(np.asarray(reduce.transform(x), dtype=np.float32))
    return {split: np.concatenate(part, axis=1) for split, part in parts.items()}


def _flat(x: np.ndarray, spec: Spec) -> Any:
    """(n, values) float32; for tokens a sparse (n, vocabulary) matrix of counts."""
    if not isinstance(spec, Tokens):
        return x.reshape(len(x), -1).astype(np.float32)
    from scipy.sparse import csr_matrix

    row, place = np.nonzero(x != spec.pad)
    ones = np.ones(len(row), dtype=np.float32)
    return csr_matrix((ones, (row, x[row, place])), shape=(len(x), spec.vocabulary))


def _reduction(x: Any) -> Any:
    from scipy.sparse import issparse
    from sklearn.decomposition import PCA, TruncatedSVD

    size = min(COMPONENTS, x.shape[1], x.shape[0])
    if issparse(x):
        return TruncatedSVD(n_components=min(size, x.shape[1] - 1), random_state=0)
    return PCA(n_components=size, svd_solver="covariance_eigh" if x.shape[1] <= 1024 else "randomized", random_state=0)
