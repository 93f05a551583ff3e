"""English text: WikiText-103, and ten GLUE tasks, as 128 WordPiece tokens."""

from __future__ import annotations

from dabs.data.domain import Domain
from dabs.domains.sources.hub import BERT
from dabs.domains.text import glue, wikitext
from dabs.specs import Tokens

PAPER = Domain(
    name="english_text",
    suite="paper",
    title="English text",
    specs=(Tokens(length=wikitext.LENGTH, vocabulary=BERT.vocabulary, pad=BERT.pad),),
    card=wikitext.CARD,
    tasks=tuple(glue.make_task(one) for one in glue.GLUE_TASKS),
    parts=(wikitext.PART, *(glue.make_part(one) for one in glue.GLUE_TASKS)),
    encoder="paper",
    steps=100_000,
    batch_size=128,
)
