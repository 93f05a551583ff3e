"""Text in seven languages: a small part of mC4, and PAWS-X as in the paper suite."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dabs.data.domain import PRETRAIN, TRAIN, VALIDATION, Card, Domain, Part
from dabs.domains.sources.hub import XLM_R
from dabs.domains.text import mc4, pawsx
from dabs.domains.text.languages import LANGUAGES
from dabs.specs import Tokens

ROWS = {TRAIN: 64_000 * len(LANGUAGES), VALIDATION: 1_000 * len(LANGUAGES)}
STREAM = replace(mc4.MC4, size=sum(ROWS.values()) * mc4.STREAMED_BYTES)

OPEN = Domain(
    name="multilingual_text",
    suite="open",
    title="Multilingual text",
    specs=(Tokens(length=mc4.LENGTH, vocabulary=XLM_R.vocabulary, pad=XLM_R.pad),),
    card=Card(
        title=mc4.TITLE,
        origin="recorded",
        licence=mc4.LICENCE,
        citation=mc4.CITATION,
        source="hub allenai/c4, streamed: the beginnings of some of its files for every language",
        size=f"about {STREAM.size / 1e9:.1f} GB streamed, 0.2 GB prepared ({ROWS[TRAIN]:,} documents)",
        notes=(
            "The seven languages in equal parts, truncated to 128 tokens; files are read in random order, so the first "
            "documents of a few files stand for all. The size streamed follows the paper suite's estimate, not "
            "a measurement; the licence is recalled, not checked. A stream has no checksum."
        ),
    ),
    tasks=pawsx.TASKS,
    parts=(
        Part(
            dataset=PRETRAIN,
            sources=(STREAM, XLM_R),
            build=partial(mc4.build_pretraining, rows=ROWS),
            prepared=sum(ROWS.values()) * 4 * mc4.LENGTH,
        ),
        *pawsx.PARTS,
    ),
    encoder="paper",
    steps=20_000,
    batch_size=64,
)
