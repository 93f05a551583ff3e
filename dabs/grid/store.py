"""A store of runs and results that several machines share.

The store is a folder at any fsspec URL (s3://bucket/dabs, file:///mnt/dabs) that mirrors the local folder of runs.

URL/lite/shed/sensor/seed7/   the files of the run's folder, under the same names
    checkpoints/LATEST        the name of the newest complete checkpoint

Machines need no shared disk: each fetches what it lacks before it works on a run, and sends what it has made. As on
disk, the file whose presence means that the rest is complete is sent last.
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
    """A store of runs at a URL.

    Args:
        url: of the folder that mirrors `root`.
        root: the local folder of runs.

    Raises:
        RequestError: the kind of URL is unknown, or its package is not installed.
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
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except DabsError:
            raise
        except Exception as error:  # each kind of store has its own errors
            reason = f"{type(error).__name__}: {error}"
            raise DabsError(
                f"the store {self.url} cannot be used ({reason}). Check the URL and your access rights."
            ) from error

    def send(self, run: Path) -> None:
        """Send a run's files, run.json last; delete the checkpoints in the store if the run is complete."""
        with self._explain_errors():
            paths = [path for path in run.rglob("*") if path.is_file() and _is_sent(path.relative_to(run))]
            for path in sorted(paths, key=_order):
                self.files.put_file(str(path), self._place(path))
            if (run / "run.json").exists() and self.files.exists(self._place(run / "checkpoints")):
                self.files.rm(self._place(run / "checkpoints"), recursive=True)

    def send_checkpoint(self, run: Path) -> None:
        """Send the newest checkpoint and the log up to it, then delete the checkpoint that it replaces."""
        checkpoint = latest_checkpoint(run)
        if checkpoint is None:
            return
        with self._explain_errors():
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
            raise DabsError(
                f"{self.url} is damaged: {place} names {name!r}, which is not a checkpoint. Remove it there."
            )
        return name

    def fetch(self, run: Path, *, results_only: bool = False) -> None:
        """Fetch the files of a run that this machine lacks, and the store's checkpoint if it is newer."""
        with self._explain_errors():
            self.files.invalidate_cache()
            if not results_only:
                self._fetch_checkpoint(run)
            folder = self._place(run)
            found = [run / name.removeprefix(folder).strip("/") for name in self._names(folder)]
            for path in sorted(found, key=_order):
                inside = path.relative_to(run)
                wanted = inside.parts[0] in ("results", "config.json") if results_only else _is_sent(inside)
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
        self._get(run / "metrics.csv")  # the log up to that checkpoint

    def _names(self, folder: str) -> list[str]:
        """Return the files below a folder of the store; a bucket may hold any key, even a path that leads elsewhere."""
        names = [str(name) for name in self.files.find(folder)]
        for name in names:
            if ".." in name.split("/"):
                raise DabsError(f"{self.url} contains {name!r}, which would be outside {folder}. Remove it there.")
        return names

    def _get(self, path: Path) -> None:
        with replacing(path) as temporary:
            self.files.get_file(self._place(path), str(temporary))

    def runs(self) -> list[Path]:
        """Return the local folders of all runs in the store, fetched or not."""
        with self._explain_errors():
            self.files.invalidate_cache()
            names = self.files.glob(f"{self.base}/*/*/*/*")
        inside = [name for name in sorted(names) if ".." not in name.split("/")]
        return [self.root / name.removeprefix(self.base).strip("/") for name in inside]


def _is_sent(inside: Path) -> bool:
    """Return whether a file of a run's folder is stored as it is, unlike checkpoints, temporary files and locks."""
    return inside.parts[0] != "checkpoints" and not any(part.startswith(".") for part in inside.parts)


def _order(path: Path) -> tuple[bool, bool, Path]:
    return path.name == "run.json", path.suffix == ".json", path
