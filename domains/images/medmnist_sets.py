"""MedMNIST's sets, fetched and read as the package `medmnist` knows them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, BuildError, Footprint, Rows
from dabs.domains.sources.official import Archive, OfficialFiles
from dabs.errors import DabsError

SIDE = 64  # pixels; the package knows 28, 64, 128 and 224
BLOCK_ROWS = 4096
_NAMES = {TRAIN: "train", VALIDATION: "val", TEST: "test"}


@dataclass(frozen=True, kw_only=True)
class MedMnistFile:
    """One set of MedMNIST at 64×64; its address, MD5 and reader are the package's.

    Attributes:
        flag: the package's name of the set, e.g. "chestmnist".
        size: of its file, in bytes.
    """

    flag: str
    size: int
    threaded: bool = True

    @property
    def name(self) -> str:
        """The folder below `raw_home()` that all sets share, and the key in `Workspace.sources`."""
        return "medmnist"

    @property
    def file_name(self) -> str:
        """The name of the file."""
        return f"{self.flag}_{SIDE}.npz"

    def describe(self) -> dict[str, str]:
        """Return what the manifest records about this source."""
        return {"name": self.name, "files": self.file_name, "checksums": "those of the package medmnist"}

    def footprints(self, *, missing: bool) -> dict[str, Footprint]:
        """Return what fetching it takes; see `OfficialFiles.footprints`."""
        archive = Archive(url=self.file_name, size=self.size, unpack=False, provides=(self.file_name,))
        return OfficialFiles(name=self.name, expects=(self.file_name,), archives=(archive,)).footprints(missing=missing)

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """Return the folder that holds the file, after downloading it from Zenodo if it is not there.

        Raises:
            DabsError: the package is not installed, or the file cannot be downloaded.
        """
        info = _package().INFO[self.flag]
        archive = Archive(
            url=info[f"url_{SIDE}"],
            checksum=f"md5:{info[f'MD5_{SIDE}']}",
            size=self.size,
            unpack=False,
            provides=(self.file_name,),
        )
        return OfficialFiles(name=self.name, expects=archive.provides, archives=(archive,)).fetch(folder, say)


def _package() -> Any:
    try:
        import medmnist
    except ImportError as error:
        raise DabsError(
            f"the chest radiographs of the suite `open` are read by the package medmnist, which cannot be imported "
            f"({error}). Install it with `pip install 'dabs[open]'` (from a checkout: `pip install -e '.[open]'`)."
        ) from error
    return medmnist


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureSplit:
    """Pictures of one split: uint8 (n, 64, 64), labels as the package has them, and a hash of each picture."""

    pictures: np.ndarray
    labels: np.ndarray
    hashes: list[str]


def read_splits(root: Path, flag: str) -> tuple[dict[str, PictureSplit], int]:
    """Read the official splits of a set with the package's own reader.

    A picture that is also in a stricter split (test, then validation) is left out, so that nothing is learned from a
    test picture.

    Returns:
        The splits, and the number of pictures before any was left out.

    Raises:
        BuildError: the file has another layout.
    """
    package = _package()
    reader = getattr(package, package.INFO[flag]["python_class"])
    found: dict[str, PictureSplit] = {}
    seen: set[str] = set()
    count = 0
    for split in (TEST, VALIDATION, TRAIN):
        try:
            opened = reader(split=_NAMES[split], root=str(root), size=SIDE)
            pictures, labels = opened.imgs, opened.labels
        except Exception as error:  # the reader has no errors of its own
            raise BuildError(f"{root}/{flag}_{SIDE}.npz cannot be read ({error!r}). Delete it and try again.") from None
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (SIDE, SIDE) or len(labels) != len(pictures):
            raise BuildError(f"{root}/{flag}_{SIDE}.npz does not hold grey pictures of {SIDE}×{SIDE} with labels.")
        hashes = [hashlib.sha256(picture.tobytes()).hexdigest()[:16] for picture in pictures]
        kept = [i for i, digest in enumerate(hashes) if digest not in seen]
        seen |= set(hashes)
        count += len(pictures)
        found[split] = PictureSplit(pictures=pictures[kept], labels=labels[kept], hashes=[hashes[i] for i in kept])
    return found, count


def split_rows(dataset: str, split: str, found: PictureSplit, label: np.ndarray | None) -> Iterator[Rows]:
    """Yield blocks of the pictures of a split; the group of a row is the hash of its picture."""
    group = [f"picture {digest}" for digest in found.hashes]
    for start in range(0, len(group), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        x = np.ascontiguousarray(found.pictures[part, None])
        block = None if dataset == PRETRAIN or label is None else label[part]
        yield Rows(dataset=dataset, split=split, inputs=(x,), label=block, group=group[part])


def check_findings(labels: np.ndarray, names: tuple[str, ...], where: str) -> None:
    """Check that every finding is present in some pictures and absent in others, as AUROC needs.

    Raises:
        BuildError: a finding is constant.
    """
    share = labels.mean(axis=0)
    constant = [name for name, mean in zip(names, share, strict=True) if mean in (0, 1)]
    if constant:
        raise BuildError(
            f"{where}: {', '.join(constant)} is in all or in none of its {len(labels):,} pictures, so no AUROC is "
            "defined. The published file has every finding in every split; this one is cut. Download it again."
        )
