"""The template environment of the report and the site, and their CSS and JS."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from dabs.leaderboard.site.terms import TERMS
from dabs.leaderboard.tables.render import COVERS, describe_seeds, percent, points


@cache
def template_environment() -> Environment:
    """Return the environment of `templates/`, which escapes every value and raises for an unknown name."""
    loader = PackageLoader("dabs.leaderboard.site", "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"points": points, "percent": percent, "seeds": describe_seeds, "minutes": _minutes}
    made.filters["short"] = lambda text: text[:12]
    made.globals |= {"covers": COVERS, "terms": TERMS}
    return made


def read_asset(name: str) -> str:
    """Return the text of a style sheet or script in `templates/`."""
    environment = template_environment()
    assert environment.loader is not None  # noqa: S101 - it was set above
    return environment.loader.get_source(environment, name)[0]


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"
