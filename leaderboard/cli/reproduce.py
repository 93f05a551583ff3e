"""`dabs reproduce SUBMISSION`: run cells again and report whether the scores hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro
from rich.console import Console
from rich.text import Text

from dabs.cli.options import Command
from dabs.config import PretrainConfig, Protocol, config_from_json
from dabs.errors import DabsError, RequestError

if TYPE_CHECKING:
    from dabs.results.schema import Result
    from dabs.results.submission import Submission
    from dabs.utils.sandbox import Isolation

Verdict = Literal["equal", "within", "outside"]
COLOURS: dict[Verdict, str] = {"equal": "green", "within": "green", "outside": "red"}


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions:
    """Pretrain and evaluate cells of a submission again, which runs the submission's code."""

    submission: tyro.conf.Positional[Path]  # its folder, such as leaderboard/submissions/NAME
    cell: tuple[str, ...] = ()  # DOMAIN/TASK, or DOMAIN for all its tasks; if none is named: every cell
    seed: int = -1  # which pretraining seed; -1 is the lowest of the submission
    protocol: tuple[Protocol, ...] = ("linear",)  # how the encoder is evaluated
    isolated: bool = False  # pretrain in a sandbox without network, labels and your files; needs bubblewrap
    trust: bool = False  # confirm that you have read algorithm.py and allow it to run here with your rights
    out: Path = Path("reproduced")  # where the new runs are written; not in runs/, whose results count as yours


COMMAND = Command(
    words="reproduce",
    options=ReproduceOptions,
    examples=(
        ("which file to read before anything is run", "dabs reproduce leaderboard/submissions/my-idea"),
        (
            "one cell, with the submission's code in a sandbox",
            "dabs reproduce leaderboard/submissions/my-idea --cell sensor/tempo --isolated",
        ),
        (
            "without a sandbox, after reading its algorithm.py",
            "dabs reproduce leaderboard/submissions/my-idea --cell sensor/tempo --trust",
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A cell that was run again: the submission's result, the new score, and the verdict."""

    stated: Result
    score: float
    weights_equal: bool

    @property
    def verdict(self) -> Verdict:
        """Whether the new score equals the stated one, lies within its interval, or lies outside."""
        if self.score == self.stated.score:
            return "equal"
        return "within" if self.stated.interval.low <= self.score <= self.stated.interval.high else "outside"


def main(arguments: list[str]) -> int:
    """Parse the options, run the cells, print a verdict for each; return 1 if a score is outside its interval."""
    options = COMMAND.parse(arguments)
    from dabs.results.submission import load_submission
    from dabs.utils.sandbox import find_isolation

    console = Console()
    submission, results = load_submission(options.submission)
    wanted = choose_results(options, results)
    isolation = find_isolation() if options.isolated else None
    ask_for_trust(options, submission, isolation)
    if isolation:
        tool = isolation.tool or "no sandbox: neither bwrap nor unshare works here"
        for line in (f"isolated ({tool}): {isolation.kept_out}.", f"not isolated: {isolation.let_in}."):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    for line in list_differences(submission):
        console.print(f"note: {line}", highlight=False, markup=False, soft_wrap=True)
    verdicts = []
    for again in reproduce(options, submission, wanted, isolation):
        print_verdict(console, again)
        verdicts.append(again.verdict)
    words = ", ".join(f"{verdicts.count(v)} {v}" for v in COLOURS)
    console.print(f"{len(verdicts)} scores: {words} (of the stated 95 % interval)", highlight=False)
    return 1 if "outside" in verdicts else 0


def choose_results(options: ReproduceOptions, results: Sequence[Result]) -> list[Result]:
    """Return the submission's results that are to be reproduced.

    Raises:
        RequestError: the submission does not have a cell, seed or protocol.
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


def ask_for_trust(options: ReproduceOptions, submission: Submission, isolation: Isolation | None = None) -> None:
    """Refuse to run a stranger's code unless it is isolated, or the user has confirmed that they read it.

    Raises:
        RequestError: --trust is not given, and there is no sandbox or only an incomplete one.
    """
    if options.trust or (isolation and isolation.complete):
        return
    path = options.submission / "algorithm.py"
    lines = len(path.read_text(encoding="utf-8").splitlines())
    code = f"{path} ({lines} lines, sha256 {submission.algorithm.sha256[:12]}), code by {submission.authors[0]}"
    if isolation:
        raise RequestError(
            f"this machine cannot isolate {code} completely: bwrap is missing or does not work here. With "
            f"{isolation.tool or 'no sandbox'}, isolated is: {isolation.kept_out}. Not isolated: {isolation.let_in}. "
            "Install bubblewrap (apt-get install bubblewrap), or read the file and repeat the command with --trust."
        )
    raise RequestError(
        f"this runs {code}, with your rights. Its hash shows that it is the code that was submitted, not that it is "
        "harmless. Repeat the command with --isolated, which runs it in a sandbox, or read it and give --trust."
    )


def list_differences(submission: Submission) -> list[str]:
    """Return how this machine and its software differ from the submission's, which may change the last digits."""
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


def reproduce(
    options: ReproduceOptions, submission: Submission, wanted: Sequence[Result], isolation: Isolation | None = None
) -> Iterator[Reproduction]:
    """Run the chosen cells again, domain by domain. A run that is already complete in `--out` is not repeated.

    Args:
        options: where the submission is, and where runs are written.
        submission: the submission.
        wanted: the results to reproduce.
        isolation: if given, only the encoder's weights come from the submission's code, which runs in a sandbox.

    Raises:
        DabsError: the data cannot be prepared, or is not the submission's; or the run fails.
    """
    from dabs.data.prepare import prepare
    from dabs.evaluation.evaluate import evaluate, write_results
    from dabs.registry import find_domain

    for domain_name in dict.fromkeys(result.domain for result in wanted):
        cells = {(r.task, str(r.protocol)): r for r in wanted if r.domain == domain_name}
        first = next(iter(cells.values()))
        domain = find_domain(domain_name, first.suite)
        prepare(domain)
        # a run that was less isolated may have read labels, so it does not stand for one that was more so
        name = f"seed{first.seed}-{isolation.tool or 'apart'}" if isolation else f"seed{first.seed}"
        folder = options.out / submission.name / domain_name / name
        pretrain_again(build_config(options, submission, first), folder, isolation)
        protocols_of = {task: tuple(p for t, p in cells if t == task) for task, _ in cells}
        for task, protocols in protocols_of.items():
            for _, evaluation in write_results(folder, evaluate(folder, (task,), protocols)):
                yield compare_scores(cells[task, evaluation.result.protocol], evaluation.result)


def pretrain_again(config: PretrainConfig, folder: Path, isolation: Isolation | None) -> None:
    """Pretrain in this process with a progress bar, or in a sandbox if `isolation` is given."""
    title = f"{folder.parents[1].name} {config.domain} seed {config.seed}"
    if isolation:
        from dabs.leaderboard.submit.isolated import pretrain_isolated

        with Console(stderr=True).status(f"{title}: pretraining in a sandbox"):
            pretrain_isolated(config, folder, isolation)
        return
    from dabs.cli.pretrain import progress_watch
    from dabs.training.pretrain import pretrain

    with progress_watch(title) as watch:
        pretrain(config, folder, logger="none", watch=watch)


def build_config(options: ReproduceOptions, submission: Submission, result: Result) -> PretrainConfig:
    """Return the configuration of a result's pretraining, with the submission's own copy of the source."""
    values = dict(result.pretraining.config)
    processes = values.pop("processes_apart", None)
    if processes:
        raise DabsError(
            f"this result was pretrained on {processes} processes that did not gather, which one process cannot "
            f"repeat. Run `dabs pretrain` with --devices {processes} on the submission's algorithm instead."
        )
    values["algorithm"] = f"{options.submission / 'algorithm.py'}:{submission.algorithm.kind}"
    return config_from_json(values, options.submission)


def compare_scores(stated: Result, new: Result) -> Reproduction:
    """Compare a new result to the stated one.

    Raises:
        DabsError: the new result was made from other data.
    """
    if new.data.sha256 != stated.data.sha256:
        raise DabsError(
            f"the data of {stated.domain}/{stated.task} here is not that of the submission: their hashes differ. Use "
            f"the version of dabs that the submission names ({stated.environment.dabs_version})."
        )
    same = new.pretraining.weights_sha256 == stated.pretraining.weights_sha256
    return Reproduction(stated=stated, score=new.score, weights_equal=same)


def print_verdict(console: Console, again: Reproduction) -> None:
    """Print one verdict."""
    stated, low, high = again.stated, again.stated.interval.low, again.stated.interval.high
    weights = "weights equal" if again.weights_equal else "weights differ"
    line = Text.assemble(
        (f"{again.verdict:8}", COLOURS[again.verdict]),
        f"{stated.domain}/{stated.task} {stated.protocol} seed {stated.seed}: stated {stated.score:.4f} "
        f"[{low:.4f}, {high:.4f}], here {again.score:.4f} ({weights})",
    )
    console.print(line, soft_wrap=True)
