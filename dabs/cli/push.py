"""`dabs push RUN hf://USER/NAME`: upload a run to the Hugging Face hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from dabs.cli.options import Command


@dataclass(frozen=True, kw_only=True)
class PushOptions:
    """Upload a complete run: encoder, configuration, results with predictions, and a model card with its scores."""

    run: tyro.conf.Positional[Path]  # folder of the run
    target: tyro.conf.Positional[str]  # a model repository, which is created if it does not exist
    private: bool = False  # make the repository private when it is created
    message: str = ""  # message of the commit; default: "Upload a run of dabs"
    license: str = ""  # license of the weights for the model card, such as mit; default: the card names none
    with_source: bool = False  # also upload the algorithm's source, which must still be what ran


COMMAND = Command(
    words="push",
    options=PushOptions,
    examples=(
        ("a run, for everybody", "dabs push runs/lite/shed/sensor/seed7 hf://user/shed-sensor --license mit"),
        (
            "a run of an algorithm of your own, with its source, for yourself",
            "dabs push runs/lite/MyIdea/sensor/seed7 hf://user/my-idea --private --with-source",
        ),
    ),
)


def main(arguments: list[str]) -> None:
    """Parse, upload, and print what is on the hub now."""
    options = COMMAND.parse(arguments)
    from dabs.training.push import push

    pushed = push(
        options.run,
        options.target,
        private=options.private,
        message=options.message,
        license_name=options.license,
        with_source=options.with_source,
    )
    console = Console()
    for name, size in pushed.files.items():
        console.print(f"{size:>12,} bytes  {name}", highlight=False, markup=False, soft_wrap=True)
    total = sum(pushed.files.values()) / 1e6
    lines = [
        f"{len(pushed.files)} files ({total:.1f} MB) are at {pushed.url}, commit {pushed.commit[:12]}",
        f"anyone who may read it can run: dabs eval {options.target}",
    ]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
