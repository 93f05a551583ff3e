"""Datasets in their official layout, downloaded or put in place by the user.

$DABS_HOME/raw/NAME/   or DIR/NAME/, where DIR is `--data-dir` or DABS_DATA_DIR
              .done/   one marker for each archive that has been unpacked completely
              .begun/  one marker for each archive that has been moved into place only in part: the dataset is
                       incomplete, even if no expected file is missing

Several sources may share a folder; each looks at the markers of its own archives only.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from dabs.data.domain import Footprint, progress_callback
from dabs.domains.sources.download import ProgressCallback, Stopped, check_disk_space, download, verify_checksum
from dabs.domains.sources.unpack import TEMPORARY_PREFIX, unpack
from dabs.errors import DabsError
from dabs.utils.files import raw_home, sha256_file, write_json
from dabs.utils.strict_json import read_json

PARALLEL_DOWNLOADS = 4  # files of one dataset


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One file that a publisher serves.

    Attributes:
        url: where to download it.
        checksum: the publisher's, "md5:..." or "sha256:..."; empty if there is none.
        size: in bytes, to check the disk space beforehand; 0 if unknown.
        unpacked: size of its contents in bytes; 0 if unknown, then `size` is assumed.
        into: the folder it is unpacked into (or kept in, if `unpack` is false), relative to the dataset's folder.
        unpack: whether it is a zip or tar file to unpack.
        inner: an archive inside the archive that is unpacked too, e.g. "PAMAP2_Dataset.zip".
        provides: files or glob patterns relative to the dataset's folder; if each of them matches something, the
            archive is not downloaded. May be empty for a dataset's only archive.
    """

    url: str
    checksum: str = ""
    size: int = 0
    unpacked: int = 0
    into: str = "."
    unpack: bool = True
    inner: str = ""
    provides: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of the file that `url` serves."""
        return self.url.partition("?")[0].rstrip("/").rpartition("/")[2]

    def path(self, root: Path) -> Path:
        """Return where the archive is kept until it is unpacked."""
        return root / self.into / self.file_name

    def done_marker(self, root: Path) -> Path:
        """Return the file that says that all of its contents are in place."""
        return root / ".done" / f"{self.file_name}.json"

    def begun_marker(self, root: Path) -> Path:
        """Return the file that says that only some of its contents may be in place."""
        return root / ".begun" / self.file_name

    def footprint(self, root: Path | None = None) -> Footprint:
        """Return what fetching it takes; below `root`, without the bytes that an earlier attempt has left."""
        present = 0
        if root:
            path = self.path(root)
            present = next((p.stat().st_size for p in (path, path.with_name(f"{path.name}.part")) if p.exists()), 0)
        unpacked = (self.unpacked or self.size) if self.unpack else self.size
        return Footprint(download=max(self.size - present, 0), unpacked=unpacked)

    def bytes_needed(self, root: Path) -> int:
        """Return the disk space that fetching it will take, not counting what an earlier attempt has left."""
        found = self.footprint(root)
        return found.download + (found.unpacked if self.unpack else 0)

    def is_present(self, root: Path) -> bool:
        """Return whether its contents are in place, downloaded or put there by the user."""
        present = not unmatched(root, self.provides) if self.provides else self.done_marker(root).exists()
        return present and not self.begun_marker(root).exists()  # checked last, because it is written first


@dataclass(frozen=True, kw_only=True)
class OfficialFiles:
    """A dataset in its official layout.

    Attributes:
        name: the dataset's folder below `raw_home()`, and its key in `Workspace.sources`.
        expects: files or glob patterns relative to that folder, each of which must match something. They need not
            cover every file of the dataset.
        archives: downloaded if an expected file is missing; empty if the publisher requires registration.
        instructions: what the user must do by hand, one step per line; shown if something is missing.
        threaded: several datasets may be fetched at once.
    """

    name: str
    expects: tuple[str, ...]
    archives: tuple[Archive, ...] = ()
    instructions: str = ""
    threaded: bool = True

    def describe(self) -> dict[str, str]:
        """Return what the manifest records about this source."""
        checksums = [archive.checksum for archive in self.archives if archive.checksum]
        return {"name": self.name, "files": " ".join(a.file_name for a in self.archives) or "by hand"} | (
            {"checksums": " ".join(checksums)} if checksums else {}
        )

    def footprints(self, *, missing: bool) -> dict[str, Footprint]:
        """Return what each archive takes, by its address; with `missing`, only those that are not in place."""
        root = raw_home() / self.name
        if missing and self._is_complete(root):
            return {}
        wanted = [a for a in self.archives if not (missing and a.is_present(root))]
        return {a.url: a.footprint(root if missing else None) for a in wanted}

    def missing(self, root: Path) -> list[str]:
        """Return the expected files and patterns that match nothing below `root`."""
        return unmatched(root, self.expects)

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """Return the dataset's folder, after downloading what can be downloaded.

        Raises:
            DabsError: a download failed, or files are missing that only the user can get; the message names the
                folder and the files, and gives the instructions.
        """
        root = raw_home() / self.name
        if self._is_complete(root):
            return root
        if self.archives:
            try:
                root.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(root.parent / f".{self.name}.lock"):  # a second process waits here
                    if not self._is_complete(root):
                        self._download(root, say)
            except OSError as error:
                raise DabsError(f"cannot write {root}: {error}. Choose another folder with --data-dir.") from error
        if not self._is_complete(root):
            raise self._incomplete_error(root)
        return root

    def _is_complete(self, root: Path) -> bool:
        return not self.missing(root) and not self._begun(root)  # markers are checked last: they are written first

    def _begun(self, root: Path) -> list[Path]:
        return [marker for archive in self.archives if (marker := archive.begun_marker(root)).exists()]

    def _download(self, root: Path, say: Callable[[str], None]) -> None:
        """Download and unpack every archive that is not present, several at a time.

        Raises:
            DabsError: the first failure, which stops the other downloads. After an interrupted unpacking, the message
                also says how to use files that the user has put in place.
        """
        try:
            self._fetch_all([a for a in self.archives if not a.is_present(root)] or list(self.archives), root, say)
        except DabsError as error:
            if not self._begun(root):
                raise
            raise DabsError(f"{error}\n{self._interrupted_hint(root)}") from error

    def _fetch_all(self, archives: list[Archive], root: Path, say: Callable[[str], None]) -> None:
        for leftover in {p for archive in archives for p in (root / archive.into).glob(f"{TEMPORARY_PREFIX}*")}:
            shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed
        check_disk_space(root, sum(archive.bytes_needed(root) for archive in archives))
        say(f"fetching {self.name}: {', '.join(archive.file_name for archive in archives)}")
        stop, progress = threading.Event(), progress_callback(say)
        with ThreadPoolExecutor(PARALLEL_DOWNLOADS, thread_name_prefix="fetch") as pool:
            futures = [pool.submit(_fetch_archive, archive, root, progress, stop) for archive in archives]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:  # including Ctrl-C: the threads keep their partial files and end
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        with suppress(OSError):  # it may still hold the markers of another source
            (root / ".begun").rmdir()

    def _interrupted_hint(self, root: Path) -> str:
        names = ", ".join(marker.name for marker in self._begun(root))
        return (
            f"An earlier unpacking of {names} in {root} was interrupted. If you have put the unpacked files there "
            f"yourself, delete {root / '.begun'}."
        )

    def _incomplete_error(self, root: Path) -> DabsError:
        missing = "\n".join(f"  {root / pattern}" for pattern in self.missing(root))
        instructions = f"\n{self.instructions.strip()}" if self.instructions else ""
        return DabsError(
            f"{self.name} is incomplete in {root}; missing:\n{missing}{instructions}\n"
            "Then run the same command again. If the files are elsewhere, use --data-dir DIR with a folder that holds "
            f"{self.name}/ (a link will do)."
        )


def provided_by(archives: tuple[Archive, ...]) -> tuple[str, ...]:
    """Return the patterns that several archives provide together."""
    return tuple(pattern for archive in archives for pattern in archive.provides)


def unmatched(root: Path, patterns: tuple[str, ...]) -> list[str]:
    """Return the patterns that match nothing below `root`."""
    return [pattern for pattern in patterns if next(root.glob(pattern), None) is None]


def _fetch_archive(archive: Archive, root: Path, progress: ProgressCallback, stop: threading.Event) -> None:
    """Download, check, unpack and delete one archive; its done marker is written last."""
    if stop.is_set():
        raise Stopped
    path = archive.path(root)
    if path.exists():
        verify_checksum(path, archive.checksum, f"Delete it to download it again, or get the file of {archive.url}.")
    else:
        download(archive.url, path, archive.checksum, progress, stop)
    checksum = archive.checksum or _compare_with_first(archive, path, root)
    if archive.unpack:
        unpack(path, root / archive.into, archive.inner, marker=archive.begun_marker(root))
    write_json(
        archive.done_marker(root),
        {"url": archive.url, "checksum": checksum, "bytes": path.stat().st_size},
    )
    if archive.unpack:
        archive.begun_marker(root).unlink(missing_ok=True)
        path.unlink()


def _compare_with_first(archive: Archive, path: Path, root: Path) -> str:
    """Return the checksum of a file whose publisher gives none, after comparing it with that of the first download.

    Raises:
        DabsError: the publisher serves another file than before.
    """
    marker, found = archive.done_marker(root), f"sha256:{sha256_file(path)}"
    first = read_json(marker).get("checksum") if marker.exists() else ""
    if first and first != found:
        path.unlink()
        raise DabsError(
            f"{archive.url} is another file now: it has {found}, and the first download had {first}. Nothing was "
            f"kept. Delete {marker} to accept the new file; results on it are results on other data."
        )
    return found
