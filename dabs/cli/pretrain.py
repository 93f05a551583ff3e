"""`dabs pretrain ALGORITHM DOMAIN`: one run, with hyper-parameters as options."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, fields, make_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import tyro
from rich.console import Console

from dabs.cli.options import Command
from dabs.config import PretrainConfig, Training, refuse_steps_and_budget
from dabs.errors import RequestError
from dabs.registry import domain_label, is_file_reference
from dabs.training.devices import Devices
from dabs.training.run_folder import Watch, load_config, read_provenance, why_not_learned


@dataclass(frozen=True, kw_only=True)
class RunOutput:
    """Options that do not change the numbers: where a run is written, how it is logged, how often it is saved."""

    out: Path | None = None  # folder of the run; if not given: runs/SUITE/ALGORITHM/DOMAIN/seedN
    # besides metrics.csv; auto: tensorboard if it is installed
    logger: Literal["auto", "tensorboard", "wandb", "none"] = "auto"
    checkpoint_every: int = 200  # steps between checkpoints
    keep_checkpoints: int = 2  # how many of the newest to keep, in case one is damaged
    force: bool = False  # put another run in this folder aside, under a name that begins with a dot, and train anew
    config: Path | None = None  # replay a saved config.json (or run folder) exactly; no option may change it


@dataclass(frozen=True, kw_only=True)
class _Replay:
    """Replay a saved run."""

    output: RunOutput = field(default_factory=RunOutput)
    devices: Devices = field(default_factory=Devices)


def main(arguments: list[str]) -> None:
    """Parse, train with a progress bar, print where the run is."""
    config, output, devices = parse(arguments)
    from dabs.training.devices import launched
    from dabs.training.pretrain import pretrain, resolve

    config, _, _ = resolve(config)  # report a wrong request before starting processes
    with launched(devices, config.precision) as fabric:
        title = f"{config.algorithm} {domain_label(config.domain)} seed {config.seed}"
        with progress_watch(title) if fabric.is_global_zero else nullcontext() as watch:
            folder = pretrain(
                config,
                output.out,
                logger=output.logger,
                checkpoint_every=output.checkpoint_every,
                keep_checkpoints=output.keep_checkpoints,
                watch=watch,
                fabric=fabric,
                gather=devices.gather,
                force=output.force,
            )
    if not fabric.is_global_zero:
        return
    console = Console()
    console.print(f"run complete in {folder}", highlight=False, soft_wrap=True)
    console.print(waiting_text(folder), highlight=False)
    own = f" --domain {config.domain}" if is_file_reference(config.domain) else ""
    console.print(f"next: dabs eval {folder}{own}", highlight=False, soft_wrap=True)
    if reason := why_not_learned(folder):
        console.print(f"did not learn: {reason}", highlight=False, soft_wrap=True)


def waiting_text(folder: Path) -> str:
    """Return the share of a complete run's time that training waited for data, as a line of text."""
    provenance = read_provenance(folder) or {}
    seconds, waited = provenance.get("wall_seconds", 0.0), provenance.get("waited_seconds")
    if not seconds or waited is None:
        return "waiting for data: unknown"
    return f"waiting for data: {100 * waited / seconds:.1f} % of {seconds:,.0f} s"


def parse(arguments: list[str]) -> tuple[PretrainConfig, RunOutput, Devices]:
    """Return the configuration that the arguments ask for, where to write the run, and the devices.

    Raises:
        RequestError: an unknown algorithm, or --config together with options that would change the configuration.
    """
    if any(word == "--config" or word.startswith("--config=") for word in arguments):
        return _replayed(arguments)
    algorithm = arguments[0] if arguments and not arguments[0].startswith("-") else None
    if algorithm is None and not {"-h", "--help"} & set(arguments):
        raise RequestError("ALGORITHM and DOMAIN come first: dabs pretrain ALGORITHM DOMAIN [options]; see --help.")
    kind = options_type(algorithm)
    parsed = COMMAND.parse(arguments, kind)
    options = asdict(parsed.hyper_parameters) if hasattr(parsed, "hyper_parameters") else {}
    training = {f.name: getattr(parsed.training, f.name) for f in fields(Training)}
    refuse_steps_and_budget(training["steps"], training["budget"])
    config = PretrainConfig(algorithm=parsed.algorithm, domain=parsed.domain, options=options, **training)
    return config, parsed.output, parsed.devices


def options_type(algorithm: str | None) -> type:
    """Return the options of `dabs pretrain` for an algorithm, or only the common ones if it is None."""
    own: Any = None
    if algorithm is not None:
        from dabs.registry import find_algorithm

        own = hyper_parameter_type(find_algorithm(algorithm))
    hyper_parameters = [("hyper_parameters", own, field(default_factory=own))] if own else []
    kind = make_dataclass(
        "Pretrain",
        [
            (
                "algorithm",
                Annotated[str, tyro.conf.Positional, tyro.conf.arg(help="the algorithm to train")],
            ),
            (
                "domain",
                Annotated[str, tyro.conf.Positional, tyro.conf.arg(help="the domain to train it in")],
            ),
            *hyper_parameters,
            ("training", Training, field(default_factory=Training)),
            ("output", RunOutput, field(default_factory=RunOutput)),
            ("devices", Devices, field(default_factory=Devices)),
        ],
        frozen=True,
        kw_only=True,
    )
    kind.__doc__ = (
        "Pretrain one algorithm in one domain.\n\nALGORITHM is a name (see `dabs list algorithms`) or "
        "path/to/file.py:Class. Its own hyper-parameters are shown by `dabs pretrain ALGORITHM --help`."
    )
    return kind


COMMAND = Command(
    words="pretrain",
    options=options_type(None),
    examples=(
        ("one run with the standard budget, in runs/lite/shed/sensor/seed7", "dabs pretrain shed sensor"),
        ("ShED's own options", "dabs pretrain shed --help"),
        ("a first look at your own algorithm", "dabs pretrain my_idea.py:MyIdea sensor --steps 50 --out first-look"),
        (
            "the same run once more, from its saved configuration",
            "dabs pretrain --config runs/lite/shed/sensor/seed7 --out runs/again",
        ),
    ),
)


def hyper_parameter_type(algorithm: Any) -> type | None:
    """Return a dataclass of an algorithm's hyper-parameters, with help from its docstring; None if it has none."""
    from dabs.algorithm import hyper_parameters

    own = hyper_parameters(algorithm)
    if not own:
        return None
    taken = {f.name for kind in (Training, RunOutput, Devices) for f in fields(kind)} | {
        "algorithm",
        "domain",
        "options",
    }
    if taken & set(own):
        raise RequestError(f"{algorithm.__name__}: {sorted(taken & set(own))} is an option of every run; rename it.")
    hints, help_of = _argument_types(algorithm), argument_help(inspect.getdoc(algorithm) or "")
    entries: list[tuple[str, Any, Any]] = [
        (name, Annotated[hints[name], tyro.conf.arg(help=help_of.get(name, ""))], field(default=parameter.default))
        for name, parameter in own.items()
    ]
    kind = make_dataclass(algorithm.__name__, entries, frozen=True, kw_only=True)
    kind.__doc__ = f"Hyper-parameters of {algorithm.__name__}."
    return kind


def _argument_types(algorithm: Any) -> dict[str, Any]:
    """Return the types of an algorithm's arguments.

    Raises:
        RequestError: an annotation cannot be resolved.
    """
    try:
        return get_type_hints(algorithm.__init__)
    except NameError as error:
        raise RequestError(f"{algorithm.__name__}: the type of an argument is unknown ({error}); import it.") from error


def argument_help(docstring: str) -> dict[str, str]:
    """Return name -> text from the `Args:` section of a Google-style docstring."""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    found: dict[str, str] = {}
    for line in (section.group(1) if section else "").splitlines():
        start = re.match(r"^    (\w+): (.*)", line)
        if start:
            name, found[start.group(1)] = start.group(1), start.group(2)
        elif line.strip() and found:
            found[name] += " " + line.strip()
    return found


def _replayed(arguments: list[str]) -> tuple[PretrainConfig, RunOutput, Devices]:
    unchanging = [f"--{f.name.replace('_', '-')}" for kind in (RunOutput, Devices) for f in fields(kind)]
    allowed = (*unchanging, "--no-gather", "--no-force")
    extra = [w for w in arguments if w.startswith("-") and w.split("=")[0] not in (*allowed, "-h", "--help")]
    if extra:
        raise RequestError(
            f"--config replays a run exactly; {', '.join(extra)} would change it. Leave one of them out."
        )
    parsed = COMMAND.parse(arguments, _Replay)
    output = parsed.output
    if output.config is None:
        raise RequestError("--config needs the file or run folder to replay.")
    folder = output.out or (output.config if output.config.is_dir() else output.config.parent)
    return load_config(output.config), replace(output, out=folder), parsed.devices


@contextmanager
def progress_watch(title: str) -> Iterator[Watch]:
    """Show a progress bar for a run, and yield the `Watch` that updates it: step, loss, examples/s, time left."""
    from dabs.cli.terminal import progress_text, training_progress

    with training_progress() as progress:
        task = progress.add_task(title, total=None, shown="")

        def watch(step: int, steps: int, loss: float, speed: float) -> None:
            line = progress_text(loss=loss, examples_per_second=speed)
            progress.update(task, total=steps, completed=step, shown=line)

        yield watch
