"""The definition of a domain: its input specs, tasks, cards and builder.

Importing this module does not load torch.
"""

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
    """A target that is one of n classes; labels are int64 (B,)."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, kw_only=True)
class MultiLabel:
    """A target that is any subset of n findings; labels are 0 or 1, int8 (B, n)."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """A target that is a score between low and high; labels are float32 (B,)."""

    low: float
    high: float

    def __len__(self) -> int:
        return 1


Target = Classes | MultiLabel | Scalar


def describe_target(target: Target) -> str:
    """Return a short description of a target, such as `7 classes`."""
    if isinstance(target, Classes):
        return f"{len(target)} classes"
    return f"{len(target)} findings" if isinstance(target, MultiLabel) else f"score {target.low:g} to {target.high:g}"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a reader must know about a dataset before trusting a number that was computed on it."""

    title: str
    origin: DataOrigin
    licence: str
    citation: str
    source: str  # where the data comes from, in words
    size: str  # of the download and of the prepared data, e.g. "11 MB wheel, 28 MB prepared"
    registration: bool = False  # whether downloading needs an account or a signed agreement
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One labelled question about a domain's inputs.

    Attributes:
        name: its name on the command line.
        question: the question, in one sentence.
        target: classes, several findings, or a score.
        metric: "accuracy", "auroc" (macro), "spearman" or "matthews".
        split_by: what is never in two splits, e.g. "person"; the `group` of a row says which one it belongs to.
        card: None if the domain's card covers it.
    """

    name: str
    question: str
    target: Target
    metric: MetricName
    split_by: str
    card: Card | None = None


@runtime_checkable
class ProgressReporter(Protocol):
    """A `say` callback that can also show a progress bar, like the command line's."""

    def progress(self, name: str, done: int, total: int) -> None:
        """Show that `done` bytes of a file are there; `total` is 0 if unknown."""
        ...


def progress_callback(say: Callable[[str], None]) -> Callable[[str, int, int], None]:
    """Return the function that shows the progress of a download; it does nothing if `say` cannot show progress."""
    return say.progress if isinstance(say, ProgressReporter) else lambda name, done, total: None


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What fetching a file takes, in bytes; 0 where it is not known.

    Attributes:
        download: bytes that come over the network.
        unpacked: bytes that are then on the disk, until the user deletes them.
    """

    download: int = 0
    unpacked: int = 0


@runtime_checkable
class LargeSource(Protocol):
    """A source that says beforehand what it takes.

    Attributes:
        threaded: whether `fetch` may run in a thread beside others and ends when its `say` raises.
    """

    threaded: bool

    def footprints(self, *, missing: bool) -> dict[str, Footprint]:
        """Return what each of its files takes, by a key that two sources share for the same file.

        With `missing`, only files that are neither in place nor in a cache count.
        """
        ...


class Source(Protocol):
    """Something to fetch before building: a wheel from the package index or an archive from a URL."""

    @property
    def name(self) -> str:
        """The key under which the builder finds it in `Workspace.sources`."""
        ...

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """Download it into `folder` unless it is there, check it, and return its path."""
        ...

    def describe(self) -> dict[str, str]:
        """Return what the manifest records: name, version, sha256."""
        ...


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A block of rows of one split. A builder may yield several blocks for a split, which are appended.

    Attributes:
        dataset: `PRETRAIN` or a task's name.
        split: "train", "validation" or "test" (a pretraining set has no test split).
        inputs: one array per spec, (n, *spec.shape): Tokens int32; Series float32 or float16; Image uint8 (read back as
            value / 255) or float16 or float32 (read back unchanged).
        label: (n,) int64 or float32, (n, k) int8, or None for pretraining.
        group: n strings that name what must not be in two splits (a person, a message id, half of a photograph). They
            are comparable across the datasets of a domain.
        cluster: n strings that name what intervals draw as a whole (a recording, a drawing), because its rows are not
            independent; None if that is the group.
    """

    dataset: str
    split: str
    inputs: tuple[np.ndarray, ...]
    label: np.ndarray | None
    group: list[str]
    cluster: list[str] | None = None


@dataclass(kw_only=True)
class Workspace:
    """What a builder gets: the fetched sources, seeded generators, and a place for small files and notes.

    Attributes:
        sources: the path of each source, by its name.
        say: prints one line of progress.
        files: small files to keep beside the data, such as a tokenizer, by name; filled by the builder.
        notes: what a reader of the data must know about this copy, such as that files are missing, one sentence each;
            filled by the builder and kept in the manifest.
    """

    sources: dict[str, Path]
    say: Callable[[str], None]
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def generator(self, *key: int) -> Any:
        """Return a numpy generator that depends only on `key`: it draws the same numbers on every machine."""
        import numpy as np

        return np.random.Generator(np.random.PCG64([20211, *key]))


@dataclass(frozen=True, kw_only=True)
class Part:
    """One dataset of a domain that is fetched, built and stored separately; a user may lack some of them.

    Attributes:
        dataset: `PRETRAIN` or a task's name.
        sources: what to fetch before building.
        build: yields the rows of this dataset's splits only.
        version: increased when `build` yields something else; prepared data of another version is refused.
        prepared: about how many bytes its prepared data takes; 0 if that is not known beforehand.
    """

    dataset: str
    sources: tuple[Source, ...]
    build: Callable[[Workspace], Iterator[Rows]]
    version: int = 1
    prepared: int = 0


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A kind of data: one pretraining set without labels, and labelled tasks that show what was learned.

    Attributes:
        name: equal to the name of its file.
        suite: one of `dabs.config.SUITES`.
        title: a few words for tables.
        specs: of the inputs of every example.
        card: of the pretraining set.
        tasks: at least one.
        sources: what to fetch before building.
        build: yields the rows of every split; None if the domain has parts.
        version: increased when `build` yields something else; prepared data of another version is refused.
        parts: for a domain whose datasets come from many places: one for `PRETRAIN` and one for each task, instead of
            `sources`, `build` and `version`.
        encoder: the encoder's size in the standard budget, "small" or "paper".
        steps: pretraining steps in the standard budget.
        batch_size: examples per step in the standard budget.
        reference: path/to/file.py:NAME, for a domain that is no part of the registry; set when its file is loaded.
        source_sha256: the hash of that file; data that another version of it prepared is refused.
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
    reference: str = ""
    source_sha256: str = ""

    def task(self, name: str) -> Task:
        """Return the task called `name`.

        Raises:
            RequestError: there is no such task.
        """
        from dabs.errors import unknown

        for task in self.tasks:
            if task.name == name:
                return task
        raise unknown("task", name, [task.name for task in self.tasks], of=f"{self.name} ({self.suite})")

    def datasets(self) -> dict[str, tuple[str, ...]]:
        """Return the splits of every dataset of the domain, by the dataset's name."""
        splits = {PRETRAIN: (TRAIN, VALIDATION)}
        return splits | {task.name: SPLITS for task in self.tasks}


class BuildError(DabsError):
    """A source is not what a builder expects."""
