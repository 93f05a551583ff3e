"""`dabs list`: domains, tasks and algorithms; a line, a card or JSON for each."""

from __future__ import annotations

import inspect
import json
import os
from dataclasses import asdict, dataclass
from typing import Any

import tyro
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from dabs.cli.options import Command
from dabs.config import Suite
from dabs.data.domain import Card, Classes, Domain, MultiLabel, Scalar, Task, describe_target
from dabs.data.fetch_ahead import plan_of
from dabs.errors import unknown
from dabs.registry import algorithm_names, domain_names, find_algorithm, find_domain, plugin_names
from dabs.specs import Series, Specs, Tokens, describe_inputs, specs_to_json, total_embeddings

KINDS = ("domains", "tasks", "algorithms")
WIDTH_WITHOUT_TERMINAL = 100


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """List domains, tasks and algorithms, one line each."""

    what: tyro.conf.Positional[tuple[str, ...]] = ()  # domains, tasks or algorithms, and names; if not given: all
    suite: Suite = "lite"  # which datasets to list
    cards: bool = False  # show everything about an entry: source, licence, citation, size, classes, options
    json: bool = False  # print everything about the entries as one JSON document


COMMAND = Command(
    words="list",
    options=ListOptions,
    examples=(
        ("what there is, one line each", "dabs list"),
        ("where two domains come from, their licence, size and citation", "dabs list domains sensor speech --cards"),
        ("the tasks of the paper's datasets", "dabs list tasks --suite paper"),
        ("all of it, for a script", "dabs list --json"),
    ),
)


@dataclass(frozen=True)
class Listed:
    """A domain, task or algorithm as `dabs list` shows it.

    Attributes:
        names: the names that select it; the first one is its own.
        line: the cells of its line.
        card: label -> text of its card.
        value: all of it, as JSON.
    """

    names: tuple[str, ...]
    line: tuple[str, ...]
    card: dict[str, str]
    value: dict[str, Any]


def main(arguments: list[str]) -> None:
    """Parse and print."""
    options = COMMAND.parse(arguments)
    one_kind = options.what[:1] if options.what and options.what[0] in KINDS else ()
    kinds, names = one_kind or KINDS, options.what[len(one_kind) :]
    found = {kind: entries_of(kind, options.suite) for kind in kinds}
    known = {name for entries in found.values() for entry in entries for name in entry.names}
    for name in names:
        if name not in known:
            raise unknown("entry", name, [word for word in known if "/" not in word], of=f"the suite {options.suite}")
    if names:
        found = {kind: [e for e in entries if set(names) & set(e.names)] for kind, entries in found.items()}
    if options.json:
        document = {"suite": options.suite} | {kind: [e.value for e in entries] for kind, entries in found.items()}
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=WIDTH_WITHOUT_TERMINAL)
    titles = {kind: kind if kind == "algorithms" else f"{kind} ({options.suite})" for kind in found}
    show = show_cards if options.cards else show_lines
    show(console, {titles[kind]: entries for kind, entries in found.items() if entries})


def entries_of(kind: str, suite: str) -> list[Listed]:
    """Return the entries of a kind: of the official domains, then of plug-ins."""
    if kind == "algorithms":
        return [algorithm_entry(name) for name in algorithm_names()]
    official = [find_domain(name, suite) for name in domain_names(suite)]
    plugins = [find_domain(name, suite) for name in plugin_names(suite)]
    domains = [(domain, domain in plugins) for domain in official + plugins]
    if kind == "domains":
        return [domain_entry(domain, plugin=plugin) for domain, plugin in domains]
    return [task_entry(domain, task, plugin=plugin) for domain, plugin in domains for task in domain.tasks]


def domain_entry(domain: Domain, *, plugin: bool = False) -> Listed:
    """Return a domain's entry: its input, whether its data is recorded, the number of tasks, and its card."""
    inputs, tasks = describe_inputs(domain.specs), [task.name for task in domain.tasks]
    count = f"{len(tasks)} task{'s' * (len(tasks) != 1)}"
    card = {"": "a plug-in, not part of the suite"} if plugin else {}
    standard = f"{domain.encoder} encoder, {domain.steps:,} steps of {domain.batch_size} examples"
    embeddings = total_embeddings(domain.specs)
    card |= {"input": f"{inputs}: {embeddings} embeddings", "tasks": ", ".join(tasks), "standard": standard}
    plan = plan_of(domain, missing=False)
    if plan:
        sizes = (f"{size / 1e9:.2f} GB" for size in (plan.download, plan.unpacked, plan.prepared))
        card["disk"] = "{} to download, {} unpacked, {} prepared".format(*sizes)
    card |= card_text(domain.card)
    value = {"name": domain.name, "plugin": plugin, "inputs": specs_to_json(domain.specs), "tasks": tasks}
    value |= {"embeddings": embeddings, "encoder": domain.encoder, "steps": domain.steps}
    value |= {"batch_size": domain.batch_size, "bytes": asdict(plan) if plan else None}
    line = (
        domain.name,
        short_inputs(domain.specs),
        f"{domain.card.origin}{f', {plan.download / 1e9:.1f} GB' if plan else ''}{' (plug-in)' * plugin}",
        count,
        domain.card.licence,
    )
    return Listed((domain.name,), line, card, value | {"card": asdict(domain.card)})


def task_entry(domain: Domain, task: Task, *, plugin: bool = False) -> Listed:
    """Return a task's entry, which is selected by the task's name, its domain's, or DOMAIN/TASK."""
    card = {"domain": domain.name, "question": task.question, "answer": describe_answer(task.target)}
    card |= {"metric": task.metric, "never in two splits": task.split_by}
    card |= card_text(task.card) if task.card else {}
    value: dict[str, Any] = {"domain": domain.name, "name": task.name, "plugin": plugin, "question": task.question}
    value |= {"target": {"kind": type(task.target).__name__.lower(), **asdict(task.target)}, "metric": task.metric}
    value |= {"split_by": task.split_by, "card": asdict(task.card) if task.card else None}
    names = (task.name, domain.name, f"{domain.name}/{task.name}")
    return Listed(names, (domain.name, task.name, task.metric, task.question), card, value)


def algorithm_entry(name: str) -> Listed:
    """Return an algorithm's entry: the first sentence about it, and its options with their defaults."""
    from dabs.algorithm import hyper_parameters
    from dabs.cli.pretrain import argument_help

    algorithm: Any = find_algorithm(name)
    text = inspect.getdoc(algorithm) or ""
    about = " ".join(text.split("\n\n")[0].split())
    defaults = {option: parameter.default for option, parameter in hyper_parameters(algorithm).items()}
    helps = argument_help(text)
    card = {"": about}
    card |= {f"--{option.replace('_', '-')} {default}": helps.get(option, "") for option, default in defaults.items()}
    value = {"name": name, "about": about, "options": defaults, "options_help": {o: helps.get(o, "") for o in defaults}}
    return Listed((name,), (name, ", ".join(defaults), about.partition(". ")[0].rstrip(".")), card, value)


def short_inputs(specs: Specs) -> str:
    """Return what one example is, such as `image 32×32×3 + 16 tokens`."""
    words = []
    for spec in specs:
        if isinstance(spec, Tokens):
            words.append(f"{spec.length} tokens")
        else:
            kind = "series" if isinstance(spec, Series) else "image"
            words.append(f"{kind} {'×'.join(map(str, spec.shape))}")
    return " + ".join(words)


def describe_answer(target: Classes | MultiLabel | Scalar) -> str:
    """Return what a task asks for, with the names of its classes or findings."""
    names = () if isinstance(target, Scalar) else target.names
    return describe_target(target) + (f": {', '.join(names)}" if names else "")


def card_text(card: Card) -> dict[str, str]:
    """Return what a card says, label -> text, without what it leaves empty."""
    account = "needs an account or a signed agreement" if card.registration else ""
    said = {"data": f"{card.title} ({card.origin})", "source": card.source, "licence": card.licence, "access": account}
    said |= {"size": card.size, "citation": card.citation, "notes": card.notes}
    return {label: text for label, text in said.items() if text}


def show_lines(console: Console, found: dict[str, list[Listed]]) -> None:
    """Print a line for each entry, below the title of its kind; what does not fit ends in an ellipsis."""
    for number, (title, entries) in enumerate(found.items()):
        console.print(Text(("\n" if number else "") + title, style="bold"))
        widths = [max(map(cell_len, column)) for column in zip(*(entry.line for entry in entries), strict=True)]
        for entry in entries:
            cells = [set_cell_size(cell, width) for cell, width in zip(entry.line, widths, strict=True)]
            line = Text("  ".join(cells).rstrip())
            line.truncate(console.width, overflow="ellipsis")
            console.print(line)
    if console.is_terminal:
        console.print(Text("\n`dabs list NAME --cards` shows everything about an entry", style="dim"))


def show_cards(console: Console, found: dict[str, list[Listed]]) -> None:
    """Print everything about each entry, as paragraphs with labels."""
    for number, (title, entries) in enumerate(found.items()):
        console.print(Text(("\n" if number else "") + title, style="bold"))
        for entry in entries:
            console.print(Text(f"\n{entry.names[0]}", style="bold"))
            for label, text in entry.card.items():
                paragraph = Text.assemble((f"{label}: " if label else "", "bold"), text)
                for line in paragraph.wrap(console, console.width - 2):
                    line.rstrip()
                    console.print(Text("  ").append_text(line))
