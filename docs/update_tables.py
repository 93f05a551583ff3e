"""Write the tables of the README from the result files in leaderboard/results/; `--check` fails when they differ."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from dabs.home import read_json
from leaderboard.aggregate import Table, build_table
from leaderboard.results import load_results
from leaderboard.table import markdown_domains, markdown_tasks, update_between_markers

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "leaderboard" / "results"


def timing() -> str:
    """How long `make run` took, and on what."""
    value = read_json(RESULTS / "lite" / "timing.json")
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
        if algorithm not in ("none", "raw"):
            found = table.beats(algorithm)
            lines.append(f"| {algorithm} | {len(found.won)} of {found.tasks} ({100 * found.share:.0f} %) |")
    return "\n".join(lines)


def tree() -> str:
    """The project's files with the first line of each docstring."""
    lines = ["```"]
    for package in ("dabs", "dabs/cli", "domains", "algorithms", "leaderboard"):
        lines.append(f"{package}/")
        for path in sorted((ROOT / package).glob("*.py")):
            if path.name != "__init__.py":
                first = re.match(r'"""(.*?)(?:"""|\n)', path.read_text(encoding="utf-8"))
                text = first.group(1).rstrip(".") if first else ""
                lines.append(f"  {path.name:21} {text if len(text) < 96 else text[:93] + '...'}")
    lines += ["tests/                  mirrors the packages; contract tests over every algorithm, input and dataset"]
    lines += [
        "docs/                   architecture, protocol, deviations, results, how to add a part, sheets of examples"
    ]
    return "\n".join([*lines, "```"])


def update(readme: Path, results_page: Path) -> bool:
    """Fill every marker; gives whether anything changed."""
    results = load_results(RESULTS)
    linear = build_table(results, "linear")
    changed = update_between_markers(readme, "table", markdown_domains(linear))
    changed |= update_between_markers(readme, "wins", wins(linear))
    changed |= update_between_markers(readme, "timing", timing())
    changed |= update_between_markers(readme, "tree", tree())
    for protocol in ("linear", "knn", "finetune"):
        chosen = [result for result in results if result.protocol == protocol]
        text = markdown_tasks(build_table(chosen, protocol)) if chosen else "No result files of this protocol yet."
        changed |= update_between_markers(results_page, protocol, text)
    return changed


def main() -> int:
    """Update in place, or with --check work on copies and report."""
    readme, page = ROOT / "README.md", ROOT / "docs" / "results.md"
    if "--check" not in sys.argv:
        update(readme, page)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder) / "README.md", Path(folder) / "results.md"]
        for original, copy in zip((readme, page), copies, strict=True):
            copy.write_bytes(original.read_bytes())
        if update(*copies):
            print(
                "the tables in README.md or docs/results.md differ from leaderboard/results: run docs/update_tables.py"
            )
            return 1
    print("the tables agree with their result files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
