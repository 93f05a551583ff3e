"""Fixtures of the download tests: a small served dataset, and a small disk."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dabs.domains.sources.official import Archive, OfficialFiles
from tests.helpers.paper.archives import NOISE, tar_of
from tests.helpers.paper.server import Served


@pytest.fixture
def dtd(served: Served) -> OfficialFiles:
    """A small archive in the layout of DTD, on the local server."""
    content = tar_of({"dtd/images/a/a_0001.jpg": NOISE, "dtd/labels/train1.txt": b"a/a_0001.jpg\n"})
    served.files["/dtd.tar.gz"] = content
    archive = Archive(
        url=f"{served.url}/dtd.tar.gz", checksum=f"md5:{hashlib.md5(content).hexdigest()}", size=len(content)
    )
    return OfficialFiles(name="dtd", expects=("dtd/labels/train1.txt", "dtd/images/*/*.jpg"), archives=(archive,))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 8 MiB; skips if it cannot be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a tmpfs here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
