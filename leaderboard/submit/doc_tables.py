"""The tables of README.md and docs/results.md, written from the committed results and submissions."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from dabs.config import PROTOCOLS
from dabs.leaderboard.tables.aggregate import FLOORS, Table, build_table
from dabs.leaderboard.tables.render import markdown_domains, markdown_tasks, plain_markdown, update_between_markers
from dabs.results.files import load_results
from dabs.results.schema import Result
from dabs.results.submission import RULESETS, Submission, Tuning, load_submission, submission_folders
from dabs.utils.strict_json import read_json

RESULTS = Path("leaderboard") / "results"
SUBMISSIONS = Path("leaderboard") / "submissions"
PACKAGES = (
    *(
        "dabs",
        "dabs/bench",
        "dabs/check",
        "dabs/launch",
        "dabs/cli",
        "domains",
        "domains/paper",
        "algorithms",
        "leaderboard",
    ),
    "benchmarks",
)
MOST_ROWS = 8  # submissions in a table, whose columns they are
README, PAGE = Path("README.md"), Path("docs") / "results.md"


def update(root: Path, out: Path | None = None) -> list[str]:
    """Fill every marker of the two pages in `out` from the results in `root`; gives the names of pages that changed.

    Args:
        root: a checkout of the project.
        out: where the pages are; `root` itself by default.

    Raises:
        DabsError: a result, a submission or a page is not what it should be.
    """
    out = out or root
    results = load_results(root / RESULTS)
    submissions = [load_submission(folder) for folder in submission_folders(root / SUBMISSIONS)]
    theirs = {
        ruleset: [result for submission, own in submissions if submission.ruleset == ruleset for result in own]
        for ruleset in RULESETS
    }
    fixed, note = leading(results + theirs["fixed"], {r.algorithm for r in theirs["fixed"]})
    linear = build_table(fixed, "linear")
    changed = [
        update_between_markers(out / README, "table", markdown_domains(linear) + note),
        update_between_markers(out / README, "wins", wins(linear)),
        update_between_markers(out / README, "timing", timing(root)),
        update_between_markers(out / README, "tree", tree(root)),
    ]
    stale = [README.name] if any(changed) else []
    changed = [update_between_markers(out / PAGE, name, tasks_of(fixed, name) + note) for name in PROTOCOLS]
    about = [submission for submission, _ in submissions]
    changed.append(update_between_markers(out / PAGE, "submissions", submission_list(about)))
    floors = [result for result in results if result.algorithm in FLOORS]
    changed.append(update_between_markers(out / PAGE, "tuned", _tuned(floors, theirs["tuned"])))
    return stale + ([PAGE.as_posix()] if any(changed) else [])


def stale_pages(root: Path) -> list[str]:
    """The pages whose tables differ from the committed results; nothing in `root` is changed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for page in (README, PAGE):
            (copy / page).parent.mkdir(exist_ok=True)
            (copy / page).write_bytes((root / page).read_bytes())
        return update(root, copy)


def timing(root: Path) -> str:
    """How long `make run` took, and on what."""
    value = read_json(root / RESULTS / "lite" / "timing.json")
    minutes, machine = value["minutes"], value["machine"]
    total = sum(minutes.values())
    parts = ", ".join(f"{name} {spent:.1f}" for name, spent in minutes.items())
    return (
        f"`make run` took {total:.0f} minutes ({parts}; install not counted) on {machine['cores']} cores of "
        f"{machine['processor']}, without a GPU: {value['cells']} cells, {value['jobs']} at a time."
    )


def wins(table: Table) -> str:
    """How often each algorithm beats the random encoder."""
    lines = ["| algorithm | tasks above the random encoder by more than the seeds' spread |", "|---|---|"]
    for algorithm in table.algorithms:
        if algorithm not in FLOORS:
            found = table.beats(algorithm)
            share = f"{len(found.won)} of {found.tasks} ({100 * found.share:.0f} %)"
            lines.append(f"| {plain_markdown(algorithm)} | {share} |")
    return "\n".join(lines)


def tasks_of(results: Sequence[Result], protocol: str) -> str:
    """The table of every task under one protocol."""
    chosen = [result for result in results if result.protocol == protocol]
    return markdown_tasks(build_table(chosen, protocol)) if chosen else "No result files of this protocol yet."


def submission_list(submissions: Sequence[Submission]) -> str:
    """Who handed in what."""
    if not submissions:
        return "No submission yet."
    lines = ["| submission | authors | ruleset | runs tried in each domain | more |", "|---|---|---|---|---|"]
    for s in submissions:
        tried = str(s.tuning.budget) if isinstance(s.tuning, Tuning) else "the default options"
        authors = plain_markdown(", ".join(s.authors))
        link = f"[source](../{SUBMISSIONS.as_posix()}/{s.name}/algorithm.py), <{plain_url(s.url)}>"
        lines.append(f"| {plain_markdown(s.name)} | {authors} | {s.ruleset} | {tried} | {link} |")
    return "\n".join(lines)


def plain_url(url: str) -> str:
    """A URL that ends no table cell."""
    return url.replace("|", "%7C")


def _tuned(floors: list[Result], theirs: list[Result]) -> str:
    if not theirs:
        return "No tuned submission yet."
    shown, note = leading(floors + theirs, {result.algorithm for result in theirs})
    return tasks_of(shown, "linear") + note


def leading(results: list[Result], submitted: Collection[str]) -> tuple[list[Result], str]:
    """Results without those of submissions that a table has no room for, and what says so below it.

    Args:
        results: of one ruleset.
        submitted: which algorithms are submissions; the `MOST_ROWS` best of them (linear probe, all domains) are kept.
    """
    if len(submitted) <= MOST_ROWS:
        return results, ""
    table = build_table(results, "linear")
    means = {name: table.overall(name) for name in submitted}
    ranked = sorted(submitted, key=lambda name: (means[name] is None, -(means[name] or 0.0), name))
    dropped = set(ranked[MOST_ROWS:])
    note = (
        f"\n\nOf {len(ranked):,} submissions the {MOST_ROWS} with the highest mean over all domains (linear probe) are "
        "shown; the site has all: `dabs leaderboard build --results "
        f"{RESULTS.as_posix()} {SUBMISSIONS.as_posix()} --out site`."
    )
    return [result for result in results if result.algorithm not in dropped], note


def tree(root: Path) -> str:
    """The project's files with the first line of each docstring."""
    lines = ["```"]
    for package in PACKAGES:
        lines.append(f"{package}/")
        for path in sorted((root / package).glob("*.py")):
            if path.name != "__init__.py":
                first = re.match(r'"""(.*?)(?:"""|\n)', path.read_text(encoding="utf-8"))
                text = first.group(1).rstrip(".") if first else ""
                lines.append(f"  {path.name:21} {text if len(text) < 96 else text[:93] + '...'}")
    lines += ["tests/                  mirrors the packages; contract tests over every algorithm, input and dataset"]
    lines += [
        "docs/                   architecture, protocol, results, comparing, submitting, paper suite, scaling, sheets"
    ]
    return "\n".join([*lines, "```"])
