"""Multilingual text: groups, one split in all languages, unambiguous words."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from dabs.data.domain import TEST, TRAIN, VALIDATION, Domain
from dabs.data.prepared import folder_of, open_prepared
from dabs.domains.multilingual_text import (
    COMPONENTS,
    WORDS,
    Message,
    component_of,
    folder_of_page,
    group_of,
    language_texts,
    page_documents,
)
from dabs.domains.text.texts_to_rows import GROUP_SEPARATOR


def test_messages_that_differ_in_number_or_values_are_one_group() -> None:
    assert group_of("Delete Volume") == group_of("delete  volumes") == group_of("Delete Volumes %(name)s")
    assert group_of("Delete Volume") != group_of("Delete Network")


def test_a_file_belongs_to_one_component() -> None:
    workflow = "openstack_dashboard/dashboards/project/static/dashboard/project/workflow/launch-instance/a.js"
    assert component_of("openstack_dashboard/dashboards/admin/volumes/tables.py") == "volumes"
    assert component_of(workflow) == "instances"
    assert component_of("openstack_dashboard/static/app/core/openstack-service-api/keystone.service.js") == "identity"
    assert component_of("openstack_dashboard/usage/views.py") == ""
    assert component_of("openstack_dashboard/dashboards/project/dashboard.py") == ""
    assert component_of("tools/release.py") is None
    for path in ("openstack_dashboard/dashboards/admin/volumes/tables.py", workflow):
        assert sum(bool(re.search(pattern, path)) for pattern in COMPONENTS.values()) == 1


def test_a_page_is_a_folder_with_its_templates() -> None:
    panel = "openstack_dashboard/dashboards/admin/volumes"
    assert folder_of_page(f"{panel}/tables.py") == folder_of_page(f"{panel}/templates/index.html")
    assert folder_of_page(f"{panel}/tables.py") != folder_of_page("openstack_dashboard/dashboards/admin/flavors/a.py")


def test_documents_join_the_messages_of_a_page_in_one_language_and_one_split() -> None:
    def message(word: str, pages: tuple[str, ...]) -> Message:
        return Message({"en": word, "de": word.upper()}, "", word, pages)

    messages = [message("a", ("p",)), message("b", ("p", "q")), message("c", ("q",)), message("d", ("p",))]
    split_of = {"a": TRAIN, "b": TRAIN, "c": TEST, "d": VALIDATION}
    documents = page_documents(messages, split_of, TRAIN, np.random.default_rng(0))
    found = {frozenset(t.text for t in document) for document in documents}
    assert found == {frozenset(x) for x in (["a", "b"], ["A", "B"], ["b"], ["B"])}
    orders = {tuple(t.text for t in document) for document in documents}
    assert {("a", "b"), ("b", "a")} <= orders


def test_words_of_two_languages_are_left_out() -> None:
    messages = [
        Message({"en": "Volume backup", "fr": "Volume sauvegarde", "zh": "删除", "ja": "の削除"}, "", "a"),
        Message({"en": "backup of x"}, "", "b"),
    ]
    texts = language_texts(messages, {"a": TRAIN, "b": TEST}, np.random.default_rng(0))
    assert {t.text for t in texts} == {"backup", "sauvegarde", "删除", "削除"}
    assert len(texts) == 4


def test_the_task_language_takes_kanji_and_words() -> None:
    assert re.findall(WORDS["ja"], "ボリュームの削除を開始") == ["削除", "開始"]
    assert re.findall(WORDS["de"], "die größe ändern") == ["größe", "ändern"]
    assert re.findall(WORDS["ko"], "볼륨 1 삭제") == ["볼륨", "삭제"]


def test_a_message_is_in_one_split_in_all_languages(prepared: Callable[[str], Domain]) -> None:
    domain = prepared("multilingual_text")
    splits: dict[str, set[str]] = {}
    for task in domain.tasks:
        for split in (TRAIN, VALIDATION, TEST):
            for group in open_prepared(domain, task.name).columns(split)["group"]:
                splits.setdefault(group, set()).add(split)
    assert all(len(found) == 1 for found in splits.values())
    rows = open_prepared(domain).columns(TRAIN)["group"]
    pretrained = {group for row in rows for group in row.split(GROUP_SEPARATOR)}
    assert len(pretrained) > 1000
    assert not any(TEST in found for group, found in splits.items() if group in pretrained)


def test_prepared_messages_have_their_components_in_every_script(prepared: Callable[[str], Domain]) -> None:
    from tokenizers import Tokenizer

    domain = prepared("multilingual_text")
    columns = open_prepared(domain, "component").columns(TEST)
    assert np.bincount(columns["label"], minlength=len(COMPONENTS)).min() >= 80
    tokenizer = Tokenizer.from_file(str(folder_of(domain) / "tokenizer.json"))
    texts = [tokenizer.decode(row[row > 0].tolist()) for row in columns["input_0"]]
    shares = [
        np.mean([bool(re.search(script, text)) for text in texts]) for script in ("[一-鿿]", "[ぁ-ヿ]", "[가-힣]")
    ]
    assert all(share > 0.1 for share in shares)
    assert (columns["input_0"] == 1).sum() / (columns["input_0"] > 0).sum() < 0.01


def test_pretraining_rows_are_full(prepared: Callable[[str], Domain]) -> None:
    for name in ("multilingual_text", "english_text"):
        assert (open_prepared(prepared(name)).columns(TRAIN)["input_0"] > 0).all()
