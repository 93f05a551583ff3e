"""Timings and counts of known work."""

from __future__ import annotations

import pytest
import torch

from dabs.bench.timing import (
    Times,
    TimingTable,
    alternate,
    bytes_kept,
    describe_machine,
    peak_flops,
    spread,
    step_flops,
    synthetic_batch,
)
from dabs.check.mock import KINDS, TINY
from dabs.encoder import Encoder
from dabs.training.operations import flops_of


def test_sides_take_turns_in_changing_order():
    seen: list[str] = []
    times = alternate({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, rounds=3, warmup=1)
    assert "".join(seen) == "ba" + "ab" + "ba" + "ab"
    assert [len(side.seconds) for side in times.values()] == [3, 3]


def test_a_ratio_is_taken_round_by_round():
    slow, fast = Times(seconds=(2.0, 20.0, 6.0)), Times(seconds=(1.0, 10.0, 2.0))
    assert slow.over(fast).median == 2.0
    assert fast.over(slow).median == 0.5
    assert slow.median == 6.0
    assert spread((1.0, 2.0, 3.0)) == pytest.approx(0.5)


def test_operations_of_matrix_products_are_counted():
    a, b = torch.randn(3, 4), torch.randn(4, 5)
    assert flops_of(lambda: a @ b) == 2 * 3 * 4 * 5


@pytest.mark.parametrize("name", KINDS)
def test_the_work_of_a_step_is_counted_without_doing_it(name):
    encoder = Encoder(TINY, KINDS[name])
    forward = step_flops(encoder, 4, backward=False)
    s, d, inner, mlp = 1 + sum(spec.embeddings for spec in KINDS[name]), TINY.width, 32, TINY.mlp
    block = 2 * 4 * s * (d * 3 * inner + inner * d + 2 * d * mlp + 2 * s * inner)
    embedding = sum(2 * 4 * m.in_features * d * m_spec.embeddings for m, m_spec in linear_embeddings(encoder))
    assert forward == TINY.depth * block + embedding
    assert step_flops(encoder, 8, passes=2) == 4 * step_flops(encoder, 4)
    assert 2.5 * forward < step_flops(encoder, 4) <= 3 * forward


def linear_embeddings(encoder):
    pairs = zip(encoder.embeddings, encoder.specs, strict=True)
    return [(embed.linear, spec) for embed, spec in pairs if hasattr(embed, "linear")]


@pytest.mark.parametrize("name", KINDS)
def test_synthetic_examples_fit_the_encoder(name):
    encoder, batch = Encoder(TINY, KINDS[name]), synthetic_batch(KINDS[name], 3)
    assert encoder(batch).shape == (3, TINY.width)
    assert bytes_kept(encoder, lambda: encoder(synthetic_batch(KINDS[name], 6)).sum()) > bytes_kept(
        encoder, lambda: encoder(batch).sum()
    )


def test_the_machine_has_a_name_and_a_peak(monkeypatch):
    assert "torch" in describe_machine()
    monkeypatch.setattr("dabs.bench.timing.PEAK_SIZES", {"cpu": (64, 128)})
    assert peak_flops(torch.float32) > 0


def test_a_table_is_printed_and_written_as_markdown(capsys):
    table = TimingTable(title="times", columns=("side", "s"), rows=[("a", "1.0")])
    assert table.markdown() == "**times**\n\n| side | s |\n| --- | ---: |\n| a | 1.0 |"
    table.show()
    assert "1.0" in capsys.readouterr().out
