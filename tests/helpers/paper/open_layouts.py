"""The datasets of the suite `open` in their publishers' layouts, made from samples.

`lay_out_open(samples, folder)` makes a folder for `--data-dir`. What a set shares with the paper suite is a link to its
layout there. Each function says what is not from the sample.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dabs.domains.audio.clip_sets import COMMANDS
from dabs.domains.open.chest_xray import FINDINGS
from tests.helpers.paper.layouts import link
from tests.helpers.paper.samples import Samples
from tests.helpers.places import SHARED

SAME = ("cifar10", "dtd", "gtsrb", "flowers", "pamap2", "audiomnist", "wikitext", "glue", "mc4", "pawsx")
TOKENIZERS = ("bert-base-uncased", "xlm-roberta-base")


def tiny_imagenet(samples: Samples, folder: Path) -> None:
    """The pictures of ImageNet's sample, which are of tiny-imagenet, in the folders of its own archive."""
    source, target = samples.sample("imagenet") / "tiny", folder / "tiny-imagenet-200"
    for picture in sorted(source.glob("train/*/*.JPEG")):
        link(picture, target / "train" / picture.parent.name / "images" / picture.name)
    for number, picture in enumerate(sorted(source.glob("validation/*/*.JPEG"))):
        link(picture, target / "val/images" / f"val_{number}.JPEG")


def librispeech(samples: Samples, folder: Path) -> None:
    """Three speakers of train-clean-100 stand for dev-other, and test-other for dev-clean."""
    source, target = samples.sample("librispeech") / "LibriSpeech", folder / "LibriSpeech"
    link(source / "dev-clean", target / "dev-clean")
    link(source / "train-clean-100", target / "dev-other")


def speech_commands_test(samples: Samples, folder: Path) -> None:
    """The clips of Speech Commands' sample, which are of the test archive; other words are `_unknown_`."""
    for clip in sorted(samples.sample("google_speech").glob("*/*.wav")):
        word = clip.parent.name
        if word in COMMANDS:
            link(clip, folder / word / clip.name)
        elif not word.startswith("_"):
            link(clip, folder / "_unknown_" / f"{word}_{clip.name}.wav")


def medmnist(samples: Samples, folder: Path) -> None:
    """The films of ChestX-ray8's sample, a seventh of the patients for validation and for the test.

    PneumoniaMNIST is whole, enlarged from 28×28. Each finding is added to some films, so that all of them occur in
    all splits, as AUROC requires. The made PneumoniaMNIST is noise that is brighter where there is pneumonia.
    """
    folder.mkdir(parents=True)
    root = samples.official("xray8")
    with open(root / "Data_Entry_2017_v2020.csv", newline="", encoding="utf-8-sig") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["Image Index"])
    found: dict[str, list[Any]] = {f"{split}_{kind}": [] for split in SPLITS for kind in ("images", "labels")}
    for number, row in enumerate(rows):
        split = SPLITS[max(int(row["Patient ID"]) % 7 - 4, 0)]
        named = {name.lower().split("_")[0] for name in row["Finding Labels"].split("|")}
        label = [int(name in named or (number + k) % 9 == 0) for k, name in enumerate(FINDINGS)]
        found[f"{split}_images"].append(_grey(root / "images" / row["Image Index"]))
        found[f"{split}_labels"].append(label)
    np.savez(folder / "chestmnist_64.npz", **{name: np.array(value, np.uint8) for name, value in found.items()})
    np.savez(folder / "pneumoniamnist_64.npz", **(_real_pneumonia() if samples.origin == "real" else _made_pneumonia()))


SPLITS = ("train", "val", "test")
MADE_PICTURES = {"train": 400, "val": 60, "test": 80}


def _grey(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L").resize((64, 64)))


def _real_pneumonia() -> dict[str, np.ndarray]:
    with np.load(SHARED / "data/medmnist/pneumoniamnist.npz") as file:
        found = {}
        for split in SPLITS:
            small = file[f"{split}_images"]
            found[f"{split}_images"] = np.stack([np.asarray(Image.fromarray(x).resize((64, 64))) for x in small])
            found[f"{split}_labels"] = file[f"{split}_labels"]
        return found


def _made_pneumonia() -> dict[str, np.ndarray]:
    random, found = np.random.default_rng(0), {}
    for split, count in MADE_PICTURES.items():
        label = random.integers(0, 2, (count, 1), dtype=np.uint8)
        found[f"{split}_images"] = random.integers(0, 156, (count, 64, 64), dtype=np.uint8) + 90 * label[:, :, None]
        found[f"{split}_labels"] = label
    return found


def mscoco(samples: Samples, folder: Path) -> None:
    """The images of COCO's sample and of VQA's as val2017; an image of VQA has one question as its caption."""
    root, images, captions = samples.official("mscoco"), {}, []
    for year in ("train2017", "val2017"):
        content = json.loads((root / f"annotations/captions_{year}.json").read_text(encoding="utf-8"))
        captions += content["annotations"]
        images |= {image["id"]: root / year / image["file_name"] for image in content["images"]}
    largest = max(caption["id"] for caption in captions)
    for question in _questions(samples):
        number = question["image_id"]
        if number not in images:
            images[number] = next(samples.official("vqa").glob(f"coco-vqa/*2014/COCO_*_{number:012d}.jpg"))
            captions.append({"id": (largest := largest + 1), "image_id": number, "caption": question["question"]})
    for number, path in images.items():
        link(path, folder / "val2017" / f"{number:012d}.jpg")
    listed = [{"id": number, "file_name": f"{number:012d}.jpg"} for number in images]
    _write(folder / "annotations/captions_val2017.json", {"images": listed, "annotations": captions})


def vqa(samples: Samples, folder: Path) -> None:
    """The questions and answers of both of the sample's subsets as those of val2014."""
    root = samples.official("vqa") / "coco-vqa"
    answers = [
        a for year in YEARS for a in json.loads((root / f"mscoco_{year}_annotations.json").read_text())["annotations"]
    ]
    _write(folder / "coco-vqa/MultipleChoice_mscoco_val2014_questions.json", {"questions": _questions(samples)})
    _write(folder / "coco-vqa/mscoco_val2014_annotations.json", {"annotations": answers})


YEARS = ("train2014", "val2014")


def _questions(samples: Samples) -> list[dict[str, Any]]:
    root = samples.official("vqa") / "coco-vqa"
    files = [root / f"MultipleChoice_mscoco_{year}_questions.json" for year in YEARS]
    return [question for file in files for question in json.loads(file.read_text(encoding="utf-8"))["questions"]]


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


LAYOUTS: dict[str, Callable[[Samples, Path], None]] = {
    "tiny_imagenet": tiny_imagenet,
    "librispeech": librispeech,
    "speech_commands_test": speech_commands_test,
    "medmnist": medmnist,
    "mscoco": mscoco,
    "vqa": vqa,
}


def lay_out_open(samples: Samples, folder: Path) -> Path:
    """Make a folder with every dataset of the suite and two tiny tokenizers, and return it."""
    for name in (*SAME, *TOKENIZERS):
        link(samples.official(name), folder / name)
    for name, make in LAYOUTS.items():
        make(samples, folder / name)
    return folder
