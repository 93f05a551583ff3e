"""The functions of `import dabs`, such as pretrain, evaluate, load and run.

Each does what the verb of its name does on the command line, and returns what it made. Folders and files may be given
as strings or as paths.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dabs.config import (
    FIRST_SEED,
    STANDARD_PROTOCOLS,
    PretrainConfig,
    Protocol,
    Suite,
    Training,
    refuse_steps_and_budget,
)
from dabs.errors import DabsError, RequestError, unknown

if TYPE_CHECKING:
    import pandas

    from dabs.algorithm import Algorithm
    from dabs.evaluation.frozen import FrozenEncoder
    from dabs.leaderboard.compare.model import Comparison
    from dabs.results.schema import Result


def prepare(domain: str, *, suite: Suite = "lite", force: bool = False) -> None:
    """Fetch and convert the data of a domain, unless that is done already, and print what is wrong with it.

    Args:
        domain: its name, or path/to/file.py:NAME.
        suite: which datasets.
        force: whether to do it again.

    Raises:
        DabsError: a source cannot be fetched or read, or what it holds is not as it should be.

    Example:
        >>> import dabs
        >>> dabs.prepare("sensor")
    """
    from dabs.cli.data import prepare_all
    from dabs.registry import find_domain

    prepare_all([find_domain(domain, suite)], force=force)


def pretrain(
    algorithm: str | type[Algorithm],
    domain: str,
    *,
    out: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    logger: str = "none",
    **training: Any,
) -> Path:
    """Pretrain one algorithm in one domain, resume a run that was stopped, or do nothing if it is complete.

    Args:
        algorithm: a registered name, path/to/file.py:Class, or a class that is defined in a file.
        domain: its name, or path/to/file.py:NAME. Its data is prepared first.
        out: the run's folder; by default runs/SUITE/ALGORITHM/DOMAIN/seedN.
        options: the algorithm's own hyper-parameters.
        logger: "tensorboard", "wandb" or "none"; metrics.csv is always written.
        training: the fields of `dabs.config.Training`: suite, encoder, seed, budget, steps, batch_size, accumulate, lr,
            weight_decay, beta2, precision, compile.

    Returns:
        The run's folder.

    Raises:
        DabsError: an unknown name or setting, data that cannot be prepared, a folder that holds another run, or a loss
            that is not finite.

    Example:
        >>> import dabs
        >>> run = dabs.pretrain("shed", "sensor", steps=20, options={"corruption_rate": 0.3})
        >>> run.name
        'seed7'
    """
    from dabs.data.prepare import prepare as prepare_data
    from dabs.training.pretrain import pretrain as train
    from dabs.training.pretrain import resolve

    known = [field.name for field in fields(Training)]
    for name in training:
        if name not in known:
            hint = " Hyper-parameters of the algorithm go into options={...}."
            raise RequestError(f"{unknown('setting', name, known, of='dabs.pretrain')}{hint}")
    refuse_steps_and_budget(training.get("steps", 0), training.get("budget", 1.0))
    config = PretrainConfig(algorithm=reference_of(algorithm), domain=domain, options=dict(options or {}), **training)
    _, _, found = resolve(config)
    prepare_data(found, lambda line: None)
    return train(config, out, logger=logger)


def evaluate(
    run: str | Path,
    *,
    tasks: Sequence[str] = (),
    protocols: Sequence[Protocol] = STANDARD_PROTOCOLS,
    domain: str = "",
) -> list[Result]:
    """Evaluate a complete run, and write each result into its folder `results`.

    Args:
        run: the folder that `pretrain` returned, or hf://USER/NAME[@REVISION] for a run on the hub.
        tasks: names; all tasks of the domain when empty.
        protocols: "linear", "knn", "linear_tokens" or "finetune".
        domain: path/to/file.py:NAME, for a run on a domain of your own, whose file is run.

    Returns:
        One `dabs.results.schema.Result` per task and protocol, with `score`, `interval`, `metric` and provenance.

    Raises:
        DabsError: the run is incomplete or damaged, or the data is not what it was pretrained on.

    Example:
        >>> import dabs
        >>> run = dabs.pretrain("shed", "sensor", steps=20)
        >>> results = dabs.evaluate(run, protocols=["knn"])
        >>> [(r.task, r.protocol, r.interval.low <= r.score <= r.interval.high) for r in results][0]
        ('exercise', 'knn', True)
    """
    from dabs.evaluation.evaluate import evaluate as evaluate_run
    from dabs.evaluation.evaluate import write_results
    from dabs.results.hub import local_run, results_home

    folder = local_run(run)
    evaluated = evaluate_run(folder, tuple(tasks), tuple(protocols), domain=domain)
    return [item.result for _, item in write_results(results_home(run, folder), evaluated)]


def load(run: str | Path) -> FrozenEncoder:
    """Return the frozen encoder of a complete run, for features of arrays of your own.

    Only weights and sizes are read; no code of an algorithm runs.

    Args:
        run: the folder that `pretrain` returned, or hf://USER/NAME[@REVISION] for a run on the hub.

    Raises:
        DabsError: there is no complete run, or its weights are damaged.

    Example:
        >>> import dabs, numpy
        >>> encoder = dabs.load(dabs.pretrain("shed", "sensor", steps=20))
        >>> encoder.specs
        (Series(steps=128, channels=6, segment=4),)
        >>> encoder.features(numpy.zeros((10, 128, 6))).shape
        (10, 128)
    """
    from dabs.evaluation.frozen import load_frozen
    from dabs.results.hub import local_run

    return load_frozen(local_run(run))


def evaluate_encoder(
    function: Callable[..., Any],
    domain: str,
    *,
    name: str,
    about: str,
    tasks: Sequence[str] = (),
    protocols: Sequence[Protocol] = ("linear", "knn"),
    suite: Suite = "lite",
    out: str | Path = "runs",
) -> list[Result]:
    """Read an encoder that DABS did not pretrain, such as one of timm or transformers, as a row that is not ranked.

    Args:
        function: takes one array per input, (n, *spec.shape), with pixels as uint8 and ids as int32, at most 256
            examples at a time; returns features (n, D) as an array or tensor.
        domain: its name, or path/to/file.py:NAME. Its data is prepared first.
        name: of the row; tables show it as external-NAME.
        about: which encoder it is and what it was trained on.
        tasks: names; all tasks of the domain when empty.
        protocols: as for `evaluate`.
        suite: which datasets.
        out: where results are written, like those of `run`.

    Returns:
        One result per task and protocol.

    Raises:
        DabsError: the data cannot be prepared, or what the function returns is not as it should be.

    Example:
        >>> import dabs
        >>> results = dabs.evaluate_encoder(
        ...     lambda x: x.std(axis=1), "sensor", name="deviation", about="the deviation of each channel"
        ... )
        >>> results[0].algorithm
        'external-deviation'
    """
    from dabs.data.prepare import prepare as prepare_data
    from dabs.evaluation.evaluate import write_results
    from dabs.evaluation.external import evaluate_external
    from dabs.evaluation.reference_rows import EXTERNAL_PREFIX
    from dabs.registry import find_domain
    from dabs.training.run_folder import default_folder

    found = find_domain(domain, suite)
    prepare_data(found, lambda line: None)
    label = f"{EXTERNAL_PREFIX}{name}"
    folder = default_folder(PretrainConfig(algorithm=label, domain=domain, suite=suite, seed=0), label, Path(out))
    evaluated = evaluate_external(function, found, name, about, tuple(tasks), tuple(protocols))
    return [item.result for _, item in write_results(folder, evaluated)]


def run(
    algorithms: Sequence[str | type[Algorithm]] = (),
    *,
    domains: Sequence[str] = (),
    seeds: int = 1,
    first_seed: int = FIRST_SEED,
    protocols: Sequence[Protocol] = STANDARD_PROTOCOLS,
    suite: Suite = "lite",
    budget: float = 1.0,
    steps: int = 0,
    out: str | Path = "runs",
    jobs: int = 0,
) -> pandas.DataFrame:
    """Run the whole benchmark or a part of it: finished cells are not repeated, and stopped ones resume.

    The table and the report are written as by `dabs run`, which has more options.

    Args:
        algorithms: as for `pretrain`; those of the published table if none is named.
        domains: names; all official ones of the suite if none is named.
        seeds, first_seed: how many pretraining seeds, and the first of them.
        protocols, suite: as for `evaluate`, and which datasets.
        budget: 0.25, 1, 4 or 10, a multiple of each domain's standard steps.
        steps: pretraining steps in place of those.
        out: where runs and results are written.
        jobs: how many cells run at a time; 0 lets the number of cores decide.

    Returns:
        Every result below `out`, one row each: `dabs.results.frame(out)`.

    Raises:
        DabsError: a cell failed (the others are finished first), or the request is wrong.

    Example:
        >>> import dabs
        >>> table = dabs.run(["none", "shed"], domains=["sensor"], protocols=["knn"], steps=20)
        >>> sorted(table.algorithm.unique())
        ['none', 'raw', 'shed', 'summary']
    """
    from dabs.cli.run import GridOptions, run_grid
    from dabs.launch.options import LaunchOptions
    from dabs.results import frame

    options = GridOptions(
        algorithms=tuple(reference_of(one) for one in algorithms),
        domains=tuple(domains),
        seeds=seeds,
        first_seed=first_seed,
        protocol=tuple(protocols),
        suite=suite,
        budget=budget,
        steps=steps,
        out=Path(out),
        launching=LaunchOptions(jobs=jobs) if jobs else LaunchOptions(),
    )
    failed = run_grid(options)
    if failed:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise DabsError(f"{len(failed)} failed ({reasons}). The others are done; the same call tries these again.")
    return frame(out)


def compare(
    sources: str | Path | Sequence[str | Path],
    *,
    algorithms: Sequence[str] = (),
    protocol: Protocol = "linear",
    alpha: float = 0.05,
) -> Comparison:
    """Compare algorithms by their results: which is better, on which tasks, and how certain that is.

    Args:
        sources: folders of results (runs, a submission), each optionally with :ALGORITHM appended.
        algorithms: which of them; all of a single source if none is named.
        protocol: whose scores to compare.
        alpha: two-sided level of the tests; intervals have the level 1 - alpha.

    Returns:
        A `dabs.leaderboard.compare.model.Comparison`. For the text that `dabs compare` prints, pass it to
        `dabs.leaderboard.compare.formats.as_text`.

    Raises:
        DabsError: there are no two algorithms with comparable results.

    Example:
        >>> import dabs
        >>> table = dabs.run(["none", "shed"], domains=["sensor"], protocols=["linear"], steps=20)
        >>> comparison = dabs.compare("runs", algorithms=["none", "shed"])
        >>> [pair.a for pair in comparison.pairs]
        ['none']
    """
    from dabs.leaderboard.compare.pairwise import compare as compare_results

    given = [sources] if isinstance(sources, str | Path) else sources
    return compare_results([str(one) for one in given], protocol=protocol, algorithms=algorithms, alpha=alpha)


def reference_of(algorithm: str | type[Algorithm]) -> str:
    """Return the reference by which a run finds an algorithm again: its name, or path/to/file.py:Class.

    Raises:
        RequestError: the class is not defined in a file, as in a notebook.
    """
    if not isinstance(algorithm, type):
        return str(algorithm)
    try:
        file = cast("str", inspect.getsourcefile(algorithm))
    except TypeError:
        file = None
    if not file or not Path(file).is_file():
        raise RequestError(
            f"{algorithm.__name__} is not defined in a file, so a run could not record its source. In a notebook, "
            f"begin its cell with `%%writefile my_idea.py` and pass 'my_idea.py:{algorithm.__name__}'."
        )
    return f"{file}:{algorithm.__name__}"
