"""A shared store of runs and results: a folder at any fsspec URL (s3://bucket/dabs, file:///mnt/dabs) that mirrors OUT.

URL/lite/shed/sensor/seed0/   what the run's folder holds, by the same names
    checkpoints/LATEST        names the newest checkpoint that is there whole

Machines need no common disk: each fetches what it lacks before it works on a run, and sends what it made. As on disk,
the file whose presence means that the rest is whole goes last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dabs.errors import DabsError, RequestError
from dabs.training.checkpoint import latest_checkpoint
from dabs.utils.files import replacing

LATEST = "LATEST"


class Store:
    """Runs at a URL.

    Args:
        url: of the folder that mirrors `root`.
        root: the local folder of runs.

    Raises:
        RequestError: no such kind of URL, or its package is not installed.
    """

    def __init__(self, url: str, root: Path) -> None:
        import fsspec

        self.url, self.root = url, root.absolute()
        local = {"auto_mkdir": True} if "://" not in url or url.startswith("file:") else {}
        try:
            self.files, self.base = fsspec.core.url_to_fs(url, **local)
        except (ImportError, ValueError) as error:
            raise RequestError(f"--store {url}: {error}. For s3:// install 'dabs[s3]'.") from error

    def _place(self, path: Path) -> str:
        return f"{self.base}/{path.absolute().relative_to(self.root).as_posix()}"

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except DabsError:
            raise
        except Exception as error:  # each kind of store has errors of its own
            reason = f"{type(error).__name__}: {error}"
            raise DabsError(
                f"the store {self.url} cannot be used ({reason}). Check the URL and your rights."
            ) from error

    def send(self, run: Path) -> None:
        """Send a run's files: run.json after all others, and when it is there the checkpoints are dropped."""
        with self._reached():
            names = [path for path in run.rglob("*") if path.is_file() and _belongs(path.relative_to(run))]
            for path in sorted(names, key=_order):
                self.files.put_file(str(path), self._place(path))
            if (run / "run.json").exists() and self.files.exists(self._place(run / "checkpoints")):
                self.files.rm(self._place(run / "checkpoints"), recursive=True)

    def send_checkpoint(self, run: Path) -> None:
        """Send the newest checkpoint with the log up to it; one that is older is dropped after it."""
        checkpoint = latest_checkpoint(run)
        if checkpoint is None:
            return
        with self._reached():
            for path in [run / "config.json", run / "metrics.csv", *sorted(checkpoint.iterdir())]:
                self.files.put_file(str(path), self._place(path))
            before = self._latest(run)
            self.files.pipe_file(self._place(run / "checkpoints" / LATEST), checkpoint.name.encode())
            if before not in (None, checkpoint.name):
                self.files.rm(self._place(run / "checkpoints" / str(before)), recursive=True)

    def _latest(self, run: Path) -> str | None:
        place = self._place(run / "checkpoints" / LATEST)
        name = self.files.cat_file(place, end=100).decode() if self.files.exists(place) else None
        if name is not None and not re.fullmatch(r"step-\d+", name):
            raise DabsError(f"{self.url} is damaged: {place} names {name!r}, which is no checkpoint. Remove it there.")
        return name

    def fetch(self, run: Path, *, results_only: bool = False) -> None:
        """Fetch what the store has of a run and this machine lacks: files, and a checkpoint that is newer."""
        with self._reached():
            self.files.invalidate_cache()
            if not results_only:
                self._fetch_checkpoint(run)
            folder = self._place(run)
            found = [run / name.removeprefix(folder).strip("/") for name in self._names(folder)]
            for path in sorted(found, key=_order):
                inside = path.relative_to(run)
                wanted = inside.parts[0] in ("results", "config.json") if results_only else _belongs(inside)
                if wanted and not path.exists():
                    self._get(path)

    def _fetch_checkpoint(self, run: Path) -> None:
        name, own = self._latest(run), latest_checkpoint(run)
        if name is None or (own is not None and own.name >= name) or (run / "run.json").exists():
            return
        target = run / "checkpoints" / name
        self._names(self._place(target))
        with replacing(target) as folder:
            self.files.get(self._place(target), str(folder), recursive=True)
        self._get(run / "metrics.csv")  # the log that belongs to it

    def _names(self, folder: str) -> list[str]:
        """The files below a folder of the store; keys of a bucket may be any text, also one that leads elsewhere."""
        names = [str(name) for name in self.files.find(folder)]
        for name in names:
            if ".." in name.split("/"):
                raise DabsError(f"{self.url} holds {name!r}, which would lie outside of {folder}. Remove it there.")
        return names

    def _get(self, path: Path) -> None:
        with replacing(path) as temporary:
            self.files.get_file(self._place(path), str(temporary))

    def runs(self) -> list[Path]:
        """Where the runs of the store lie, or would lie, on this machine."""
        with self._reached():
            self.files.invalidate_cache()
            names = self.files.glob(f"{self.base}/*/*/*/*")
        inside = [name for name in sorted(names) if ".." not in name.split("/")]
        return [self.root / name.removeprefix(self.base).strip("/") for name in inside]


def _belongs(inside: Path) -> bool:
    """Whether a file of a run's folder is sent by itself: not those of checkpoints, nor temporary ones and locks."""
    return inside.parts[0] != "checkpoints" and not any(part.startswith(".") for part in inside.parts)


def _order(path: Path) -> tuple[bool, bool, Path]:
    return path.name == "run.json", path.suffix == ".json", path
