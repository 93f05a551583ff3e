"""Places of results: paths, `published` for those that came with dabs, the hub.

Commands and functions that read folders of results accept all three.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from dabs.errors import DabsError
from dabs.results.files import RESULT_SUFFIX
from dabs.results.hub import is_on_hub, local_run

PUBLISHED = "published"


def results_folder(reference: str | Path) -> Path:
    """Return the folder of results that a reference names.

    Args:
        reference: `published`; `hf://USER/NAME[@REVISION]`, which is downloaded and verified; or a path, such as
            `./published` for a folder of that name.

    Raises:
        RequestError: a reference to the hub is of another form.
        DabsError: this copy of dabs came without results, or the hub does not hand out the run.
    """
    if str(reference) == PUBLISHED:
        return published_folder()
    return local_run(reference) if is_on_hub(reference) else Path(reference)


def published_folder() -> Path:
    """Return the project's own results: `leaderboard/results` of the checkout, or their copy in an installed package.

    Raises:
        DabsError: this copy of dabs came without them.
    """
    found = importlib.util.find_spec("dabs.leaderboard")  # found by name: results do not import what reads them
    folder = Path(str(found.origin if found else __file__)).with_name("results")
    if next(folder.rglob(f"*{RESULT_SUFFIX}"), None) is None:
        raise DabsError(
            f"this copy of dabs came without results: there are none in {folder}. "
            "Install it from its wheel or a checkout."
        )
    return folder


def split_algorithm(word: str) -> tuple[str, str]:
    """Return the reference and the algorithm that `REFERENCE` or `REFERENCE:ALGORITHM` names, which may be empty.

    A path that exists is never split.
    """
    scheme = "hf://" if word.startswith("hf://") else ""
    reference, colon, algorithm = word.removeprefix(scheme).rpartition(":")
    if not colon or (not scheme and Path(word).exists()):
        return word, ""
    return f"{scheme}{reference}", algorithm
