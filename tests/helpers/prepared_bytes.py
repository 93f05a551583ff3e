"""Hashes of a few rows of every kind of computed data, printed by a process of its own.

`python -m tests.helpers.prepared_bytes FOLDER` prints them as JSON. FOLDER holds what `write_files` wrote.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from dabs.data.domain import Workspace
from dabs.registry import find_domain
from dabs.utils.files import data_home

RATE = 16000


def write_files(folder: Path) -> None:
    """Write a recorded clip, a table of a person's sensors and a photograph, the same bytes every time."""
    import soundfile
    from PIL import Image

    random = np.random.default_rng(0)
    clip = random.integers(-9000, 9000, RATE) * np.linspace(0, 1, RATE) ** 3
    soundfile.write(folder / "clip.wav", clip.astype(np.int16), RATE, subtype="PCM_16")
    table = random.integers(0, 10**6, (1500, 54)) / 10**4
    table[:, 0], table[:, 1] = np.arange(1500) / 100, 1
    table[np.arange(1500) % 11 != 0, 2] = np.nan  # the heart rate has a lower sampling rate than the rest
    np.savetxt(folder / "subject101.dat", table, fmt="%.4f")
    pixels = np.kron(random.integers(0, 256, (15, 20, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "photograph.jpg", quality=90)


def single_precision(folder: Path) -> Iterable[np.ndarray]:
    """Compute what differs between instruction sets, which shows that the process runs on another one."""
    import torch

    x = np.random.default_rng(0).random(4096) * 9
    yield np.exp(x.astype(np.float32))
    yield torch.from_numpy(x.astype(np.float32)).reshape(64, 64).matmul(torch.ones(64, 64)).log().numpy()
    yield np.array([math.exp(value) * math.sin(value) for value in x])


def built(name: str, blocks: int) -> Callable[[Path], Iterable[np.ndarray]]:
    """Return a function that computes the first blocks of rows of a lite domain."""

    def compute(folder: Path) -> Iterable[np.ndarray]:
        domain = find_domain(name)
        sources = {source.name: source.fetch(data_home() / "sources", print) for source in domain.sources}
        assert domain.build is not None
        for rows in islice(domain.build(Workspace(sources=sources, say=lambda line: None)), blocks):
            yield from rows.inputs
            if rows.label is not None:
                yield rows.label

    return compute


def speech(folder: Path) -> Iterable[np.ndarray]:
    """Speak some words of each task."""
    from dabs.domains import speech

    for utterances_of, _ in speech.PLANS.values():
        yield speech.make_spectrograms(utterances_of("test")[::40], np.random.default_rng(0))


def captioned_images(folder: Path) -> Iterable[np.ndarray]:
    """Draw random pictures on random backgrounds."""
    from PIL import Image

    from dabs.domains.captioned_images import draw_views

    random = np.random.default_rng(0)
    pictures = [Image.fromarray(x) for x in random.integers(0, 256, (200, 64, 64, 4), np.uint8)]
    yield draw_views(pictures, random)


def animals(folder: Path) -> Iterable[np.ndarray]:
    """Group and paint random outlines."""
    from dabs.domains.images.animals import group_near_duplicates, paint

    random = np.random.default_rng(0)
    outlines = random.integers(0, 256, (200, 28, 28), np.uint8)
    yield group_near_duplicates(outlines)
    yield paint(outlines, random.integers(0, 256, (200, 3, 32, 32), np.uint8), random)


def paper_speech(folder: Path) -> Iterable[np.ndarray]:
    """Compute the spectrogram of the clip as each dataset of the paper suite has it."""
    from dabs.domains.audio.clips import make_spectrograms
    from dabs.domains.paper.speech import DECIBEL_STATS
    from dabs.domains.sources.listing import Item

    for stats in DECIBEL_STATS.values():
        yield make_spectrograms(Item(source=str(folder / "clip.wav"), group="clip"), stats, both=True)


def paper_sensor(folder: Path) -> Iterable[np.ndarray]:
    """Cut the table of a person into stretches."""
    from dabs.domains.series.pamap2 import read_stretches

    yield from (stretch.series for stretch in read_stretches(folder / "subject101.dat"))


def paper_images(folder: Path) -> Iterable[np.ndarray]:
    """Decode and resize the photograph."""
    from dabs.domains.images.resize import resize, resize_coco
    from dabs.domains.sources.listing import Item

    item = Item(source=str(folder / "photograph.jpg"), group="photograph")
    yield from (shrink(item, side) for shrink in (resize, resize_coco) for side in (32, 224))


CANARY = "single precision"
PARTS: dict[str, Callable[[Path], Iterable[np.ndarray]]] = {
    CANARY: single_precision,
    "lite/speech": speech,
    "lite/chest_xray": built("chest_xray", 4),
    "lite/sensor": built("sensor", 1000),
    "lite/captioned_images": captioned_images,
    "lite/natural_images": animals,
    "paper/speech": paper_speech,
    "paper/sensor": paper_sensor,
    "paper/images": paper_images,
}


def main(folder: Path) -> None:
    """Print the hash of every part."""
    found = {}
    for name, compute in PARTS.items():
        data = hashlib.sha256()
        for array in compute(folder):
            data.update(np.ascontiguousarray(array).tobytes())
        found[name] = data.hexdigest()
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
