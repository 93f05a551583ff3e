"""`dabs list`: the domains, tasks and algorithms, with their cards."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from dabs.config import Suite
from dabs.data.domain import describe_target
from dabs.registry import algorithm_names, domain_names, find_algorithm, find_domain, plugin_names
from dabs.specs import describe_inputs


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """List domains, tasks and algorithms, with cards: licence, size, citation, recorded or generated."""

    what: tyro.conf.Positional[Literal["all", "domains", "tasks", "algorithms"]] = "all"  # what to list
    suite: Suite = "lite"  # which datasets to list


def main(arguments: list[str]) -> None:
    """Parse and print."""
    options = tyro.cli(ListOptions, prog="dabs list", args=arguments)
    console = Console()
    for plugins in (False, True) if plugin_names(options.suite) else (False,):
        if options.what in ("all", "domains"):
            console.print(domain_table(options.suite, plugins=plugins))
        if options.what in ("all", "tasks"):
            console.print(task_table(options.suite, plugins=plugins))
    if options.what in ("all", "algorithms"):
        console.print(algorithm_table())


def domain_table(suite: str, *, plugins: bool = False) -> Table:
    """Return a table with one row per official domain, or per plug-in: inputs, origin, licence, size, source."""
    table = Table(title=f"{'plug-in domains' if plugins else 'domains'} ({suite})", show_lines=True)
    for column in ("domain", "input", "data", "licence", "size", "source and citation"):
        table.add_column(column, overflow="fold")
    for name in plugin_names(suite) if plugins else domain_names(suite):
        domain = find_domain(name, suite)
        card = domain.card
        about = f"{card.source}\n[dim]{card.citation}[/dim]" + (f"\n{card.notes}" if card.notes else "")
        table.add_row(
            name, describe_inputs(domain.specs), f"{card.title} ({card.origin})", card.licence, card.size, about
        )
    return table


def task_table(suite: str, *, plugins: bool = False) -> Table:
    """Return a table with one row per task of official domains, or of plug-ins: question, target, metric, groups."""
    table = Table(title=f"{'tasks of plug-in domains' if plugins else 'tasks'} ({suite})")
    for column in ("domain", "task", "question", "target", "metric", "split by"):
        table.add_column(column, overflow="fold")
    for name in plugin_names(suite) if plugins else domain_names(suite):
        for task in find_domain(name, suite).tasks:
            table.add_row(name, task.name, task.question, describe_target(task.target), task.metric, task.split_by)
    return table


def algorithm_table() -> Table:
    """Return a table with one row per algorithm: what it does, its hyper-parameters and their defaults."""
    from dabs.algorithm import hyper_parameters

    table = Table(title="algorithms")
    for column in ("algorithm", "what it does", "hyper-parameters"):
        table.add_column(column, overflow="fold")
    for name in algorithm_names():
        algorithm: Any = find_algorithm(name)
        about = (inspect.getdoc(algorithm) or "").split("\n\n")[0].replace("\n", " ")
        options = [f"--{k.replace('_', '-')} {p.default}" for k, p in hyper_parameters(algorithm).items()]
        table.add_row(name, about, "\n".join(options))
    return table
