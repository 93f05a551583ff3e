"""Pretrain a submission in a sandbox, and take over nothing but its weights.

The algorithm's file runs only in the sandbox, where it finds the pretraining inputs of its domain, no labels and no
other data. What it leaves behind is read like any stranger's file: plain files of limited size, a configuration and an
encoder of the sizes that were asked for. Evaluation is done outside, by this code, from the weights.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from dabs.config import PretrainConfig
from dabs.data.domain import PRETRAIN
from dabs.data.prepared import open_prepared
from dabs.errors import DabsError
from dabs.registry import find_domain, read_algorithm
from dabs.training.run_folder import RUN_FORMAT, load_config, read_provenance
from dabs.utils.files import data_home, replacing, sole_use, write_json
from dabs.utils.sandbox import Isolation, Sandbox, python_command, python_folders
from dabs.utils.strict_json import read_object

#: What is taken out of the sandbox, and the largest size of each file in bytes.
RUN_FILES = {
    "config.json": 1_000_000,
    "metrics.csv": 100_000_000,
    "encoder/config.json": 1_000_000,
    "encoder/encoder.safetensors": 4_000_000_000,
    "run.json": 1_000_000,
}
PACKAGES = ("dabs", "dabs.algorithms", "dabs.domains")  # of which an editable install keeps the folders elsewhere


def pretrain_isolated(config: PretrainConfig, folder: Path, isolation: Isolation) -> None:
    """Pretrain in a sandbox, or do nothing if the run is complete. A run that was stopped resumes.

    Args:
        config: of the run, with every value spelled out; its algorithm is `path/to/file.py:Class`.
        folder: where the run's files are written.
        isolation: from `dabs.utils.sandbox.find_isolation`.

    Raises:
        DabsError: the run failed, or what it left is not the run that was asked for.
    """
    if (folder / "run.json").exists():
        _check_run(folder, folder, config)
        return
    kind, source = read_algorithm(config.algorithm)
    work = folder.absolute().with_name(f".{folder.name}.sandbox")
    given, run = work / "given", work / "run" / folder.name  # the run's lock lies beside its folder
    with sole_use(work):
        for path in (given, run.parent):
            path.mkdir(parents=True, exist_ok=True)
        (given / "algorithm.py").write_text(source, encoding="utf-8")
        asked = asdict(config) | {"algorithm": f"{given / 'algorithm.py'}:{kind}"}
        write_json(given / "config.json", {"format": RUN_FORMAT, "pretrain": asked})
        sandbox = build_sandbox(config, isolation, read=[given], write=[run.parent])
        words = ["--config", str(given / "config.json"), "--out", str(run), "--logger", "none"]
        sandbox.run(python_command("-m", "dabs", "pretrain", *words))
        with replacing(folder) as temporary:
            for name, size in RUN_FILES.items():
                copy_plain_file(run, name, temporary / name, size)
            _check_run(temporary, run, config)
        shutil.rmtree(work, ignore_errors=True)


def build_sandbox(config: PretrainConfig, isolation: Isolation, *, read: list[Path], write: list[Path]) -> Sandbox:
    """Return a sandbox with Python, dabs without its published labels, and the pretraining inputs of the domain.

    Args:
        config: of the run.
        isolation: of the sandbox.
        read: further files that it may read.
        write: folders that it may change.
    """
    data = open_prepared(find_domain(config.domain, config.suite))
    unit = data.unit
    splits = [unit.folder / path for name, path in unit.splits.items() if name.partition("/")[0] == PRETRAIN]
    packages = [Path(place).resolve() for name in PACKAGES for place in import_module(name).__path__]
    folders = [*python_folders(), *packages]
    results = [folder / "leaderboard" / name for folder in folders for name in ("results", "submissions")]
    return Sandbox(
        isolation=isolation,
        read=[*folders, unit.folder / "manifest.json", *splits, *read],
        write=write,
        hidden=[path for path in results if path.is_dir()],  # published predictions hold the labels of the tests
        variables={"DABS_HOME": str(data_home().absolute())},
    )


def copy_plain_file(folder: Path, name: str, target: Path, max_bytes: int) -> None:
    """Copy a file out of a folder that a stranger's code has written; no link is followed, no device is read.

    Args:
        folder: the folder.
        name: of the file in it, with / between folders.
        target: where the copy is written.
        max_bytes: the largest allowed size.

    Raises:
        DabsError: the file is missing, reached through a link, not a plain file, or too large.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _opened(folder, name) as number, open(target, "wb") as copy:
            about = os.fstat(number)
            if not stat.S_ISREG(about.st_mode) or about.st_nlink > 1:
                raise DabsError(f"{folder / name}, which the sandbox left, is not a plain file. Delete {folder}.")
            left = max_bytes
            while chunk := os.read(number, min(1 << 20, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise DabsError(f"{folder / name}, which the sandbox left, has more than {max_bytes:,} bytes.")
                copy.write(chunk)
    except OSError as error:
        why = f"is missing, or lies behind a link ({error.strerror})"
        raise DabsError(f"{folder / name}, which the sandbox should have left, {why}.") from error


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[int]:
    """Open a file below a folder, going down folder by folder so that a link is never followed."""
    *parents, last = name.split("/")
    numbers = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)]
    try:
        for part in parents:
            numbers.append(os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=numbers[-1]))
        numbers.append(os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=numbers[-1]))
        yield numbers[-1]
    finally:
        for number in numbers:
            os.close(number)


def _check_run(folder: Path, place: Path, config: PretrainConfig) -> None:
    """Check that a run from a sandbox is the one that was asked for.

    Args:
        folder: the copy of its files.
        place: the folder to delete if it is not, for the message.
        config: what was asked for.

    Raises:
        DabsError: its configuration, its source or the sizes of its encoder are others, or it is not complete.
    """
    from dabs.encoder import PRESETS
    from dabs.training.checkpoint import encoder_config_from_json

    found = asdict(load_config(folder))
    wanted = asdict(config) | {"algorithm": found["algorithm"]}  # a copy of the file was run
    different = [name for name in wanted if wanted[name] != found[name]]
    sizes = encoder_config_from_json(read_object(folder / "encoder" / "config.json").get("encoder"))
    if sizes != PRESETS[config.encoder]:
        different.append("the size of the encoder")
    source = hashlib.sha256(read_algorithm(config.algorithm)[1].encode()).hexdigest()
    if (read_provenance(folder) or {}).get("algorithm_sha256") != source:
        different.append("the source")
    if different:
        raise DabsError(
            f"the run in {place}, which a sandbox left, is not the one that was asked for. Different: "
            f"{', '.join(different)}. Delete that folder to run it again; if it differs again, the submission's code "
            "does this."
        )
