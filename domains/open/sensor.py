"""Wearable sensors: PAMAP2, the same rows as in the paper suite."""

from __future__ import annotations

from dabs.data.domain import Domain
from dabs.domains.series import pamap2

OPEN = Domain(
    name="sensor",
    suite="open",
    title="Wearable sensors",
    specs=(pamap2.SPEC,),
    card=pamap2.CARD,
    tasks=(pamap2.TASK,),
    parts=pamap2.PARTS,
    encoder="paper",
    steps=20_000,
    batch_size=64,
)
