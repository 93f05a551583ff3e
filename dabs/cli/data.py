"""`dabs data prepare|status|verify`: fetch, check and convert the data; nothing else touches the network."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console
from rich.table import Table

from dabs.cli.terminal import DataScreen
from dabs.config import Suite
from dabs.data.domain import PRETRAIN, Domain
from dabs.errors import DabsError, RequestError
from dabs.registry import domain_names, find_domain


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Prepare the data of some or all domains, say what is prepared, or check it against its hashes."""

    action: tyro.conf.Positional[Literal["prepare", "status", "verify"]]
    domains: tyro.conf.Positional[tuple[str, ...]] = ()  # which domains; all when none is named
    suite: Suite = "lite"  # which data
    tasks: tuple[str, ...] = ()  # paper suite: only these datasets of one domain, "pretrain" or tasks; all when none
    force: bool = False  # prepare again what is there
    data_dir: Path | None = None  # where official files lie, a folder a dataset; default $DABS_DATA_DIR, $DABS_HOME/raw
    tokenizer: Path | None = None  # a local tokenizer.json instead of the hub's; default $DABS_TOKENIZER


def main(arguments: list[str]) -> int:
    """Parse and do; gives 1 when something does not verify."""
    options = tyro.cli(DataOptions, prog="dabs data", args=arguments)
    domains = [find_domain(name, options.suite) for name in options.domains or tuple(domain_names(options.suite))]
    if options.tasks and len(options.domains) != 1:
        raise RequestError("--tasks are those of one domain; name it: dabs data prepare DOMAIN --tasks ...")
    # through the environment, because the worker processes of `dabs run` look there too
    for name, path in {"DABS_DATA_DIR": options.data_dir, "DABS_TOKENIZER": options.tokenizer}.items():
        if path is not None:
            os.environ[name] = str(path.expanduser().resolve())
    if options.action == "status":
        Console().print(status_table(domains))
        return 0
    if options.action == "verify":
        return verify_all(domains, named=bool(options.domains))
    prepare_all(domains, options.tasks, force=options.force)
    return 0


def prepare_all(domains: list[Domain], datasets: tuple[str, ...] = (), *, force: bool = False) -> None:
    """Prepare each domain (or some datasets of it) that is not, with a live line that says what is being done.

    Raises:
        DabsError: some could not be prepared; it is raised when all were tried.
    """
    from dabs.data.prepare import prepare
    from dabs.data.prepared import folder_of, is_prepared

    console, failed = Console(), []
    for number, domain in enumerate(domains, 1):
        if is_prepared(domain, datasets) and not force:
            console.print(f"[{number}/{len(domains)}] {domain.name}: ready in {folder_of(domain)}", highlight=False)
            continue
        begun = time.perf_counter()
        with DataScreen(f"[{number}/{len(domains)}] {domain.name}", console) as say:
            try:
                prepare(domain, say, force=force, datasets=datasets)
            except DabsError as error:
                if len(domains) == 1:
                    raise
                failed.append(f"{domain.name}: {error}")
                continue
        seconds = time.perf_counter() - begun
        console.print(f"[{number}/{len(domains)}] {domain.name}: prepared in {seconds:.0f} s", highlight=False)
        for note in notes_of(domain, datasets):
            console.print(f"  {note}", highlight=False, markup=False)
    if failed:
        raise DabsError("\n\n".join(failed))


def notes_of(domain: Domain, datasets: tuple[str, ...] = ()) -> list[str]:
    """What the builders noted of the copies that some datasets of a domain (or all) were made of."""
    from dabs.data.prepared import open_prepared, units_of

    manifests = [(unit, open_prepared(domain, unit.only or PRETRAIN).manifest) for unit in units_of(domain, datasets)]
    return [f"{unit.name}: {note}" for unit, manifest in manifests for note in manifest.get("notes", [])]


def status_table(domains: list[Domain]) -> Table:
    """One row a domain, or a part of one: whether it is prepared, its rows, its size on disk."""
    from dabs.data.prepared import open_prepared, units_of

    table = Table("domain", "state", "training rows", "MB", "folder", title="data")
    for unit in [unit for domain in domains for unit in units_of(domain)]:
        try:
            manifest = open_prepared(unit.domain, unit.only or PRETRAIN).manifest
        except DabsError:
            table.add_row(unit.name, "not prepared", "", "", str(unit.folder))
            continue
        splits = manifest["splits"].items()
        rows = ", ".join(f"{key.split('/')[0]} {entry['rows']:,}" for key, entry in splits if key.endswith("/train"))
        size = sum(file.stat().st_size for file in unit.folder.rglob("*") if file.is_file())
        state = "ready, not whole" if manifest.get("notes") else "ready"
        table.add_row(unit.name, state, rows, f"{size / 1e6:.0f}", str(unit.folder))
    return table


def verify_all(domains: list[Domain], *, named: bool) -> int:
    """Compare every split with its manifest, print the verdict and how to build what has changed; gives the exit code.

    Args:
        domains: which.
        named: whether the user named them; one that is not prepared is then an error, else it is passed over.

    Raises:
        DabsError: some that were named are not prepared; it is raised when all were tried.
    """
    from dabs.data.prepare import verify
    from dabs.data.prepared import units_of

    console, commands, missing = Console(soft_wrap=True), [], []
    for domain in domains:
        try:
            lines = verify(domain)
        except DabsError as error:
            console.print(f"{domain.name}: not prepared", highlight=False)
            missing.append(str(error))
            continue
        console.print(f"{domain.name}: {'as prepared' if not lines else 'CHANGED'}", highlight=False)
        for line in lines:
            console.print(f"  {line}", highlight=False, markup=False)
        changed = [u for u in units_of(domain) if any(x.startswith(f"{'/'.join(u.name.split())}/") for x in lines)]
        commands += [f"  {unit.command} --force" for unit in changed]
    if commands:
        console.print("\n".join(["To build what has changed again:", *commands]), highlight=False, markup=False)
    if missing and named:
        raise DabsError("\n\n".join(missing))
    return 1 if commands else 0
