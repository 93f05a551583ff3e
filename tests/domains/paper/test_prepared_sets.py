"""Every dataset but the texts, prepared from its sample: rows, hashes, messages.

The samples are completed by `layouts.py`. For speed, images have 32×32 pixels.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from dabs.cli.data import notes_of, status_table
from dabs.data.domain import PRETRAIN, Classes, Domain, MultiLabel
from dabs.data.prepare import prepare, verify
from dabs.data.prepared import open_prepared, units_of
from dabs.data.split import Split
from dabs.domains.sources.official import OfficialFiles
from dabs.errors import DabsError
from dabs.evaluation.metrics import METRICS
from dabs.registry import find_domain

FOLDERS = {
    "natural_images": ("imagenet", "cifar10", "aircraft", "cu_birds", "dtd", "gtsrb", "flowers"),
    "chest_xray": ("chexpert", "xray8"),
    "captioned_images": ("mscoco", "vqa"),
    "sensor": ("pamap2",),
    "speech": ("librispeech", "audiomnist", "fluent_speech", "google_speech", "voxceleb1"),
}
SUITE = {"natural_images": "paper32", "chest_xray": "paper32", "captioned_images": "paper32"}
# rows of the real samples in train, validation and test
COUNTS = {
    ("natural_images", PRETRAIN): (1600, 400),
    ("natural_images", "cifar10"): (900, 100, 500),
    ("natural_images", "aircraft"): (200, 100, 100),
    ("natural_images", "cu_birds"): (20, 20, 40),
    ("natural_images", "dtd"): (20, 20, 20),
    ("natural_images", "traffic_sign"): (573, 72, 86),
    ("natural_images", "vgg_flower"): (75, 62, 67),
    ("chest_xray", PRETRAIN): (168, 28),
    ("chest_xray", "chexpert"): (168, 28, 64),
    ("chest_xray", "chest_xray8"): (644, 108, 248),
    ("captioned_images", PRETRAIN): (27, 3),
    ("captioned_images", "mismatched_caption"): (27, 3, 18),
    ("captioned_images", "vqa"): (28, 5, 21),
    ("sensor", PRETRAIN): (131, 11),
    ("sensor", "pamap2"): (131, 11, 11),
    ("speech", PRETRAIN): (45, 50),  # nine of 36 clips are longer than the window
    ("speech", "librispeech"): (30, 10, 10),
    ("speech", "audio_mnist"): (240, 80, 160),
    ("speech", "fluent_speech_action"): (40, 40, 40),
    ("speech", "fluent_speech_object"): (40, 40, 40),
    ("speech", "fluent_speech_location"): (40, 40, 40),
    ("speech", "google_speech"): (100, 66, 39),
    ("speech", "voxceleb1"): (6, 6, 6),
}
# the same, where the made samples differ
MADE_COUNTS = COUNTS | {
    ("natural_images", PRETRAIN): (80, 20),
    ("natural_images", "cifar10"): (180, 20, 50),
    ("natural_images", "traffic_sign"): (86, 86, 86),
    ("natural_images", "vgg_flower"): (68, 68, 68),
    ("chest_xray", PRETRAIN): (91, 12),
    ("chest_xray", "chexpert"): (91, 12, 27),
    ("chest_xray", "chest_xray8"): (172, 20, 48),
    ("captioned_images", "vqa"): (36, 4, 20),
    ("sensor", PRETRAIN): (134, 11),
    ("sensor", "pamap2"): (134, 11, 11),
    ("speech", "audio_mnist"): (30, 10, 20),
    ("speech", "fluent_speech_action"): (20, 20, 20),
    ("speech", "fluent_speech_object"): (20, 20, 20),
    ("speech", "fluent_speech_location"): (20, 20, 20),
    ("speech", "google_speech"): (70, 35, 35),
}
SETS = [pytest.param(*key, id="-".join(key)) for key in COUNTS]


def domain_of(name: str) -> Domain:
    return find_domain(name, SUITE.get(name, "paper"))


@pytest.fixture(scope="module")
def ready(official, text_files, tmp_path_factory):
    """A function that prepares a dataset of a domain, once for all tests of this file, and returns the domain."""
    patch = pytest.MonkeyPatch()
    patch.setenv("DABS_HOME", str(tmp_path_factory.mktemp("home")))
    patch.setenv("DABS_DATA_DIR", str(official("cifar10").parent))
    patch.setenv("DABS_TOKENIZER", str(text_files("bert-base-uncased") / "bert-base-uncased"))

    def get(name: str, dataset: str) -> Domain:
        for folder in FOLDERS[name]:
            official(folder)
        domain = domain_of(name)
        prepare(domain, lambda line: None, datasets=(dataset,))
        return domain

    yield get
    patch.undo()


@pytest.mark.parametrize(("name", "dataset"), SETS)
def test_rows_fit_their_specs_and_no_group_is_in_two_splits(ready, samples, name, dataset):
    domain, counts = ready(name, dataset), COUNTS if samples.origin == "real" else MADE_COUNTS
    splits = {split: open_prepared(domain, dataset).columns(split) for split in domain.datasets()[dataset]}
    assert tuple(len(columns["group"]) for columns in splits.values()) == counts[name, dataset]
    for columns in splits.values():
        for number, spec in enumerate(domain.specs):
            x = columns[f"input_{number}"]
            assert x.shape[1:] == spec.shape
            assert np.isfinite(x.astype(np.float32)).all()
            assert len(x) < 2 or x.std(axis=0).max() > 0
        assert ("label" in columns) == (dataset != PRETRAIN)
    for a, b in combinations(splits.values(), 2):
        assert not set(a["group"].tolist()) & set(b["group"].tolist())
    batch = Split(open_prepared(domain, dataset), "train", labels=False).batch(np.arange(2))
    assert len(batch) == 2


@pytest.mark.parametrize(("name", "dataset"), [p for p in SETS if p.values[1] != PRETRAIN])
def test_labels_fit_and_pretraining_has_no_test_group(ready, name, dataset):
    domain = ready(name, PRETRAIN) and ready(name, dataset)
    task = domain.task(dataset)
    assert task.metric in METRICS
    test = open_prepared(domain, dataset).columns("test", ("label", "group"))
    if isinstance(task.target, MultiLabel):
        assert test["label"].shape[1] == len(task.target)
        assert set(np.unique(test["label"])) == {0, 1}
    else:
        assert isinstance(task.target, Classes)
        assert test["label"].min() >= 0
        assert test["label"].max() < len(task.target)
        assert len(np.unique(test["label"])) > 1
    pretrained = set(open_prepared(domain).columns("train", ("group",))["group"].tolist())
    assert not pretrained & set(test["group"].tolist())


@pytest.mark.parametrize(
    ("name", "dataset"), [("natural_images", "cu_birds"), ("chest_xray", "chexpert"), ("speech", "voxceleb1")]
)
def test_a_second_preparation_gives_the_same_hashes(ready, name, dataset):
    domain = ready(name, dataset)
    before = open_prepared(domain, dataset).manifest
    assert verify(domain) == []
    prepare(domain, lambda line: None, datasets=(dataset,), force=True)
    assert open_prepared(domain, dataset).manifest["splits"] == before["splits"]


@pytest.mark.parametrize(
    ("name", "dataset", "found", "published"),
    [
        ("natural_images", PRETRAIN, {"real": "2,000", "made": "100"}, "1,331,167"),
        ("natural_images", "cu_birds", {"real": "80", "made": "80"}, "11,788"),
        ("chest_xray", "chexpert", {"real": "260", "made": "130"}, "223,648"),
        ("speech", PRETRAIN, {"real": "86", "made": "86"}, "283,944"),  # clips, of which nine give two rows
        ("speech", "voxceleb1", {"real": "18", "made": "18"}, "153,516"),
    ],
)
def test_an_incomplete_copy_is_reported_and_noted(ready, samples, name, dataset, found, published):
    domain = ready(name, dataset)
    (note,) = open_prepared(domain, dataset).manifest["notes"]
    assert note.startswith(f"this copy has {found[samples.origin]} of the publisher's {published} files")
    assert notes_of(domain, (dataset,)) == [f"{name} {dataset}: {note}"]
    assert "ready, incomplete" in str([column._cells for column in status_table([domain]).columns])


def test_a_complete_copy_has_no_note(official, raw, monkeypatch):
    root = official("dtd")
    monkeypatch.setenv("DABS_DATA_DIR", str(root.parent))
    domain = find_domain("natural_images", "paper32")
    parts = [replace(one, build=partial(one.build, count=60)) if one.dataset == "dtd" else one for one in domain.parts]
    domain = replace(domain, parts=tuple(parts))
    prepare(domain, lambda line: None, datasets=("dtd",))
    assert "notes" not in open_prepared(domain, "dtd").manifest


@pytest.mark.parametrize("suite", ["paper", "paper32"])
@pytest.mark.parametrize("name", ["natural_images", "chest_xray", "captioned_images"])
def test_image_domains_come_in_two_sizes(name, suite):
    domain, side = find_domain(name, suite), {"paper": 224, "paper32": 32}[suite]
    assert domain.specs[0].shape == (3, side, side)
    assert domain.specs[0].embeddings == {"paper": 196, "paper32": 64}[suite]
    assert [t.name for t in domain.tasks] == [t.name for t in find_domain(name, "paper").tasks]


def test_the_builder_gives_the_papers_size(ready):
    domain = find_domain("natural_images", "paper")
    ready("natural_images", "dtd")
    prepare(domain, lambda line: None, datasets=("dtd",))
    x = open_prepared(domain, "dtd").columns("test", ("input_0",))["input_0"]
    assert x.shape == (20, 3, 224, 224)
    assert x.dtype == np.uint8


def test_embeddings_are_those_of_the_paper():
    found = {name: sum(s.embeddings for s in find_domain(name, "paper").specs) for name in FOLDERS}
    assert found == {"natural_images": 196, "chest_xray": 196, "captioned_images": 228, "sensor": 64, "speech": 196}


@pytest.mark.parametrize("name", FOLDERS)
def test_cards_say_where_data_comes_from_and_how_large_it_is(name):
    domain = find_domain(name, "paper")
    for card in (domain.card, *(task.card for task in domain.tasks if task.card)):
        assert all((card.title, card.licence, card.citation, card.source, card.size))
        assert card.origin == "recorded"
        assert "GB" in card.size or "MB" in card.size
    assert domain.encoder == "paper"
    assert domain.steps == 100_000


@pytest.mark.parametrize(("name", "dataset"), SETS)
def test_missing_files_are_named_with_their_folder_and_instructions(raw: Path, monkeypatch, name, dataset):
    """With no files and no downloads, the message has the dataset, the folder, the files and the instructions."""
    (unit,) = units_of(domain_of(name), (dataset,))
    for source in unit.sources:
        if not isinstance(source, OfficialFiles):
            continue
        assert source.archives or source.instructions, "neither a download nor instructions"
        monkeypatch.setattr(OfficialFiles, "_download", lambda *_: None)
        with pytest.raises(DabsError) as caught:
            source.fetch(raw, lambda line: None)
        message = str(caught.value)
        assert source.name in message
        assert str(raw / source.name) in message
        assert all(pattern in message for pattern in source.expects)
        assert source.instructions.strip() in message


@pytest.mark.parametrize("name", FOLDERS)
def test_sources_that_need_registration_have_instructions(name):
    domain = find_domain(name, "paper")
    cards = {PRETRAIN: domain.card} | {t.name: t.card or domain.card for t in domain.tasks}
    for part in domain.parts:
        by_hand = any(isinstance(s, OfficialFiles) and not s.archives for s in part.sources)
        assert by_hand or not cards[part.dataset].registration
