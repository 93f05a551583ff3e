"""The lists of the natural-image datasets.

The made samples are noise. Real are: cifar10 (JPEG copies), cu_birds, dtd, flowers, the training part of GTSRB,
tiny-imagenet, and the lists of aircraft, whose images are generated; so is the test part of GTSRB.
"""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dabs.data.domain import BuildError
from dabs.domains.images import class_names, picture_sets
from dabs.domains.sources.listing import Item
from tests.helpers.paper.layouts import picture
from tests.helpers.paper.open_layouts import tiny_imagenet


def test_every_dataset_has_its_number_of_class_names():
    names = (
        class_names.CIFAR10,
        class_names.AIRCRAFT,
        class_names.BIRDS,
        class_names.TEXTURES,
        class_names.SIGNS,
        class_names.FLOWERS,
    )
    assert [len(set(n)) for n in names] == [10, 100, 200, 47, 43, 102]
    assert list(class_names.TEXTURES) == sorted(class_names.TEXTURES)


def test_cifar10(samples, official, check_disjoint):
    found = picture_sets.list_cifar10(official("cifar10"))
    check_disjoint(found)
    per_class = {"real": (90, 10, 50), "made": (18, 2, 5)}[samples.origin]
    for items, count in zip(found.values(), per_class, strict=True):
        assert Counter(item.label for item in items) == dict.fromkeys(range(10), count)
    with open(official("cifar10") / "cifar-10-batches-py/test_batch", "rb") as file:
        batch = pickle.load(file, encoding="latin1")  # as torchvision reads it
    for place in (0, 23):
        np.testing.assert_array_equal(
            found["test"][place].source, batch["data"][place].reshape(3, 32, 32).transpose(1, 2, 0)
        )
        assert found["test"][place].label == batch["labels"][place]


def test_a_batch_with_code_is_not_run(official, tmp_path):
    shutil.copytree(official("cifar10"), tmp_path / "cifar10", copy_function=shutil.copy)
    bad = tmp_path / "cifar10/cifar-10-batches-py/data_batch_3"
    bad.write_bytes(pickle.dumps({"data": print, "labels": []}, protocol=2))
    with pytest.raises(BuildError, match=r"asks for .*print"):
        picture_sets.list_cifar10(tmp_path / "cifar10")
    bad.write_bytes(b"\x80\x02}.")
    with pytest.raises(BuildError, match="data_batch_3 is not a batch"):
        picture_sets.list_cifar10(tmp_path / "cifar10")


def test_aircraft_follows_the_official_lists_and_crops_to_the_box(official, check_disjoint):
    root = official("aircraft")
    found = picture_sets.list_aircraft(root)
    check_disjoint(found)
    assert {split: len(items) for split, items in found.items()} == {"train": 200, "validation": 100, "test": 100}
    data = root / "fgvc-aircraft-2013b/data"
    listed = dict(line.split(" ", 1) for line in (data / "images_variant_test.txt").read_text().splitlines())
    assert {i.group: class_names.AIRCRAFT[i.label] for i in found["test"]} == listed
    boxes = {
        line.split()[0]: tuple(map(int, line.split()[1:]))
        for line in (data / "images_box.txt").read_text().splitlines()
    }
    item = found["train"][0]
    left, top, right, bottom = boxes[item.group]
    assert item.box == (left - 1, top - 1, right, bottom)  # the list counts from 1, Pillow from 0


def test_the_publishers_complete_aircraft_lists(shared, check_disjoint):
    found = picture_sets.list_aircraft(shared / "data/paper/aircraft")  # lists only: nothing is decoded
    check_disjoint(found)
    assert [len(items) for items in found.values()] == [3334, 3333, 3333]
    assert all({i.label for i in items} == set(range(100)) for items in found.values())


def test_cu_birds(official, check_disjoint):
    root = official("cu_birds") / "CUB_200_2011"
    found = picture_sets.list_cu_birds(official("cu_birds"))
    check_disjoint(found)
    assert {split: len(items) for split, items in found.items()} == {"train": 20, "validation": 20, "test": 40}
    train = {
        line.split()[0] for line in (root / "train_test_split.txt").read_text().splitlines() if line.endswith(" 1")
    }
    number = {line.split()[1]: line.split()[0] for line in (root / "images.txt").read_text().splitlines()}
    assert {number[i.group] for i in found["train"] + found["validation"]} == train
    for item in found["test"]:
        assert item.group.startswith(f"{item.label + 1:03d}.")


def test_dtd_numbers_classes_among_all_47(official, check_disjoint):
    found = picture_sets.list_dtd(official("dtd"))
    check_disjoint(found)
    assert [len(items) for items in found.values()] == [20, 20, 20]
    for items in found.values():
        assert all(class_names.TEXTURES[item.label] == item.group.split("/")[0] for item in items)
    listed = (official("dtd") / "dtd/labels/test1.txt").read_text().split()
    assert sorted(i.group for i in found["test"]) == sorted(listed)


def test_dtd_labels_do_not_change_when_a_list_lacks_classes(tmp_path, check_disjoint):
    for number, split in enumerate(("train1", "val1", "test1")):
        lines = [f"{name}/{name}_{number}.jpg" for name in (("zigzagged",) if number else ("banded", "zigzagged"))]
        path = tmp_path / f"dtd/dtd/labels/{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))
    found = picture_sets.list_dtd(tmp_path / "dtd")
    assert [i.label for i in found["test"]] == [46]


def test_traffic_signs_keep_the_frames_of_one_sign_together(samples, official, check_disjoint):
    found = picture_sets.list_traffic_sign(official("gtsrb"))
    check_disjoint(found)
    assert len(found["train"]) + len(found["validation"]) == {"real": 645, "made": 172}[samples.origin]
    assert len(found["test"]) == 86
    for item in found["train"] + found["validation"]:
        path = Path(item.source)
        assert item.group == f"sign {path.parent.name}/{path.name[:5]}"
        assert int(path.parent.name) == item.label
    assert {i.label for i in found["test"]} == set(range(43))


def test_frames_of_one_sign_in_generated_tracks(tmp_path):
    for label in range(2):
        for track in range(20):
            for frame in range(3):
                picture(tmp_path / f"GTSRB/Final_Training/Images/{label:05d}/{track:05d}_{frame:05d}.ppm", 4, 4)
    (tmp_path / "GTSRB/Final_Test/Images").mkdir(parents=True)
    (tmp_path / "GT-final_test.csv").write_text("Filename;Width;Height;ClassId\n00001.ppm;4;4;1\n00000.ppm;4;4;0\n")
    found = picture_sets.list_traffic_sign(tmp_path)
    assert {i.group for i in found["validation"]}.isdisjoint({i.group for i in found["train"]})
    assert Counter(i.label for i in found["validation"]) == {0: 6, 1: 6}  # two complete signs of twenty
    assert [i.group for i in found["test"]] == ["test 00000.ppm", "test 00001.ppm"]


def test_flowers_follow_the_three_official_lists(official, check_disjoint):
    from scipy.io import loadmat

    root = official("flowers") / "flowers-102"
    found = picture_sets.list_vgg_flower(official("flowers"))
    check_disjoint(found)
    assert sum(map(len, found.values())) == 204
    lists, labels = loadmat(root / "setid.mat", squeeze_me=True), loadmat(root / "imagelabels.mat", squeeze_me=True)
    for split, name in (("train", "trnid"), ("validation", "valid"), ("test", "tstid")):
        numbers = [int(i.group[6:11]) for i in found[split]]
        assert numbers == sorted(lists[name].tolist())
        assert [i.label for i in found[split]] == [int(labels["labels"][n - 1]) - 1 for n in numbers]


@pytest.mark.parametrize("flat", [False, True])
def test_imagenet_reads_validation_with_and_without_class_folders(tmp_path, flat):
    for name in ("train/n02/b.JPEG", "train/n01/c.JPEG", "train/n01/a.JPEG", "train/n01/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    val = tmp_path / ("val" if flat else "validation/n01")
    val.mkdir(parents=True)
    (val / "v.JPEG").touch()
    found = {split: [i.group for i in items] for split, items in picture_sets.list_imagenet(tmp_path)}
    assert found == {"train": ["train/a.JPEG", "train/c.JPEG", "train/b.JPEG"], "validation": ["validation/v.JPEG"]}


def test_imagenet_is_listed_lazily_and_without_labels(samples, official):
    found = dict(picture_sets.list_imagenet(official("imagenet")))
    first = next(found["train"])
    assert isinstance(first, Item)
    assert first.label is None
    rest = [sum(1 for _ in found[split]) for split in ("train", "validation")]
    assert rest == {"real": [1599, 400], "made": [79, 20]}[samples.origin]


def test_tiny_imagenet_is_listed_as_its_archive_has_it(tmp_path, samples):
    tiny_imagenet(samples, tmp_path)
    found = dict(picture_sets.list_tiny_imagenet(tmp_path))
    sample = samples.sample("imagenet") / "tiny"
    for split in ("train", "validation"):
        assert len(found[split]) == len(list(sample.glob(f"{split}/*/*.JPEG")))
        assert len({item.group for item in found[split]}) == len(found[split])
    assert not {item.group for item in found["train"]} & {item.group for item in found["validation"]}
