"""The ten tasks of GLUE, from the hub's parquet or the benchmark's own files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dabs.data.domain import (
    TRAIN,
    VALIDATION,
    BuildError,
    Card,
    Classes,
    MetricName,
    Part,
    Rows,
    Scalar,
    Target,
    Task,
    Workspace,
)
from dabs.domains.sources.hub import BERT, HubFiles, read_parquet
from dabs.domains.text.sentences import Sentence, read_tsv, sentence_rows, splits_of

LENGTH = 128
ROW_BYTES, HUB_BYTES = 600, 150  # of a prepared row, and about of one in the hub's files
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
        rows: of train and of the split that is tested on.
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
    rows: int = 0
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
            size=HUB_BYTES * self.rows,
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
        rows=8_551 + 1_043,
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
        rows=67_349 + 872,
        folder="SST-2",
        texts=("sentence",),
    ),
    GlueTask(
        name="mrpc",
        title="Microsoft Research Paraphrase Corpus",
        question="Do two sentences from the news mean the same?",
        citation="Dolan & Brockett, Automatically Constructing a Corpus of Sentential Paraphrases, IWP 2005",
        hub="mrpc",
        rows=3_668 + 408,
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
        rows=363_846 + 40_430,
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
        rows=5_749 + 1_500,
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
            rows=392_702 + (9_815 if kind == "matched" else 9_832),
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
        rows=104_743 + 5_463,
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
        rows=2_490 + 277,
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
        rows=635 + 71,
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


def make_task(glue: GlueTask) -> Task:
    """Return the task, with its card."""
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


def make_part(glue: GlueTask) -> Part:
    """Return the dataset of a GLUE task."""
    build = partial(build_task, glue=glue)
    return Part(dataset=glue.name, sources=(glue.source, BERT), build=build, prepared=ROW_BYTES * glue.rows)
