"""Text in seven languages: mC4 and PAWS-X, as 128 SentencePiece tokens."""

from __future__ import annotations

from functools import partial

from dabs.data.domain import PRETRAIN, TRAIN, VALIDATION, Card, Domain, Part
from dabs.domains.sources.hub import XLM_R
from dabs.domains.text import mc4, pawsx
from dabs.domains.text.languages import LANGUAGES
from dabs.specs import Tokens

STEPS, BATCH = 100_000, 128
ROWS = {TRAIN: STEPS * BATCH, VALIDATION: 2_000 * len(LANGUAGES)}

PAPER = Domain(
    name="multilingual_text",
    suite="paper",
    title="Multilingual text",
    specs=(Tokens(length=mc4.LENGTH, vocabulary=XLM_R.vocabulary, pad=XLM_R.pad),),
    card=Card(
        title=mc4.TITLE,
        origin="recorded",
        licence=mc4.LICENCE,
        citation=mc4.CITATION,
        source="hub allenai/c4, streamed, or some of its files for every language",
        size=f"about 20 GB streamed, 7 GB prepared ({ROWS[TRAIN] / 1e6:.1f} million documents), 13 GB while preparing",
        notes=(
            "As many documents as 100,000 steps of 128 use, the seven languages in equal parts, truncated to 128 "
            f"tokens; shuffled in a buffer of {mc4.BUFFER:,} documents and again by every run."
        ),
    ),
    tasks=pawsx.TASKS,
    parts=(
        Part(
            dataset=PRETRAIN,
            sources=(mc4.MC4, XLM_R),
            build=partial(mc4.build_pretraining, rows=ROWS),
        ),
        *pawsx.PARTS,
    ),
    encoder="paper",
    steps=STEPS,
    batch_size=BATCH,
)
