"""mC4 in seven languages, streamed once and stored as rows of tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from dabs.data.domain import PRETRAIN, TRAIN, VALIDATION, Rows, Workspace
from dabs.domains.sources.hub import XLM_R
from dabs.domains.sources.stream import HubStream, TokenStream, check_not_empty, interleave_languages
from dabs.domains.text.languages import LANGUAGES
from dabs.utils.files import data_home

LENGTH = 128
STREAMED_BYTES = 1_600  # of a compressed document, on average (20 GB for 12.8 million)
TITLE = "mC4 in seven languages: web pages, cleaned"
LICENCE = "ODC-BY 1.0, and the terms of Common Crawl"
CITATION = "Xue et al., mT5: A Massively Multilingual Pre-trained Text-to-Text Transformer, NAACL 2021"
BUFFER = 70_000  # documents shuffled together, 10,000 of each language

MC4 = HubStream(
    name="mc4",
    repo="allenai/c4",
    pattern="multilingual/c4-{language}{split}.tfrecord-*.json.gz",
    languages=tuple(LANGUAGES),
    splits={TRAIN: "", VALIDATION: "-validation"},
)


def build_pretraining(workspace: Workspace, rows: dict[str, int]) -> Iterator[Rows]:
    """Yield documents of the seven languages in turn; a row's group is its split and language, all that is known.

    Args:
        workspace: holds the tokenizer; the documents are streamed.
        rows: the number of documents of each split.
    """
    tokenizer = workspace.sources[XLM_R.name]
    streams = []
    for number, split in enumerate((TRAIN, VALIDATION)):
        files = {language: MC4.files(language, split) for language in LANGUAGES}
        settings = hashlib.sha256(repr((files, BUFFER, rows)).encode() + tokenizer.read_bytes()).hexdigest()[:12]
        tokens = TokenStream(
            stream=interleave_languages(files, seed=number),
            tokenizer=tokenizer,
            length=LENGTH,
            rows=rows[split],
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
