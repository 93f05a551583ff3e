"""`dabs pretrain ALGORITHM DOMAIN`: one run, with the algorithm's hyper-parameters as options."""

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

from dabs.config import PretrainConfig, Training
from dabs.errors import RequestError
from dabs.training.devices import Devices
from dabs.training.run_folder import Watch, completed, load_config


@dataclass(frozen=True, kw_only=True)
class Where:
    """What does not change the numbers: where a run is written and how it is watched."""

    out: Path | None = None  # the run's folder; default runs/SUITE/ALGORITHM/DOMAIN/seedN
    logger: Literal["tensorboard", "wandb", "none"] = "tensorboard"  # beside metrics.csv
    checkpoint_every: int = 200  # steps between checkpoints
    keep_checkpoints: int = 2  # how many of the newest are kept, to go on from when one is damaged
    config: Path | None = None  # replay a saved config.json (or run folder) exactly; takes only --out beside it


@dataclass(frozen=True, kw_only=True)
class _Replay:
    """Replay a saved run."""

    where: Where = field(default_factory=Where)
    devices: Devices = field(default_factory=Devices)


def main(arguments: list[str]) -> None:
    """Parse, train with a progress bar, say where the run is."""
    config, where, devices = parse(arguments)
    from dabs.training.devices import launched
    from dabs.training.pretrain import pretrain, resolve

    config, _, _ = resolve(config)  # what is wrong with the request is said before anything is started or shown
    with launched(devices, config.precision) as fabric:
        title = f"{config.algorithm} {config.domain} seed {config.seed}"
        with progress_watch(title) if fabric.is_global_zero else nullcontext() as watch:
            folder = pretrain(
                config,
                where.out,
                logger=where.logger,
                checkpoint_every=where.checkpoint_every,
                keep_checkpoints=where.keep_checkpoints,
                watch=watch,
                fabric=fabric,
                gather=devices.gather,
            )
    if not fabric.is_global_zero:
        return
    console = Console()
    console.print(f"run complete in {folder}", highlight=False, soft_wrap=True)
    console.print(waiting(folder), highlight=False)
    console.print(f"next: dabs eval {folder}", highlight=False, soft_wrap=True)


def waiting(folder: Path) -> str:
    """What share of a complete run's time training waited for data."""
    done = completed(folder) or {}
    seconds, waited = done.get("wall_seconds", 0.0), done.get("waited_seconds")
    if not seconds or waited is None:
        return "waiting for data: unknown"
    return f"waiting for data: {100 * waited / seconds:.1f} % of {seconds:,.0f} s"


def parse(arguments: list[str]) -> tuple[PretrainConfig, Where, Devices]:
    """The configuration that the arguments ask for.

    Raises:
        RequestError: an unknown algorithm, or --config beside options it would contradict.
    """
    if any(word == "--config" or word.startswith("--config=") for word in arguments):
        return _replayed(arguments)
    algorithm = arguments[0] if arguments and not arguments[0].startswith("-") else None
    if algorithm is None and not {"-h", "--help"} & set(arguments):
        raise RequestError("ALGORITHM and DOMAIN come first: dabs pretrain ALGORITHM DOMAIN [options]; see --help.")
    kind = options_type(algorithm)
    parsed: Any = tyro.cli(kind, prog="dabs pretrain", args=arguments, config=(tyro.conf.OmitArgPrefixes,))
    options = asdict(parsed.options) if parsed.options else {}
    training = {f.name: getattr(parsed.training, f.name) for f in fields(Training)}
    config = PretrainConfig(algorithm=parsed.algorithm, domain=parsed.domain, options=options, **training)
    return config, parsed.where, parsed.devices


def options_type(algorithm: str | None) -> type:
    """The options of `dabs pretrain` for an algorithm (none named: only what all have in common)."""
    own: Any = None
    if algorithm is not None:
        from dabs.registry import find_algorithm

        own = hyper_parameter_type(find_algorithm(algorithm))
    options: Any = (
        ("options", own, field(default_factory=own)) if own else ("options", Annotated[None, tyro.conf.Suppress], None)
    )
    kind = make_dataclass(
        "Pretrain",
        [
            (
                "algorithm",
                Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ALGORITHM", help="what to train")],
            ),
            ("domain", Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DOMAIN", help="on which data")]),
            ("training", Training, field(default_factory=Training)),
            ("where", Where, field(default_factory=Where)),
            ("devices", Devices, field(default_factory=Devices)),
            options,
        ],
        frozen=True,
        kw_only=True,
    )
    kind.__doc__ = (
        "Pretrain one algorithm in one domain.\n\nALGORITHM is a name (see `dabs list algorithms`) or "
        "path/to/file.py:Class. Its own hyper-parameters are shown by `dabs pretrain ALGORITHM --help`."
    )
    return kind


def hyper_parameter_type(algorithm: Any) -> type | None:
    """A dataclass of an algorithm's hyper-parameters, with the help of its docstring; None when it has none."""
    from dabs.algorithm import hyper_parameters

    own = hyper_parameters(algorithm)
    if not own:
        return None
    taken = {f.name for kind in (Training, Where, Devices) for f in fields(kind)} | {"algorithm", "domain", "options"}
    if taken & set(own):
        raise RequestError(f"{algorithm.__name__}: {sorted(taken & set(own))} is an option of every run; rename it.")
    hints, help_of = _types(algorithm), argument_help(inspect.getdoc(algorithm) or "")
    entries: list[tuple[str, Any, Any]] = [
        (name, Annotated[hints[name], tyro.conf.arg(help=help_of.get(name, ""))], field(default=parameter.default))
        for name, parameter in own.items()
    ]
    kind = make_dataclass(algorithm.__name__, entries, frozen=True, kw_only=True)
    kind.__doc__ = f"Hyper-parameters of {algorithm.__name__}."
    return kind


def _types(algorithm: Any) -> dict[str, Any]:
    """The types of an algorithm's arguments.

    Raises:
        RequestError: an annotation cannot be resolved.
    """
    try:
        return get_type_hints(algorithm.__init__)
    except NameError as error:
        raise RequestError(f"{algorithm.__name__}: an argument's type cannot be read ({error}); import it.") from error


def argument_help(docstring: str) -> dict[str, str]:
    """Name -> text of the `Args:` section of a Google-style docstring."""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    found: dict[str, str] = {}
    for line in (section.group(1) if section else "").splitlines():
        start = re.match(r"^    (\w+): (.*)", line)
        if start:
            name, found[start.group(1)] = start.group(1), start.group(2)
        elif line.strip() and found:
            found[name] += " " + line.strip()
    return found


def _replayed(arguments: list[str]) -> tuple[PretrainConfig, Where, Devices]:
    harmless = [f"--{f.name.replace('_', '-')}" for kind in (Where, Devices) for f in fields(kind)]
    allowed = (*harmless, "--no-gather")
    extra = [w for w in arguments if w.startswith("-") and w.split("=")[0] not in (*allowed, "-h", "--help")]
    if extra:
        raise RequestError(
            f"--config replays a run exactly; {', '.join(extra)} would change it. Leave one of them out."
        )
    both = tyro.cli(_Replay, prog="dabs pretrain", args=arguments, config=(tyro.conf.OmitArgPrefixes,))
    given = both.where
    if given.config is None:
        raise RequestError("--config needs the file or run folder to replay.")
    folder = given.out or (given.config if given.config.is_dir() else given.config.parent)
    return load_config(given.config), replace(given, out=folder), both.devices


@contextmanager
def progress_watch(title: str) -> Iterator[Watch]:
    """A progress bar on the terminal as a `Watch`: step, loss, examples per second, time left."""
    from dabs.cli.terminal import shown, training_progress

    with training_progress() as progress:
        task = progress.add_task(title, total=None, shown="")

        def watch(step: int, steps: int, loss: float, speed: float) -> None:
            line = shown(loss=loss, examples_per_second=speed)
            progress.update(task, total=steps, completed=step, shown=line)

        yield watch
