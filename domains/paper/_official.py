"""Sources as their publishers give them out: a folder in the official layout, downloaded or put there by the user.

$DABS_HOME/raw/NAME/   or, where `--data-dir` (or DABS_DATA_DIR) says so, DIR/NAME/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dabs.errors import DabsError
from dabs.home import raw_home


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One file that a publisher serves.

    Attributes:
        url: where it is.
        checksum: "md5:..." or "sha256:..." as the publisher gives it; empty where none is given.
        size: bytes, to check the disk before; 0 where unknown.
        into: folder below the dataset's own that it is unpacked in (or kept in, where `unpack` is false).
        unpack: whether it is a zip or tar file whose members are wanted.
        inner: an archive inside the archive that is unpacked as well, e.g. "PAMAP2_Dataset.zip".
    """

    url: str
    checksum: str = ""
    size: int = 0
    into: str = "."
    unpack: bool = True
    inner: str = ""

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
        return [pattern for pattern in self.expects if next(root.glob(pattern), None) is None]

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """The dataset's folder, after downloading what can be downloaded.

        Raises:
            DabsError: files are missing that only the user can get; it says the steps, the folder and the files.
        """
        root = raw_home() / self.name
        if not self.missing(root):
            return root
        raise self._incomplete(root)

    def _incomplete(self, root: Path) -> DabsError:
        missing = "\n".join(f"  {root / pattern}" for pattern in self.missing(root))
        steps = f"\n{self.steps.strip()}" if self.steps else ""
        return DabsError(
            f"{self.name} is not complete in {root}; missing:\n{missing}{steps}\n"
            "Then run the same command again. Files that lie elsewhere are found with --data-dir DIR, a folder that "
            f"holds {self.name}/ (a link will do)."
        )
