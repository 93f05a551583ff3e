"""Small samples of the paper's image datasets, made instead of cut from the publishers' files.

Each function writes `folder` with the files of `shared/data/paper/NAME`, which `layouts.py` completes. Pictures
are noise.
"""

from __future__ import annotations

import pickle
from itertools import product
from pathlib import Path

import numpy as np

from dabs.domains.images.class_names import AIRCRAFT, TEXTURES
from dabs.domains.paper.chest_xray import CHEXPERT_FINDINGS, NIH_FINDINGS
from tests.helpers.paper.layouts import picture
from tests.helpers.paper.written import make_speaker, write_json, write_lines, write_table

CHEXPERT_COLUMNS = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    "Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)


def imagenet(folder: Path) -> None:
    """Eight training and two validation pictures of ten classes; one of a photograph's size."""
    for k, (split, count) in product(range(10), (("train", 8), ("validation", 2))):
        for n in range(count):
            name = f"n{1440764 + k:08d}"
            picture(folder / f"tiny/{split}/{name}/{name}_{split}_{n}.JPEG", 32, 32, seed=10 * k + n)
    picture(folder / "fullres/train/n01440764/n01440764_18.JPEG", 500, 375)


def cifar10(folder: Path) -> None:
    """Five batches of 40 training pictures and one of 50 test pictures, pickled as by Python 2."""
    random = np.random.default_rng(0)
    batches = folder / "cifar-10-batches-py"
    batches.mkdir()
    for name, rows in (*((f"data_batch_{n}", 40) for n in range(1, 6)), ("test_batch", 50)):
        data = random.integers(0, 256, (rows, 3 * 32 * 32), dtype=np.uint8)
        batch = {"batch_label": name, "labels": [n % 10 for n in range(rows)], "data": data}
        (batches / name).write_bytes(pickle.dumps(batch, protocol=2))


def aircraft(folder: Path) -> None:
    """Lists of two training, one validation and one test image of each variant, with their boxes; no images."""
    data = folder / "fgvc-aircraft-2013b/data"
    write_lines(data / "variants.txt", list(AIRCRAFT))
    boxes, number = [], 1000
    for split, count in (("train", 2), ("val", 1), ("test", 1)):
        lines = []
        for variant in [variant for variant in AIRCRAFT for _ in range(count)]:
            number += 1
            lines.append(f"{number:07d} {variant}")
            boxes.append(f"{number:07d} {1 + number % 5} 3 {30 + number % 7} 24")
        write_lines(data / f"images_variant_{split}.txt", lines)
    write_lines(data / "images_box.txt", boxes)


def cu_birds(folder: Path) -> None:
    """Two training and two test pictures of twenty species."""
    root = folder / "CUB_200_2011"
    tables: dict[str, list[str]] = {"images": [], "image_class_labels": [], "train_test_split": []}
    for species, n in product(range(1, 21), range(4)):
        number, name = 60 * species + 7 * n, f"{species:03d}.Bird_{species}/Bird_{species}_{n:04d}.jpg"
        picture(root / "images" / name, 30, 20, seed=number)
        for table, value in zip(tables, (name, species, int(n < 2)), strict=True):
            tables[table].append(f"{number} {value}")
    for table, lines in tables.items():
        write_lines(root / f"{table}.txt", lines)


def dtd(folder: Path) -> None:
    """Two pictures of ten textures in each list."""
    lists: dict[str, list[str]] = {"train1": [], "val1": [], "test1": []}
    for texture, (k, names) in product(TEXTURES[:10], enumerate(lists.values())):
        for n in (2 * k, 2 * k + 1):
            names.append(f"{texture}/{texture}_{n:04d}.jpg")
            picture(folder / "dtd/images" / names[-1], 30, 20, seed=TEXTURES.index(texture) + 100 * n)
    for name, lines in lists.items():
        write_lines(folder / f"dtd/labels/{name}.txt", lines)


def gtsrb(folder: Path) -> None:
    """Two frames of two signs of each of the 43 classes, for training only."""
    for label, track, frame in product(range(43), range(2), range(2)):
        name = f"GTSRB/Final_Training/Images/{label:05d}/{track:05d}_{frame:05d}.ppm"
        picture(folder / name, 24, 24, seed=4 * label + 2 * track + frame)


def flowers(folder: Path) -> None:
    """Two pictures of each of the 102 flowers, with labels and lists under other, "official" numbers."""
    from scipy.io import savemat

    numbers = [10 + 3 * n for n in range(204)]
    labels = np.zeros(numbers[-1], np.uint8)
    for n, number in enumerate(numbers):
        labels[number - 1] = n // 2 + 1
        picture(folder / f"jpg/image_{n + 1:05d}.jpg", 30, 20, seed=number)
    write_table(
        folder / "official/renumbering.csv",
        [{"image": n + 1, "official_image": number, "label": n // 2 + 1} for n, number in enumerate(numbers)],
    )
    savemat(folder / "official/imagelabels.mat", {"labels": labels[None]})
    lists = {"trnid": numbers[::6], "valid": numbers[3::6], "tstid": [n for i, n in enumerate(numbers) if i % 3]}
    savemat(folder / "official/setid.mat", {name: np.array([found]) for name, found in lists.items()})


def chexpert(folder: Path) -> None:
    """104 training and 26 validation films of 40 patients, who are in both tables, with blank and uncertain cells."""
    random = np.random.default_rng(0)
    for split, count in (("train", 104), ("valid", 26)):
        rows: list[dict[str, object]] = []
        for n in range(count):
            path = f"CheXpert-v1.0-small/{split}/patient{n % 40:05d}/study{n // 40 + 1}/view1_frontal.jpg"
            picture(folder / path, 24, 24, seed=n)
            cells = random.choice(["", "0.0", "-1.0"], len(CHEXPERT_FINDINGS))
            rows.append({"Path": path, "Sex": "Male", "Age": 58} | dict(zip(CHEXPERT_FINDINGS, cells, strict=True)))
        write_table(folder / f"CheXpert-v1.0-small/{split}.csv", rows, CHEXPERT_COLUMNS.split(","))


def xray8(folder: Path) -> None:
    """Four films of sixty patients, each with some of the eight findings and others; two films of full size, grey."""
    from PIL import Image

    random = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for patient, visit in product(range(1, 61), range(4)):
        name = f"{patient:08d}_{visit:03d}.png"
        found = [finding for finding in (*NIH_FINDINGS, "Hernia") if random.random() < 0.3]
        labels = "|".join(found) or "No Finding"
        rows.append({"Image Index": name, "Finding Labels": labels, "Follow-up #": visit, "Patient ID": patient})
        picture(folder / "images" / name, 24, 24, seed=4 * patient + visit)
    write_table(folder / "metadata.csv", rows)
    (folder / "fullres_512").mkdir()
    for n in range(2):
        film = Image.fromarray(random.integers(0, 256, (16, 16), dtype=np.uint8))
        film.resize((512, 512)).save(folder / f"fullres_512/film_{n}.png")


def mscoco(folder: Path) -> None:
    """30 and 18 pictures with five captions each."""
    say = make_speaker(3)
    for year, count, start in (("train2017", 30, 100), ("val2017", 18, 500)):
        images = [{"id": n, "file_name": f"{n:012d}.jpg"} for n in range(start, start + count)]
        captions = [
            {"id": 10 * image["id"] + k, "image_id": image["id"], "caption": say(8)}
            for image, k in product(images, range(5))
        ]
        for image in images:
            picture(folder / year / str(image["file_name"]), 80, 60, seed=int(str(image["id"])))
        write_json(folder / f"annotations/captions_{year}.json", {"images": images, "annotations": captions})


def vqa(folder: Path) -> None:
    """Two questions about 20 and 12 pictures; two of the twelve are in COCO's training set of 2017."""
    root, say = folder / "coco-vqa", make_speaker(4)
    for year, numbers in (("train2014", range(600, 620)), ("val2014", range(128, 140))):
        images = [{"id": n, "file_name": f"COCO_{year}_{n:012d}.jpg"} for n in numbers]
        asked, answers = [], []
        for image, k in product(images, range(2)):
            picture(root / year / str(image["file_name"]), 80, 60, seed=int(str(image["id"])))
            number = 10 * int(str(image["id"])) + k
            question = {"question_id": number, "image_id": image["id"], "question": say(8)}
            asked.append(question | {"multiple_choices": ["yes", "no", "red", "a dog"]})
            right = {"multiple_choice_answer": ("yes", "red")[k]}
            answers.append({"question_id": number, "image_id": image["id"]} | right)
        write_json(root / f"annotations/captions_{year}.json", {"images": images})
        write_json(root / f"MultipleChoice_mscoco_{year}_questions.json", {"questions": asked})
        write_json(root / f"mscoco_{year}_annotations.json", {"annotations": answers})


PICTURES = {
    "imagenet": imagenet,
    "cifar10": cifar10,
    "aircraft": aircraft,
    "cu_birds": cu_birds,
    "dtd": dtd,
    "gtsrb": gtsrb,
    "flowers": flowers,
    "chexpert": chexpert,
    "xray8": xray8,
    "mscoco": mscoco,
    "vqa": vqa,
}
