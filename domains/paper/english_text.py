"""English text: WikiText-103, and ten GLUE tasks, as 128 WordPiece tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dabs.data.domain import (
    PRETRAIN,
    TRAIN,
    VALIDATION,
    BuildError,
    Card,
    Classes,
    Domain,
    MetricName,
    Part,
    Rows,
    Scalar,
    Target,
    Task,
    Workspace,
)
from dabs.domains.sources.hub import BERT, HubFiles, encode, read_parquet
from dabs.domains.text.sentences import Sentence, read_tsv, sentence_rows, splits_of
from dabs.specs import Tokens

LENGTH = 128
BLOCK_LINES = 4096  # encoded at a time
HEADING = re.compile(r"^ = [^=].* = $")  # " = Title = "; headings of sections have more equals signs

WIKITEXT = HubFiles(
    name="wikitext",
    repo="Salesforce/wikitext",
    patterns=("wikitext-103-v1/train-*.parquet", "wikitext-103-v1/validation-*.parquet"),
    layouts=(("wikitext-103/wiki.train.tokens", "wikitext-103/wiki.valid.tokens"),),
)


def read_lines(root: Path, split: str) -> Iterator[str]:
    """Yield the lines of WikiText-103 "train" or "validation", from the hub's parquet or the official file."""
    local = root / "wikitext-103" / f"wiki.{'valid' if split == VALIDATION else split}.tokens"
    if local.exists():
        with open(local, encoding="utf-8") as handle:
            yield from (line.rstrip("\n") for line in handle)
    else:
        yield from (row["text"].rstrip("\n") for row in read_parquet(root, f"wikitext-103-v1/{split}-*.parquet"))


def build_pretraining(workspace: Workspace) -> Iterator[Rows]:
    """Yield one row per non-empty line; the group is the article, numbered within its split."""
    tokenizer = workspace.sources[BERT.name]
    for split in (TRAIN, VALIDATION):
        article, block, groups = 0, [], []
        for line in read_lines(workspace.sources[WIKITEXT.name], split):
            article += bool(HEADING.match(line))
            if line.strip():
                block.append(line.strip())
                groups.append(f"wikitext {split} article {article}")
            if len(block) == BLOCK_LINES:
                yield _encode_block(split, block, groups, tokenizer)
                workspace.say(f"encoding {split}, article {article:,}")
                block, groups = [], []
        if block:
            yield _encode_block(split, block, groups, tokenizer)


def _encode_block(split: str, texts: list[str], groups: list[str], tokenizer: Path) -> Rows:
    ids = encode(tokenizer, texts, None, LENGTH)
    return Rows(dataset=PRETRAIN, split=split, inputs=(ids,), label=None, group=groups)


YES_NO = Classes(names=("no", "yes"))
ENTAILMENT = ("entailment", "not_entailment")
NLI = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True, kw_only=True)
class GlueTask:
    """One GLUE task, in the hub's parquet files and in the official `glue_data/*.tsv`.

    Attributes:
        name: our name of the task.
        title, question, citation: for the task and its card.
        hub: its folder on the hub.
        folder: its folder in glue_data.
        texts: the columns of the texts on the hub.
        tsv_texts: the columns of the texts in the tsv, if they differ.
        label: the column of the label in the tsv; on the hub it is "label".
        words: the labels in the order of the hub's numbers, if the tsv has words instead of numbers.
        test: the split on the hub that is tested on, because its labels are public.
        dev: the name of that split's file in glue_data.
        columns: the column names of the tsv, if it has no header.
        target, metric: of the task.
    """

    name: str
    title: str
    question: str
    citation: str
    hub: str
    folder: str
    texts: tuple[str, ...] = ("sentence1", "sentence2")
    tsv_texts: tuple[str, ...] = ()
    label: str = "label"
    words: tuple[str, ...] = ()
    test: str = "validation"
    dev: str = "dev"
    columns: tuple[str, ...] = ()
    target: Target = YES_NO
    metric: MetricName = "accuracy"

    @property
    def source(self) -> HubFiles:
        """Its files, on the hub or in the layout of the benchmark's own download."""
        return HubFiles(
            name="glue",
            repo="nyu-mll/glue",
            patterns=(f"{self.hub}/train-*.parquet", f"{self.hub}/{self.test}-*.parquet"),
            layouts=((f"glue_data/{self.folder}/train.tsv", f"glue_data/{self.folder}/{self.dev}.tsv"),),
        )

    def read(self, root: Path, split: str) -> list[Sentence]:
        """Return the sentences of "train", or of the test split for any other value of `split`."""
        hub = f"{self.hub}/{split if split == TRAIN else self.test}-*.parquet"
        if next(root.glob(hub), None) is not None:
            return [self._sentence(row, self.texts, row["label"]) for row in read_parquet(root, hub)]
        path = root / "glue_data" / self.folder / f"{TRAIN if split == TRAIN else self.dev}.tsv"
        texts = self.tsv_texts or self.texts
        try:
            return [self._sentence(row, texts, self._number(row[self.label])) for row in read_tsv(path, self.columns)]
        except (KeyError, ValueError) as error:
            raise BuildError(f"{path} is not laid out as in GLUE: {error!r}.") from error

    def _sentence(self, row: dict[str, Any], texts: tuple[str, ...], label: float) -> Sentence:
        return Sentence(texts=tuple(row[column] for column in texts), label=label)

    def _number(self, text: str) -> float:
        return self.words.index(text) if self.words else float(text)


def build_task(workspace: Workspace, glue: GlueTask) -> Iterator[Rows]:
    """Yield the splits of a GLUE task.

    GLUE's validation split is our test split, because the labels of its test split are hidden. Our validation split is
    held out of its training split.
    """
    root = workspace.sources["glue"]
    splits = splits_of(glue.name, glue.read(root, TRAIN), glue.read(root, VALIDATION))
    scalar = isinstance(glue.target, Scalar)
    yield from sentence_rows(glue.name, splits, workspace.sources[BERT.name], LENGTH, workspace.say, scalar=scalar)


_MNLI = "Williams, Nangia & Bowman, A Broad-Coverage Challenge Corpus for Sentence Understanding, NAACL 2018"
GLUE_TASKS = (
    GlueTask(
        name="cola",
        title="Corpus of Linguistic Acceptability",
        question="Is a sentence grammatical English?",
        citation="Warstadt, Singh & Bowman, Neural Network Acceptability Judgments, TACL 2019",
        hub="cola",
        folder="CoLA",
        texts=("sentence",),
        columns=("source", "label", "original", "sentence"),
        metric="matthews",
    ),
    GlueTask(
        name="sst2",
        title="Stanford Sentiment Treebank, two classes",
        question="Is a phrase of a film review positive?",
        citation="Socher et al., Recursive Deep Models for Semantic Compositionality, EMNLP 2013",
        hub="sst2",
        folder="SST-2",
        texts=("sentence",),
    ),
    GlueTask(
        name="mrpc",
        title="Microsoft Research Paraphrase Corpus",
        question="Do two sentences from the news mean the same?",
        citation="Dolan & Brockett, Automatically Constructing a Corpus of Sentential Paraphrases, IWP 2005",
        hub="mrpc",
        folder="MRPC",
        tsv_texts=("#1 String", "#2 String"),
        label="Quality",
    ),
    GlueTask(
        name="qqp",
        title="Quora Question Pairs",
        question="Do two questions ask the same?",
        citation="Iyer, Dandekar & Csernai, First Quora Dataset Release: Question Pairs, 2017",
        hub="qqp",
        folder="QQP",
        texts=("question1", "question2"),
        label="is_duplicate",
    ),
    GlueTask(
        name="stsb",
        title="Semantic Textual Similarity Benchmark",
        question="How alike in meaning are two sentences, from 0 to 5?",
        citation="Cer et al., SemEval-2017 Task 1: Semantic Textual Similarity, SemEval 2017",
        hub="stsb",
        folder="STS-B",
        label="score",
        target=Scalar(low=0, high=5),
        metric="spearman",
    ),
    *(
        GlueTask(
            name=f"mnli_{kind}",
            title=f"Multi-Genre Natural Language Inference, {kind} genres",
            question=f"Does a sentence follow from another, in genres {seen} in training?",
            citation=_MNLI,
            hub="mnli",
            folder="MNLI",
            texts=("premise", "hypothesis"),
            tsv_texts=("sentence1", "sentence2"),
            label="gold_label",
            words=NLI,
            test=f"validation_{kind}",
            dev=f"dev_{kind}",
            target=Classes(names=NLI),
        )
        for kind, seen in (("matched", "seen"), ("mismatched", "not seen"))
    ),
    GlueTask(
        name="qnli",
        title="Question NLI, made from the Stanford Question Answering Dataset",
        question="Does a sentence contain the answer to a question?",
        citation="Rajpurkar et al., SQuAD: 100,000+ Questions for Machine Comprehension of Text, EMNLP 2016",
        hub="qnli",
        folder="QNLI",
        texts=("question", "sentence"),
        words=ENTAILMENT,
        target=Classes(names=ENTAILMENT),
    ),
    GlueTask(
        name="rte",
        title="Recognizing Textual Entailment 1, 2, 3 and 5",
        question="Does a sentence follow from a text?",
        citation="Dagan, Glickman & Magnini, The PASCAL Recognising Textual Entailment Challenge, MLCW 2005",
        hub="rte",
        folder="RTE",
        words=ENTAILMENT,
        target=Classes(names=ENTAILMENT),
    ),
    GlueTask(
        name="wnli",
        title="Winograd NLI",
        question="Does a sentence with its pronoun resolved follow from the sentence?",
        citation="Levesque, Davis & Morgenstern, The Winograd Schema Challenge, KR 2012",
        hub="wnli",
        folder="WNLI",
    ),
)
LICENCES = {
    "cola": "research use (published sentences)",
    "mrpc": "Microsoft Research licence",
    "qqp": "Quora's terms, non-commercial",
    "mnli_matched": "OANC, CC BY 3.0 and CC BY-SA 3.0, by genre",
    "mnli_mismatched": "OANC, CC BY 3.0 and CC BY-SA 3.0, by genre",
    "qnli": "CC BY-SA 4.0",
    "stsb": "CC BY-SA 4.0, parts under their own terms",
}


def _make_task(glue: GlueTask) -> Task:
    texts = "text" if len(glue.texts) == 1 else "pair of texts, in either order"
    card = Card(
        title=glue.title,
        origin="recorded",
        licence=LICENCES.get(glue.name, "research use"),
        citation=f"{glue.citation}; Wang et al., GLUE, ICLR 2019",
        source=f"hub nyu-mll/glue ({glue.hub}), or glue_data/{glue.folder} of gluebenchmark.com",
        size="under 80 MB (all of GLUE 150 MB), 600 bytes per row prepared",
        notes="The test split is GLUE's validation split; validation is a tenth of train (at most 5,000 rows).",
    )
    return Task(
        name=glue.name, question=glue.question, target=glue.target, metric=glue.metric, split_by=texts, card=card
    )


PAPER = Domain(
    name="english_text",
    suite="paper",
    title="English text",
    specs=(Tokens(length=LENGTH, vocabulary=BERT.vocabulary, pad=BERT.pad),),
    card=Card(
        title="WikiText-103: good and featured articles of Wikipedia",
        origin="recorded",
        licence="CC BY-SA 3.0",
        citation="Merity, Xiong, Bradbury & Socher, Pointer Sentinel Mixture Models, ICLR 2017, arXiv:1609.07843",
        source="hub Salesforce/wikitext (wikitext-103-v1), or the official wikitext-103/wiki.*.tokens",
        size="310 MB from the hub, 0.7 GB prepared (1.17 million lines)",
        notes="One example per line (paragraph or heading), without empty lines; rare words are <unk>, as published.",
    ),
    tasks=tuple(_make_task(glue) for glue in GLUE_TASKS),
    parts=(
        Part(dataset=PRETRAIN, sources=(WIKITEXT, BERT), build=build_pretraining),
        *(Part(dataset=g.name, sources=(g.source, BERT), build=partial(build_task, glue=g)) for g in GLUE_TASKS),
    ),
    encoder="paper",
    steps=100_000,
    batch_size=128,
)
