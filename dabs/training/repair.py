"""Runs whose encoder is lost, and runs that make room for another one.

A run is deterministic, so a lost encoder is trained again from the run's configuration. Nothing that was finished is
deleted: what gives way is put aside under a name that says so.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from dabs.config import PretrainConfig
from dabs.errors import DabsError, DabsWarning, first_line
from dabs.results.files import RESULT_SUFFIX
from dabs.training.run_folder import check_folder, read_provenance
from dabs.utils.files import sha256_file, sole_use, write_error
from dabs.utils.strict_json import read_object

BEFORE = "run.before.json"  # the run.json of an encoder that was lost, until it has been trained again


def find_lost_encoder(folder: Path) -> str:
    """Return what is wrong with the encoder of a complete run; an empty string if it is intact or not yet there.

    Raises:
        DabsError: `run.json` is damaged.
    """
    provenance = read_provenance(folder)
    if provenance is None:
        return ""
    for name in ("encoder.safetensors", "config.json"):
        if not (folder / "encoder" / name).is_file():
            return f"{folder / 'encoder' / name} is missing"
    hashes = {"encoder.safetensors": provenance["weights_sha256"], "config.json": provenance.get("sizes_sha256")}
    for name, stated in hashes.items():
        path = folder / "encoder" / name
        if stated is not None and sha256_file(path) != stated:  # runs of earlier versions state no hash of the sizes
            return f"{path} is not what the run wrote"
    try:
        read_object(folder / "encoder" / "config.json")
    except DabsError as error:
        return f"{folder / 'encoder' / 'config.json'} is damaged ({first_line(error)})"
    return ""


def reopen_without_encoder(folder: Path) -> None:
    """Mark a complete run whose encoder is lost as incomplete, with a warning; the caller must hold its lock."""
    lost = find_lost_encoder(folder)
    if lost:
        os.replace(folder / "run.json", folder / BEFORE)
        warnings.warn(f"{lost}, so this run is trained again", DabsWarning, stacklevel=2)


def label_before(folder: Path) -> str:
    """Return what tables call a run that is complete or was once; an empty string if that is not recorded."""
    for name in ("run.json", BEFORE):
        if (folder / name).is_file():
            label = read_object(folder / name).get("label")
            return label if isinstance(label, str) else ""
    return ""


def compare_with_before(folder: Path) -> None:
    """Say, once a run was trained again, whether its results still fit it; the caller must hold its lock."""
    before, now = folder / BEFORE, read_provenance(folder)
    if now is None or not before.is_file():
        return
    if read_object(before).get("weights_sha256") == now["weights_sha256"]:
        before.unlink()
        return
    has_results = any((folder / "results").glob(f"*{RESULT_SUFFIX}"))
    advice = f" Its results are still those of the lost weights: `dabs eval {folder}` replaces them." * has_results
    warnings.warn(
        f"the weights of {folder} are not those that were lost, as after a change of machine, number of threads or "
        f"version.{advice} {before} says how the lost ones were made.",
        DabsWarning,
        stacklevel=2,
    )


def put_aside(folder: Path) -> Path:
    """Rename the folder of a run, so that another run can take its place, and return its new path.

    The new name starts with a dot, so that tables do not read the results in it.

    Raises:
        DabsError: another process is working on the run, or the folder cannot be renamed.
    """
    with sole_use(folder):
        number = 1
        while (aside := folder.with_name(f".{folder.name}.replaced-{number}")).exists():
            number += 1
        try:
            os.replace(folder, aside)
        except OSError as error:
            raise write_error(aside, error) from error
    return aside


def make_room(folder: Path, config: PretrainConfig, identity: dict[str, Any]) -> None:
    """Put the run in a folder aside, with a warning that says where it is, unless it is this very run.

    Args:
        folder: the run's folder.
        config, identity: as for `check_folder`.

    Raises:
        DabsError: as `put_aside` does.
    """
    try:
        check_folder(folder, config, identity)
    except DabsError:
        aside = put_aside(folder)
        text = f"the run that was in {folder} is kept in {aside}; delete it when you no longer need it"
        warnings.warn(text, DabsWarning, stacklevel=2)
