"""What the suite `open` as a whole must satisfy; no data is needed."""

from __future__ import annotations

import re

import pytest

from dabs.cli import main
from dabs.data.domain import PRETRAIN, LargeSource
from dabs.data.fetch_ahead import plan_of
from dabs.data.prepared import units_of
from dabs.domains.images import medmnist_sets
from dabs.domains.open import chest_xray
from dabs.domains.sources.hub import HubTokenizer
from dabs.domains.sources.official import OfficialFiles
from dabs.errors import DabsError
from dabs.evaluation.metrics import METRICS
from dabs.registry import domain_names, find_domain
from dabs.specs import total_embeddings
from tests.helpers.places import ROOT

EMBEDDINGS = {
    "captioned_images": 96,
    "chest_xray": 64,
    "english_text": 128,
    "multilingual_text": 128,
    "natural_images": 64,
    "sensor": 64,
    "speech": 64,
}
each_domain = pytest.mark.parametrize("name", EMBEDDINGS)


def test_there_are_seven_domains_for_the_papers_encoder():
    assert domain_names("open") == list(EMBEDDINGS)
    for name, embeddings in EMBEDDINGS.items():
        domain = find_domain(name, "open")
        assert (domain.name, domain.suite, domain.encoder) == (name, "open", "paper")
        assert total_embeddings(domain.specs) == embeddings
        assert 32 <= embeddings <= 128


@each_domain
def test_cards_and_tasks_are_filled_in(name):
    domain = find_domain(name, "open")
    for card in (domain.card, *(task.card for task in domain.tasks if task.card)):
        assert all((card.title, card.licence, card.citation, card.source, card.size))
        assert card.origin == "recorded"
        assert not card.registration, f"{card.title} needs an account"
        assert re.search(r"\d\s*[MG]B", card.size), card.title
    for task in domain.tasks:
        assert task.metric in METRICS
        assert task.question.endswith("?")
        assert task.split_by


@each_domain
def test_every_source_can_be_downloaded_and_says_how_large_it_is(name):
    domain = find_domain(name, "open")
    assert [unit.only for unit in units_of(domain)] == [PRETRAIN, *(task.name for task in domain.tasks)]
    for part in domain.parts:
        assert part.prepared
        for source in part.sources:
            assert isinstance(source, LargeSource)
            assert all(file.download for file in source.footprints(missing=False).values()), source.name
            if isinstance(source, OfficialFiles):
                assert source.archives
                assert not source.instructions, f"{source.name} is not for a program to fetch"
                for archive in source.archives:
                    assert re.fullmatch(r"|md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", archive.checksum)
            if isinstance(source, HubTokenizer):
                assert (domain.specs[-1].vocabulary, domain.specs[-1].pad) == (source.vocabulary, source.pad)


def test_only_these_archives_have_no_checksum_from_elsewhere():
    """Of these, the SHA-256 of the first download is kept."""
    units = [unit for name in EMBEDDINGS for unit in units_of(find_domain(name, "open"))]
    archives = [a for u in units for s in u.sources if isinstance(s, OfficialFiles) for a in s.archives]
    without = {archive.file_name for archive in archives if not archive.checksum}
    assert without == {
        "GTSRB_Final_Training_Images.zip",
        "master.zip",
        "pamap2+physical+activity+monitoring.zip",
    }


@pytest.mark.parametrize("name", ["english_text", "multilingual_text", "sensor"])
def test_tasks_shared_with_the_paper_suite_have_its_rows(name):
    """The same builder, sources and version give the same rows."""
    shared = {part.dataset: part for part in find_domain(name, "paper").parts}
    for part in find_domain(name, "open").parts:
        if (name, part.dataset) != ("multilingual_text", PRETRAIN):
            other = shared[part.dataset]
            assert (part.sources, part.version) == (other.sources, other.version)
            assert (
                (part.build.func, part.build.keywords) == (other.build.func, other.build.keywords)
                if hasattr(part.build, "func")
                else part.build is other.build
            )


def test_the_whole_suite_is_what_the_page_says():
    plans = [plan_of(find_domain(name, "open"), missing=False) for name in EMBEDDINGS]
    page = (ROOT / "docs/suites.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| `open`")]
    for field in ("download", "unpacked", "prepared"):
        assert f"{sum(getattr(plan, field) for plan in plans) / 1e9:.1f}" in row, field
    assert sum(plan.download for plan in plans) < 8e9
    for name, plan in zip(EMBEDDINGS, plans, strict=True):
        assert f"| {name} | {plan.download / 1e9:.2f} | {plan.unpacked / 1e9:.2f} | {plan.prepared / 1e9:.2f} |" in page


def test_addresses_and_checksums_are_those_of_medmnist():
    package = pytest.importorskip("medmnist", reason="the extra `open` is not installed")
    for source in (chest_xray.CHEST, chest_xray.PNEUMONIA):
        info = package.INFO[source.flag]
        assert info["license"] == "CC BY 4.0"
        assert sum(info["n_samples"].values()) == chest_xray.COUNTS[source.flag]
    assert tuple(package.INFO["chestmnist"]["label"].values()) == chest_xray.FINDINGS
    assert tuple(package.INFO["pneumoniamnist"]["label"].values()) == ("normal", "pneumonia")


def test_without_medmnist_it_says_what_to_install(raw, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "medmnist", None)
    with pytest.raises(DabsError, match=r"pip install 'dabs\[open\]'"):
        chest_xray.CHEST.fetch(raw, lambda line: None)
    assert medmnist_sets.SIDE == 64


def test_list_shows_embeddings_encoder_and_sizes(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as stop:
        main(["list", "domains", "speech", "--suite", "open", "--cards"])
    assert not stop.value.code
    said = capsys.readouterr().out
    assert "64 embeddings" in said
    assert "paper encoder, 20,000 steps of 64 examples" in said
    assert "1.76 GB to download, 2.71 GB unpacked, 0.68 GB prepared" in said
