"""`dabs data prepare|status|verify`: fetch, convert and check the data.

`dabs run` and `dabs reproduce` also prepare what is missing; no other command needs the network.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console
from rich.table import Table

from dabs.cli.terminal import PreparationDisplay
from dabs.config import Suite
from dabs.data.domain import PRETRAIN, Domain
from dabs.errors import DabsError, RequestError
from dabs.registry import domain_names, find_domain, plugin_names


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Prepare the data of some or all domains, show what is prepared, or check it against its hashes."""

    action: tyro.conf.Positional[Literal["prepare", "status", "verify"]]  # what to do
    domains: tyro.conf.Positional[tuple[str, ...]] = ()  # which domains; all official ones if none is named
    suite: Suite = "lite"  # which datasets to use
    tasks: tuple[str, ...] = ()  # paper suites: only these datasets of one domain ("pretrain" or tasks), else all
    force: bool = False  # prepare again what is already prepared
    data_dir: Path | None = None  # official files, a folder per dataset; if not given: $DABS_DATA_DIR or $DABS_HOME/raw
    tokenizer: Path | None = None  # a local tokenizer.json to use instead of the hub's; if not given: $DABS_TOKENIZER


def main(arguments: list[str]) -> int:
    """Parse and perform the action; return 1 if data does not match its hashes."""
    options = tyro.cli(DataOptions, prog="dabs data", args=arguments)
    domains = [find_domain(name, options.suite) for name in options.domains or tuple(domain_names(options.suite))]
    if options.tasks and len(options.domains) != 1:
        raise RequestError("--tasks needs exactly one domain: dabs data prepare DOMAIN --tasks ...")
    # passed on as environment variables, so that worker processes see them too
    for name, path in {"DABS_DATA_DIR": options.data_dir, "DABS_TOKENIZER": options.tokenizer}.items():
        if path is not None:
            os.environ[name] = str(path.expanduser().resolve())
    if options.action == "status":
        Console().print(status_table(domains))
        plugins = [] if options.domains else [find_domain(name, options.suite) for name in plugin_names(options.suite)]
        if plugins:
            Console().print(status_table(plugins, title="data of plug-in domains"))
        return 0
    if options.action == "verify":
        return verify_all(domains, named=bool(options.domains))
    prepare_all(domains, options.tasks, force=options.force)
    return 0


def prepare_all(domains: list[Domain], datasets: tuple[str, ...] = (), *, force: bool = False) -> None:
    """Prepare each domain (or some of its datasets) that is not prepared yet, and show what is being done.

    Raises:
        DabsError: some could not be prepared; raised after all were tried.
    """
    from dabs.data.prepare import prepare
    from dabs.data.prepared import folder_of, is_prepared

    console, failed = Console(), []
    for number, domain in enumerate(domains, 1):
        if is_prepared(domain, datasets) and not force:
            console.print(f"[{number}/{len(domains)}] {domain.name}: ready in {folder_of(domain)}", highlight=False)
            continue
        begun = time.perf_counter()
        with PreparationDisplay(f"[{number}/{len(domains)}] {domain.name}", console) as say:
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
    """Return the notes that builders made about the source files of a domain's datasets (of all by default)."""
    from dabs.data.prepared import open_prepared, units_of

    manifests = [(unit, open_prepared(domain, unit.only or PRETRAIN).manifest) for unit in units_of(domain, datasets)]
    return [f"{unit.name}: {note}" for unit, manifest in manifests for note in manifest.get("notes", [])]


def status_table(domains: list[Domain], title: str = "data") -> Table:
    """Return a table with one row per domain or dataset: whether it is prepared, its rows, its size on disk."""
    from dabs.data.prepared import open_prepared, units_of

    table = Table("domain", "state", "training rows", "MB", "folder", title=title)
    for unit in [unit for domain in domains for unit in units_of(domain)]:
        try:
            manifest = open_prepared(unit.domain, unit.only or PRETRAIN).manifest
        except DabsError:
            table.add_row(unit.name, "not prepared", "", "", str(unit.folder))
            continue
        splits = manifest["splits"].items()
        rows = ", ".join(f"{key.split('/')[0]} {entry['rows']:,}" for key, entry in splits if key.endswith("/train"))
        size = sum(file.stat().st_size for file in unit.folder.rglob("*") if file.is_file())
        state = "ready, incomplete" if manifest.get("notes") else "ready"
        table.add_row(unit.name, state, rows, f"{size / 1e6:.0f}", str(unit.folder))
    return table


def verify_all(domains: list[Domain], *, named: bool) -> int:
    """Compare every split with its manifest, print the verdict, and how to rebuild what has changed.

    Args:
        domains: which domains.
        named: whether the user named them; a domain that is not prepared is then an error, otherwise it is skipped.

    Returns:
        The exit code.

    Raises:
        DabsError: some named domains are not prepared; raised after all were checked.
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
        console.print("\n".join(["To rebuild what has changed:", *commands]), highlight=False, markup=False)
    if missing and named:
        raise DabsError("\n\n".join(missing))
    return 1 if commands else 0
