"""Numbers published in papers, kept separate from results of this package.

They come from other protocols, so they are never ranked with ours. `published.json` holds them with their sources; each
number is copied by hand from the place that its source names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dabs.errors import DabsError

FILE = Path(__file__).with_name("published.json")
Percent = Annotated[float, Field(ge=-100, le=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Publication(_Strict):
    """A source of numbers, and how they were made."""

    key: str
    title: str
    url: HttpUrl
    seeds: Annotated[int, Field(ge=1)]
    protocol: str


class PublishedRow(_Strict):
    """One row of a published table.

    Attributes:
        domain: registered name.
        task: registered name, or "*" for the mean over the domain's tasks.
        label: what the source calls the task.
        pretrained_on: what the source calls the pretraining data.
        percent: algorithm -> score times 100.
        source: key of the publication.
    """

    domain: str
    task: str
    label: str
    pretrained_on: str
    percent: dict[str, Percent]
    source: str


class Published(_Strict):
    """The numbers published on one suite."""

    format: Literal[1]
    suite: str
    sources: tuple[Publication, ...]
    rows: tuple[PublishedRow, ...]

    @model_validator(mode="after")
    def _check_rows(self) -> Published:
        for row in self.rows:
            self.source(row)
            if set(row.percent) != set(self.algorithms):
                raise ValueError(
                    f"{row.label} has numbers for {sorted(row.percent)}, not for {sorted(self.algorithms)}"
                )
        cells = [(row.domain, row.task, row.source) for row in self.rows]
        if len(set(cells)) < len(cells):
            raise ValueError("duplicate task")
        return self

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The columns of the table, in the order of the first row."""
        return tuple(self.rows[0].percent)

    def source(self, row: PublishedRow) -> Publication:
        """Return the publication that a row comes from."""
        for source in self.sources:
            if source.key == row.source:
                return source
        raise ValueError(f"{row.label} names the source {row.source!r}, which is not listed")


def load_published(suite: str, path: Path = FILE) -> Published | None:
    """Return the numbers published on a suite; None when there are none.

    Raises:
        DabsError: the file cannot be read or is not valid.
    """
    try:
        found = Published.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DabsError(f"{path} cannot be read: {error}") from error
    return found if found.suite == suite else None


def show_published(published: Published, console: Console) -> None:
    """Print the numbers as a separate table, with each source and its protocol below."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, title="published, not re-run")
    table.add_column("domain, task", no_wrap=True)
    for algorithm in published.algorithms:
        table.add_column(algorithm, justify="right")
    for row in published.rows:
        table.add_row(f"{row.domain}, {row.label}", *(f"{row.percent[a]:.2f}" for a in published.algorithms))
    console.print(table)
    for source in published.sources:
        seeds = f"{source.seeds} seed{'s' if source.seeds > 1 else ''}"
        words = f"{source.title}, {source.url}. {source.protocol}; {seeds}. Never ranked or averaged with ours."
        console.print(Text(words, style="dim"))
