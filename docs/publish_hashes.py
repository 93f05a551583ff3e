"""Publish the hashes of the prepared data of this machine: `publish_hashes.py [DOMAIN ...] [--suite SUITE]`.

Run it after a change that alters prepared data, once `dabs data prepare` has prepared the new version. Without names it
publishes every official domain of the suite that is prepared. `dabs data verify` compares with what it wrote.
"""

from __future__ import annotations

import argparse
import sys

from dabs.config import SUITES
from dabs.data.prepare import verify
from dabs.data.prepared import is_unit_prepared, units_of
from dabs.data.published import PATH, publish
from dabs.official import OFFICIAL_TASKS
from dabs.registry import domain_names, find_domain


def main(arguments: list[str]) -> int:
    """Check the data against its manifests, publish its hashes, and print what changed; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", choices=SUITES, default="lite")
    suite = parser.parse_known_args(arguments)[0].suite
    parser.add_argument("domains", nargs="*", choices=[[], *domain_names(suite)], default=[])
    names = parser.parse_args(arguments).domains or domain_names(suite)
    prepared = []
    for domain in (find_domain(name, suite) for name in names):
        if not any(is_unit_prepared(unit) for unit in units_of(domain)):
            print(f"{domain.name}: not prepared, left as it was")
            continue
        if changed := verify(domain):
            print("\n".join([f"{domain.name}: changed since it was prepared; nothing is published", *changed]))
            return 1
        prepared.append(domain)
    changes = publish(prepared, OFFICIAL_TASKS)
    print("\n".join([f"{PATH}: {len(changes)} entries changed", *changes]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
