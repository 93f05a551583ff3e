"""Chest radiographs: CheXpert; findings in CheXpert and ChestX-ray8.

Images have 224×224 pixels (paper) or 32×32 (paper32).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dabs.data.domain import PRETRAIN, TRAIN, VALIDATION, Card, Domain, MultiLabel, Part, Rows, Task, Workspace
from dabs.domains.images.resize import SPECS, resize
from dabs.domains.sources.decode import build_images, decode_rows
from dabs.domains.sources.listing import Item, Listing, check_count, hold_out, make_listing
from dabs.domains.sources.official import OfficialFiles

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
NIH_TEST_SHARE = 0.2  # of the NIH patients, if the official list is missing

CHEXPERT = OfficialFiles(
    name="chexpert",
    expects=tuple(
        f"CheXpert-v1.0-small/{name}" for name in ("train.csv", "valid.csv", "train/*/*/*.jpg", "valid/*/*/*.jpg")
    ),
    instructions="""
CheXpert requires registration:
  1. Sign the research use agreement at https://stanfordmlgroup.github.io/competitions/chexpert/.
  2. Download the sampled version, CheXpert-v1.0-small.zip (11 GB).
  3. Unpack it in the folder above, so that it holds CheXpert-v1.0-small/train.csv.
""",
)
NIH_FILES = OfficialFiles(
    name="xray8",
    expects=("Data_Entry_2017*.csv", "images/*.png"),
    instructions="""
ChestX-ray8 (NIH) needs no registration, but a program cannot download its files:
  1. Open https://nihcc.app.box.com/v/ChestXray-NIHCC and download images_001.tar.gz to images_012.tar.gz (45 GB),
     Data_Entry_2017_v2020.csv, train_val_list.txt and test_list.txt.
  2. Unpack the twelve archives in the folder above, all into images/. Put the csv and the lists beside images/.
Without test_list.txt the test split is a fifth of the patients, chosen by hash, instead of the official one.
""",
)


def _read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def read_chexpert(root: Path, name: str) -> list[Item]:
    """Return the films of `train.csv` or `valid.csv` with their findings; blank and -1 (uncertain) count as 0.

    The path of a film is like CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg.
    """
    items = []
    for row in _read_csv(root / "CheXpert-v1.0-small" / name):
        label = tuple(int(float(row[finding] or 0) > 0) for finding in CHEXPERT_FINDINGS)
        items.append(Item(source=str(root / row["Path"]), group=row["Path"].split("/")[2], label=label))
    return sorted(items, key=lambda item: str(item.source))


def list_chexpert(root: Path) -> Listing:
    """List train, with a tenth of its patients held out, and the official validation set (200 patients) as test.

    Patients have the same numbers in both files; one in both files (officially none is) is used for the test only.
    """
    test = read_chexpert(root, "valid.csv")
    tested = {film.group for film in test}
    return make_listing([film for film in read_chexpert(root, "train.csv") if film.group not in tested], None, test)


def list_chest_xray8(root: Path) -> Listing:
    """List ChestX-ray8 by patient; without the official `test_list.txt`, a fifth of the patients is the test split."""
    table = min(root.glob("Data_Entry_2017*.csv"))
    films = []
    for row in sorted(_read_csv(table), key=lambda row: row["Image Index"]):
        found = row["Finding Labels"].split("|")
        label = tuple(int(finding in found) for finding in NIH_FINDINGS)
        source = str(root / "images" / row["Image Index"])
        films.append(Item(source=source, group=f"nih {int(row['Patient ID']):05d}", label=label))
    official = root / "test_list.txt"
    if official.exists():
        names = set(official.read_text().split())
        test = [film for film in films if Path(str(film.source)).name in names]
        tested = {film.source for film in test}
        return make_listing([film for film in films if film.source not in tested], None, test)
    rest, test = hold_out(films, NIH_TEST_SHARE)
    return make_listing(rest, None, test)


def build_pretraining(workspace: Workspace, side: int) -> Iterator[Rows]:
    """Yield CheXpert's training films without labels; those of the held-out patients are the validation split."""
    listing = list_chexpert(workspace.sources[CHEXPERT.name])
    check_count(workspace, sum(map(len, listing.values())), COUNTS["chexpert"])
    for split in (TRAIN, VALIDATION):
        workspace.say(f"decoding CheXpert {split}")
        yield from decode_rows(PRETRAIN, split, listing[split], partial(resize, side=side))


CARD = Card(
    title="CheXpert-v1.0-small",
    origin="recorded",
    licence="Stanford University School of Medicine CheXpert dataset research use agreement; no redistribution",
    citation="Irvin et al., CheXpert: a large chest radiograph dataset with uncertainty labels and expert comparison, "
    "AAAI 2019, arXiv:1901.07031",
    source="https://stanfordmlgroup.github.io/competitions/chexpert/; 223,414 training films of 64,540 patients, 234 "
    "validation films of 200",
    size="11 GB archive; prepared 34 GB to pretrain and 34 GB labelled at 224×224, 0.7 GB each at 32×32",
    registration=True,
    notes="As in the paper, the official validation set is the test split; it has only 234 films, so intervals are "
    "wide. A tenth of the training patients is the validation split. The labels of the training films were extracted "
    "from reports by a program.",
)
NIH_CARD = Card(
    title="ChestX-ray8 (NIH Clinical Center)",
    origin="recorded",
    licence="no restriction on use; the NIH Clinical Center must be acknowledged",
    citation="Wang et al., ChestX-ray8: hospital-scale chest X-ray database and benchmarks on weakly-supervised "
    "classification and localization of common thorax diseases, CVPR 2017, arXiv:1705.02315",
    source="https://nihcc.app.box.com/v/ChestXray-NIHCC; 112,120 films of 30,805 patients",
    size="45 GB of archives; prepared 17 GB at 224×224, 0.3 GB at 32×32",
    notes="The test split is the official list or, without it, a fifth of the patients; the manifest's hash tells "
    "which. The labels were extracted from reports by a program.",
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
        question="Which of eight findings does this film, from a hospital not seen in pretraining, show?",
        target=MultiLabel(names=NIH_FINDINGS),
        metric="auroc",
        split_by="patient",
        card=NIH_CARD,
    ),
)


def _make_domain(suite: str) -> Domain:
    side = SPECS[suite].height
    return Domain(
        name="chest_xray",
        suite=suite,
        title="Chest radiographs" if suite == "paper" else "Chest radiographs (32×32)",
        specs=(SPECS[suite],),
        card=CARD,
        tasks=TASKS,
        parts=(
            Part(dataset=PRETRAIN, sources=(CHEXPERT,), build=partial(build_pretraining, side=side)),
            *(
                Part(
                    dataset=name,
                    sources=(source,),
                    build=partial(
                        build_images,
                        dataset=name,
                        source=source.name,
                        list_items=list_items,
                        decode=partial(resize, side=side),
                        count=COUNTS[name],
                    ),
                )
                for name, source, list_items in (
                    ("chexpert", CHEXPERT, list_chexpert),
                    ("chest_xray8", NIH_FILES, list_chest_xray8),
                )
            ),
        ),
        encoder="paper",
        steps=100_000,
        batch_size=64,
    )


PAPER, PAPER32 = _make_domain("paper"), _make_domain("paper32")
