"""`dabs data prepare|status|verify`: fetch, convert and check the data.

`dabs run` and `dabs reproduce` also prepare what is missing; no other command needs the network.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from rich.console import Console
from rich.table import Table

from dabs.cli.options import Command, choose
from dabs.cli.terminal import PreparationDisplay
from dabs.config import Suite
from dabs.data.domain import PRETRAIN, Domain
from dabs.errors import DabsError, RequestError
from dabs.official import is_official
from dabs.registry import domain_names, find_domain, plugin_names
from dabs.utils.files import data_home, free_space, raw_home

if TYPE_CHECKING:
    from dabs.data.fetch_ahead import Plan

NOT_AS_PUBLISHED = (
    "Results on data that is not as published cannot be compared with the published ones. If rebuilding does not help, "
    "a library that prepares the data has another version here, or this is not an x86-64 machine."
)


@dataclass(frozen=True, kw_only=True)
class StatusOptions:
    """Show which domains are prepared, whether they are as published, their size and their folder."""

    domains: tyro.conf.Positional[tuple[str, ...]] = ()  # which domains; if none is named: all of the suite
    suite: Suite = "lite"  # which datasets to use


@dataclass(frozen=True, kw_only=True)
class DataVerifyOptions:
    """Check prepared data against its own hashes and the published ones, and say how to rebuild what differs."""

    domains: tyro.conf.Positional[tuple[str, ...]] = ()  # which domains; if none is named: all official ones
    suite: Suite = "lite"  # which datasets to use


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """Fetch the data of some or all domains, check its hashes and convert it. Everything else then works offline."""

    domains: tyro.conf.Positional[tuple[str, ...]] = ()  # which domains; if none is named: all official ones
    suite: Suite = "lite"  # which datasets to use
    tasks: tuple[str, ...] = ()  # suites but lite: only these datasets of one domain ("pretrain" or tasks), else all
    force: bool = False  # prepare again what is already prepared
    data_dir: Path | None = None  # official files, a folder per dataset; if not given: $DABS_DATA_DIR or $DABS_HOME/raw
    tokenizer: Path | None = None  # a local tokenizer.json to use instead of the hub's; if not given: $DABS_TOKENIZER


COMMANDS = (
    Command(
        words="data prepare",
        options=PrepareOptions,
        examples=(
            ("all seven domains of lite; what is already prepared is skipped", "dabs data prepare"),
            ("two domains", "dabs data prepare sensor speech"),
            ("real data without an account; says first how many GB", "dabs data prepare --suite open"),
            (
                "part of a domain of the paper, from files that you have",
                "dabs data prepare sensor --suite paper --tasks pretrain --data-dir ~/datasets",
            ),
        ),
    ),
    Command(
        words="data status",
        options=StatusOptions,
        examples=(
            ("what of lite is prepared", "dabs data status"),
            ("one domain of the paper's datasets", "dabs data status natural_images --suite paper"),
        ),
    ),
    Command(
        words="data verify",
        options=DataVerifyOptions,
        examples=(
            ("everything that is prepared", "dabs data verify"),
            ("two domains, which must be prepared", "dabs data verify sensor speech"),
        ),
    ),
)
ABOUT = "Fetch, convert and check the data of domains. It is kept in $DABS_HOME (default: your cache folder)."


def main(arguments: list[str]) -> int:
    """Parse and perform the action; return 1 if data differs from its manifest or from the published hashes."""
    command, rest = choose("data", ABOUT, COMMANDS, arguments)
    options = command.parse(rest)
    domains = [find_domain(name, options.suite) for name in options.domains or tuple(domain_names(options.suite))]
    if isinstance(options, StatusOptions):
        Console().print(status_table(domains))
        plugins = [] if options.domains else [find_domain(name, options.suite) for name in plugin_names(options.suite)]
        if plugins:
            Console().print(status_table(plugins, title="data of plug-in domains"))
        return 0
    if isinstance(options, DataVerifyOptions):
        return verify_all(domains, named=bool(options.domains))
    if options.tasks and len(options.domains) != 1:
        raise RequestError("--tasks needs exactly one domain: dabs data prepare DOMAIN --tasks ...")
    # passed on as environment variables, so that worker processes see them too
    for name, path in {"DABS_DATA_DIR": options.data_dir, "DABS_TOKENIZER": options.tokenizer}.items():
        if path is not None:
            os.environ[name] = str(path.expanduser().resolve())
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
    unreachable = _fetch_planned(domains, datasets, console)
    for number, domain in enumerate(domains, 1):
        if is_prepared(domain, datasets) and not force:
            console.print(f"[{number}/{len(domains)}] {domain.name}: ready in {folder_of(domain)}", highlight=False)
            continue
        begun = time.perf_counter()
        with PreparationDisplay(f"[{number}/{len(domains)}] {domain.name}", console) as say:
            try:
                prepare(domain, say, force=force, datasets=datasets, failed=unreachable)
            except DabsError as error:
                if len(domains) == 1:
                    raise
                failed.append(f"{domain.name}: {error}")
                continue
        seconds = time.perf_counter() - begun
        console.print(f"[{number}/{len(domains)}] {domain.name}: prepared in {seconds:.0f} s", highlight=False)
        for note in [*notes_of(domain, datasets), *warnings_of(domain)]:
            console.print(f"  {note}", highlight=False, markup=False)
    if failed:
        raise DabsError("\n\n".join(failed))


def _fetch_planned(domains: list[Domain], datasets: tuple[str, ...], console: Console) -> dict[str, DabsError]:
    """Say what is still to be downloaded and fetch it, several datasets at once, for domains whose sizes are known.

    Returns:
        Why a source could not be fetched, for `prepare`.
    """
    from dabs.data.fetch_ahead import fetch_ahead, plan_of
    from dabs.data.prepared import units_of

    plans = {domain.name: plan_of(domain, datasets, missing=True) for domain in domains}
    planned = [plan for plan in plans.values() if plan and plan.prepared]
    if not planned:
        return {}
    console.print(plan_table(planned))
    console.print(_room(sum(plan.unpacked + plan.prepared for plan in planned)), highlight=False)
    units = [unit for domain in domains if plans[domain.name] for unit in units_of(domain, datasets)]
    with PreparationDisplay("fetching", console) as say:
        return fetch_ahead(units, say)


def plan_table(plans: list[Plan]) -> Table:
    """Return a table of what is still to be downloaded, unpacked and prepared for each domain, in GB."""
    table = Table("domain", "download", "unpacked", "prepared", title="still to come, in GB")
    for plan in plans:
        table.add_row(plan.name, *(f"{n / 1e9:.2f}" for n in (plan.download, plan.unpacked, plan.prepared)))
    sums = [sum(getattr(plan, name) for plan in plans) for name in ("download", "unpacked", "prepared")]
    table.add_row("together", *(f"{n / 1e9:.2f}" for n in sums))
    return table


def _room(needed: int) -> str:
    """Return a sentence about the disks; downloaded archives are deleted once they are unpacked."""
    free = {str(folder): free_space(folder) for folder in dict.fromkeys((raw_home(), data_home()))}
    room = ", ".join(f"{size / 1e9:.1f} GB free for {folder}" for folder, size in free.items())
    lack = " THIS MAY NOT BE ENOUGH: free some space, or see --data-dir." if min(free.values()) < needed else ""
    return f"It takes {needed / 1e9:.1f} GB of disk, and there are {room}.{lack} A second run resumes."


def notes_of(domain: Domain, datasets: tuple[str, ...] = ()) -> list[str]:
    """Return the notes that builders made about the source files of a domain's datasets (of all by default)."""
    from dabs.data.prepared import open_prepared, units_of

    manifests = [(unit, open_prepared(domain, unit.only or PRETRAIN).manifest) for unit in units_of(domain, datasets)]
    return [f"{unit.name}: {note}" for unit, manifest in manifests for note in manifest.get("notes", [])]


def warnings_of(domain: Domain) -> list[str]:
    """Return what is wrong with the tasks of a domain of one's own; official ones were examined (docs/protocol.md)."""
    if is_official(domain.name, domain.suite) or domain.parts:
        return []
    from dabs.evaluation.data_check import tasks_that_a_summary_solves

    return tasks_that_a_summary_solves(domain)


def status_table(domains: list[Domain], title: str = "data") -> Table:
    """Return a table with one row per domain or dataset: whether it is prepared, as published, its rows, its size."""
    from dabs.data.prepared import is_unit_prepared, open_prepared, units_of
    from dabs.data.published import check_published

    table = Table("domain", "state", "hashes", "training rows", "MB", "folder", title=title)
    for unit in [unit for domain in domains for unit in units_of(domain)]:
        if not is_unit_prepared(unit):
            table.add_row(unit.name, "not prepared", "", "", "", str(unit.folder))
            continue
        manifest = open_prepared(unit.domain, unit.only or PRETRAIN).manifest
        splits = manifest["splits"].items()
        rows = ", ".join(f"{key.split('/')[0]} {entry['rows']:,}" for key, entry in splits if key.endswith("/train"))
        size = sum(file.stat().st_size for file in unit.folder.rglob("*") if file.is_file())
        state = "ready, incomplete" if manifest.get("notes") else "ready"
        table.add_row(unit.name, state, check_published([unit]).verdict, rows, f"{size / 1e6:.0f}", str(unit.folder))
    return table


def verify_all(domains: list[Domain], *, named: bool) -> int:
    """Compare data with its manifests and with the published hashes; print the verdict and how to rebuild it.

    Args:
        domains: which domains.
        named: whether the user named them; a domain that is not prepared is then an error, otherwise it is skipped.

    Returns:
        The exit code: 1 if anything differs.

    Raises:
        DabsError: some named domains are not prepared; raised after all were checked.
    """
    from dabs.data.prepare import verify
    from dabs.data.prepared import units_of
    from dabs.data.published import check_published

    console, commands, missing, foreign = Console(soft_wrap=True), [], [], False
    for domain in domains:
        try:
            changed, units = verify(domain), units_of(domain)
        except DabsError as error:
            console.print(f"{domain.name}: not prepared", highlight=False)
            missing.append(str(error))
            continue
        published = check_published(units)
        own = "CHANGED since it was prepared" if changed else "as prepared"
        console.print(f"{domain.name}: {own}, {published.verdict}", highlight=False)
        wrong = changed + published.different
        partly = [f"{place}: no published hash" for place in published.unpublished if published.same]
        for line in wrong + partly:
            console.print(f"  {line}", highlight=False, markup=False)
        foreign |= bool(published.different)
        rebuild = [u for u in units if any(line.startswith(f"{'/'.join(u.name.split())}/") for line in wrong)]
        commands += [f"  {unit.command} --force" for unit in rebuild]
    if commands:
        console.print("\n".join(["To rebuild what differs:", *commands]), highlight=False, markup=False)
    if foreign:
        console.print(NOT_AS_PUBLISHED, highlight=False)
    if missing and named:
        raise DabsError("\n\n".join(missing))
    return 1 if commands else 0
