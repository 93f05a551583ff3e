"""Text in seven languages: mC4 and PAWS-X, as 128 SentencePiece tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dabs.data.domain import (
    PRETRAIN,
    TEST,
    TRAIN,
    VALIDATION,
    BuildError,
    Card,
    Classes,
    Domain,
    Part,
    Rows,
    Task,
    Workspace,
)
from dabs.domains.sources.hub import XLM_R, HubFiles, read_parquet
from dabs.domains.sources.stream import HubStream, TokenStream, check_not_empty, interleave_languages
from dabs.domains.text.languages import LANGUAGES
from dabs.domains.text.sentences import Sentence, read_tsv, sentence_rows
from dabs.specs import Tokens
from dabs.utils.files import data_home

LENGTH = 128
STEPS, BATCH = 100_000, 128
ROWS = {TRAIN: STEPS * BATCH, VALIDATION: 2_000 * len(LANGUAGES)}
BUFFER = 70_000  # documents shuffled together, 10,000 of each language

MC4 = HubStream(
    name="mc4",
    repo="allenai/c4",
    pattern="multilingual/c4-{language}{split}.tfrecord-*.json.gz",
    languages=tuple(LANGUAGES),
    splits={TRAIN: "", VALIDATION: "-validation"},
)


def build_pretraining(workspace: Workspace) -> Iterator[Rows]:
    """Yield documents of the seven languages in turn; a row's group is its split and language, all that is known."""
    tokenizer = workspace.sources[XLM_R.name]
    streams = []
    for number, split in enumerate((TRAIN, VALIDATION)):
        files = {language: MC4.files(language, split) for language in LANGUAGES}
        settings = hashlib.sha256(repr((files, BUFFER, ROWS)).encode() + tokenizer.read_bytes()).hexdigest()[:12]
        tokens = TokenStream(
            stream=interleave_languages(files, seed=number),
            tokenizer=tokenizer,
            length=LENGTH,
            rows=ROWS[split],
            buffer=BUFFER,
            seed=number,
            folder=data_home() / "partial" / f"mc4-{split}-{settings}",
        )
        streams.append(tokens)
        total = 0
        for ids, languages in tokens.blocks(workspace.say):
            group = [f"mc4 {split} {language}" for language in languages]
            total += len(ids)
            yield Rows(dataset=PRETRAIN, split=split, inputs=(ids,), label=None, group=group)
        check_not_empty(total, f"mC4 {split}")
    for tokens in streams:  # kept until here, so that an interrupted preparation can resume
        tokens.remove_blocks()


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


PAWSX_CARD = Card(
    title="PAWS-X: adversarial paraphrases",
    origin="recorded",
    licence="may be freely used for any purpose, with acknowledgement of Google LLC",
    citation="Yang, Zhang, Tar & Baldridge, PAWS-X, EMNLP 2019, arXiv:1908.11828",
    source="hub google-research-datasets/paws-x, or x-final.tar.gz of its repository",
    size="30 MB for all languages, 32 MB prepared for each",
    notes="Train is machine-translated (except English), dev and test by people; validation is the official dev split.",
)

PAPER = Domain(
    name="multilingual_text",
    suite="paper",
    title="Multilingual text",
    specs=(Tokens(length=LENGTH, vocabulary=XLM_R.vocabulary, pad=XLM_R.pad),),
    card=Card(
        title="mC4 in seven languages: web pages, cleaned",
        origin="recorded",
        licence="ODC-BY 1.0, and the terms of Common Crawl",
        citation="Xue et al., mT5: A Massively Multilingual Pre-trained Text-to-Text Transformer, NAACL 2021",
        source="hub allenai/c4, streamed, or some of its files for every language",
        size=f"about 20 GB streamed, 7 GB prepared ({ROWS[TRAIN] / 1e6:.1f} million documents), 13 GB while preparing",
        notes=(
            "As many documents as 100,000 steps of 128 use, the seven languages in equal parts, truncated to 128 "
            f"tokens; shuffled in a buffer of {BUFFER:,} documents and again by every run."
        ),
    ),
    tasks=tuple(
        Task(
            name=f"pawsx_{language}",
            question=f"Do two {name} sentences with nearly the same words mean the same?",
            target=Classes(names=("different", "paraphrase")),
            metric="accuracy",
            split_by="pair of texts, in either order",
            card=PAWSX_CARD,
        )
        for language, name in LANGUAGES.items()
    ),
    parts=(
        Part(dataset=PRETRAIN, sources=(MC4, XLM_R), build=build_pretraining),
        *(
            Part(
                dataset=f"pawsx_{language}",
                sources=(pawsx_source(language), XLM_R),
                build=partial(build_task, language=language),
            )
            for language in LANGUAGES
        ),
    ),
    encoder="paper",
    steps=STEPS,
    batch_size=BATCH,
)
