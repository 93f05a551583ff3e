"""What evaluation costs: features, the linear probe, and 100 frozen epochs.

    python benchmarks/evaluation.py                                   # under three minutes on two cores
    python benchmarks/evaluation.py --runs RUNS/lite/shed             # scores instead, on runs of the lite suite

Features: `pooled_features` over a prepared split of synthetic rows, against the same encoder on batches in memory,
of the fastest size. Both are timed in fp32 and, if the machine has it, in bf16.

100 epochs: the DABS paper runs the frozen encoder again for every step of a linear head's SGD. The time of a few steps
is measured and multiplied up, with the reference implementation's attention (einsum, softmax) and with this encoder's
own in fp32. For the scores, the head is trained for 100 epochs on features computed once, because a frozen encoder
computes the same features in every epoch.

Expected: features at 80 % of the speed of a forward pass or more, the probe under 3 s, 400 times faster than 100
epochs, and scores as good.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from reporting import parser_of, publish
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.bench.reading import feature_seconds
from dabs.bench.synthetic import synthetic_domain, synthetic_features
from dabs.bench.timing import Times, TimingTable, alternate, seconds_of
from dabs.check.mock import KINDS, TINY
from dabs.data.domain import SPLITS, TRAIN, Classes, Task
from dabs.data.prepared import open_prepared
from dabs.data.split import Split
from dabs.encoder import PRESETS, Attention, Encoder, EncoderConfig, Rotation, rotate
from dabs.evaluation.features import pooled_features
from dabs.evaluation.metrics import bootstrap_interval, metric_of
from dabs.evaluation.probes import Features, linear_probe
from dabs.registry import find_domain
from dabs.specs import Specs
from dabs.training.checkpoint import load_encoder
from dabs.training.precision import has_bf16

EXAMPLES, EPOCHS = 5000, 100
TASKS = (("sensor", "exercise"), ("natural_images", "animal"), ("speech", "word"))
RATES = (0.1, 0.01, 0.001)  # of SGD with momentum 0.9, chosen on validation like the probe's C


def feature_rates(name: str, specs: Specs, config: EncoderConfig, rows: int, rounds: int) -> list[tuple[str, ...]]:
    """Return a row per precision: examples per second bare and as features, their ratio, the distance from fp32."""
    lines = []
    for precision in precisions():
        times = feature_seconds(specs, config, rows, rounds, precision=precision, sizes=(16, 32, 64, rows))
        share = times["bare"].over(times["features"])
        lines.append(
            (
                name,
                precision,
                f"{rows / times['bare'].median:,.1f}",
                f"{rows / times['features'].median:,.1f}",
                f"{100 * share.median:.0f} % ±{100 * share.spread:.0f} %",
                distance_from_fp32(specs, config, precision),
            )
        )
    return lines


def precisions() -> tuple[str, ...]:
    """Return the precisions that this machine computes in."""
    return ("fp32", "bf16") if has_bf16() else ("fp32",)


def distance_from_fp32(specs: Specs, config: EncoderConfig, precision: str) -> str:
    """Return the RMS distance between the features of 64 examples and those in fp32, in deviations of a feature."""
    torch.manual_seed(0)
    encoder = Encoder(config, specs)
    with synthetic_domain(specs, 64) as domain:
        split = Split(open_prepared(domain), TRAIN, labels=False)
        wide, other = pooled_features(encoder, split), pooled_features(encoder, split, precision)
    return f"{np.sqrt((((wide - other) / wide.std(axis=0)) ** 2).mean()):.1e}"


def against_epochs(name: str, specs: Specs, config: EncoderConfig, rows: int, rounds: int) -> tuple[str, ...]:
    """Return the seconds for 5,000 training examples both ways, extrapolated from `rows` of them."""
    torch.manual_seed(0)
    encoder = Encoder(config, specs).eval()
    head = nn.Linear(config.width, 10)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.01, momentum=0.9)
    precision = precisions()[-1]
    with synthetic_domain(specs, rows) as domain:
        split = Split(open_prepared(domain), TRAIN, labels=False)
        label = torch.arange(rows) % 10

        def epoch() -> None:
            for index in split.in_order(64):
                with torch.no_grad():
                    features = encoder(split.batch(index))
                optimizer.zero_grad()
                F.cross_entropy(head(features), label[index]).backward()
                optimizer.step()

        def textbook() -> None:
            with mock.patch.object(Attention, "forward", textbook_attention):
                epoch()

        with torch.no_grad(), mock.patch.object(Attention, "forward", textbook_attention):
            same = encoder(split.batch(np.arange(4)))
        torch.testing.assert_close(same, encoder(split.batch(np.arange(4))).detach(), rtol=1e-3, atol=1e-3)
        once = partial(pooled_features, encoder, split, precision)
        times = alternate({"textbook": textbook, "fp32": epoch, "once": once}, rounds)
    pair = synthetic_features(EXAMPLES, config.width, 10)
    probe = seconds_of(lambda: linear_probe(*pair))
    short = Times(seconds=tuple(EXAMPLES / rows * seconds + probe for seconds in times["once"].seconds))
    cells = [name]
    for side in ("textbook", "fp32"):
        long = Times(seconds=tuple(EPOCHS * EXAMPLES / rows * seconds for seconds in times[side].seconds))
        cells += [f"{long.median:,.0f} s", str(long.over(short))]
    return (*cells, f"{short.median:,.1f} s (probe {probe:.1f} s)")


def textbook_attention(
    self: Attention, x_BSD: Tensor, mask_B11S: Tensor | None, rotation: Rotation | None = None
) -> Tensor:
    """Compute attention as the reference implementation does: scores by einsum, softmax, einsum."""
    q, k, v = split_heads(self.qkv(x_BSD), self.heads)
    if rotation is not None:
        q, k = (rotate(x.transpose(1, 2), rotation).transpose(1, 2) for x in (q, k))
    scores_BHST = torch.einsum("bshk,bthk->bhst", q, k) / q.shape[-1] ** 0.5
    if mask_B11S is not None:
        scores_BHST = scores_BHST.masked_fill(~mask_B11S, float("-inf"))
    out_BSHK = torch.einsum("bhst,bthk->bshk", scores_BHST.softmax(dim=-1), v)
    return self.out(out_BSHK.flatten(2))


def split_heads(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Split (B, S, 3 H K) into three tensors (B, S, H, K)."""
    b, s, _ = qkv.shape
    return qkv.reshape(b, s, 3, heads, -1).unbind(dim=2)


def probe_row(rows: int, width: int, classes: int) -> tuple[str, ...]:
    """Time the sweep over C and the final fit."""
    pair = synthetic_features(rows, width, classes)
    return f"{rows:,} × {width}, {classes} classes", f"{seconds_of(lambda: linear_probe(*pair)):.2f} s"


def head_for_epochs(data: Features, task: Task, epochs: int) -> float:
    """Train a linear head by SGD, choose learning rate and epoch on validation, and return the test score."""
    assert isinstance(task.target, Classes)
    score = metric_of(task.metric).score
    x = {name: torch.from_numpy(data.features[name]) for name in SPLITS}
    best = (-np.inf, 0.0)
    for rate in RATES:
        torch.manual_seed(0)
        head = nn.Linear(x[TRAIN].shape[1], len(task.target))
        optimizer = torch.optim.SGD(head.parameters(), lr=rate, momentum=0.9)
        label = torch.tensor(data.labels[TRAIN])
        for _ in range(epochs):
            for part in torch.randperm(len(label)).split(64):
                optimizer.zero_grad()
                F.cross_entropy(head(x[TRAIN][part]), label[part]).backward()
                optimizer.step()
            with torch.no_grad():
                found = {name: head(x[name]).argmax(dim=1).numpy() for name in SPLITS}
            scores = [score(found[name], data.labels[name]) for name in ("validation", "test")]
            best = max(best, (scores[0], scores[1]))
    return best[1]


def score_row(runs: Path, domain_name: str, task_name: str, epochs: int) -> tuple[str, ...]:
    """Return the test scores of the probe and of a head trained for `epochs` epochs."""
    domain = find_domain(domain_name)
    task = domain.task(task_name)
    encoder = load_encoder(runs / domain_name / "seed0" / "encoder")
    features = {
        name: pooled_features(encoder, Split(open_prepared(domain, task_name), name, labels=False)) for name in SPLITS
    }
    labels = {name: open_prepared(domain, task_name).columns(name, ("label",))["label"] for name in SPLITS}
    data = Features(features=features, labels=labels)
    score = metric_of(task.metric).score
    prediction = linear_probe(data, task).prediction
    found = bootstrap_interval(task.metric, prediction, labels["test"])
    probe = f"{100 * score(prediction, labels['test']):.1f} ({100 * found['low']:.1f} to {100 * found['high']:.1f})"
    return f"{domain_name}, {task_name}", probe, f"{100 * head_for_epochs(data, task, epochs):.1f}"


def cost_tables(quick: bool) -> list[TimingTable]:
    """Return tables of features, of the probe, and of both against 100 epochs."""
    if quick:
        kinds, config, rows, rounds = {name: KINDS[name] for name in ("image", "tokens")}, TINY, 24, 1
    else:
        names = ("natural_images", "english_text")
        kinds, config, rows, rounds = {n: find_domain(n, "paper").specs for n in names}, PRESETS["paper"], 64, 2
    features = TimingTable(
        title="features, examples per second",
        columns=("inputs", "precision", "bare forward pass", "features", "share", "from fp32"),
        rows=[line for name, specs in kinds.items() for line in feature_rates(name, specs, config, rows, rounds)],
    )
    sizes = ((100, 16, 3),) if quick else ((EXAMPLES, 256, 2), (EXAMPLES, 256, 10), (EXAMPLES, 256, 100))
    probe = TimingTable(
        title="linear probe, whole sweep", columns=("features", "time"), rows=[probe_row(*s) for s in sizes]
    )
    epochs = TimingTable(
        title=f"{EXAMPLES:,} training examples: {EPOCHS} epochs through the frozen encoder, and once",
        columns=("inputs", "epochs, textbook attention", "ratio", "epochs, fp32", "ratio", "once and a probe"),
        rows=[against_epochs(name, specs, config, rows, rounds) for name, specs in kinds.items()],
    )
    return [features, probe, epochs]


def score_table(quick: bool, runs: Path) -> TimingTable:
    """Return a table of whether the faster way scores as well."""
    return TimingTable(
        title=f"test accuracy × 100, lite runs of {runs.name}",
        columns=("task", "probe (95 %)", f"head, {EPOCHS} epochs"),
        rows=[score_row(runs, *task, epochs=2 if quick else EPOCHS) for task in TASKS],
    )


def main() -> int:
    """Measure and print."""
    parser = parser_of(__doc__)
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="compare scores instead, on these runs of one algorithm on the lite suite",
    )
    options = parser.parse_args()
    found = [score_table(options.quick, options.runs)] if options.runs else cost_tables(options.quick)
    for table in found:
        table.show()
    name, notes = ("evaluation, scores", SCORE_NOTES) if options.runs else ("evaluation", NOTES)
    publish(options.markdown, name, found, notes)
    return 0


NOTES = "The time of the epochs is that of one epoch over 64 examples, multiplied up."
SCORE_NOTES = """
The head is trained for real, on features computed once. Both sides choose on validation (the probe its C, the head its
learning rate and epoch) and read the test split once.
"""

if __name__ == "__main__":
    sys.exit(main())
