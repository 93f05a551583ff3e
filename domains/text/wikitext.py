"""WikiText-103 as rows of WordPiece tokens, one paragraph or heading each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dabs.data.domain import PRETRAIN, TRAIN, VALIDATION, Card, Part, Rows, Workspace
from dabs.domains.sources.hub import BERT, HubFiles, encode, read_parquet

LENGTH = 128
BLOCK_LINES = 4096  # encoded at a time
HEADING = re.compile(r"^ = [^=].* = $")  # " = Title = "; headings of sections have more equals signs

WIKITEXT = HubFiles(
    name="wikitext",
    repo="Salesforce/wikitext",
    patterns=("wikitext-103-v1/train-*.parquet", "wikitext-103-v1/validation-*.parquet"),
    layouts=(("wikitext-103/wiki.train.tokens", "wikitext-103/wiki.valid.tokens"),),
    size=310_000_000,
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


CARD = Card(
    title="WikiText-103: good and featured articles of Wikipedia",
    origin="recorded",
    licence="CC BY-SA 3.0",
    citation="Merity, Xiong, Bradbury & Socher, Pointer Sentinel Mixture Models, ICLR 2017, arXiv:1609.07843",
    source="hub Salesforce/wikitext (wikitext-103-v1), or the official wikitext-103/wiki.*.tokens",
    size="310 MB from the hub, 0.7 GB prepared (1.17 million lines)",
    notes="One example per line (paragraph or heading), without empty lines; rare words are <unk>, as published.",
)
PART = Part(dataset=PRETRAIN, sources=(WIKITEXT, BERT), build=build_pretraining, prepared=700_000_000)
