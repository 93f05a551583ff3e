"""Wearable sensors: PAMAP2, nine people with three inertial units, 100 Hz."""

from __future__ import annotations

from dabs.data.domain import Domain
from dabs.domains.series import pamap2

PAPER = Domain(
    name="sensor",
    suite="paper",
    title="Wearable sensors",
    specs=(pamap2.SPEC,),
    card=pamap2.CARD,
    tasks=(pamap2.TASK,),
    parts=pamap2.PARTS,
    encoder="paper",
    steps=100_000,
    batch_size=256,
)
