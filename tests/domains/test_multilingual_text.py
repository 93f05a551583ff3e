"""Multilingual text: groups of messages, the same split in every language, and words that belong to one language."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from dabs.dataset import PRETRAIN, TEST, TRAIN, VALIDATION, Domain
from dabs.prepared import folder_of, read_columns
from domains.multilingual_text import COMPONENTS, LANGUAGES, WORDS, Message, _language_task, group_of


def test_messages_that_differ_in_number_or_values_are_one_group() -> None:
    assert group_of("Delete Volume") == group_of("delete  volumes") == group_of("Delete Volumes %(name)s")
    assert group_of("Delete Volume") != group_of("Delete Network")


def test_a_file_belongs_to_one_component() -> None:
    def components(path: str) -> list[str]:
        return [name for name, pattern in COMPONENTS.items() if re.search(pattern, path)]

    assert components("openstack_dashboard/dashboards/admin/volumes/tables.py") == ["volumes"]
    assert components(
        "openstack_dashboard/dashboards/project/static/dashboard/project/workflow/launch-instance/a.js"
    ) == ["instances"]
    assert components("openstack_dashboard/static/app/core/openstack-service-api/keystone.service.js") == ["identity"]
    assert components("openstack_dashboard/dashboards/project/dashboard.py") == []


def test_words_of_two_languages_are_left_out() -> None:
    messages = [
        Message({"en": "Volume backup", "fr": "Volume sauvegarde", "zh": "删除", "ja": "の削除"}, "", "a"),
        Message({"en": "backup of x"}, "", "b"),
    ]
    texts = _language_task(messages, {"a": TRAIN, "b": TEST}, np.random.default_rng(0))
    assert {t.text for t in texts} == {"backup", "sauvegarde", "删除", "削除"}
    assert len(texts) == 4


def test_kanji_and_words_are_what_language_shows() -> None:
    assert re.findall(WORDS["ja"], "ボリュームの削除を開始") == ["削除", "開始"]
    assert re.findall(WORDS["de"], "die größe ändern") == ["größe", "ändern"]
    assert re.findall(WORDS["ko"], "볼륨 1 삭제") == ["볼륨", "삭제"]


def test_a_message_is_on_one_side_in_all_languages(prepared: Callable[[str], Domain]) -> None:
    domain = prepared("multilingual_text")
    sides: dict[str, set[str]] = {}
    for task in domain.tasks:
        for split in (TRAIN, VALIDATION, TEST):
            for group in read_columns(domain, task.name, split)["group"]:
                sides.setdefault(group, set()).add(split)
    assert all(len(side) == 1 for side in sides.values())
    pretrained = set(read_columns(domain, PRETRAIN, TRAIN)["group"])
    assert not any(TEST in side for group, side in sides.items() if group in pretrained)


def test_a_message_has_one_component_in_all_languages(prepared: Callable[[str], Domain]) -> None:
    domain = prepared("multilingual_text")
    counts = []
    for language in LANGUAGES:
        columns = read_columns(domain, f"component_{language}", TEST)
        counts.append(np.bincount(columns["label"], minlength=len(COMPONENTS)))
    assert np.ptp(counts, axis=0).max() <= 40  # only repeats and messages kept in English differ
    assert np.min(counts) >= 35


def test_prepared_texts_are_in_their_script(prepared: Callable[[str], Domain]) -> None:
    from tokenizers import Tokenizer

    domain = prepared("multilingual_text")
    tokenizer = Tokenizer.from_file(str(folder_of(domain) / "tokenizer.json"))
    scripts = {"zh": "[一-鿿]", "ja": "[ぁ-ヿ一-鿿]", "ko": "[가-힣]", "de": "[a-z]", "en": "[a-z]"}
    for language, script in scripts.items():
        ids = read_columns(domain, f"component_{language}", TEST)["input_0"]
        texts = [tokenizer.decode(row[row > 0].tolist()) for row in ids]
        assert np.mean([bool(re.search(script, text)) for text in texts]) > 0.97
        assert (ids == 1).sum() / (ids > 0).sum() < 0.01
