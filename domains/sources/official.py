"""Sources as their publishers give them out: a folder in the official layout, downloaded or put there by the user.

$DABS_HOME/raw/NAME/   or, where `--data-dir` (or DABS_DATA_DIR) says so, DIR/NAME/
              .done/   a note for each archive that was unpacked whole
              .begun/  a note for each archive of which something, but not all, was moved in: not whole, whatever it
                       looks like

Sources may share a folder; each asks about its own archives only.
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

from dabs.data.domain import progress_callback
from dabs.domains.sources.download import Progress, Stopped, check_space, check_sum, download
from dabs.domains.sources.unpack import UNPACKING, unpack
from dabs.errors import DabsError
from dabs.utils.files import raw_home, write_json

TOGETHER = 4  # files of one dataset downloaded at a time


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One file that a publisher serves.

    Attributes:
        url: where it is.
        checksum: "md5:..." or "sha256:..." as the publisher gives it; empty where none is given.
        size: bytes, to check the disk before; 0 where unknown.
        unpacked: bytes once unpacked; 0 where unknown, taken to be `size` then.
        into: folder below the dataset's own that it is unpacked in (or kept in, where `unpack` is false).
        unpack: whether it is a zip or tar file whose members are wanted.
        inner: an archive inside the archive that is unpacked as well, e.g. "PAMAP2_Dataset.zip".
        gives: files or glob patterns below the dataset's folder; where each matches something, it is not fetched. Empty
            where a dataset has no other archive.
    """

    url: str
    checksum: str = ""
    size: int = 0
    unpacked: int = 0
    into: str = "."
    unpack: bool = True
    inner: str = ""
    gives: tuple[str, ...] = ()

    def needs(self, root: Path) -> int:
        """Bytes of disk that are still to be written while it is fetched, beside what an earlier attempt left."""
        file = self.path(root)
        there = next((p.stat().st_size for p in (file, file.with_name(f"{file.name}.part")) if p.exists()), 0)
        return max(self.size - there, 0) + ((self.unpacked or self.size) if self.unpack else 0)

    def path(self, root: Path) -> Path:
        """Where it is kept until it is unpacked."""
        return root / self.into / self.file

    def done(self, root: Path) -> Path:
        """The note that all of it is in its place."""
        return root / ".done" / f"{self.file}.json"

    def begun(self, root: Path) -> Path:
        """The note that some of it is."""
        return root / ".begun" / self.file

    def is_there(self, root: Path) -> bool:
        """Whether what it gives is there, fetched or put there by the user."""
        given = not lacking(root, self.gives) if self.gives else self.done(root).exists()
        return given and not self.begun(root).exists()  # asked last: it is written first

    @property
    def file(self) -> str:
        """The file's name."""
        return self.url.partition("?")[0].rstrip("/").rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class OfficialFiles:
    """A dataset in its official layout.

    Attributes:
        name: the dataset's folder under `raw_home()`, and the key of `Workspace.sources`.
        expects: files or glob patterns below that folder; each must match something. What to check, not all there is.
        archives: what is downloaded when anything expected is missing; empty where the publisher asks for registration.
        steps: what a user has to do by hand, one step a line; shown when something is missing.
    """

    name: str
    expects: tuple[str, ...]
    archives: tuple[Archive, ...] = ()
    steps: str = ""

    def describe(self) -> dict[str, str]:
        """For the manifest."""
        checksums = [archive.checksum for archive in self.archives if archive.checksum]
        return {"name": self.name, "files": " ".join(a.file for a in self.archives) or "by hand"} | (
            {"checksums": " ".join(checksums)} if checksums else {}
        )

    def missing(self, root: Path) -> list[str]:
        """Which of the expected files are not below `root`."""
        return lacking(root, self.expects)

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """The dataset's folder, after downloading what can be downloaded.

        Raises:
            DabsError: files are missing that only the user can get; it says the steps, the folder and the files.
        """
        root = raw_home() / self.name
        if self._is_whole(root):
            return root
        if self.archives:
            try:
                root.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(root.parent / f".{self.name}.lock"):  # a second process waits instead of writing over it
                    if not self._is_whole(root):
                        self._get(root, say)
            except OSError as error:
                raise DabsError(f"cannot write {root}: {error}. Choose another folder with --data-dir.") from error
        if not self._is_whole(root):
            raise self._incomplete(root)
        return root

    def _is_whole(self, root: Path) -> bool:
        return not self.missing(root) and not self._begun(root)  # notes are asked for last: they are written first

    def _begun(self, root: Path) -> list[Path]:
        return [note for archive in self.archives if (note := archive.begun(root)).exists()]

    def _get(self, root: Path, say: Callable[[str], None]) -> None:
        """Download and unpack every archive that is not there, several at a time.

        Raises:
            DabsError: the first failure, which stops the others; where files of an interrupted unpacking are in the
                way of the user's own, it says so.
        """
        try:
            self._get_all([a for a in self.archives if not a.is_there(root)] or list(self.archives), root, say)
        except DabsError as error:
            if not self._begun(root):
                raise
            raise DabsError(f"{error}\n{self._interrupted(root)}") from error

    def _get_all(self, todo: list[Archive], root: Path, say: Callable[[str], None]) -> None:
        for left in {left for archive in todo for left in (root / archive.into).glob(f"{UNPACKING}*")}:
            shutil.rmtree(left, ignore_errors=True)  # of a process that was killed
        check_space(root, sum(archive.needs(root) for archive in todo))
        say(f"fetching {self.name}: {', '.join(archive.file for archive in todo)}")
        stop, progress = threading.Event(), progress_callback(say)
        with ThreadPoolExecutor(TOGETHER, thread_name_prefix="fetch") as pool:
            futures = [pool.submit(_get_archive, archive, root, progress, stop) for archive in todo]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:  # Ctrl-C too: the threads keep their parts and end
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        with suppress(OSError):  # another source's notes may be in it
            (root / ".begun").rmdir()

    def _interrupted(self, root: Path) -> str:
        names = ", ".join(note.name for note in self._begun(root))
        return (
            f"An earlier unpacking of {names} in {root} did not end; if you have put the unpacked files here yourself, "
            f"delete {root / '.begun'}."
        )

    def _incomplete(self, root: Path) -> DabsError:
        missing = "\n".join(f"  {root / pattern}" for pattern in self.missing(root))
        steps = f"\n{self.steps.strip()}" if self.steps else ""
        return DabsError(
            f"{self.name} is not complete in {root}; missing:\n{missing}{steps}\n"
            "Then run the same command again. Files that lie elsewhere are found with --data-dir DIR, a folder that "
            f"holds {self.name}/ (a link will do)."
        )


def given(archives: tuple[Archive, ...]) -> tuple[str, ...]:
    """What archives give together."""
    return tuple(pattern for archive in archives for pattern in archive.gives)


def lacking(root: Path, patterns: tuple[str, ...]) -> list[str]:
    """The patterns that match nothing below `root`."""
    return [pattern for pattern in patterns if next(root.glob(pattern), None) is None]


def _get_archive(archive: Archive, root: Path, progress: Progress, stop: threading.Event) -> None:
    """One archive: downloaded, checked, unpacked, removed, noted; a note stands for all of it."""
    if stop.is_set():
        raise Stopped
    file = archive.path(root)
    if file.exists():
        check_sum(file, archive.checksum, f"Delete it to have it downloaded again, or get the file of {archive.url}.")
    else:
        download(archive.url, file, archive.checksum, progress, stop)
    if archive.unpack:
        unpack(file, root / archive.into, archive.inner, note=archive.begun(root))
    write_json(archive.done(root), {"url": archive.url, "checksum": archive.checksum, "bytes": file.stat().st_size})
    if archive.unpack:
        archive.begun(root).unlink(missing_ok=True)
        file.unlink()
