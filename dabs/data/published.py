"""The published hashes of the official suites' data, `published_hashes.json`.

Data with other hashes is other data, so results on it cannot be compared with the published ones. The file is written
by `docs/publish_hashes.py` and read only when it is needed. Data that its authors could not prepare has no entries.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dabs.data.domain import PRETRAIN, Domain
from dabs.data.prepared import Unit, is_unit_prepared, read_manifest, units_of
from dabs.utils.files import write_json
from dabs.utils.strict_json import read_object

PATH = Path(__file__).with_name("published_hashes.json")
HASHES = ("sha256", "split_sha256")  # of a split's rows, and of their groups


@dataclass(frozen=True, kw_only=True)
class PublishedCheck:
    """How prepared data compares with the published hashes.

    Attributes:
        same: the splits that are as published, "domain/dataset/split".
        different: one line for each hash that differs.
        unpublished: the splits without a published hash of the version that this code prepares.
    """

    same: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    unpublished: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Return the comparison in a few words."""
        if self.different:
            return "NOT AS PUBLISHED"
        if not self.unpublished:
            return "as published"
        return "partly published" if self.same else "no published hash"


def read_published() -> dict[str, dict[str, Any]]:
    """Return the published entries: "suite/domain/dataset/split" -> version, rows, sha256 and split_sha256.

    Raises:
        DabsError: the file is missing or not a JSON object of objects.
    """
    return read_object(PATH)


def check_published(units: Iterable[Unit]) -> PublishedCheck:
    """Compare the manifests of prepared units with the published hashes; other units are skipped."""
    published, check = read_published(), PublishedCheck()
    for unit in units:
        splits = read_manifest(unit)["splits"] if is_unit_prepared(unit) else {}
        for key, entry in splits.items():
            place = f"{unit.domain.name}/{key}"
            expected = published.get(f"{unit.domain.suite}/{place}", {})
            wrong = [name for name in HASHES if entry[name] != expected.get(name)]
            if expected.get("version") != unit.version:
                check.unpublished.append(place)
            elif wrong:
                check.different.extend(f"{place}: {k} is {entry[k]}, published {expected.get(k)}" for k in wrong)
            else:
                check.same.append(place)
    return check


def publish(domains: Iterable[Domain], official: dict[str, dict[str, tuple[str, ...]]]) -> list[str]:
    """Write the hashes of prepared data into the file; other entries stay, unless they are of no official task.

    Args:
        domains: whose hashes to publish; units that are not prepared keep the entries that they have.
        official: the official tasks, by suite and domain.

    Returns:
        The keys of the entries that are new or have changed.
    """
    before = read_published() if PATH.exists() else {}
    after = {key: entry for key, entry in before.items() if _is_official(key, official)}
    for unit in (unit for domain in domains for unit in units_of(domain) if is_unit_prepared(unit)):
        for key, entry in read_manifest(unit)["splits"].items():
            kept = {name: entry[name] for name in ("rows", *HASHES)}
            after[f"{unit.domain.suite}/{unit.domain.name}/{key}"] = {"version": unit.version, **kept}
    write_json(PATH, after)
    return [key for key, entry in sorted(after.items()) if before.get(key) != entry]


def _is_official(key: str, official: dict[str, dict[str, tuple[str, ...]]]) -> bool:
    suite, domain, dataset, _ = key.split("/")
    tasks = official.get(suite, {}).get(domain)
    return tasks is not None and dataset in (PRETRAIN, *tasks)
