"""mC4's stream: seven languages in turn, shuffled, resumed without a change."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from dabs.data.domain import PRETRAIN, TRAIN
from dabs.data.prepare import prepare
from dabs.data.prepared import open_prepared
from dabs.domains.sources.stream import TokenStream, interleave_languages
from dabs.domains.text import mc4
from dabs.domains.text.languages import LANGUAGES
from dabs.errors import DabsError
from dabs.registry import find_domain


@pytest.fixture(scope="module")
def files(text_files):
    """The files of each language, and the path of a tiny tokenizer."""
    folder = text_files("mc4", "xlm-roberta-base")
    names = {
        language: sorted(str(p) for p in (folder / "mc4/multilingual").glob(f"c4-{language}.tfrecord-*"))
        for language in LANGUAGES
    }
    return names, folder / "xlm-roberta-base" / "tokenizer.json"


def tokens(files, folder, rows=300, buffer=70, stream=None, seed=5) -> TokenStream:
    names, tokenizer = files
    stream = interleave_languages(names, seed=0) if stream is None else stream
    return TokenStream(
        stream=stream, tokenizer=tokenizer, length=128, rows=rows, buffer=buffer, seed=seed, folder=folder
    )


def quiet(line: str) -> None:
    pass


def whole(stream: TokenStream) -> tuple[np.ndarray, list[str]]:
    ids, languages = zip(*stream.blocks(quiet), strict=True)
    return np.concatenate(ids), [language for block in languages for language in block]


def test_the_languages_alternate(files):
    rows = list(interleave_languages(files[0], seed=0))
    assert [row["language"] for row in rows[:14]] == list(LANGUAGES) * 2
    counts = Counter(row["language"] for row in rows)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_blocks_are_shuffled_and_at_most_as_large_as_the_buffer(files, tmp_path):
    blocks = list(tokens(files, tmp_path / "a").blocks(quiet))
    assert [len(ids) for ids, _ in blocks] == [70, 70, 70, 70, 20]
    for ids, languages in blocks[:-1]:
        assert Counter(languages) == dict.fromkeys(LANGUAGES, 10)
        assert ids.dtype == np.int32
        assert languages != list(LANGUAGES) * 10
    other = whole(tokens(files, tmp_path / "b", seed=6))
    first = whole(tokens(files, tmp_path / "a"))
    assert not np.array_equal(first[0], other[0])
    for block in range(4):  # shuffled within a block only: the same rows in another order
        a, b = (sorted(row.tobytes() for row in x[0][block * 70 : block * 70 + 70]) for x in (first, other))
        assert a == b


class Breaking:
    """A stream that breaks after some rows, like a connection."""

    def __init__(self, stream, after: int) -> None:
        self.stream, self.after, self.given = stream, after, 0

    def __iter__(self):
        for row in self.stream:
            if self.given == self.after:
                raise ConnectionResetError(104, "Connection reset by peer")
            self.given += 1
            yield row

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


@pytest.mark.parametrize("after", [0, 1, 69, 70, 71, 210, 299])
def test_a_stream_resumes_where_the_connection_broke(files, tmp_path, after):
    wanted = whole(tokens(files, tmp_path / "whole"))
    broken = Breaking(interleave_languages(files[0], seed=0), after)
    with pytest.raises(DabsError, match=rf"the stream broke in block {after // 70} .*{after // 70} blocks are kept"):
        whole(tokens(files, tmp_path / "broken", stream=broken))
    again = Breaking(interleave_languages(files[0], seed=0), 10_000)
    found = whole(tokens(files, tmp_path / "broken", stream=again))
    assert again.given == 300 - after // 70 * 70  # finished blocks are not streamed again
    assert np.array_equal(found[0], wanted[0])
    assert found[1] == wanted[1]


def test_ctrl_c_keeps_only_complete_blocks(files, tmp_path):
    folder = tmp_path / "stopped"
    blocks = tokens(files, folder).blocks(quiet)
    next(blocks)
    next(blocks)
    blocks.close()
    assert sorted(p.name for p in folder.glob("*.npz")) == ["00000.npz", "00001.npz"]
    assert np.array_equal(whole(tokens(files, folder))[0], whole(tokens(files, tmp_path / "whole"))[0])


def test_the_stream_ends_with_the_shortest_language(files, tmp_path):
    ids, languages = whole(tokens(files, tmp_path / "all", rows=100_000))
    assert 600 < len(ids) < 2000
    counts = Counter(languages)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert len(whole(tokens(files, tmp_path / "all", rows=100_000))[0]) == len(ids)


def test_an_interrupted_preparation_gives_the_same_rows(raw, text_files, monkeypatch):
    folder = text_files("mc4", "xlm-roberta-base")
    monkeypatch.setenv("DABS_DATA_DIR", str(folder))
    monkeypatch.setattr(mc4, "BUFFER", 140)
    domain = find_domain("multilingual_text", "paper")
    prepare(domain, quiet, datasets=(PRETRAIN,))
    wanted = open_prepared(domain).columns(TRAIN)["input_0"]
    assert not list((raw.parent / "partial").glob("*"))
    original, calls = mc4.Rows, []

    def stop_in_the_middle(**fields):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(**fields)

    monkeypatch.setattr(mc4, "Rows", stop_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        prepare(domain, quiet, datasets=(PRETRAIN,), force=True)
    assert len(list((raw.parent / "partial").rglob("*.npz"))) == 4
    monkeypatch.setattr(mc4, "Rows", original)
    prepare(domain, quiet, datasets=(PRETRAIN,), force=True)
    assert np.array_equal(open_prepared(domain).columns(TRAIN)["input_0"], wanted)
    assert not list((raw.parent / "partial").glob("*"))
