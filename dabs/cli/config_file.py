"""Options of a command from a TOML or YAML file."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from dabs.errors import DabsError, RequestError, first_line, unknown
from dabs.utils.files import read_text

MAX_BYTES = 1_000_000


def with_config_file(arguments: list[str], known: Collection[str]) -> list[str]:
    """Return arguments with those of the file that `--config` names before them, so that the command line decides.

    In the file, an option is called as on the command line, with - or _ and without the dashes in front. A list is an
    option with several values. `set` may be a table from option to values.

    Args:
        arguments: of the command.
        known: the names of its options, such as `--seeds`.

    Raises:
        RequestError: the file cannot be read, or names an option that the command does not have.
    """
    path = _given(arguments)
    if path is None:
        return arguments
    values, words = _read(path), list[str]()
    for key, value in values.items():
        option = f"--{key.replace('_', '-')}"
        if option not in known or option == "--config":
            names = sorted(name[2:] for name in known if not name.startswith("--no-") and name != "--config")
            raise unknown("option", key, names, of=str(path))
        words += _words(option, value)
    return words + arguments


def _given(arguments: list[str]) -> Path | None:
    for i, word in enumerate(arguments):
        if word.startswith("--config="):
            return Path(word.partition("=")[2])
        if word == "--config" and i + 1 < len(arguments):
            return Path(arguments[i + 1])
    return None


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise RequestError(f"there is no file {path}; --config takes a TOML or YAML file of options.")
    text = read_text(path, MAX_BYTES, "A file of options is short.")
    try:
        if path.suffix == ".toml":
            values: Any = tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            import yaml

            values = yaml.safe_load(text) or {}
        else:
            raise RequestError(f"{path} must end in .toml, .yaml or .yml.")
    except DabsError:
        raise
    except Exception as error:  # each parser has errors of its own
        raise RequestError(f"{path} cannot be read: {first_line(error)}.") from error
    if not isinstance(values, dict):
        raise RequestError(f"{path} must hold options by name, not {type(values).__name__}.")
    return {str(key): value for key, value in values.items()}


def _words(option: str, value: Any) -> list[str]:
    """Return an option as words of the command line."""
    if isinstance(value, bool):
        return [option if value else option.replace("--", "--no-", 1)]
    if isinstance(value, dict):
        return [option, *(f"{name}={_joined(values)}" for name, values in _flat(value).items())]
    return [option, *map(str, value if isinstance(value, list) else [value])]


def _flat(table: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Return a table of tables with dotted names."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        found |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return found


def _joined(values: Any) -> str:
    return ",".join(map(str, values if isinstance(values, list) else [values]))
