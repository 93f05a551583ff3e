"""Chest radiographs: CheXpert to learn from, CheXpert and ChestX-ray8 labelled; at 224×224 and 32×32 (paper32)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from dabs.data.domain import PRETRAIN, TRAIN, VALIDATION, Card, Domain, MultiLabel, Part, Rows, Task, Workspace
from dabs.domains.images.pictures import SPECS, resized
from dabs.domains.sources.official import OfficialFiles
from dabs.domains.sources.rows import Item, Listing, carve, check_count, listing, rows, task_rows

CHEXPERT_FINDINGS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
NIH_FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
)
COUNTS = {"chexpert": 223_414 + 234, "chest_xray8": 112_120}  # films in all splits
TESTED = 0.2  # of the NIH patients, where the official list is missing

STANFORD = OfficialFiles(
    name="chexpert",
    expects=tuple(
        f"CheXpert-v1.0-small/{name}" for name in ("train.csv", "valid.csv", "train/*/*/*.jpg", "valid/*/*/*.jpg")
    ),
    steps="""
CheXpert is given out after registration:
  1. Sign the research use agreement at https://stanfordmlgroup.github.io/competitions/chexpert/.
  2. Download the sampled version, CheXpert-v1.0-small.zip (11 GB).
  3. Unpack it in the folder above, so that CheXpert-v1.0-small/train.csv is there.
""",
)
NIH = OfficialFiles(
    name="xray8",
    expects=("Data_Entry_2017*.csv", "images/*.png"),
    steps="""
ChestX-ray8 (NIH) needs no registration, but its box cannot be downloaded by a program:
  1. Open https://nihcc.app.box.com/v/ChestXray-NIHCC and download images_001.tar.gz to images_012.tar.gz (45 GB),
     Data_Entry_2017_v2020.csv, train_val_list.txt and test_list.txt.
  2. Unpack the twelve archives in the folder above; all go into images/. Put the csv and the lists beside images/.
Without test_list.txt a fifth of the patients is tested, chosen by hash; with it, the official ones.
""",
)


def _table(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def chexpert_table(root: Path, name: str) -> list[Item]:
    """The films of `train.csv` or `valid.csv` with their findings; blank and -1 (uncertain) count as 0.

    A path reads CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg.
    """
    items = []
    for row in _table(root / "CheXpert-v1.0-small" / name):
        label = tuple(int(float(row[finding] or 0) > 0) for finding in CHEXPERT_FINDINGS)
        items.append(Item(source=str(root / row["Path"]), group=row["Path"].split("/")[2], label=label))
    return sorted(items, key=lambda item: str(item.source))


def chexpert(root: Path) -> Listing:
    """Train without a tenth of its patients, these, and the official validation set (200 patients) as test.

    Patients are numbered once for both files; one that stands in both (none does officially) is only tested.
    """
    test = chexpert_table(root, "valid.csv")
    tested = {film.group for film in test}
    return listing([film for film in chexpert_table(root, "train.csv") if film.group not in tested], None, test)


def chest_xray8(root: Path) -> Listing:
    """By patient: the official `test_list.txt`, or where it is missing a fifth of the patients, by hash."""
    table = min(root.glob("Data_Entry_2017*.csv"))
    films = []
    for row in sorted(_table(table), key=lambda row: row["Image Index"]):
        found = row["Finding Labels"].split("|")
        label = tuple(int(finding in found) for finding in NIH_FINDINGS)
        source = str(root / "images" / row["Image Index"])
        films.append(Item(source=source, group=f"nih {int(row['Patient ID']):05d}", label=label))
    official = root / "test_list.txt"
    if official.exists():
        names = set(official.read_text().split())
        test = [film for film in films if Path(str(film.source)).name in names]
        tested = {film.source for film in test}
        return listing([film for film in films if film.source not in tested], None, test)
    rest, test = carve(films, TESTED)
    return listing(rest, None, test)


def build_pretraining(workspace: Workspace, side: int) -> Iterator[Rows]:
    """CheXpert's training films without labels; those of the patients put aside for validation watch."""
    found = chexpert(workspace.sources[STANFORD.name])
    check_count(workspace, sum(map(len, found.values())), COUNTS["chexpert"])
    for split in (TRAIN, VALIDATION):
        workspace.say(f"decoding CheXpert {split}")
        yield from rows(PRETRAIN, split, found[split], partial(resized, side=side))


def build_task(
    workspace: Workspace, name: str, source: str, read: Callable[[Path], Listing], side: int
) -> Iterator[Rows]:
    """The splits of a labelled set."""
    found = read(workspace.sources[source])
    check_count(workspace, sum(map(len, found.values())), COUNTS[name])
    workspace.say(f"decoding {sum(map(len, found.values())):,} films of {name}")
    yield from task_rows(name, found, partial(resized, side=side))


CARD = Card(
    title="CheXpert-v1.0-small",
    origin="recorded",
    licence="Stanford University School of Medicine CheXpert dataset research use agreement; no redistribution",
    citation="Irvin et al., CheXpert: a large chest radiograph dataset with uncertainty labels and expert comparison, "
    "AAAI 2019, arXiv:1901.07031",
    source="https://stanfordmlgroup.github.io/competitions/chexpert/; 223,414 training films of 64,540 patients, 234 "
    "validation films of 200",
    size="11 GB archive; prepared 34 GB to pretrain and as much labelled at 224×224, 0.7 GB each at 32×32",
    registration=True,
    notes="The official validation set is the test split, as in the paper: 234 films, so intervals are wide. A "
    "tenth of the training patients is the validation split. Labels of the training films "
    "were read from reports by a program.",
)
NIH_CARD = Card(
    title="ChestX-ray8 (NIH Clinical Center)",
    origin="recorded",
    licence="no restriction on use; the NIH Clinical Center is to be named",
    citation="Wang et al., ChestX-ray8: hospital-scale chest X-ray database and benchmarks on weakly-supervised "
    "classification and localization of common thorax diseases, CVPR 2017, arXiv:1705.02315",
    source="https://nihcc.app.box.com/v/ChestXray-NIHCC; 112,120 films of 30,805 patients",
    size="45 GB of archives; prepared 17 GB at 224×224, 0.3 GB at 32×32",
    notes="Tested is the official list, or without it a fifth of the patients; the manifest's hash tells which. "
    "Labels were read from reports by a program.",
)
TASKS = (
    Task(
        name="chexpert",
        question="Which of five findings does this film show?",
        target=MultiLabel(names=CHEXPERT_FINDINGS),
        metric="auroc",
        split_by="patient",
        card=CARD,
    ),
    Task(
        name="chest_xray8",
        question="Which of eight findings does this film show, from another hospital than was learned from?",
        target=MultiLabel(names=NIH_FINDINGS),
        metric="auroc",
        split_by="patient",
        card=NIH_CARD,
    ),
)


def _domain(suite: str) -> Domain:
    side = SPECS[suite].height
    return Domain(
        name="chest_xray",
        suite=suite,
        title="Chest radiographs" if suite == "paper" else "Chest radiographs (32×32)",
        specs=(SPECS[suite],),
        card=CARD,
        tasks=TASKS,
        parts=(
            Part(dataset=PRETRAIN, sources=(STANFORD,), build=partial(build_pretraining, side=side)),
            *(
                Part(
                    dataset=name,
                    sources=(source,),
                    build=partial(build_task, name=name, source=source.name, read=read, side=side),
                )
                for name, source, read in (("chexpert", STANFORD, chexpert), ("chest_xray8", NIH, chest_xray8))
            ),
        ),
        encoder="paper",
        steps=100_000,
        batch_size=64,
    )


PAPER, PAPER32 = _domain("paper"), _domain("paper32")
