"""English text: reading each source, fragments, packing, prepared splits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, BuildError, Domain
from dabs.data.prepared import folder_of, open_prepared
from dabs.domains.english_text import (
    FRAGMENT,
    GENRES,
    QUESTION_TYPES,
    draw_fragment,
    read_dialogue,
    read_messages,
    read_questions,
    read_snippets,
    tidy,
)
from dabs.domains.text.texts_to_rows import Text, assign_splits, packed_rows, strictest_splits, task_rows
from dabs.domains.text.tokenize import train_wordpiece

RNG = np.random.default_rng


def test_questions_are_read_once_with_their_first_label() -> None:
    lines = read_questions("HUM:ind Who was `` X '' ?\nLOC:city Where ?\nHUM:ind Who was `` X '' ?\n")
    assert [(x.text, x.label) for x in lines] == [('Who was " X " ?', "HUM:ind"), ("Where ?", "LOC:city")]
    with pytest.raises(BuildError, match="no question type"):
        read_questions("who was it ?\n")


def test_sentences_of_one_document_are_one_group() -> None:
    lines = read_snippets("id\tsentiment\ttext\n7_1\t-1.5\ta &amp; b\n7_2\t2\tc\n8_1\t0\td", "editorial")
    assert [x.group for x in lines] == ["editorial:7", "editorial:7", "editorial:8"]
    assert lines[0].text == "a & b"
    assert {x.label for x in lines} == {None}
    with pytest.raises(BuildError, match="separated by tabs"):
        read_snippets("id\tsentiment\ttext\n7_1 0 text", "editorial")


def test_advertisements_with_other_numbers_are_one_group() -> None:
    text = (
        ",spam,text\n0,1,You have won 1000 pounds! Call 0800 now\n1,1,You have won 2000 pounds! Call 0900 now\n2,0,ok\n"
    )
    first, second, third = read_messages(text)
    assert first.group == second.group != third.group
    assert (first.label, third.label) == (1, 0)


def test_neighbouring_exchanges_of_dialogue_are_one_group() -> None:
    text = ",statement,reply\n" + "".join(f"{i},a line,a reply\n" for i in range(251))
    groups = [x.group for x in read_dialogue(text)]
    assert groups[0] == groups[249] != groups[250]


def test_fragments_are_consecutive_words_without_marks() -> None:
    text = "RT @anonymous: We 've had 3 good, long #days at http://url_removed and it's been fun, I'd say so"
    words = draw_fragment(text, RNG(0)).split()
    assert len(words) == FRAGMENT
    assert not {"anonymous", "rt", "days", "http", "url"} & set(words)
    assert " ".join(words) in "we ve had good long at and it's been fun i'd say so"
    assert draw_fragment("too short", RNG(0)) == ""


def test_tidy_resolves_entities_and_spaces() -> None:
    assert tidy("Jordan''s   &lt;b&gt; ``x''") == 'Jordan"s <b> "x"'


def test_splits_have_their_shares() -> None:
    splits = list(assign_splits([str(i) for i in range(200)] * 2, 0.3, 0.1, RNG(0)).values())
    assert [splits.count(s) for s in (TRAIN, VALIDATION, TEST)] == [120, 20, 60]


def _text(dataset: str, split: str, text: str, group: str, label: float | None = None) -> Text:
    return Text(dataset=dataset, split=split, text=text, label=label, group=group)


def test_an_input_that_is_tested_is_not_trained_on() -> None:
    texts = [_text("task", TRAIN, "One two THREE", "c", 0), _text("task", TEST, "one two three", "d", 1)]
    tokenizer = train_wordpiece([t.text for t in texts], 90)
    blocks = list(task_rows(texts, tokenizer, 16, ()))
    assert [(b.dataset, b.split, b.group) for b in blocks] == [("task", TEST, ["d"])]
    strictest = strictest_splits(texts, tokenizer, 4)
    document = [_text(PRETRAIN, TRAIN, text, text[0]) for text in ("one two three", "two three", "one three")]
    rows = packed_rows([document], strictest, tokenizer, 4, 9, RNG(0))
    assert rows.group == ["t | o"]  # the first text is a test input


def test_documents_are_packed_in_their_order_into_full_rows_of_their_own() -> None:
    words = ["one two three", "two one", "three three two", "one one"]
    tokenizer = train_wordpiece(words, 90)
    first, second = words[:3], words[3:]
    documents = [[_text(PRETRAIN, TRAIN, w, w[:5]) for w in of] for of in (first, second, first)]
    rows = packed_rows(documents, {}, tokenizer, 3, 9, RNG(0))
    from tokenizers import Tokenizer

    decoded = Tokenizer.from_buffer(tokenizer)
    shown = [" ".join(decoded.id_to_token(i) for i in row) for row in rows.inputs[0]]
    found = dict(zip(shown, rows.group, strict=True))
    assert found == {"one two three": "one t", "two one three": "two o | three"}  # the rest fills no row
    assert len(rows.group) == 2  # a row that documents share is kept once


def test_prepared_classes(prepared: Callable[[str], Domain]) -> None:
    domain = prepared("english_text")
    genres = np.bincount(open_prepared(domain, "genre").columns(TEST)["label"], minlength=len(GENRES))
    assert genres.min() > 0.97 * genres.max()
    assert len(np.unique(open_prepared(domain, "question_type").columns(TEST)["label"])) == len(QUESTION_TYPES)


def test_prepared_texts_read_as_english(prepared: Callable[[str], Domain]) -> None:
    from tokenizers import Tokenizer

    domain = prepared("english_text")
    tokenizer = Tokenizer.from_file(str(folder_of(domain) / "tokenizer.json"))
    ids = open_prepared(domain, "question_type").columns(TEST)["input_0"]
    assert (ids == 1).mean() < 0.001  # unknown words
    first = {tokenizer.id_to_token(int(i)) for i in ids[:, 0]}
    assert {"what", "who", "how", "where"} <= first
