"""Prepare data: fetch it, build it, write one Arrow file per split, and verify it.

The manifest is written last, so its presence means that the rest is complete. `dabs.data.prepared` reads prepared data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dabs import __version__
from dabs.data.arrow import SplitWriter, compute_hashes
from dabs.data.domain import PRETRAIN, TRAIN, BuildError, Domain, Rows, Source, Workspace
from dabs.data.fetch_ahead import source_key
from dabs.data.prepared import FORMAT, Unit, folder_of, has_manifest, is_unit_prepared, read_manifest, units_of
from dabs.data.standardisation import ChannelMoments, standardisation_to_json
from dabs.data.validate import RowChecks
from dabs.errors import DabsError, RequestError
from dabs.official import is_official
from dabs.specs import Standardisation, specs_to_json
from dabs.utils.files import data_home, remove_leftovers, replacing, sha256_file, sole_use, write_json
from dabs.utils.versions import NewerVersionError


def prepare(
    domain: Domain,
    say: Callable[[str], None] = print,
    *,
    force: bool = False,
    datasets: Iterable[str] = (),
    failed: Mapping[str, DabsError] | None = None,
) -> None:
    """Fetch, build and write datasets of a domain that are not prepared yet.

    This waits while another process prepares data of the domain, and then uses what that process wrote.

    Args:
        domain: whose data to prepare.
        say: prints one line of progress.
        force: whether to prepare again what is prepared.
        datasets: the datasets of a domain of parts; all if empty.
        failed: why a source could not be fetched just now, from `fetch_ahead`; it is not tried again.

    Raises:
        DabsError: some datasets could not be prepared. The message says why for each; the others are prepared.
    """
    units = units_of(domain, datasets)
    if not force and all(is_unit_prepared(unit) for unit in units):
        return  # without taking the lock, which is impossible on a read-only disk
    with sole_use(folder_of(domain), wait=True):
        _prepare_each(units, say, failed or {}, force=force)


def _prepare_each(
    units: list[Unit], say: Callable[[str], None], failed: Mapping[str, DabsError], *, force: bool
) -> None:
    reasons = []
    for unit in units:
        if not force and is_unit_prepared(unit):
            continue
        try:
            if not force:
                _keep_newer(unit)
            _prepare(unit, say, failed)
        except RequestError:
            raise
        except DabsError as error:
            if len(units) == 1:
                raise
            reasons.append(f"{unit.name}: {error}")
    if reasons:
        raise DabsError(f"{len(reasons)} of {len(units)} datasets were not prepared.\n\n" + "\n\n".join(reasons))


def _keep_newer(unit: Unit) -> None:
    """Refuse to replace what a newer dabs has prepared."""
    try:
        read_manifest(unit)
    except NewerVersionError as error:
        raise DabsError(
            f"{error} Or let this one prepare its own: set DABS_HOME to another folder, or replace the data with "
            f"`{unit.command} --force`."
        ) from error
    except DabsError:
        pass


def _prepare(unit: Unit, say: Callable[[str], None], failed: Mapping[str, DabsError]) -> None:
    """Prepare one unit; the caller must hold the lock on the domain's folder.

    The folder is built under a temporary name and renamed when it is complete, so that an interrupted preparation is
    never mistaken for a complete one. What killed processes left is removed.
    """
    domain = unit.domain
    sources = {s.name: _fetch(s, say, failed) for s in unit.sources}
    workspace = Workspace(sources=sources, say=say)
    say(f"building {unit.name}")
    remove_leftovers(unit.folder)
    checks = RowChecks(domain, duplicates=not is_official(domain.name, domain.suite))
    with replacing(unit.folder) as folder:
        splits, inputs = _write_splits(unit, folder, _built_rows(unit, workspace), checks)
        notes = [*workspace.notes, *checks.finish()] if checks.duplicates else workspace.notes
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
            "inputs": standardisation_to_json(inputs),
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in workspace.files.items()},
        }
        if notes:
            manifest["notes"] = notes
        if domain.source_sha256:
            manifest["source_sha256"] = domain.source_sha256
        write_json(folder / "manifest.json", manifest)


def _fetch(source: Source, say: Callable[[str], None], failed: Mapping[str, DabsError]) -> Path:
    if source_key(source) in failed:
        raise failed[source_key(source)]
    return source.fetch(data_home() / "sources", say)


def _built_rows(unit: Unit, workspace: Workspace) -> Iterator[Rows]:
    """Yield what the builder yields. What it cannot read is not taken for a folder that cannot be written."""
    try:
        yield from unit.build(workspace)
    except OSError as error:
        if error.errno is not None:
            raise
        raise BuildError(  # Pillow, for one, raises an OSError without a number for a file that is no picture
            f"while {unit.name} was being built, a file could not be read: {error}. Mend it or move it away, and run "
            "the same command again."
        ) from error


def _write_splits(
    unit: Unit, folder: Path, blocks: Iterator[Rows], checks: RowChecks
) -> tuple[dict[str, dict[str, Any]], Standardisation]:
    """Write the rows of every split; return the entries of the manifest and the constants of the pretraining inputs."""
    writers: dict[str, SplitWriter] = {}
    moments = ChannelMoments(unit.domain.specs)
    constants: Standardisation = ()
    for rows in blocks:
        key = f"{rows.dataset}/{rows.split}"
        if key not in unit.splits:
            raise DabsError(f"{unit.name}: its builder wrote {key}, which is none of {sorted(unit.splits)}.")
        checks.update(rows)
        if key not in writers:
            writers[key] = SplitWriter(folder / unit.splits[key])
        writers[key].write(rows)
        if (rows.dataset, rows.split) == (PRETRAIN, TRAIN):
            moments.update(rows.inputs)
            constants = moments.constants(tuple(x.dtype for x in rows.inputs))
    if set(writers) != set(unit.splits):
        raise DabsError(f"{unit.name}: its builder wrote {sorted(writers)}, but its tasks need {sorted(unit.splits)}.")
    return {key: writer.close() for key, writer in sorted(writers.items())}, constants


def verify(domain: Domain) -> list[str]:
    """Read every split and kept file again and compare it with the manifest. Parts that are not prepared are skipped.

    Returns:
        One line for each file that differs.

    Raises:
        DabsError: nothing of the domain is prepared.
    """
    units = units_of(domain)
    prepared = [unit for unit in units if has_manifest(unit)]
    return [line for unit in prepared or units[:1] for line in _verify(unit)]


def _verify(unit: Unit) -> list[str]:
    manifest, wrong = read_manifest(unit), []
    for name, expected in manifest["files"].items():
        path = unit.folder / name
        if not path.exists() or sha256_file(path) != expected:
            wrong.append(f"{'/'.join(unit.name.split())}/{name}: missing or not what was written")
    for key, expected in manifest["splits"].items():
        place = f"{unit.domain.name}/{key}"
        try:
            found = compute_hashes(unit.folder / unit.splits[key])
        except (OSError, ValueError) as error:
            wrong.append(f"{place}: cannot be read ({error})")
            continue
        wrong += [
            f"{place}: {k} is {found[k]}, its manifest says {expected[k]}" for k in found if found[k] != expected[k]
        ]
    return wrong
