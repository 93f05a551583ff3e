"""The radiographs of the paper suite: labels, and splits by patient.

The real sample of ChestX-ray8 has images of 64×64; that of CheXpert is a stand-in made of them.
"""

from __future__ import annotations

import csv
from pathlib import Path

from dabs.data.domain import PRETRAIN, Workspace
from dabs.domains.paper import chest_xray as xray
from tests.helpers.paper.layouts import link, picture
from tests.helpers.paper.made_pictures import CHEXPERT_COLUMNS


def chexpert(root: Path, rows: dict[str, dict[str, str]], name: str) -> None:
    """Write a table with some columns of some films; the films are noise."""
    folder = root / "CheXpert-v1.0-small"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.csv", "w", newline="") as file:
        table = csv.DictWriter(file, CHEXPERT_COLUMNS.split(","))
        table.writeheader()
        for path, row in rows.items():
            table.writerow({"Path": f"CheXpert-v1.0-small/{path}"} | row)
            picture(folder / path)


def test_blank_and_uncertain_count_as_zero(tmp_path):
    row = {"Atelectasis": "1.0", "Cardiomegaly": "-1.0", "Consolidation": "", "Edema": "0.0", "Pleural Effusion": "1.0"}
    chexpert(tmp_path, {"train/patient00001/study1/view1_frontal.jpg": row}, "train")
    (film,) = xray.read_chexpert(tmp_path, "train.csv")
    assert film.label == (1, 0, 0, 0, 1)
    assert film.group == "patient00001"
    assert Path(str(film.source)).is_file()


def test_a_table_saved_with_a_byte_order_mark(tmp_path):
    chexpert(tmp_path, {"train/patient00001/study1/view1_frontal.jpg": {"Edema": "1.0"}}, "train")
    path = tmp_path / "CheXpert-v1.0-small" / "train.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (film,) = xray.read_chexpert(tmp_path, "train.csv")
    assert film.group == "patient00001"


def test_chexpert_separates_patients_and_tests_on_the_official_validation_set(tmp_path, check_disjoint):
    films = {
        f"train/patient{p:05d}/study{s}/view{v}.jpg": {"Edema": str(p % 2)}
        for p in range(1, 31) for s in (1, 2) for v in ("1_frontal", "2_lateral")
    }  # fmt: skip
    chexpert(tmp_path, films, "train")
    chexpert(tmp_path, {f"valid/patient6454{p}/study1/view1_frontal.jpg": {} for p in range(5)}, "valid")
    found = xray.list_chexpert(tmp_path)
    check_disjoint(found)
    assert [len(items) for items in found.values()] == [27 * 4, 3 * 4, 5]


def test_a_patient_in_both_tables_is_in_test_only(tmp_path, check_disjoint):
    films = {f"train/patient{p:05d}/study1/view1_frontal.jpg": {} for p in range(9)}
    chexpert(tmp_path, films, "train")
    chexpert(tmp_path, {"valid/patient00003/study2/view1_frontal.jpg": {}}, "valid")
    found = xray.list_chexpert(tmp_path)
    check_disjoint(found)
    assert [len(items) for items in found.values()] == [7, 1, 1]


def test_the_stand_in_of_chexpert(samples, official, check_disjoint):
    found = xray.list_chexpert(official("chexpert"))
    check_disjoint(found)
    assert sum(map(len, found.values())) == {"real": 260, "made": 130}[samples.origin]
    assert all({i.label[k] for i in found[s]} == {0, 1} for k in range(5) for s in found)


def test_pretraining_on_chexpert_sees_no_test_patient(official):
    workspace = Workspace(sources={"chexpert": official("chexpert")}, say=lambda line: None)
    blocks = list(xray.build_pretraining(workspace, 32))
    assert {b.split for b in blocks} == {"train", "validation"}
    assert {b.dataset for b in blocks} == {PRETRAIN}
    tested = {i.group for i in xray.list_chexpert(official("chexpert"))["test"]}
    assert not tested & {g for b in blocks for g in b.group}


def test_chest_xray8_separates_patients_without_the_official_list(samples, official, check_disjoint):
    found = xray.list_chest_xray8(official("xray8"))
    check_disjoint(found)
    assert sum(map(len, found.values())) == {"real": 1000, "made": 240}[samples.origin]
    patients = {split: len({i.group for i in items}) for split, items in found.items()}
    everyone = sum(patients.values())
    assert patients["test"] == round(0.2 * everyone)
    assert patients["validation"] == round(0.1 * (everyone - patients["test"]))
    with open(official("xray8") / "Data_Entry_2017_v2020.csv", newline="") as file:
        rows = {row["Image Index"]: row for row in csv.DictReader(file)}
    for items in found.values():
        for item in items:
            row = rows[Path(str(item.source)).name]
            names = {name for name, there in zip(xray.NIH_FINDINGS, item.label, strict=True) if there}
            assert names == set(row["Finding Labels"].split("|")) & set(xray.NIH_FINDINGS)
            assert item.group == f"nih {int(row['Patient ID']):05d}"


def test_the_official_test_list_is_used_if_present(official, tmp_path, check_disjoint):
    link(official("xray8") / "images", tmp_path / "images")
    table = official("xray8") / "Data_Entry_2017_v2020.csv"
    link(table, tmp_path / "Data_Entry_2017_v2020.csv")
    with open(table, newline="") as file:
        names = [row["Image Index"] for row in csv.DictReader(file) if int(row["Patient ID"]) % 3 == 0]
    (tmp_path / "test_list.txt").write_text("\n".join(names))
    found = xray.list_chest_xray8(tmp_path)
    check_disjoint(found)
    assert sorted(Path(str(i.source)).name for i in found["test"]) == sorted(names)


def test_a_full_size_film_is_read(samples):
    from dabs.domains.images.resize import resize
    from dabs.domains.sources.listing import Item

    for path in sorted((samples.sample("xray8") / "fullres_512").glob("*.png")):
        x = resize(Item(source=str(path), group="g"), 224)
        assert (x[0, 0] == x[0, 1]).all()  # grey
        assert x.std() > 20
