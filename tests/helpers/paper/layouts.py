"""The paper's datasets in their official layout, made from samples.

The real samples are completed with generated files.

`lay_out(name, samples, folder)` makes `folder/NAME`, which `--data-dir folder` finds. Each function says what is not
from the sample. Generated images are noise, generated clips are tones.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image


def link(source: Path, target: Path) -> None:
    """Link to a sample's file or folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)


def picture(path: Path, width: int = 40, height: int = 30, seed: int = 0) -> Path:
    """Write an image of noise, in the format of its suffix, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def clip(path: Path, seconds: float = 0.2, rate: int = 16000, seed: int = 0, frequency: float = 440.0) -> Path:
    """Write a tone with a little noise, 16 bit, and return its path."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 0.01, len(time))
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * frequency * time) + noise, rate)
    return path


def imagenet(samples: Path, folder: Path) -> None:
    """Real images of 64×64 (tiny-imagenet), 8 and 2 of each class."""
    link(samples / "imagenet" / "tiny" / "train", folder / "train")
    link(samples / "imagenet" / "tiny" / "validation", folder / "val")


def aircraft(samples: Path, folder: Path) -> None:
    """Real boxes, and real lists cut to one or two images of each variant; the images are of one colour."""
    source, data = samples / "aircraft/fgvc-aircraft-2013b/data", folder / "fgvc-aircraft-2013b/data"
    data.mkdir(parents=True)
    for name in ("variants.txt", "images_box.txt"):
        link(source / name, data / name)
    boxes = {line.split()[0]: line.split()[1:] for line in (source / "images_box.txt").read_text().splitlines()}
    for split in ("train", "val", "test"):
        kept, seen = [], {}
        for line in (source / f"images_variant_{split}.txt").read_text().splitlines():
            name, variant = line.split(" ", 1)
            seen[variant] = seen.get(variant, 0) + 1
            if seen[variant] <= (1 if split != "train" else 2):
                kept.append(line)
                _, _, right, bottom = map(int, boxes[name])
                path = data / "images" / f"{name}.jpg"
                path.parent.mkdir(exist_ok=True)
                shade = 40 + 2 * (len(kept) % 100)
                Image.new("RGB", (right, bottom + 20), (shade, 255 - shade, 90)).save(path, quality=40)
        (data / f"images_variant_{split}.txt").write_text("\n".join(kept) + "\n")


def gtsrb(samples: Path, folder: Path) -> None:
    """Real training images; the test set is generated, with two images of each class."""
    link(samples / "gtsrb/GTSRB/Final_Training", folder / "GTSRB/Final_Training")
    with open(folder / "GT-final_test.csv", "w", newline="") as file:
        table = csv.writer(file, delimiter=";")
        table.writerow(["Filename", "Width", "Height", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2", "ClassId"])
        for number in range(86):
            picture(folder / f"GTSRB/Final_Test/Images/{number:05d}.ppm", seed=number)
            table.writerow([f"{number:05d}.ppm", 40, 30, 5, 5, 35, 25, number % 43])


def flowers(samples: Path, folder: Path) -> None:
    """Real images and labels under their official numbers; the lists are the official ones cut to these 204 images.

    Half of the test list is moved to train and val, so that no list is empty.
    """
    from scipy.io import loadmat, savemat

    source, target = samples / "flowers", folder / "flowers-102"
    target.mkdir(parents=True)
    shutil.copy(source / "official/imagelabels.mat", target / "imagelabels.mat")
    official = loadmat(source / "official/setid.mat", squeeze_me=True)
    numbers = []
    with open(source / "official/renumbering.csv", newline="") as file:
        for row in csv.DictReader(file):
            number = int(row["official_image"])
            link(source / f"jpg/image_{int(row['image']):05d}.jpg", target / f"jpg/image_{number:05d}.jpg")
            numbers.append(number)
    lists = {name: [n for n in numbers if n in set(official[name].tolist())] for name in ("trnid", "valid", "tstid")}
    spare = lists["tstid"][: len(lists["tstid"]) // 2]
    lists = {
        "trnid": lists["trnid"] + spare[::2],
        "valid": lists["valid"] + spare[1::2],
        "tstid": lists["tstid"][len(spare) :],
    }
    savemat(target / "setid.mat", {name: np.array([found]) for name, found in lists.items()})


def librispeech(samples: Path, folder: Path) -> None:
    """Real clips: one speaker in each training subset; the folder dev-clean holds clips of test-other."""
    source, target = samples / "librispeech/LibriSpeech", folder / "LibriSpeech"
    link(source / "dev-clean", target / "dev-clean")
    subsets = ("train-clean-100", "train-clean-360", "train-other-500")
    for subset, speaker in zip(subsets, ("19", "26", "27"), strict=True):
        link(source / "train-clean-100" / speaker, target / subset / speaker)


def fluent_speech(samples: Path, folder: Path) -> None:
    """Every tenth row of the real tables; the clips are tones."""
    source, target = (root / "fluent_speech_commands_dataset" for root in (samples / "fluent_speech", folder))
    (target / "data").mkdir(parents=True)
    for split in ("train", "valid", "test"):
        lines = (source / f"data/{split}_data.csv").read_text().splitlines()
        kept = [lines[0], *lines[1::10]]
        (target / f"data/{split}_data.csv").write_text("\n".join(kept) + "\n")
        for number, line in enumerate(kept[1:]):
            clip(target / line.split(",")[1], seed=number, frequency=200 + 20 * number)


def google_speech(samples: Path, folder: Path) -> None:
    """Real clips with lists of our own: a quarter of the speakers validates, and another quarter is tested.

    In the official lists all these clips are tested, and the sample's lists do not separate speakers.
    """
    target = folder / "SpeechCommands/speech_commands_v0.02"
    clips = sorted((samples / "google_speech").glob("*/*.wav"))
    for path in clips:
        link(path, target / path.parent.name / path.name)
    spoken = [path for path in clips if "_nohash_" in path.name]
    speakers = sorted({path.name.split("_")[0] for path in spoken})
    for name, place in (("validation", 1), ("testing", 2)):
        chosen = set(speakers[place::4])
        lines = [f"{p.parent.name}/{p.name}\n" for p in spoken if p.name.split("_")[0] in chosen]
        (target / f"{name}_list.txt").write_text("".join(lines))


def chexpert(samples: Path, folder: Path) -> None:
    """The sample's stand-in films, split again by patient, because some patients are in both of its tables.

    Each of the five findings is added to every fourth film, so that all of them occur in all splits, as AUROC requires.
    """
    source, target = (root / "CheXpert-v1.0-small" for root in (samples / "chexpert", folder))
    rows, number = [], {"train": 0, "valid": 0}
    for name in ("train", "valid"):
        with open(source / f"{name}.csv", newline="") as file:
            rows += list(csv.DictReader(file))
    patients = sorted({row["Path"].split("/")[2] for row in rows})
    tested = set(patients[::5])
    tables: dict[str, list[dict[str, str]]] = {"train": [], "valid": []}
    findings = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
    for row in rows:
        patient = row["Path"].split("/")[2]
        split = "valid" if patient in tested else "train"
        number[split] += 1
        path = f"CheXpert-v1.0-small/{split}/{patient}/study{number[split]}/view1_frontal.jpg"
        link(samples / "chexpert" / row["Path"], folder / path)
        added = {name: "1.0" for k, name in enumerate(findings) if (number[split] + k) % 4 == 0}
        tables[split].append(row | added | {"Path": path})
    for split, found in tables.items():
        with open(target / f"{split}.csv", "w", newline="") as file:
            table = csv.DictWriter(file, list(found[0]))
            table.writeheader()
            table.writerows(found)


def xray8(samples: Path, folder: Path) -> None:
    """Real images of 64×64 and their real rows, without the official test list."""
    link(samples / "xray8/images", folder / "images")
    link(samples / "xray8/metadata.csv", folder / "Data_Entry_2017_v2020.csv")


LAYOUTS: dict[str, Callable[[Path, Path], None]] = {
    "imagenet": imagenet,
    "aircraft": aircraft,
    "gtsrb": gtsrb,
    "flowers": flowers,
    "librispeech": librispeech,
    "fluent_speech": fluent_speech,
    "google_speech": google_speech,
    "chexpert": chexpert,
    "xray8": xray8,
}
AS_THEY_ARE = ("cifar10", "cu_birds", "dtd", "pamap2", "audiomnist", "voxceleb1", "mscoco", "vqa")


def lay_out(name: str, samples: Path, folder: Path) -> Path:
    """Make `folder/name` in the official layout from the sample `samples/name`, unless it exists; return it."""
    target = folder / name
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if name in AS_THEY_ARE:
            link(samples / name, target)
        else:
            part = folder / f".{name}"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            LAYOUTS[name](samples, part)
            part.rename(target)
    return target
