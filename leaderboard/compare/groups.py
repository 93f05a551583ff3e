"""The group (person, voice, photograph) of each test example, from prepared data."""

from __future__ import annotations

import numpy as np

from dabs.errors import DabsError, RequestError
from dabs.leaderboard.compare.contestants import TaskKey


def groups_of(key: TaskKey, suite: str, sha256: str) -> np.ndarray:
    """Return the group of each test example of a task, int (n,), 0 to G - 1, in the order of the predictions.

    Args:
        key: domain and task.
        suite: the results' suite.
        sha256: the results' `data.sha256.test`; prepared data with another hash is refused.

    Raises:
        DabsError: the data is not prepared here, differs from that of the results, or has a single group.
    """
    from dabs.data.prepared import open_prepared
    from dabs.registry import find_domain

    domain = find_domain(key[0], suite)
    found = open_prepared(domain, key[1]).manifest["splits"].get(f"{key[1]}/test", {}).get("sha256")
    if found != sha256:
        raise RequestError(
            f"the prepared data of {key[0]}/{key[1]} is not what the results were made on: the test split's hash is "
            f"{found}, and {sha256} in the results. Prepare the version of the results, or compare without --by-group."
        )
    names, group_n = np.unique(open_prepared(domain, key[1]).columns("test", ("group",))["group"], return_inverse=True)
    if len(names) < 2:
        raise DabsError(f"the test split of {key[0]}/{key[1]} has a single group; compare without --by-group.")
    return np.asarray(group_n)
