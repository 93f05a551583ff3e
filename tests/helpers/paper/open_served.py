"""The datasets of the suite `open` as their publishers serve them, on loopback.

`publishers_files(folder)` packs a folder of `open_layouts` into the publishers' archives, and `hub_files(folder)` into
the repositories of the hub. Run as a program, this file runs `dabs` with every download sent to `$SERVED_AT` instead;
the checksums, which the packed samples cannot have, are noted in `$CHECKSUMS_ASKED` and not compared.
"""

from __future__ import annotations

import csv
import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dabs.data.domain import TRAIN, VALIDATION
from dabs.domains.text.glue import GLUE_TASKS
from dabs.domains.text.languages import LANGUAGES
from dabs.domains.text.pawsx import official_files

UCI = "/static/public/231/pamap2+physical+activity+monitoring.zip"
VGG, OPENSLR = "/~vgg/data", "/resources/12"
GTSRB = "/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/GTSRB_Final"
COMMANDS = "/download.tensorflow.org/data/speech_commands_test_set_v0.02.tar.gz"
VQA, ZENODO = "/cvmlp/vqa/mscoco/vqa", "/records/10519652/files"
# path on the server: folder or file below the data folder, and what it is called inside the archive
ARCHIVES = {
    "/tiny-imagenet-200.zip": ("tiny_imagenet/tiny-imagenet-200", "tiny-imagenet-200"),
    "/~kriz/cifar-10-python.tar.gz": ("cifar10/cifar-10-batches-py", "cifar-10-batches-py"),
    f"{VGG}/dtd/download/dtd-r1.0.1.tar.gz": ("dtd/dtd", "dtd"),
    f"{GTSRB}_Training_Images.zip": ("gtsrb/GTSRB/Final_Training", "GTSRB/Final_Training"),
    f"{GTSRB}_Test_Images.zip": ("gtsrb/GTSRB/Final_Test", "GTSRB/Final_Test"),
    f"{GTSRB}_Test_GT.zip": ("gtsrb/GT-final_test.csv", "GT-final_test.csv"),
    f"{VGG}/flowers/102/102flowers.tgz": ("flowers/flowers-102/jpg", "jpg"),
    f"{OPENSLR}/dev-clean.tar.gz": ("librispeech/LibriSpeech/dev-clean", "LibriSpeech/dev-clean"),
    f"{OPENSLR}/dev-other.tar.gz": ("librispeech/LibriSpeech/dev-other", "LibriSpeech/dev-other"),
    "/soerenab/AudioMNIST/archive/refs/heads/master.zip": ("audiomnist/AudioMNIST", "AudioMNIST-master"),
    COMMANDS: ("speech_commands_test", "."),
    "/zips/val2017.zip": ("mscoco/val2017", "val2017"),
    "/annotations/annotations_trainval2017.zip": ("mscoco/annotations", "annotations"),
    f"{VQA}/Questions_Val_mscoco.zip": ("vqa/coco-vqa/MultipleChoice_mscoco_val2014_questions.json", ""),
    f"{VQA}/Annotations_Val_mscoco.zip": ("vqa/coco-vqa/mscoco_val2014_annotations.json", ""),
}
# served as they are
FILES = {
    f"{VGG}/flowers/102/imagelabels.mat": "flowers/flowers-102/imagelabels.mat",
    f"{VGG}/flowers/102/setid.mat": "flowers/flowers-102/setid.mat",
    f"{ZENODO}/chestmnist_64.npz": "medmnist/chestmnist_64.npz",
    f"{ZENODO}/pneumoniamnist_64.npz": "medmnist/pneumoniamnist_64.npz",
}


def publishers_files(folder: Path) -> dict[str, bytes]:
    """Return the content of every address that the suite downloads from, by its path."""
    found = {path: _pack(folder / source, inside, path) for path, (source, inside) in ARCHIVES.items()}
    inner = _pack(folder / "pamap2/PAMAP2_Dataset", "PAMAP2_Dataset", ".zip")
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("PAMAP2_Dataset.zip", inner)
    return found | {UCI: outer.getvalue()} | {path: (folder / file).read_bytes() for path, file in FILES.items()}


def _pack(source: Path, inside: str, name: str) -> bytes:
    buffer = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(buffer, "w") as archive:
            for path, member in _members(source, inside):
                archive.write(path, member)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1, dereference=True) as tar:
            for path, member in _members(source, inside):
                tar.add(path, member)
    return buffer.getvalue()


def _members(source: Path, inside: str) -> Iterator[tuple[Path, str]]:
    """Yield the files below a folder, through links, with their names in the archive; or the one file."""
    if source.is_file():
        yield source, inside or source.name
    for root, _, names in os.walk(source, followlinks=True):
        for name in sorted(names):
            path = Path(root, name)
            yield path, f"{inside}/{path.relative_to(source)}"


def hub_files(folder: Path) -> dict[str, dict[str, bytes]]:
    """Return the repositories of the hub that the suite reads, with their files."""
    wikitext = {
        f"wikitext-103-v1/{split}-00000-of-00001.parquet": _parquet(
            [{"text": f"{line}\n"} for line in (folder / f"wikitext/wikitext-103/wiki.{name}.tokens").open()]
        )
        for split, name in {"train": "train", "validation": "valid"}.items()
    }
    glue = {}
    for task in GLUE_TASKS:
        for split, name in {TRAIN: "train", VALIDATION: task.test}.items():
            sentences = task.read(folder / "glue", split)
            rows = [dict(zip(task.texts, s.texts, strict=True)) | {"label": s.label} for s in sentences]
            glue[f"{task.hub}/{name}-00000-of-00001.parquet"] = _parquet(rows)
    pawsx = {}
    for language in LANGUAGES:
        for split, file in official_files(language).items():
            text = (folder / "pawsx" / file).read_text(encoding="utf-8")
            rows = list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
            pawsx[f"{language}/{split}-00000-of-00001.parquet"] = _parquet(
                [{**r, "label": int(r["label"])} for r in rows]
            )
    streamed = {f"multilingual/{path.name}": path.read_bytes() for path in (folder / "mc4/multilingual").iterdir()}
    return {
        "datasets/Salesforce/wikitext": wikitext,
        "datasets/nyu-mll/glue": glue,
        "datasets/google-research-datasets/paws-x": pawsx,
        "datasets/allenai/c4": streamed,
        "google-bert/bert-base-uncased": _tokenizer(folder / "bert-base-uncased"),
        "FacebookAI/xlm-roberta-base": _tokenizer(folder / "xlm-roberta-base"),
    }


def _tokenizer(folder: Path) -> dict[str, bytes]:
    return {"tokenizer.json": (folder / "tokenizer.json").read_bytes()}


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), buffer := io.BytesIO())
    return buffer.getvalue()


def _run_redirected() -> None:
    """Run `dabs` with the arguments of this program."""
    import requests

    from dabs.cli import main
    from dabs.domains.sources import download, official

    original, noted = requests.get, Path(os.environ["CHECKSUMS_ASKED"])

    def get(url: str, **options: Any) -> Any:
        """Ask the local server instead."""
        return original(os.environ["SERVED_AT"] + urlsplit(url).path, **options)

    def note(path: Path, checksum: str, way_out: str) -> None:
        """Note that a file was to be compared with a checksum."""
        with open(noted, "a") as file:
            file.write(f"{path.name.removesuffix('.part')} {checksum}\n")

    requests.get = get
    download.verify_checksum = official.verify_checksum = note
    main(sys.argv[1:])


if __name__ == "__main__":
    _run_redirected()
