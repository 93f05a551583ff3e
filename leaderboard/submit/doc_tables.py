"""Generate the tables of README.md and docs/, and the tree of files."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from dabs.config import PROTOCOLS, protocol_name
from dabs.evaluation.reference_rows import RANDOM, RAW, is_reference
from dabs.leaderboard.tables.aggregate import Table, build_table
from dabs.leaderboard.tables.agreement import Share, agreements, edge_choices, finetuned_at_least_probed
from dabs.leaderboard.tables.budget_text import markdown_budgets
from dabs.leaderboard.tables.budgets import build_budget_tables
from dabs.leaderboard.tables.overview_text import markdown_overview
from dabs.leaderboard.tables.published import load_published
from dabs.leaderboard.tables.ranking import RANKS, column_ranks
from dabs.leaderboard.tables.render import (
    EMPTY,
    FAILED,
    markdown_domains,
    markdown_gaps,
    markdown_references,
    markdown_tasks,
    percent,
    plain_markdown,
    update_between_markers,
)
from dabs.leaderboard.tables.standing import domains_won, gap_closed
from dabs.leaderboard.tables.trend import markdown_trend
from dabs.official import PUBLISHED_ALGORITHMS
from dabs.results.files import load_results
from dabs.results.schema import Result
from dabs.results.submission import RULESETS, Submission, Tuning, load_submission, submission_folders
from dabs.utils.strict_json import read_json

RESULTS = Path("leaderboard") / "results"
SUBMISSIONS = Path("leaderboard") / "submissions"
TREE_FOLDERS = ("dabs", "algorithms", "domains", "leaderboard", "tests")
MAX_SUBMISSIONS = 8  # a table has one column per submission, so it shows only the best ones
README, RESULTS_PAGE, PROTOCOL_PAGE, BUDGETS_PAGE, ARCHITECTURE_PAGE = PAGES = tuple(
    Path(name)
    for name in ("README.md", "docs/results.md", "docs/protocol.md", "docs/budgets.md", "docs/architecture.md")
)


def update_pages(root: Path, out: Path | None = None) -> list[str]:
    """Fill every pair of markers on the pages in `out` from the files in `root`; return the pages that changed.

    Args:
        root: a checkout of the project.
        out: the folder that holds the pages; `root` by default.

    Raises:
        DabsError: a result or submission is invalid, or a page lacks its markers.
    """
    out = out or root
    every = load_results(root / RESULTS)
    results = [result for result in every if result.budget in (None, 1.0)]
    submissions = [load_submission(folder) for folder in submission_folders(root / SUBMISSIONS)]
    submitted = {
        ruleset: [result for submission, own in submissions if submission.ruleset == ruleset for result in own]
        for ruleset in RULESETS
    }
    fixed, note = keep_best_submissions(results + submitted["fixed"], {r.algorithm for r in submitted["fixed"]})
    linear = build_table(fixed, "linear")
    references = [result for result in results if is_reference(result.algorithm)]
    first = build_table(keep_default_rows(fixed, {r.algorithm for r in submitted["fixed"]}), "linear")
    texts: dict[Path, dict[str, str]] = {
        README: {
            "table": markdown_domains(first) + note,
            "wins": wins_table(first),
            "timing": timing_sentence(root),
        },
        RESULTS_PAGE: {
            "references": "\n".join(markdown_references(linear.algorithms)),
            "overview": markdown_overview(build_budget_tables(fixed, "linear"), 1.0) + note,
            **{protocol: task_table(fixed, protocol) + note for protocol in PROTOCOLS},
            "submissions": submissions_table([submission for submission, _ in submissions]),
            "tuned": _tuned_table(references, submitted["tuned"]),
        },
        PROTOCOL_PAGE: {"agreement": agreement_table(results), "choices": choices_table(results)},
        BUDGETS_PAGE: {"budgets": budgets_table(every), "trend": trend_table(every)},
        ARCHITECTURE_PAGE: {"tree": file_tree(root)},
    }
    changed = []
    for page, parts in texts.items():
        updates = [update_between_markers(out / page, name, text) for name, text in parts.items()]
        if any(updates):
            changed.append(page.as_posix())
    return changed


def find_stale_pages(root: Path) -> list[str]:
    """Return the pages whose generated parts are out of date; nothing in `root` is changed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for page in PAGES:
            (copy / page).parent.mkdir(exist_ok=True)
            (copy / page).write_bytes((root / page).read_bytes())
        return update_pages(root, copy)


def timing_sentence(root: Path) -> str:
    """Return how long the grid behind the first seed took, and on which machine."""
    path = root / RESULTS / "lite" / "timing.json"
    if not path.exists():  # `dabs run` writes it only for a grid that ran in one go
        return "How long `make run` takes with the present budgets has not been measured on an idle machine."
    value = read_json(path)
    minutes, machine = value["minutes"], value["machine"]
    total = sum(minutes.values())
    parts = ", ".join(f"{name} {spent:.1f}" for name, spent in minutes.items())
    return (
        f"`dabs run` took {total:.0f} minutes for {value['cells']} cells ({parts}; install not counted) on "
        f"{machine['cores']} cores of {machine['processor']}, without a GPU, {value['jobs']} at a time."
    )


def wins_table(table: Table) -> str:
    """Return the Markdown table of each algorithm's rank and how often it is above the random encoder and the input."""
    ranks = column_ranks(table)
    baselines = [name for name in (RANDOM, RAW) if name in table.algorithms]
    heads = [f"{places} above {name}" for places in ("domains", "tasks") for name in baselines]
    lines = [f"| algorithm | rank | {' | '.join([*heads, 'gap closed'])} |", f"|---|{'---:|' * (len(heads) + 2)}"]
    for algorithm in table.algorithms:
        if not is_reference(algorithm):
            cells = [str(ranks.get(algorithm, EMPTY))]
            cells += [f"{len(domains_won(table, algorithm, name))} of {len(table.tasks)}" for name in baselines]
            wins = [table.beats(algorithm, name) for name in baselines]
            cells += [f"{len(found.won)} of {found.tasks}" for found in wins]
            name = f"{plain_markdown(algorithm)}{FAILED * table.has_failed(algorithm)}"
            lines.append(f"| {' | '.join([name, *cells, percent(gap_closed(table, algorithm))])} |")
    note = (
        f"{RANKS}. Above: by more than the seeds' spread, which is the larger of the two ranges over seeds. Gap "
        "closed: the share of the way from none to supervised. Ranks and gap are of the mean of all domains."
    )
    return "\n".join([*lines, "", note])


def budgets_table(results: Sequence[Result]) -> str:
    """Return the Markdown table of the linear probe at every budget, or a sentence if there is only one."""
    budgets = build_budget_tables(results, "linear")
    if len(budgets.tables) < 2:
        return "The published results are of one budget, so there is no table of several yet."
    return markdown_budgets(budgets)


def trend_table(results: Sequence[Result]) -> str:
    """Return the Markdown table of the paper's algorithms, as published and as found at every budget."""
    published = load_published("paper")
    if published is None or not results:
        return "No result files yet."
    return markdown_trend(published, build_budget_tables(results, "linear"))


def agreement_table(results: Sequence[Result]) -> str:
    """Return the Markdown table of Kendall's tau between the orders of the rows under each pair of protocols."""
    found = agreements(results)
    if not found:
        return "No result files of two protocols yet."
    lines = ["| readers | rows | mean of the domains | lowest domain | all domains |", "|---|---:|---:|---:|---:|"]
    for pair in found:
        lowest = min(pair.domains.items(), key=lambda item: item[1], default=None)
        cells = [
            f"{protocol_name(pair.first)}, {protocol_name(pair.second)}",
            str(pair.rows),
            _decimals(pair.mean),
            f"{_decimals(lowest[1])} ({plain_markdown(lowest[0])})" if lowest else EMPTY,
            _decimals(pair.overall),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    note = (
        "Kendall's tau-b between the orders of the rows that both readers have, without the supervised one: 1 means "
        "the same order, 0 no relation, −1 the reverse."
    )
    return "\n".join([*lines, "", note])


def choices_table(results: Sequence[Result]) -> str:
    """Return the Markdown table of how often validation chose the end of a grid, and of how fine-tuning fares."""
    rows = []
    for found in edge_choices(results):
        for end, share in (("lowest", found.lowest), ("highest", found.highest)):
            name = plain_markdown(protocol_name(found.protocol))
            rows.append((f"{name}: the {end} {_SETTING_NAMES[found.setting]} of the grid was chosen", share))
    tuned = finetuned_at_least_probed(results)
    if tuned.of:
        rows.append(("fine-tuning scores at least the linear probe of the same row and seed", tuned))
    if not rows:
        return "No result files yet."
    return "\n".join(["| what | results | share |", "|---|---:|---:|", *(_share_row(*row) for row in rows)])


_SETTING_NAMES = {"C": "strength C", "lr": "learning rate"}


def _share_row(what: str, found: Share) -> str:
    share = EMPTY if found.share is None else f"{100 * found.share:.1f} %"
    return f"| {what} | {found.count:,} of {found.of:,} | {share} |"


def _decimals(value: float | None) -> str:
    return EMPTY if value is None else f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def task_table(results: Sequence[Result], protocol: str) -> str:
    """Return the Markdown tables of every task under one protocol, and of the gap that each row closes."""
    chosen = [result for result in results if result.protocol == protocol]
    if not chosen:
        return "No result files of this protocol yet."
    table = build_table(chosen, protocol)
    return "\n\n".join(filter(None, (markdown_tasks(table), markdown_gaps(table))))


def submissions_table(submissions: Sequence[Submission]) -> str:
    """Return the Markdown table of submissions and their authors."""
    if not submissions:
        return "No submission yet."
    lines = ["| submission | authors | ruleset | runs tried in each domain | more |", "|---|---|---|---|---|"]
    for submission in submissions:
        name, tuning = submission.name, submission.tuning
        tried = str(tuning.budget) if isinstance(tuning, Tuning) else "the default options"
        authors = plain_markdown(", ".join(submission.authors))
        links = f"[source](../{SUBMISSIONS.as_posix()}/{name}/algorithm.py), <{escape_url(submission.url)}>"
        lines.append(f"| {plain_markdown(name)} | {authors} | {submission.ruleset} | {tried} | {links} |")
    return "\n".join(lines)


def escape_url(url: str) -> str:
    """Return a URL without `|`, which would end the cell of a Markdown table."""
    return url.replace("|", "%7C")


def _tuned_table(references: list[Result], tuned: list[Result]) -> str:
    if not tuned:
        return "No tuned submission yet."
    shown, note = keep_best_submissions(references + tuned, {result.algorithm for result in tuned})
    return task_table(shown, "linear") + note


def keep_best_submissions(results: list[Result], submitted: Collection[str]) -> tuple[list[Result], str]:
    """Drop the results of submissions that a table has no room for; return the rest and a note for below the table.

    Args:
        results: results of one ruleset.
        submitted: the algorithms that are submissions; the `MAX_SUBMISSIONS` best (linear probe, all domains) stay.
    """
    if len(submitted) <= MAX_SUBMISSIONS:
        return results, ""
    table = build_table(results, "linear")
    means = {name: table.overall(name) for name in submitted}
    ranked = sorted(submitted, key=lambda name: (means[name] is None, -(means[name] or 0.0), name))
    dropped = set(ranked[MAX_SUBMISSIONS:])
    note = (
        f"\n\nOf {len(ranked):,} submissions, the {MAX_SUBMISSIONS} with the highest mean over all domains (linear "
        "probe) are shown; the site has all of them: `dabs leaderboard build --results "
        f"{RESULTS.as_posix()} {SUBMISSIONS.as_posix()} --out site`."
    )
    return [result for result in results if result.algorithm not in dropped], note


def keep_default_rows(results: Sequence[Result], submitted: Collection[str]) -> list[Result]:
    """Return the results of what `dabs run` makes if no algorithm is named, and of submissions."""
    kept = {*PUBLISHED_ALGORITHMS, *submitted}
    return [result for result in results if result.algorithm in kept or is_reference(result.algorithm)]


def file_tree(root: Path) -> str:
    """Return the project's packages and Python files as a tree, each with the first line of its docstring."""
    lines = ["```"]
    for name in TREE_FOLDERS:
        entries = list(_tree_entries(root / name)) if (root / name).is_dir() else []
        width = max((len(name) for name, _ in entries), default=0) + 2
        lines += [f"{name:{width}}{text}".rstrip() for name, text in entries]
    return "\n".join([*lines, "```"])


def _tree_entries(folder: Path, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the indented name and the description of a package, of its files, then of the packages inside it."""
    yield f"{'  ' * depth}{folder.name}/", _first_docstring_line(folder / "__init__.py")
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            yield f"{'  ' * (depth + 1)}{path.name}", _first_docstring_line(path)
    for path in sorted(folder.glob("*/__init__.py")):
        yield from _tree_entries(path.parent, depth + 1)


def _first_docstring_line(path: Path) -> str:
    """Return the first line of a file's docstring without its full stop; "" without a file or docstring."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0].removesuffix(".")
