"""What the paper suite as a whole must satisfy; no data is needed."""

from __future__ import annotations

import re

import pytest

from dabs.cli import main
from dabs.data.domain import PRETRAIN, Scalar
from dabs.data.prepared import units_of
from dabs.domains.sources.hub import HubTokenizer
from dabs.domains.sources.official import OfficialFiles
from dabs.evaluation.metrics import METRICS
from dabs.evaluation.reference_rows import RAW
from dabs.registry import domain_names, find_domain
from dabs.specs import Image, total_embeddings
from tests.helpers.places import ROOT

# tasks, embeddings and batch size, from the paper's tables
SEVEN = {
    "captioned_images": (2, 228, 64),
    "chest_xray": (2, 196, 64),
    "english_text": (10, 128, 128),
    "multilingual_text": (7, 128, 128),
    "natural_images": (6, 196, 64),
    "sensor": (1, 64, 256),
    "speech": (7, 196, 64),
}
PAGE = ROOT / "docs" / "paper-suite.md"
each_domain = pytest.mark.parametrize("name", SEVEN)


def test_the_seven_domains_have_35_tasks_and_seven_pretraining_sets():
    assert domain_names("paper") == list(SEVEN)
    domains = [find_domain(name, "paper") for name in SEVEN]
    assert sum(len(domain.tasks) for domain in domains) == 35
    assert sum(len(domain.parts) for domain in domains) == 42


@each_domain
def test_budgets_are_the_papers(name):
    domain = find_domain(name, "paper")
    tasks, embeddings, batch = SEVEN[name]
    assert (len(domain.tasks), total_embeddings(domain.specs), domain.batch_size) == (tasks, embeddings, batch)
    assert (domain.name, domain.steps, domain.encoder) == (name, 100_000, "paper")


def test_every_image_domain_has_a_variant_of_32_by_32():
    for name in domain_names("paper32"):
        small, large = find_domain(name, "paper32"), find_domain(name, "paper")
        assert isinstance(small.specs[0], Image)
        assert (small.specs[0].shape, small.specs[0].patch) == ((3, 32, 32), 4)
        assert small.specs[1:] == large.specs[1:]
        assert small.tasks == large.tasks
    assert {"natural_images", "chest_xray", "captioned_images"} == set(domain_names("paper32"))


@each_domain
def test_cards_and_tasks_are_filled_in(name):
    domain = find_domain(name, "paper")
    for card in (domain.card, *(task.card for task in domain.tasks if task.card)):
        assert all((card.title, card.licence, card.citation, card.source, card.size))
        assert card.origin == "recorded"
        assert re.search(r"\d\s*[MG]B", card.size), card.title
    for task in domain.tasks:
        assert task.metric in METRICS
        assert task.question.endswith("?")
        assert task.split_by
        assert (task.metric == "spearman") == isinstance(task.target, Scalar)


@each_domain
def test_parts_are_the_datasets_and_their_sources_are_documented(name):
    domain, page = find_domain(name, "paper"), PAGE.read_text(encoding="utf-8")
    assert [unit.only for unit in units_of(domain)] == [PRETRAIN, *(task.name for task in domain.tasks)]
    for part in domain.parts:
        assert part.sources
        for source in part.sources:
            assert f"`{source.name}`" in page, source.name
            assert all(isinstance(value, str) and value for value in source.describe().values())
            if isinstance(source, OfficialFiles):
                assert source.archives or source.instructions, f"{source.name}: neither archives nor instructions"
                assert source.expects
            if isinstance(source, HubTokenizer):
                tokens = domain.specs[-1]
                assert (tokens.vocabulary, tokens.pad) == (source.vocabulary, source.pad)
    for archive in {a for p in domain.parts for s in p.sources if isinstance(s, OfficialFiles) for a in s.archives}:
        assert archive.url.startswith(("https://", "http://"))
        assert re.fullmatch(r"|md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", archive.checksum)


@each_domain
def test_a_user_without_files_is_told_what_to_do_for_every_dataset(name, raw, monkeypatch, capsys):
    def nothing(*words, **options):
        raise OSError("Network is unreachable")

    import requests

    monkeypatch.setattr("dabs.domains.sources.download.MAX_ATTEMPTS", 1)
    monkeypatch.setattr("dabs.domains.sources.official.check_disk_space", lambda folder, needed: None)
    monkeypatch.setattr(requests, "get", nothing)
    monkeypatch.setattr("huggingface_hub.snapshot_download", nothing)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", nothing)
    monkeypatch.setattr("huggingface_hub.HfFileSystem", nothing)
    with pytest.raises(SystemExit) as stop:
        main(["data", "prepare", name, "--suite", "paper"])
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    parts = find_domain(name, "paper").parts
    assert f"{len(parts)} of {len(parts)} datasets were not prepared" in said
    for part in parts:
        assert f"{name} {part.dataset}: " in said


def test_the_grid_leaves_out_the_raw_row_of_large_inputs():
    from dabs.cli.run import GridOptions, plan

    def raw(suite):
        cells = plan(GridOptions(suite=suite, algorithms=("none",)))
        return {cell.config.domain for cell in cells if cell.config.algorithm == RAW}

    assert raw("paper") == {"sensor", "english_text", "multilingual_text"}
    assert raw("paper32") == set(domain_names("paper32"))
    assert raw("lite") == set(domain_names("lite"))


@pytest.mark.parametrize("suite", ["paper", "paper32"])
def test_list_shows_the_suite(suite, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as stop:
        main(["list", "--suite", suite])
    assert not stop.value.code
    out = capsys.readouterr().out
    assert "traffic_sign" in out
    assert ("pamap2" in out) == (suite == "paper")
