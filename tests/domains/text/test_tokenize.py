"""Vocabularies: reproducible, padding first, nothing lost in encoding."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tokenizers import Tokenizer

from dabs.data.domain import BuildError
from dabs.domains.text.tokenize import encode, train_bpe, train_wordpiece

ENGLISH = [f"The {a} {b} isn't {c}ing the café #{i}!" for i, (a, b, c) in enumerate([
    ("quick", "fox", "jump"), ("lazy", "dog", "sleep"), ("quick", "dog", "bark"), ("slow", "foxes", "jump"),
])] * 5  # fmt: skip
MIXED = ["Datenträger löschen", "ボリュームの削除", "删除云硬盘", "볼륨 삭제", "Supprimer le volume 1234"] * 5


def test_two_trainings_give_the_same_bytes() -> None:
    assert len({train_wordpiece(ENGLISH, 120) for _ in range(5)}) == 1
    assert len({train_bpe(MIXED, 120) for _ in range(5)}) == 1


def test_padding_is_zero_and_unknown_is_one() -> None:
    for tokenizer in (train_wordpiece(ENGLISH, 120), train_bpe(MIXED, 120)):
        ids = Tokenizer.from_str(tokenizer.decode()).get_vocab()
        assert (ids["[PAD]"], ids["[UNK]"]) == (0, 1)
        assert sorted(ids.values()) == list(range(len(ids)))
        assert len(ids) <= 120


def test_pieces_of_the_alphabet_are_not_special() -> None:
    tokenizer = json.loads(train_wordpiece(ENGLISH, 120))
    assert tokenizer["added_tokens"] == []
    ids = encode(json.dumps(tokenizer).encode(), ["##a"], 4)  # two hash signs and a letter, not the piece "##a"
    assert (ids[0] != 0).sum() == 3


def test_encode_truncates_and_pads() -> None:
    tokenizer = train_wordpiece(ENGLISH, 120)
    ids = encode(tokenizer, ["the dog", "the " * 20, ""], 6)
    assert ids.shape == (3, 6)
    assert ids.dtype == np.int32
    assert (ids[0, :2] > 1).all()
    assert (ids[0, 2:] == 0).all()
    assert (ids[1] == ids[0, 0]).all()
    assert (ids[2] == 0).all()


def test_wordpiece_ignores_case_and_accents_and_marks_the_unknown() -> None:
    ids = encode(train_wordpiece(ENGLISH, 120), ["the café", "THE CAFE", "日本"], 8)
    assert (ids[0] == ids[1]).all()
    assert set(ids[2].tolist()) == {0, 1}


def test_bpe_reads_every_script_and_single_digits() -> None:
    tokenizer = train_bpe(MIXED, 400)
    ids = encode(tokenizer, ["削除", "삭제", "löschen", "1234", "ＬÖSCHEN"], 8)
    assert (ids != 1).all()
    assert (ids[3] != 0).sum() == 4
    assert (ids[2] == ids[4]).all()


def test_more_characters_than_pieces_are_refused() -> None:
    for train, texts in ((train_wordpiece, ENGLISH), (train_bpe, MIXED)):
        with pytest.raises(BuildError, match="too many characters for 20 pieces"):
            train(texts, 20)
