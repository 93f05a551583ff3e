"""English text: WikiText-103 and five of GLUE's tasks, as in the paper suite."""

from __future__ import annotations

from dabs.data.domain import Domain
from dabs.domains.sources.hub import BERT
from dabs.domains.text import glue, wikitext
from dabs.specs import Tokens

TASKS = tuple(one for one in glue.GLUE_TASKS if one.name in ("cola", "sst2", "mrpc", "qnli", "rte"))

OPEN = Domain(
    name="english_text",
    suite="open",
    title="English text",
    specs=(Tokens(length=wikitext.LENGTH, vocabulary=BERT.vocabulary, pad=BERT.pad),),
    card=wikitext.CARD,
    tasks=tuple(glue.make_task(one) for one in TASKS),
    parts=(wikitext.PART, *(glue.make_part(one) for one in TASKS)),
    encoder="paper",
    steps=20_000,
    batch_size=64,
)
