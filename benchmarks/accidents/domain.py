"""The domain that accidents happen to: sine waves with noise from a local server."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dabs.data.domain import PRETRAIN, Card, Classes, Domain, Rows, Task, Workspace
from dabs.specs import Series
from dabs.utils.files import sha256_file

CONTENT = hashlib.shake_256(b"dabs").digest(1 << 20)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SIZES = {"train": 512, "validation": 64, "test": 64}
KINDS = ("slow", "middle", "fast")


@dataclass(frozen=True)
class Served:
    """A source that fetches `CONTENT` from the server at $FAULTS_URL."""

    name: str = "noise"

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """Download the file unless it is there."""
        from dabs.domains.sources.download import download

        path = folder / "noise.bin"
        if not (path.exists() and sha256_file(path) == SHA256):
            say("fetching noise")
            url = os.environ["FAULTS_URL"]
            download(url, path, f"sha256:{SHA256}", lambda name, done, total: None, threading.Event())
        return path

    def describe(self) -> dict[str, str]:
        """Return the source's entry in the manifest."""
        return {"name": self.name, "sha256": SHA256}


def build(workspace: Workspace) -> Iterator[Rows]:
    """Yield sine waves of three speeds with the file's bytes as noise, in blocks of 32 rows."""
    noise = np.frombuffer(workspace.sources["noise"].read_bytes(), dtype=np.uint8).astype(np.float32) / 255
    time = np.arange(64, dtype=np.float32)
    for number, dataset in enumerate((PRETRAIN, "speed")):
        for place, (split, size) in enumerate(SIZES.items()):
            if dataset == PRETRAIN and split == "test":
                continue
            for start in range(0, size, 32):
                generator = workspace.generator(number, place, start)
                speed = generator.integers(0, len(KINDS), 32)
                phase = generator.random((32, 1, 3), dtype=np.float32) * 6
                wave = np.sin(time[None, :, None] * (0.1 + 0.2 * speed[:, None, None]) + phase)
                begin = int(generator.integers(0, len(noise) - 32 * 64 * 3))
                wave = wave + noise[begin : begin + 32 * 64 * 3].reshape(32, 64, 3)
                label = None if dataset == PRETRAIN else speed
                group = [f"{dataset}-{split}-{start + i}" for i in range(32)]
                yield Rows(dataset=dataset, split=split, inputs=(wave.astype(np.float32),), label=label, group=group)


LITE = Domain(
    name="accident",
    suite="lite",
    title="Accidents",
    specs=(Series(steps=64, channels=3, segment=4),),
    card=Card(title="Sines", origin="generated", licence="MIT", citation="none", source="drawn here", size="1 MB"),
    tasks=(Task(name="speed", question="How fast?", target=Classes(names=KINDS), metric="accuracy", split_by="row"),),
    sources=(Served(),),
    build=build,
    steps=40,
    batch_size=32,
)
