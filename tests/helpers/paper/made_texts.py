"""Small samples of the paper's text datasets, made instead of cut from the publishers' files.

Each function writes `folder` with the files of `shared/data/paper/NAME`, which `texts.py` completes. Sentences are
random words.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dabs.domains.text.languages import LANGUAGES
from tests.helpers.paper.written import make_speaker, write_lines

TRAIN_ROWS, DEV_ROWS = 120, 40
ARTICLES, PARAGRAPHS = 6, 20
DOCUMENTS = {"": 100, "-validation": 40}
NLI = ("entailment", "neutral", "contradiction")

# The columns of each table, and what a row holds: "text" is a sentence, other words are labels
GLUE = {
    "SST-2": "sentence=text label=0|1",
    "MRPC": "Quality=0|1 #1_ID=1 #2_ID=2 #1_String=text #2_String=quoted",
    "QQP": "id=1 qid1=1 qid2=2 question1=text question2=text is_duplicate=0|1",
    "STS-B": "index=1 genre=main sentence1=text sentence2=text score=0.000|5.000|2.500",
    "MNLI": f"index=1 sentence1=text sentence2=text label1=neutral gold_label={'|'.join(NLI)}",
    "QNLI": "index=1 question=text sentence=text label=entailment|not_entailment",
    "RTE": "index=1 sentence1=text sentence2=text label=not_entailment|entailment",
    "WNLI": "index=1 sentence1=text sentence2=text label=0|1",
}


def glue(folder: Path) -> None:
    """120 rows to train on and 40 to test on of all nine tasks, and RTE as the hub's parquet."""
    say = make_speaker(0)
    for task, columns in GLUE.items():
        devs = ("dev_matched", "dev_mismatched") if task == "MNLI" else ("dev",)
        for name, rows in (("train", TRAIN_ROWS), *((dev, DEV_ROWS) for dev in devs)):
            fields = [column.split("=") for column in columns.split()]
            lines = ["\t".join(name.replace("_", " ") if "#" in name else name for name, _ in fields)]
            lines += ["\t".join(_cell(kind, row, say) for _, kind in fields) for row in range(rows)]
            write_lines(folder / f"glue_data/{task}/{name}.tsv", lines)
    for name, rows in (("train", TRAIN_ROWS), ("dev", DEV_ROWS)):
        write_lines(folder / f"glue_data/CoLA/{name}.tsv", [f"gj04\t{row % 2}\t\t{say(9)}" for row in range(rows)])
    original = folder / "glue_data/MRPC/msr_paraphrase_train.txt"
    original.write_bytes(b"\xef\xbb\xbf" + (folder / "glue_data/MRPC/train.tsv").read_bytes())
    for name, split in (("train", "train"), ("dev", "validation")):
        _write_parquet(folder / f"glue_data/RTE/{name}.tsv", folder / f"hf_parquet/rte/{split}-00000-of-00001.parquet")


def _cell(kind: str, row: int, say: Callable[[int], str]) -> str:
    if kind in ("text", "quoted"):
        return ('"' if kind == "quoted" else "") + say(8)
    choices = kind.split("|")
    return choices[row % len(choices)]


def _write_parquet(tsv: Path, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    _, *lines = tsv.read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        _, first, second, label = line.split("\t")
        rows.append({"sentence1": first, "sentence2": second, "label": int(label != "entailment"), "idx": number})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def wikitext(folder: Path) -> None:
    """Six articles of twenty paragraphs in each split, with headings of sections and blank lines."""
    say = make_speaker(1)
    for split in ("train", "valid", "test"):
        lines = []
        for article in range(ARTICLES):
            lines += [" ", f" = Article {article} of {split} = ", " "]
            for paragraph in range(PARAGRAPHS):
                lines += [f" = = Section {article} {paragraph} = = ", " "] if paragraph % 10 == 5 else []
                lines.append(f" {say(30)} ")
        write_lines(folder / f"wikitext-2/wiki.{split}.tokens", lines)


def mc4(folder: Path) -> None:
    """A hundred documents to train on and forty to validate on in seven languages."""
    root = folder / "multilingual"
    root.mkdir()
    for language in LANGUAGES:
        for split, count in DOCUMENTS.items():
            say = make_speaker(len(split), language)
            with gzip.open(
                root / f"c4-{language}{split}.tfrecord-00000-of-00001.json.gz", "wt", encoding="utf-8"
            ) as file:
                for n in range(count):
                    file.write(
                        json.dumps({"text": say(10 + n % 30), "timestamp": "1970-01-01T00:00:00Z", "url": ""}) + "\n"
                    )


def pawsx(folder: Path) -> None:
    """80 pairs to train on and 60 others in seven languages."""
    for language in LANGUAGES:
        say = make_speaker(2, language)
        for name, rows in (("translated_train", 80), ("dev_2k", 60)):
            lines = ["id\tsentence1\tsentence2\tlabel", *(f"{n}\t{say(9)}\t{say(9)}\t{n % 2}" for n in range(rows))]
            write_lines(folder / f"x-final/{language}/{name}.tsv", lines)


TEXTS = {"glue": glue, "wikitext": wikitext, "mc4": mc4, "pawsx": pawsx}
