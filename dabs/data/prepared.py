"""Read prepared data: its manifest, which is validated once, and its splits.

$DABS_HOME/lite/sensor/manifest.json                what is prepared, with hashes; it is written last
$DABS_HOME/lite/sensor/exercise/train.arrow         columns input_0.., label, group (`datasets` can read it)
$DABS_HOME/paper/speech/librispeech/manifest.json   in a domain of parts, each dataset has its own manifest
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dabs.data.arrow import column_values
from dabs.data.domain import PRETRAIN, Domain, Rows, Source, Workspace
from dabs.data.standardisation import standardisation_from_json
from dabs.errors import DabsError, RequestError, unknown
from dabs.specs import Standardisation
from dabs.utils.files import data_home, short
from dabs.utils.strict_json import read_object
from dabs.utils.versions import other_version

FORMAT = 2


def folder_of(domain: Domain) -> Path:
    """Return the folder of a domain's prepared data."""
    return data_home() / domain.suite / domain.name


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What is prepared together and has one manifest: a whole domain, or one part of it."""

    domain: Domain
    folder: Path  # under the domain's folder, or that folder itself
    splits: dict[str, Path]  # "dataset/split" -> its file below `folder`
    sources: tuple[Source, ...]
    build: Callable[[Workspace], Iterator[Rows]]
    version: int
    only: str  # the dataset of a part; empty for a whole domain

    @property
    def name(self) -> str:
        """The name for messages: the domain, and the dataset of a part."""
        return f"{self.domain.name} {self.only}".strip()

    @property
    def command(self) -> str:
        """The command that prepares it."""
        only = f" --tasks {self.only}" if self.only else ""
        return f"dabs data prepare {self.domain.reference or self.domain.name} --suite {self.domain.suite}{only}"


def units_of(domain: Domain, datasets: Iterable[str] = ()) -> list[Unit]:
    """Return the units to prepare for some datasets of a domain, or for all if none is named.

    Raises:
        RequestError: the domain has no such dataset.
        DabsError: the domain has neither a builder nor parts, or its parts are not its datasets.
    """
    names, root = tuple(datasets), folder_of(domain)
    known = domain.datasets()
    for name in names:
        if name not in known:
            raise unknown("dataset", name, list(known), of=f"{domain.name} ({domain.suite})")
    if not domain.parts:
        if domain.build is None:
            raise DabsError(f"{domain.name} ({domain.suite}) has neither a builder nor parts.")
        files = {f"{name}/{split}": Path(name, f"{split}.arrow") for name, splits in known.items() for split in splits}
        about = {"sources": domain.sources, "build": domain.build, "version": domain.version}
        return [Unit(domain=domain, folder=root, splits=files, only="", **about)]  # type: ignore[arg-type]
    if sorted(part.dataset for part in domain.parts) != sorted(known):
        raise DabsError(f"{domain.name} ({domain.suite}): its parts must be {sorted(known)}, each once.")
    return [
        Unit(
            domain=domain,
            folder=root / part.dataset,
            splits={f"{part.dataset}/{split}": Path(f"{split}.arrow") for split in known[part.dataset]},
            sources=part.sources,
            build=part.build,
            version=part.version,
            only=part.dataset,
        )
        for part in domain.parts
        if not names or part.dataset in names
    ]


def read_manifest(unit: Unit) -> dict[str, Any]:
    """Read and validate the manifest of a unit.

    Raises:
        DabsError: the data is not prepared, was prepared by another version, or the manifest is damaged.
    """
    path = unit.folder / "manifest.json"
    way_out = f"Run `{unit.command}`."
    if not path.exists():
        raise DabsError(f"the data of {unit.name} ({unit.domain.suite}) is not prepared: there is no {path}. {way_out}")
    manifest = read_object(path)
    if type(manifest.get("format")) is not int or manifest["format"] != FORMAT:
        raise other_version(path, "format", manifest.get("format"), FORMAT, older=way_out)
    if manifest.get("version") != unit.version:
        stated = f"version {short(manifest.get('version'))} of {unit.name}, this dabs reads {unit.version}"
        raise DabsError(f"{path} was written by another version of the domain: {stated}. {way_out}")
    if manifest.get("source_sha256", "") != unit.domain.source_sha256:
        raise DabsError(f"{path} was prepared by another version of {unit.domain.reference or unit.name}. {way_out}")
    _check_entries(path, unit, manifest)
    return manifest


def _check_entries(path: Path, unit: Unit, manifest: dict[str, Any]) -> None:
    """Raise a DabsError if a manifest lacks an entry that its readers use, or an entry has the wrong type."""
    kinds = {"splits": dict, "files": dict, "sources": list, "inputs": list}
    wrong = [name for name, kind in kinds.items() if not isinstance(manifest.get(name), kind)]
    if not wrong:
        entry = {"rows": int, "sha256": str, "split_sha256": str}
        wrong += [
            f"splits.{key}.{name}"
            for key in unit.splits
            for name, kind in entry.items()
            if not isinstance(found := manifest["splits"].get(key), dict) or type(found.get(name)) is not kind
        ]
        wrong += [f"files.{short(name)}" for name in manifest["files"] if Path(name).name != name]
    if wrong:
        raise DabsError(f"{path} is damaged: {wrong[0]} is not as it was written. Run `{unit.command} --force`.")


def has_manifest(unit: Unit) -> bool:
    """Return whether a unit has a manifest of the version that this code reads; files that it lists may be missing."""
    try:
        read_manifest(unit)
    except DabsError:
        return False
    return True


def is_unit_prepared(unit: Unit) -> bool:
    """Return whether a unit is prepared, in the version that this code reads, with all its splits."""
    return has_manifest(unit) and all((unit.folder / file).is_file() for file in unit.splits.values())


def is_prepared(domain: Domain, datasets: Iterable[str] = ()) -> bool:
    """Return whether some datasets (or all) are prepared, in the version that this code reads."""
    return all(is_unit_prepared(unit) for unit in units_of(domain, datasets))


def tasks_not_prepared(domain: Domain) -> list[str]:
    """Return the names of the tasks of a domain whose data is not prepared."""
    return [task.name for task in domain.tasks if not is_prepared(domain, (task.name,))]


@dataclass(frozen=True, kw_only=True)
class SplitEntry:
    """What a manifest records about one split."""

    rows: int
    sha256: str  # of all rows
    split_sha256: str  # of the groups of all rows, which shows how the data was split


@dataclass(frozen=True)
class Prepared:
    """One prepared dataset of a domain; its manifest is read and validated once, by `open_prepared`."""

    domain: Domain
    dataset: str  # `PRETRAIN` or a task's name
    unit: Unit
    manifest: dict[str, Any]

    def entry(self, split: str) -> SplitEntry:
        """Return what the manifest records about a split."""
        found = self.manifest["splits"][f"{self.dataset}/{split}"]
        return SplitEntry(**{name: found[name] for name in ("rows", "sha256", "split_sha256")})

    def path(self, split: str) -> Path:
        """Return the Arrow file of a split."""
        return self.unit.folder / self.unit.splits[f"{self.dataset}/{split}"]

    def columns(self, split: str, only: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
        """Return columns of a split in their stored types, inputs shaped by their specs.

        Args:
            split: its name.
            only: which columns; all if empty.
            optional: further columns, for splits that have them.

        Raises:
            DabsError: the file is missing, damaged, or not as the manifest says.
        """
        import pyarrow as pa

        path, rows = self.path(split), self.entry(split).rows
        try:
            with pa.memory_map(str(path)) as source:
                table = pa.ipc.open_stream(source).read_all()
            wanted = [*only, *(name for name in optional if name in table.column_names)]
            table = table.select(wanted) if only else table
            table.validate(full=True)  # string offsets that point outside the file would be followed
            if table.num_rows != rows:
                raise ValueError(f"it has {table.num_rows:,} rows, its manifest says {rows:,}")
            columns = {name: column_values(table.column(name)) for name in table.column_names}
            shapes = {f"input_{i}": spec.shape for i, spec in enumerate(self.domain.specs)}
            return {name: x.reshape(-1, *shapes[name]) if name in shapes else x for name, x in columns.items()}
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            raise DabsError(f"{path} cannot be read ({error}). Run `{self.unit.command} --force`.") from error

    def clusters(self, split: str) -> np.ndarray:
        """Return the number of each row's cluster, int64 (n,), counted from 0 in the order in which they appear.

        A cluster is what an interval draws as a whole: the group, unless the domain names something smaller.
        """
        columns = self.columns(split, ("group",), optional=("cluster",))
        names = columns.get("cluster", columns["group"])
        _, first, number = np.unique(names, return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[number]

    def standardisation(self) -> Standardisation:
        """Return the constants of the domain's inputs, which are those of its pretraining set.

        Raises:
            DabsError: the pretraining set is not prepared, or its manifest is damaged.
        """
        pretraining = self if self.dataset == PRETRAIN or not self.domain.parts else open_prepared(self.domain)
        try:
            return standardisation_from_json(pretraining.manifest["inputs"], self.domain.specs)
        except RequestError as error:
            path = pretraining.unit.folder / "manifest.json"
            raise DabsError(f"{path} is damaged: {error}. Run `{pretraining.unit.command} --force`.") from error

    def labels(self, split: str) -> np.ndarray:
        """Return the labels of a split of a task, in their stored type."""
        return self.columns(split, ("label",))["label"]


def open_prepared(domain: Domain, dataset: str = PRETRAIN) -> Prepared:
    """Open a prepared dataset of a domain.

    Raises:
        RequestError: the domain has no such dataset.
        DabsError: it is not prepared, or another version of the domain prepared it.
    """
    unit = units_of(domain, (dataset,))[0]
    return Prepared(domain=domain, dataset=dataset, unit=unit, manifest=read_manifest(unit))


def read_columns(domain: Domain, dataset: str, split: str, only: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Open a prepared dataset and return columns of one split; see `Prepared.columns`."""
    return open_prepared(domain, dataset).columns(split, only)
