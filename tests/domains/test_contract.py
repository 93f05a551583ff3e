"""The contract of every registered lite domain, plug-ins included; of other suites, what needs no data."""

from __future__ import annotations

import hashlib
import re
from itertools import combinations

import numpy as np
import pytest

from dabs.config import SUITES
from dabs.data.domain import PRETRAIN, Classes, MultiLabel, Scalar
from dabs.data.prepare import verify
from dabs.data.prepared import open_prepared, units_of
from dabs.data.published import check_published
from dabs.domains.text.texts_to_rows import GROUP_SEPARATOR
from dabs.evaluation.metrics import METRICS
from dabs.official import OFFICIAL_TASKS, is_official
from dabs.registry import domain_names, find_domain, plugin_names
from dabs.specs import Image, Tokens

SEVEN = [
    "captioned_images", "chest_xray", "english_text", "multilingual_text", "natural_images", "sensor", "speech",
]  # fmt: skip
each_domain = pytest.mark.parametrize("name", [*domain_names(), *plugin_names()])


def test_there_are_seven_domains():
    assert domain_names() == SEVEN


@each_domain
def test_cards_are_filled_in(name):
    domain = find_domain(name)
    assert domain.name == name
    for card in (domain.card, *(task.card for task in domain.tasks if task.card)):
        assert card.origin in ("recorded", "synthesised", "generated")
        assert all((card.title, card.licence, card.citation, card.source, card.size))
    names = [task.name for task in domain.tasks]
    assert len(set(names)) == len(names) >= 2
    for task in domain.tasks:
        assert task.metric in METRICS
        assert task.question
        assert task.split_by
        assert re.fullmatch(r"[a-z0-9_]+", task.name)


@pytest.mark.parametrize(("suite", "name"), [(suite, name) for suite in SUITES for name in domain_names(suite)])
def test_official_tasks_are_those_of_the_domain(suite, name):
    domain = find_domain(name, suite)
    assert (domain.name, domain.suite) == (name, suite)
    assert OFFICIAL_TASKS[suite][name] == tuple(task.name for task in domain.tasks)
    assert list(domain.datasets()) == [PRETRAIN, *OFFICIAL_TASKS[suite][name]]
    assert domain.steps
    assert domain.batch_size >= 2


def digests(columns: dict[str, np.ndarray]) -> set[bytes]:
    inputs = [np.ascontiguousarray(x) for key, x in columns.items() if key.startswith("input_")]
    return {hashlib.sha256(b"".join(x[i].tobytes() for x in inputs)).digest() for i in range(len(inputs[0]))}


@each_domain
def test_no_group_and_no_input_is_in_two_splits(prepared, name):
    domain = prepared(name)
    pretraining = open_prepared(domain).columns("train")
    seen_groups = {group for row in pretraining["group"] for group in row.split(GROUP_SEPARATOR)}
    seen_inputs = digests(pretraining)
    for task in domain.tasks:
        splits = {s: open_prepared(domain, task.name).columns(s) for s in ("train", "validation", "test")}
        for a, b in combinations(splits, 2):
            shared = set(splits[a]["group"].tolist()) & set(splits[b]["group"].tolist())
            assert not shared, f"{task.name}: {a} and {b} share {sorted(shared)[:3]}"
            assert not digests(splits[a]) & digests(splits[b]), f"{task.name}: equal inputs in {a} and {b}"
        assert not seen_groups & set(splits["test"]["group"].tolist()), f"{task.name}: pretraining saw test groups"
        assert not seen_inputs & digests(splits["test"]), f"{task.name}: pretraining saw test inputs"


@each_domain
def test_rows_fit_their_specs_and_targets(prepared, name):
    domain = prepared(name)
    for dataset, splits in domain.datasets().items():
        for split in splits:
            columns = open_prepared(domain, dataset).columns(split)
            for i, spec in enumerate(domain.specs):
                x = columns[f"input_{i}"]
                assert x.shape[1:] == spec.shape
                assert len(x) >= 150
                if isinstance(spec, Tokens):
                    assert x.min() >= 0
                    assert x.max() < spec.vocabulary
                    assert (x[:, 0] != spec.pad).all(), "an example without a token"
                elif isinstance(spec, Image) and x.dtype == np.uint8:
                    assert x.max() > 100
                else:
                    assert np.isfinite(x.astype(np.float32)).all()
            assert ("label" in columns) == (dataset != PRETRAIN)


@each_domain
def test_labels_fit_their_targets_in_every_split(prepared, name):
    domain = prepared(name)
    for task in domain.tasks:
        for split in ("train", "validation", "test"):
            label = open_prepared(domain, task.name).columns(split)["label"]
            if isinstance(task.target, Classes):
                assert set(label.tolist()) == set(range(len(task.target))), f"{task.name}/{split} lacks a class"
            elif isinstance(task.target, MultiLabel):
                assert label.shape[1] == len(task.target)
                assert set(np.unique(label)) == {0, 1}
                assert (label.mean(axis=0) > 0).all()
            else:
                assert isinstance(task.target, Scalar)
                assert label.min() >= task.target.low
                assert label.max() <= task.target.high
                assert label.std() > 0


@each_domain
def test_the_data_is_what_the_manifest_says(prepared, name):
    domain = prepared(name)
    assert verify(domain) == []
    for entry in open_prepared(domain).manifest["sources"]:
        assert len(entry.get("sha256", "0" * 64)) == 64


@each_domain
def test_the_data_is_as_published(prepared, name):
    """After a change that alters prepared data, `docs/publish_hashes.py` writes the new hashes."""
    if not is_official(name, "lite"):
        pytest.skip("only hashes of official domains are published")
    check = check_published(units_of(prepared(name)))
    assert check.different == []
    assert check.unpublished == []
