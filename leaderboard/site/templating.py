"""The templates of the report and the site: every value escaped, and the package's own CSS and JS."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from dabs.leaderboard.tables.render import points


@cache
def pages() -> Environment:
    """Renders `templates/*.html.j2`. Every value is escaped and an unknown name is an error."""
    loader = PackageLoader("dabs.leaderboard.site", "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"points": points, "short": lambda text: text[:12], "minutes": _minutes}
    return made


def asset(name: str) -> str:
    """The text of a file of `templates/` that is no template: a style sheet or a script."""
    environment = pages()
    assert environment.loader is not None  # noqa: S101 - it was set above
    return environment.loader.get_source(environment, name)[0]


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"
