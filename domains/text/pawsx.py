"""PAWS-X in seven languages, from the hub's parquet or the official files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dabs.data.domain import TEST, TRAIN, VALIDATION, BuildError, Card, Classes, Part, Rows, Task, Workspace
from dabs.domains.sources.hub import XLM_R, HubFiles, read_parquet
from dabs.domains.text.languages import LANGUAGES
from dabs.domains.text.sentences import Sentence, read_tsv, sentence_rows

LENGTH = 128


def official_files(language: str) -> dict[str, str]:
    """Return the file of each split of PAWS-X in the layout of x-final.tar.gz; English train is not translated."""
    names = {TRAIN: "train" if language == "en" else "translated_train", VALIDATION: "dev_2k", TEST: "test_2k"}
    return {split: f"x-final/{language}/{name}.tsv" for split, name in names.items()}


def pawsx_source(language: str) -> HubFiles:
    """Return the source of PAWS-X in a language, on the hub or in the official layout."""
    return HubFiles(
        name="pawsx",
        repo="google-research-datasets/paws-x",
        patterns=tuple(f"{language}/{split}-*.parquet" for split in (TRAIN, VALIDATION, TEST)),
        layouts=(tuple(official_files(language).values()),),
        size=4_300_000,
    )


def read_pawsx(root: Path, language: str, split: str) -> list[Sentence]:
    """Return the pairs of a language and a split.

    Raises:
        BuildError: a file has another layout.
    """
    hub = f"{language}/{split}-*.parquet"
    local = next(root.glob(hub), None) is None
    rows = read_tsv(root / official_files(language)[split]) if local else read_parquet(root, hub)
    try:
        return [Sentence(texts=(row["sentence1"], row["sentence2"]), label=int(row["label"])) for row in rows]
    except (KeyError, ValueError) as error:
        raise BuildError(f"PAWS-X in {root}, {language} {split}, is not laid out as published: {error!r}.") from error


def build_task(workspace: Workspace, language: str) -> Iterator[Rows]:
    """Yield the official train, dev and test splits; pairs of a stricter split are removed from the others."""
    root, seen = workspace.sources["pawsx"], set[str]()
    splits: dict[str, list[Sentence]] = {}
    for split in (TEST, VALIDATION, TRAIN):
        splits[split] = [s for s in read_pawsx(root, language, split) if s.key not in seen]
        seen |= {s.key for s in splits[split]}
    tokenizer = workspace.sources[XLM_R.name]
    yield from sentence_rows(f"pawsx_{language}", splits, tokenizer, LENGTH, workspace.say)


CARD = Card(
    title="PAWS-X: adversarial paraphrases",
    origin="recorded",
    licence="may be freely used for any purpose, with acknowledgement of Google LLC",
    citation="Yang, Zhang, Tar & Baldridge, PAWS-X, EMNLP 2019, arXiv:1908.11828",
    source="hub google-research-datasets/paws-x, or x-final.tar.gz of its repository",
    size="30 MB for all languages, 32 MB prepared for each",
    notes="Train is machine-translated (except English), dev and test by people; validation is the official dev split.",
)
TASKS = tuple(
    Task(
        name=f"pawsx_{language}",
        question=f"Do two {name} sentences with nearly the same words mean the same?",
        target=Classes(names=("different", "paraphrase")),
        metric="accuracy",
        split_by="pair of texts, in either order",
        card=CARD,
    )
    for language, name in LANGUAGES.items()
)
PARTS = tuple(
    Part(
        dataset=f"pawsx_{language}",
        sources=(pawsx_source(language), XLM_R),
        build=partial(build_task, language=language),
        prepared=32_000_000,
    )
    for language in LANGUAGES
)
