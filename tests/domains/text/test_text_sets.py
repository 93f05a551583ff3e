"""The paper's text datasets: token rows, labels, splits without leakage."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from dabs.data.domain import TEST, TRAIN, VALIDATION, BuildError
from dabs.data.prepare import prepare
from dabs.data.prepared import open_prepared
from dabs.domains.sources.hub import HubFiles, load_tokenizer
from dabs.domains.text.glue import GLUE_TASKS
from dabs.domains.text.languages import LANGUAGES
from dabs.domains.text.sentences import Sentence, hold_out_sentences, read_tsv, sentence_rows, splits_of
from dabs.errors import DabsError
from dabs.registry import find_domain
from tests.helpers.paper.made_texts import ARTICLES, DEV_ROWS

# rows of the official validation splits that the real samples hold whole
WHOLE = {"cola": 1043, "sst2": 872, "mrpc": 408, "stsb": 1500, "qnli": 5463, "rte": 277, "wnli": 71}


@pytest.fixture(scope="module")
def english(text_files, tmp_path_factory):
    """The domain with all datasets prepared from the samples, with a tiny tokenizer."""
    folder = text_files("wikitext", "glue", "bert-base-uncased")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DABS_HOME", str(tmp_path_factory.mktemp("english")))
        patch.setenv("DABS_DATA_DIR", str(folder))
        patch.delenv("DABS_TOKENIZER", raising=False)
        domain = find_domain("english_text", "paper")
        prepare(domain, lambda line: None)
        yield domain


@pytest.fixture(scope="module")
def multilingual(text_files, tmp_path_factory):
    """Like `english`."""
    folder = text_files("mc4", "pawsx", "xlm-roberta-base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DABS_HOME", str(tmp_path_factory.mktemp("multilingual")))
        patch.setenv("DABS_DATA_DIR", str(folder))
        patch.delenv("DABS_TOKENIZER", raising=False)
        domain = find_domain("multilingual_text", "paper")
        prepare(domain, lambda line: None)
        yield domain


def check_no_leakage(domain, task: str) -> None:
    """Check that no group and no row is in two splits, and that no test row is in the pretraining set."""
    pretrained = {row.tobytes() for row in open_prepared(domain).columns(TRAIN)["input_0"]}
    splits = {split: open_prepared(domain, task).columns(split) for split in (TRAIN, VALIDATION, TEST)}
    for a, b in combinations(splits, 2):
        assert not set(splits[a]["group"].tolist()) & set(splits[b]["group"].tolist())
    rows = {split: {row.tobytes() for row in x["input_0"]} for split, x in splits.items()}
    assert not rows[TEST] & pretrained
    for a, b in combinations(rows, 2):
        assert not rows[a] & rows[b], (task, a, b)


@pytest.mark.parametrize("glue", GLUE_TASKS, ids=lambda glue: glue.name)
def test_glue(samples, english, glue):
    task = english.task(glue.name)
    check_no_leakage(english, glue.name)
    splits = open_prepared(english, glue.name).manifest["splits"]
    expected = WHOLE.get(glue.name) if samples.origin == "real" else DEV_ROWS
    assert splits[f"{glue.name}/test"]["rows"] == expected or expected is None
    columns = open_prepared(english, glue.name).columns(TEST)
    assert columns["input_0"].shape[1:] == (128,)
    assert (columns["input_0"][:, 0] == 2).all()
    separators = (columns["input_0"] == 3).sum(axis=1)
    assert (separators <= len(glue.texts)).all()
    assert np.median(separators) == len(glue.texts)
    labels = np.concatenate(
        [open_prepared(english, glue.name).columns(split)["label"] for split in (TRAIN, VALIDATION, TEST)]
    )
    if glue.metric == "spearman":
        assert labels.dtype == np.float32
        assert (labels.min(), labels.max()) == (0.0, 5.0)
    else:
        assert set(labels.tolist()) == set(range(len(task.target)))
    assert splits[f"{glue.name}/validation"]["rows"] == pytest.approx(
        0.1 * splits[f"{glue.name}/train"]["rows"], rel=0.2
    )


def test_labels_mean_what_the_hub_numbers_mean(text_files):
    root = text_files("glue") / "glue"
    tasks = {glue.name: glue for glue in GLUE_TASKS}
    first = {name: glue.read(root, VALIDATION)[0] for name, glue in tasks.items()}
    assert first["rte"].label == 1  # not_entailment, as in the hub's parquet of the same row
    assert first["mnli_matched"].label == 0
    assert first["qnli"].label == 0
    _, label, _, text = (root / "glue_data/CoLA/dev.tsv").read_text(encoding="utf-8").split("\n")[0].split("\t")
    assert first["cola"] == Sentence(texts=(text,), label=int(label))
    assert first["mrpc"].texts[1].startswith('"')  # quotation marks are text


def test_the_hubs_parquet_gives_the_same_rows_as_the_official_tsv(text_files, samples, tmp_path):
    tsv = text_files("glue") / "glue"
    (tmp_path / "rte").symlink_to(samples.sample("glue") / "hf_parquet" / "rte")
    rte = next(glue for glue in GLUE_TASKS if glue.name == "rte")
    for split in (TRAIN, VALIDATION):
        assert rte.read(tmp_path, split) == rte.read(tsv, split)


def test_wikitext_lines(samples, english, text_files):
    path = text_files("wikitext") / "wikitext/wikitext-103/wiki.valid.tokens"
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    columns = open_prepared(english).columns(VALIDATION)
    assert len(columns["group"]) == len(lines) == {"real": 2461, "made": 138}[samples.origin]
    tokenizer = load_tokenizer(text_files("bert-base-uncased") / "bert-base-uncased" / "tokenizer.json")
    tokenizer.enable_truncation(128)
    tokenizer.no_padding()
    for i in (0, 1, len(lines) // 3, len(lines) - 1):
        wanted = tokenizer.encode(lines[i]).ids
        assert columns["input_0"][i, : len(wanted)].tolist() == wanted
        assert (columns["input_0"][i, len(wanted) :] == 0).all()
    articles = set(columns["group"].tolist())
    # WikiText-2 and -103 have 60 articles in their validation split
    assert len(articles) == {"real": 60, "made": ARTICLES}[samples.origin]
    assert not articles & set(open_prepared(english).columns(TRAIN)["group"].tolist())


@pytest.mark.parametrize("language", LANGUAGES)
def test_pawsx(samples, multilingual, language):
    name = f"pawsx_{language}"
    check_no_leakage(multilingual, name)
    splits = {split: open_prepared(multilingual, name).columns(split) for split in (TRAIN, VALIDATION, TEST)}
    rows = {"real": 600, "made": 80}[samples.origin]
    assert rows - 10 <= len(splits[TRAIN]["group"]) <= rows  # the real dev set repeats some pairs
    for x in splits.values():
        assert set(x["label"].tolist()) == {0, 1}
        assert (x["input_0"][:, 0] == 0).all()  # <s>
        assert x["input_0"].shape[1:] == (128,)
        assert (x["input_0"][:, 5] != 1).all()  # no example is only padding


def test_mc4_has_equal_parts_of_seven_languages(multilingual):
    for split in (TRAIN, VALIDATION):
        group = open_prepared(multilingual).columns(split)["group"].tolist()
        counts = Counter(group)
        assert set(counts) == {f"mc4 {split} {language}" for language in LANGUAGES}
        assert max(counts.values()) - min(counts.values()) <= 1


def test_padding_of_xlm_r_is_masked(multilingual):
    from dabs.data.split import Split

    batch = Split(open_prepared(multilingual), TRAIN, labels=False).batch(np.arange(32))
    assert (batch.mask == (batch.inputs[0] != 1)).all()
    assert batch.mask[:, 0].all()
    assert not batch.mask.all()


def test_held_out_sentences_share_no_text_with_the_rest():
    sentences = [
        Sentence(texts=(f"premise {i // 3}", f"hypothesis {i}"), label=i % 3) for i in range(300)
    ]  # three hypotheses per premise
    train, held_out = hold_out_sentences(sentences, "mnli")
    assert len(held_out) == 30
    assert len(train) == 270
    texts = [{text for s in side for text in s.texts} for side in (train, held_out)]
    assert not texts[0] & texts[1]
    assert hold_out_sentences(sentences[::-1], "mnli")[1] == held_out[::-1]
    assert hold_out_sentences(sentences, "rte")[1] != held_out


def test_texts_linked_through_others_stay_together():
    chain = [Sentence(texts=(f"q{i}", f"q{i + 1}"), label=0) for i in range(50)]
    loose = [Sentence(texts=(f"a{i}", f"b{i}"), label=1) for i in range(50)]
    _, held_out = hold_out_sentences(chain + loose, 0)
    assert len(held_out) == 10
    assert all(s.label == 1 for s in held_out)


def test_test_pairs_are_not_trained_on_in_either_order():
    test = [Sentence(texts=("A cat.", "A dog."), label=0)]
    train = [
        Sentence(texts=("a dog.", "a  cat."), label=0),
        *(Sentence(texts=(f"x{i}", f"y{i}"), label=0) for i in range(20)),
    ]
    splits = splits_of("t", train, test)
    assert sum(len(splits[s]) for s in (TRAIN, VALIDATION)) == 20


def test_a_file_of_another_layout_is_named(text_files, tmp_path):
    folder = tmp_path / "glue_data" / "RTE"
    folder.mkdir(parents=True)
    (folder / "train.tsv").write_text("a\tb\n1\t2\n")
    rte = next(glue for glue in GLUE_TASKS if glue.name == "rte")
    with pytest.raises(BuildError, match=r"RTE/train\.tsv is not laid out as in GLUE: KeyError\('label'\)"):
        rte.read(tmp_path, TRAIN)
    (folder / "train.tsv").write_text("sentence1\tsentence2\tlabel\nx\ty\tmaybe\n")
    with pytest.raises(BuildError, match=r"maybe|tuple\.index"):
        rte.read(tmp_path, TRAIN)


def test_rows_that_are_cut_short_are_left_out(tmp_path):
    (tmp_path / "a.tsv").write_text('id\tx\ty\n1\t"one\ttwo\n2\tthree\n3\tfour\tfive\n')
    assert [row["id"] for row in read_tsv(tmp_path / "a.tsv")] == ["1", "3"]
    assert next(read_tsv(tmp_path / "a.tsv"))["x"] == '"one'


def test_only_fields_quoted_by_a_csv_writer_are_unquoted(tmp_path):
    fields = ['"He said ""no"" twice."', '"All of it."', '"Begins', 'a "b" c', '""', '"a "b" c"']
    (tmp_path / "a.tsv").write_text("x\ty\n" + "".join(f"{field}\t1\n" for field in fields))
    found = [row["x"] for row in read_tsv(tmp_path / "a.tsv")]
    assert found == ['He said "no" twice.', *fields[1:]]


def test_the_files_of_mrpc_begin_with_a_byte_order_mark(samples, tmp_path):
    official = samples.sample("glue") / "glue_data" / "MRPC" / "msr_paraphrase_train.txt"
    assert official.read_bytes().startswith(b"\xef\xbb\xbf")
    (tmp_path / "glue_data" / "MRPC").mkdir(parents=True)
    for name in ("train.tsv", "dev.tsv"):
        (tmp_path / "glue_data" / "MRPC" / name).symlink_to(official)
    mrpc = next(glue for glue in GLUE_TASKS if glue.name == "mrpc")
    assert len(mrpc.read(tmp_path, TRAIN)) == {"real": 4076, "made": 120}[samples.origin]
    assert {sentence.label for sentence in mrpc.read(tmp_path, VALIDATION)} == {0, 1}


def test_a_lone_carriage_return_is_text(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"x\ty\r\none\rtwo\t1\r\n\r\nthree\t2")
    assert list(read_tsv(tmp_path / "a.tsv")) == [{"x": "one\rtwo", "y": "1"}, {"x": "three", "y": "2"}]


def test_a_block_without_new_rows_is_left_out(text_files, monkeypatch):
    monkeypatch.setattr("dabs.domains.text.sentences.BLOCK_ROWS", 2)
    tokenizer = text_files("bert-base-uncased") / "bert-base-uncased" / "tokenizer.json"
    tested = [Sentence(texts=(f"the {word}",), label=0) for word in ("film", "game")]
    other = [Sentence(texts=(text,), label=0) for text in ("in a year", "of the city")]
    splits = {TEST: tested, VALIDATION: other[:1], TRAIN: tested + other[1:]}
    found = list(sentence_rows("t", splits, tokenizer, 8, lambda line: None))
    assert [(rows.split, len(rows.group)) for rows in found] == [(TEST, 2), (VALIDATION, 1), (TRAIN, 1)]
    with pytest.raises(BuildError, match="t: every row of its train split is also in a stricter split"):
        list(sentence_rows("t", splits | {TRAIN: tested}, tokenizer, 8, lambda line: None))


def test_a_split_with_missing_shards_is_incomplete(raw, tmp_path, monkeypatch):
    files = HubFiles(
        name="wikitext", repo="Salesforce/wikitext", patterns=("103/train-*.parquet", "103/valid-*.parquet")
    )
    cached = tmp_path / "cached" / "103"
    for folder in (raw / "wikitext" / "103", cached):
        folder.mkdir(parents=True)
        for name in ("train-00000-of-00002.parquet", "valid-00000-of-00001.parquet"):
            (folder / name).touch()
    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(DabsError, match=r"raw/wikitext lacks train-00001-of-00002\.parquet"):
        files.fetch(raw, print)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *words, **options: str(cached.parent))
    with pytest.raises(DabsError, match=r"the cached copy .*cached lacks train-00001-of-00002\.parquet"):
        files.fetch(raw, print)
    (cached / "train-00001-of-00002.parquet").touch()
    assert files.fetch(raw, print) == cached.parent
    (raw / "wikitext" / "103" / "train-00001-of-00002.parquet").touch()
    assert files.fetch(raw, print) == raw / "wikitext"


def test_missing_text_says_what_to_do(raw, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    domain = find_domain("english_text", "paper")
    with pytest.raises(DabsError) as error:
        prepare(domain, lambda line: None, datasets=("rte",))
    text = str(error.value)
    assert "hf download nyu-mll/glue --repo-type dataset --include 'rte/train-*.parquet'" in text
    assert str(raw / "glue") in text
    assert "glue_data/RTE/train.tsv" in text


def unreachable(*words, **options):
    raise OSError("Network is unreachable")


def test_missing_tokenizer_says_what_to_do(raw, monkeypatch, text_files):
    monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
    (raw / "glue").parent.mkdir(parents=True)
    (raw / "glue").symlink_to(text_files("glue") / "glue")
    domain = find_domain("english_text", "paper")
    with pytest.raises(DabsError, match=r"hf download google-bert/bert-base-uncased tokenizer\.json.*--tokenizer PATH"):
        prepare(domain, lambda line: None, datasets=("rte",))
    monkeypatch.setenv("DABS_TOKENIZER", str(raw / "nowhere"))
    with pytest.raises(DabsError, match=r"--tokenizer: there is no .*nowhere"):
        prepare(domain, lambda line: None, datasets=("rte",))


def test_a_local_tokenizer(raw, monkeypatch, text_files):
    folder = text_files("glue", "bert-base-uncased", "xlm-roberta-base")
    (raw / "glue").parent.mkdir(parents=True)
    (raw / "glue").symlink_to(folder / "glue")
    monkeypatch.setenv("DABS_TOKENIZER", str(folder / "xlm-roberta-base"))
    domain = find_domain("english_text", "paper")
    with pytest.raises(DabsError, match="pads with the id 1; bert-base-uncased has 30,522 and pads with 0"):
        prepare(domain, lambda line: None, datasets=("wnli",))
    monkeypatch.setenv("DABS_TOKENIZER", str(folder / "bert-base-uncased" / "tokenizer.json"))
    prepare(domain, lambda line: None, datasets=("wnli",))
    assert {"name": "bert-base-uncased", "repo": "google-bert/bert-base-uncased", "replaced": "tokenizer.json"} in (
        open_prepared(domain, "wnli").manifest["sources"]
    )
    (raw / "broken.json").write_text("{}")
    monkeypatch.setenv("DABS_TOKENIZER", str(raw / "broken.json"))
    with pytest.raises(DabsError, match=r"broken\.json is not a tokenizer\.json"):
        prepare(domain, lambda line: None, datasets=("wnli",), force=True)


def test_an_empty_split_is_refused(text_files, tmp_path):
    folder = text_files("bert-base-uncased")
    rows = sentence_rows(
        "t", {TEST: [], VALIDATION: [], TRAIN: []}, folder / "bert-base-uncased" / "tokenizer.json", 8, print
    )
    with pytest.raises(BuildError, match="t: its test split is empty"):
        next(rows)
