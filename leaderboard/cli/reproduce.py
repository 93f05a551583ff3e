"""`dabs reproduce SUBMISSION`: run cells again with the submission's source, and say whether its scores hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro
from rich.console import Console
from rich.text import Text

from dabs.config import PretrainConfig, Protocol, config_from_json
from dabs.errors import DabsError, RequestError
from dabs.evaluation.evaluate import write_results

if TYPE_CHECKING:
    from dabs.results.schema import Result
    from dabs.results.submission import Submission

Verdict = Literal["equal", "within", "outside"]
COLOURS: dict[Verdict, str] = {"equal": "green", "within": "green", "outside": "red"}


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions:
    """Pretrain and evaluate cells of a submission again. This runs the submission's code: read it first."""

    submission: tyro.conf.Positional[Path]  # its folder, such as leaderboard/submissions/NAME
    cell: tuple[str, ...] = ()  # DOMAIN/TASK, or DOMAIN for all its tasks; every cell when none is named
    seed: int = -1  # which pretraining seed; -1 takes the lowest the submission has
    protocol: tuple[Protocol, ...] = ("linear",)  # how the encoder is read
    trust: bool = False  # you have read algorithm.py and let it run here
    out: Path = Path("reproduced")  # where the new runs are written; apart from runs/, whose results are read as yours


@dataclass(frozen=True, kw_only=True)
class Again:
    """A cell that was run again: what the submission says, what came out, and what that means."""

    stated: Result
    score: float
    weights_equal: bool

    @property
    def verdict(self) -> Verdict:
        """Equal to the last digit, within the stated interval, or outside of it."""
        if self.score == self.stated.score:
            return "equal"
        return "within" if self.stated.interval.low <= self.score <= self.stated.interval.high else "outside"


def main(arguments: list[str]) -> int:
    """Parse, run, print a verdict a cell; gives 1 when a score is outside its interval."""
    options = tyro.cli(ReproduceOptions, prog="dabs reproduce", args=arguments)
    from dabs.results.submission import load_submission

    console = Console()
    submission, results = load_submission(options.submission)
    wanted = chosen(options, results)
    ask_for_trust(options, submission)
    for line in other_circumstances(submission):
        console.print(f"note: {line}", highlight=False, markup=False, soft_wrap=True)
    verdicts = []
    for again in reproduce(options, submission, wanted):
        show(console, again)
        verdicts.append(again.verdict)
    words = ", ".join(f"{verdicts.count(v)} {v}" for v in COLOURS)
    console.print(f"{len(verdicts)} scores: {words} (of the stated 95 % interval)", highlight=False)
    return 1 if "outside" in verdicts else 0


def chosen(options: ReproduceOptions, results: Sequence[Result]) -> list[Result]:
    """The submission's results that are to be made again.

    Raises:
        RequestError: a cell, seed or protocol that the submission has not.
    """
    seeds = sorted({result.seed for result in results})
    seed = seeds[0] if options.seed == -1 else options.seed
    if seed not in seeds:
        raise RequestError(f"the submission has no seed {seed}; it has {', '.join(map(str, seeds))}.")
    mine = [r for r in results if r.seed == seed and r.protocol in options.protocol]
    cells = {f"{r.domain}/{r.task}" for r in mine}
    for cell in options.cell:
        if cell not in cells | {name.partition("/")[0] for name in cells}:
            known = ", ".join(sorted(cells)) or "none"
            raise RequestError(
                f"the submission has no cell {cell!r} under {', '.join(options.protocol)}. It has {known}."
            )
    picked = set(options.cell) or cells
    return [r for r in mine if f"{r.domain}/{r.task}" in picked or r.domain in picked]


def ask_for_trust(options: ReproduceOptions, submission: Submission) -> None:
    """Refuse to run a stranger's code that nobody vouched for.

    Raises:
        RequestError: --trust is not given.
    """
    if options.trust:
        return
    path = options.submission / "algorithm.py"
    lines = len(path.read_text(encoding="utf-8").splitlines())
    raise RequestError(
        f"this runs {path} ({lines} lines, sha256 {submission.algorithm.sha256[:12]}), code of "
        f"{submission.authors[0]}, with your rights. Its hash shows that it is the code that was handed in, not that "
        "it is harmless. Read it, then repeat the command with --trust (best in a container)."
    )


def other_circumstances(submission: Submission) -> list[str]:
    """What differs here from where the submission was made, which may move the last digits."""
    from dabs.utils.environment import environment

    here, there = environment(), submission.environment
    facts = {
        "processor": (there.processor, here["processor"]),
        "cores": (there.cores, here["cores"]),
        "device": (there.device, here["device"]),
        "python": (there.python, here["python"]),
        "dabs": (there.dabs_version, here["dabs_version"]),
        "git commit of dabs": (there.git_commit[:12], here["git_commit"][:12]),
        **{name: (version, here["versions"].get(name)) for name, version in there.versions.items()},
    }
    return [
        f"{name} is {mine}, the submission was made with {theirs}"
        for name, (theirs, mine) in facts.items()
        if theirs != mine
    ]


def reproduce(options: ReproduceOptions, submission: Submission, wanted: Sequence[Result]) -> Iterator[Again]:
    """Run the chosen cells again, domain by domain; a run that `--out` holds from before is read, not repeated.

    Raises:
        DabsError: data that cannot be prepared, or is not the submission's.
    """
    from dabs.cli.pretrain import progress_watch
    from dabs.data.prepare import prepare
    from dabs.evaluation.evaluate import evaluate
    from dabs.registry import find_domain
    from dabs.training.pretrain import pretrain

    for domain_name in dict.fromkeys(result.domain for result in wanted):
        cells = {(r.task, str(r.protocol)): r for r in wanted if r.domain == domain_name}
        first = next(iter(cells.values()))
        domain = find_domain(domain_name, first.suite)
        prepare(domain)
        folder = options.out / submission.name / domain_name / f"seed{first.seed}"
        config = config_of(options, submission, first)
        with progress_watch(f"{submission.name} {domain_name} seed {first.seed}") as watch:
            pretrain(config, folder, logger="none", watch=watch)
        protocols_of = {task: tuple(p for t, p in cells if t == task) for task, _ in cells}
        for task, protocols in protocols_of.items():
            for _, found in write_results(folder, evaluate(folder, (task,), protocols)):
                yield compared(cells[task, found.result.protocol], found.result)


def config_of(options: ReproduceOptions, submission: Submission, result: Result) -> PretrainConfig:
    """The configuration of a result's pretraining, with the submission's own copy of the source."""
    values = dict(result.pretraining.config)
    apart = values.pop("processes_apart", None)
    if apart:
        raise DabsError(
            f"this result was pretrained on {apart} processes that did not gather, which one process does not repeat. "
            f"Run `dabs pretrain` with --devices {apart} on the submission's algorithm instead."
        )
    values["algorithm"] = f"{options.submission / 'algorithm.py'}:{submission.algorithm.kind}"
    return config_from_json(values, options.submission)


def compared(stated: Result, new: Result) -> Again:
    """A new result beside the stated one.

    Raises:
        DabsError: it was made of other data.
    """
    if new.data.sha256 != stated.data.sha256:
        raise DabsError(
            f"the data of {stated.domain}/{stated.task} here is not that of the submission: their hashes differ. Use "
            f"the version of dabs that the submission names ({stated.environment.dabs_version})."
        )
    same = new.pretraining.weights_sha256 == stated.pretraining.weights_sha256
    return Again(stated=stated, score=new.score, weights_equal=same)


def show(console: Console, again: Again) -> None:
    """Print one verdict."""
    stated, low, high = again.stated, again.stated.interval.low, again.stated.interval.high
    weights = "weights equal" if again.weights_equal else "weights differ"
    line = Text.assemble(
        (f"{again.verdict:8}", COLOURS[again.verdict]),
        f"{stated.domain}/{stated.task} {stated.protocol} seed {stated.seed}: stated {stated.score:.4f} "
        f"[{low:.4f}, {high:.4f}], here {again.score:.4f} ({weights})",
    )
    console.print(line, soft_wrap=True)
