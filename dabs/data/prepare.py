"""Prepared data on disk: one Arrow file a split, written once, the manifest last; and how it is read into batches.

$DABS_HOME/sources/, raw/              fetched files
$DABS_HOME/lite/sensor/manifest.json   what is here, with hashes; its presence means the rest is whole
$DABS_HOME/lite/sensor/exercise/train.arrow   columns input_0.., label, group (Hugging Face `datasets` reads it)
$DABS_HOME/paper/speech/librispeech/manifest.json   where a domain has parts, each dataset has its own manifest
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dabs import __version__
from dabs.data.arrow import SplitWriter, array_of, hashes_of
from dabs.data.domain import PRETRAIN, Domain, Rows, Source, Workspace
from dabs.errors import DabsError, RequestError, unknown
from dabs.specs import specs_to_json
from dabs.utils.files import data_home, remove_leftovers, replacing, sha256_file, short, sole_use, write_json
from dabs.utils.strict_json import read_object

if TYPE_CHECKING:
    pass

FORMAT = 1


def folder_of(domain: Domain) -> Path:
    """Where a domain's prepared data lives."""
    return data_home() / domain.suite / domain.name


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What is prepared in one go and has one manifest: a whole domain, or one part of it."""

    domain: Domain
    folder: Path  # under the domain's folder, or that folder itself
    splits: dict[str, Path]  # "dataset/split" -> its file below `folder`
    sources: tuple[Source, ...]
    build: Callable[[Workspace], Iterator[Rows]]
    version: int
    only: str  # the dataset of a part; empty for a whole domain

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.domain.name} {self.only}".strip()

    @property
    def command(self) -> str:
        """What prepares it."""
        only = f" --tasks {self.only}" if self.only else ""
        return f"dabs data prepare {self.domain.name} --suite {self.domain.suite}{only}"


def units_of(domain: Domain, datasets: Iterable[str] = ()) -> list[Unit]:
    """What must be prepared for some datasets of a domain, or for all.

    Raises:
        RequestError: the domain has no such dataset, or its datasets are not prepared one by one.
        DabsError: the domain's parts are not its datasets.
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


def manifest_of(domain: Domain, dataset: str = PRETRAIN) -> dict[str, Any]:
    """The manifest that covers a dataset of a domain.

    Raises:
        DabsError: it is not prepared, or was prepared by another version of the domain.
    """
    return _manifest(units_of(domain, (dataset,))[0])


def _manifest(unit: Unit) -> dict[str, Any]:
    path = unit.folder / "manifest.json"
    way_out = f"Run `{unit.command}`."
    if not path.exists():
        raise DabsError(f"the data of {unit.name} ({unit.domain.suite}) is not prepared: there is no {path}. {way_out}")
    manifest = read_object(path)
    found = (manifest.get("format"), manifest.get("version"))
    if found != (FORMAT, unit.version):
        raise DabsError(
            f"{path} was written by another version: {short(found)} instead of {(FORMAT, unit.version)}. {way_out}"
        )
    _check_entries(path, unit, manifest)
    return manifest


def _check_entries(path: Path, unit: Unit, manifest: dict[str, Any]) -> None:
    """Refuse a manifest that lacks what its readers use, or says it in other types."""
    kinds = {"splits": dict, "files": dict, "sources": list}
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


def _is_there(unit: Unit) -> bool:
    try:
        _manifest(unit)
    except DabsError:
        return False
    return True


def is_prepared(domain: Domain, datasets: Iterable[str] = ()) -> bool:
    """Whether the data of some datasets (or all) is there, in the version this code reads."""
    return all(_is_there(unit) for unit in units_of(domain, datasets))


def tasks_not_prepared(domain: Domain) -> list[str]:
    """The tasks of a domain whose data is not there."""
    return [task.name for task in domain.tasks if not is_prepared(domain, (task.name,))]


def prepare(
    domain: Domain, say: Callable[[str], None] = print, *, force: bool = False, datasets: Iterable[str] = ()
) -> None:
    """Fetch, build and write the data of some datasets of a domain (or all), unless it is there.

    Waits while another process prepares data of the domain, and then takes what that left.

    Raises:
        DabsError: some could not be prepared; the others are, and the message says what each of the some lacks.
    """
    units = units_of(domain, datasets)
    if not force and all(_is_there(unit) for unit in units):
        return  # without the lock, which a disk that is only read could not hold
    with sole_use(folder_of(domain), wait=True):
        _prepare_each(units, say, force=force)


def _prepare_each(units: list[Unit], say: Callable[[str], None], *, force: bool) -> None:
    reasons = []
    for unit in units:
        if not force and _is_there(unit):
            continue
        try:
            _prepare(unit, say)
        except RequestError:
            raise
        except DabsError as error:
            if len(units) == 1:
                raise
            reasons.append(f"{unit.name}: {error}")
    if reasons:
        raise DabsError(f"{len(reasons)} of {len(units)} datasets were not prepared.\n\n" + "\n\n".join(reasons))


def _prepare(unit: Unit, say: Callable[[str], None]) -> None:
    """The folder is built under a temporary name and renamed when the manifest is written, so that an interrupted
    preparation is never taken for a whole one; what a killed one left is removed, since the caller is alone here."""
    domain = unit.domain
    sources = {s.name: s.fetch(data_home() / "sources", say) for s in unit.sources}
    workspace = Workspace(sources=sources, say=say)
    say(f"building {unit.name}")
    remove_leftovers(unit.folder)
    with replacing(unit.folder) as folder:
        splits = _write_splits(unit, folder, unit.build(workspace))
        for name, content in workspace.files.items():
            (folder / name).write_bytes(content)
        manifest = {
            "format": FORMAT,
            "domain": domain.name,
            "suite": domain.suite,
            "version": unit.version,
            "dabs": __version__,
            "specs": specs_to_json(domain.specs),
            "sources": [s.describe() for s in unit.sources],
            "splits": splits,
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in workspace.files.items()},
        }
        if workspace.notes:
            manifest["notes"] = workspace.notes
        write_json(folder / "manifest.json", manifest)


def _write_splits(unit: Unit, folder: Path, blocks: Iterator[Rows]) -> dict[str, dict[str, Any]]:
    writers: dict[str, SplitWriter] = {}
    for rows in blocks:
        key = f"{rows.dataset}/{rows.split}"
        if key not in unit.splits:
            raise DabsError(f"{unit.name}: its builder wrote {key}, which is none of {sorted(unit.splits)}.")
        if key not in writers:
            writers[key] = SplitWriter(folder / unit.splits[key])
        writers[key].write(rows)
    if set(writers) != set(unit.splits):
        raise DabsError(f"{unit.name}: its builder wrote {sorted(writers)}, its tasks need {sorted(unit.splits)}.")
    return {key: writer.close() for key, writer in sorted(writers.items())}


def read_columns(domain: Domain, dataset: str, split: str, only: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Columns of a split (`only` these, or all) as arrays in their stored types, inputs shaped by spec.

    Raises:
        DabsError: the data is not prepared, or is not what the manifest says.
    """
    import pyarrow as pa

    path = folder_of(domain) / dataset / f"{split}.arrow"
    rows = manifest_of(domain, dataset)["splits"][f"{dataset}/{split}"]["rows"]
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_stream(source).read_all()
        table = table.select(list(only)) if only else table
        table.validate(full=True)  # offsets of strings that point elsewhere would be followed
        if table.num_rows != rows:
            raise ValueError(f"it has {table.num_rows:,} rows, its manifest says {rows:,}")
        columns = {name: array_of(table.column(name)) for name in table.column_names}
        shapes = {f"input_{i}": spec.shape for i, spec in enumerate(domain.specs)}
        return {name: x.reshape(-1, *shapes[name]) if name in shapes else x for name, x in columns.items()}
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise DabsError(
            f"{path} cannot be read ({error}). Run `{units_of(domain, (dataset,))[0].command} --force`."
        ) from error


def verify(domain: Domain) -> list[str]:
    """Re-read every split and kept file and compare with the manifest; gives one line for each that differs.

    Raises:
        DabsError: nothing is prepared. Parts that are not are passed over.
    """
    units = units_of(domain)
    there = [unit for unit in units if _is_there(unit)]
    return [line for unit in there or units[:1] for line in _verify(unit)]


def _verify(unit: Unit) -> list[str]:
    manifest, wrong = _manifest(unit), []
    for name, expected in manifest["files"].items():
        path = unit.folder / name
        if not path.exists() or sha256_file(path) != expected:
            wrong.append(f"{'/'.join(unit.name.split())}/{name}: missing or not what was written")
    for key, expected in manifest["splits"].items():
        place = f"{unit.domain.name}/{key}"
        try:
            found = hashes_of(unit.folder / unit.splits[key])
        except (OSError, ValueError) as error:
            wrong.append(f"{place}: cannot be read ({error})")
            continue
        wrong += [f"{place}: {k} is {found[k]}, expected {expected[k]}" for k in found if found[k] != expected[k]]
    return wrong
