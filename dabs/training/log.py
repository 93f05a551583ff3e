"""The log of a run: metrics.csv, and curves for TensorBoard or Weights & Biases."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

from dabs.errors import DabsError, RequestError
from dabs.training.checkpoint import after_divergence
from dabs.utils.files import replacing, short

HELD_OUT = "held_out_loss"  # a column of metrics.csv, empty in the rows of steps without a check
MAX_HEADER = 65_536  # characters of the first line that are read
LOGGERS = ("auto", "tensorboard", "wandb", "none")


def choose_logger(logger: str) -> str:
    """Return what draws the curves of a run besides metrics.csv: "tensorboard", "wandb" or "none".

    Args:
        logger: one of `LOGGERS`; "auto" is TensorBoard if it is installed, and nothing otherwise.

    Raises:
        RequestError: there is no such logger, or the package that was asked for is not installed.
    """
    if logger not in LOGGERS:
        raise RequestError(f"logger must be one of {', '.join(LOGGERS)}, not {logger!r}")
    if logger == "auto":
        return "tensorboard" if find_spec("tensorboard") else "none"
    if logger != "none" and not find_spec(logger):
        raise RequestError(
            f"--logger {logger} needs the package {logger}: pip install 'dabs[{logger}]'. "
            "Without it, --logger none still writes metrics.csv."
        )
    return logger


class RunLog:
    """Appends each step to metrics.csv; a resumed run first drops the rows of steps that it will repeat.

    Args:
        folder: the run's.
        logger: what `choose_logger` returned; the CSV file is always written.
        start: the first step that will be written.
        writes: whether this process writes; those that do not still check that the loss stays finite.
    """

    def __init__(self, folder: Path, logger: str, start: int, *, writes: bool = True) -> None:
        self.path, self.writes = folder / "metrics.csv", writes
        if writes and self.path.exists():
            rows = [row for row in read_metrics(folder) if int(row["step"]) < start]
            _rewrite(self.path, rows)
        self.writer = _curve_writer(logger if writes else "none", folder)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.writer is not None:
            with suppress(OSError) if error else self._explain_full_disk():  # an earlier error is the one to report
                self.writer.close()

    def write(self, steps: list[tuple[int, float, dict[str, Tensor]]], speed: float) -> float:
        """Write some steps.

        Args:
            steps: of each, its number, its learning rate and the algorithm's scalars.
            speed: examples per second since the last write.

        Returns:
            The loss of the last step.

        Raises:
            DabsError: a loss is not finite; the steps before it are written.
        """
        rows: list[dict[str, Any]] = []
        for step, rate, values in steps:
            numbers: dict[str, Any] = {name: float(value) for name, value in values.items()}
            if not math.isfinite(numbers["loss"]):
                self._append(rows)
                raise DabsError(
                    f"the loss became {numbers['loss']} at step {step}. {after_divergence(self.path.parent)}"
                )
            held_out = numbers.pop(HELD_OUT, math.nan)
            held_out = held_out if math.isfinite(held_out) else ""
            rows.append(
                {"step": step, **numbers, HELD_OUT: held_out, "lr": rate, "examples_per_second": round(speed, 1)}
            )
        self._append(rows)
        return float(rows[-1]["loss"])

    def _append(self, rows: list[dict[str, Any]]) -> None:
        if not rows or not self.writes:
            return
        text = io.StringIO()
        header = _header(self.path)  # of a run that an earlier version began, it may lack a column
        writer = csv.DictWriter(text, fieldnames=header or list(rows[0]), extrasaction="ignore")
        if not header:
            writer.writeheader()
        writer.writerows(rows)
        with self._explain_full_disk():
            with open(self.path, "a", encoding="utf-8", newline="") as handle:
                handle.write(text.getvalue())
            for row in rows if self.writer is not None else ():
                for name in row.keys() - {"step"} - ({HELD_OUT} if row[HELD_OUT] == "" else set()):
                    self.writer.add_scalar(name, row[name], row["step"])

    @contextmanager
    def _explain_full_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DabsError(
                f"cannot write the log in {self.path.parent}: {error.strerror or error}. Free some space; the same "
                "command then resumes from the last checkpoint, or starts again if there is none."
            ) from error


def _header(path: Path) -> list[str]:
    """Return the names in the first line of a CSV file; none if there is no such file, or nothing in it."""
    if not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as handle:
        return next(csv.reader([handle.readline(MAX_HEADER)]), [])


def _rewrite(path: Path, rows: list[dict[str, str]]) -> None:
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as handle:
        if rows:
            writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def read_metrics(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a run's metrics.csv, without a last row that was cut short; none if there is no file.

    Raises:
        DabsError: the file is damaged: it is no CSV with numbers under `step` and `loss`.
    """
    path = folder / "metrics.csv"
    if not path.exists():
        return []
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            rows = [row for row in csv.DictReader(handle) if None not in row.values()]
        for row in rows:
            int(row["step"]), float(row["loss"])
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise DabsError(f"{path} is damaged ({short(str(error))}). Delete {folder} and pretrain again.") from error
    return rows


def loss_curve(folder: Path, points: int = 64) -> list[tuple[int, float]]:
    """Return (steps done, mean loss) over at most `points` equally long stretches of a run."""
    rows = [(int(row["step"]), float(row["loss"])) for row in read_metrics(folder)]
    size = max(1, math.ceil(len(rows) / points))
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [(part[-1][0] + 1, round(sum(loss for _, loss in part) / len(part), 6)) for part in parts]


def held_out_curve(folder: Path) -> list[tuple[int, float]]:
    """Return (steps done, loss on held-out inputs) for each check of a run; none in one that had no checks."""
    rows = [row for row in read_metrics(folder) if row.get(HELD_OUT)]
    return [(int(row["step"]) + 1, round(float(row[HELD_OUT]), 6)) for row in rows]


class _Wandb:
    """Writes to Weights & Biases through the two methods of a TensorBoard writer that `RunLog` calls."""

    def __init__(self, folder: Path) -> None:
        import wandb

        self.run = wandb.init(project="dabs", dir=str(folder), name="-".join(folder.parts[-4:]))

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.run.log({name: value}, step=step)

    def close(self) -> None:
        self.run.finish()


def _curve_writer(logger: str, folder: Path) -> Any:
    if logger == "none":
        return None
    if logger == "wandb":
        return _Wandb(folder)
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))
