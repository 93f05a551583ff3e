"""Runs on the Hugging Face hub: references, verified downloads, clear errors.

A run is a model repository, named `hf://USER/NAME` or `hf://USER/NAME@REVISION`. Of what it holds, only the files that
`dabs push` writes are downloaded, and no code is among them. HF_ENDPOINT names another hub, HF_TOKEN a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dabs.errors import DabsError, RequestError, first_line
from dabs.results.files import RESULT_SUFFIX, read_result
from dabs.utils.files import sha256_file, short
from dabs.utils.strict_json import read_object

WEIGHTS = "encoder/encoder.safetensors"
REQUIRED = ("config.json", "run.json", "encoder/config.json", WEIGHTS)
RESULTS = ("results/*.result.json", "results/*.predictions.npz")
DOWNLOADED = (*REQUIRED, "metrics.csv", *RESULTS)
EVALUATED = Path("hub")  # results of runs on the hub; not in runs/, whose results count as one's own

_NAME = r"[A-Za-z0-9](?:[\w.-]{0,94}\w)?"
_REFERENCE = re.compile(rf"hf:/{{1,2}}({_NAME})/({_NAME})(?:@(\w[\w./-]*))?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class HubReference:
    """A repository on the hub, and a revision of it: a branch, a tag or a commit; empty for the newest."""

    repo: str
    revision: str = ""

    def __str__(self) -> str:
        return f"hf://{self.repo}" + (f"@{self.revision}" if self.revision else "")


def is_on_hub(reference: str | Path) -> bool:
    """Return whether a reference starts with `hf://`, which `Path` shortens to `hf:/`."""
    return str(reference).startswith("hf:/")


def parse_reference(reference: str | Path) -> HubReference:
    """Return what `hf://USER/NAME[@REVISION]` names.

    Raises:
        RequestError: the reference has another form.
    """
    found = _REFERENCE.fullmatch(str(reference))
    if found is None or ".." in str(reference) or "--" in f"{found[1]}/{found[2]}":
        raise RequestError(
            f"{short(str(reference))} names no run on the hub. Write hf://USER/NAME, or hf://USER/NAME@REVISION for a "
            "branch, tag or commit; names have letters, digits, '-', '_' and '.'."
        )
    return HubReference(repo=f"{found[1]}/{found[2]}", revision=found[3] or "")


def local_run(reference: str | Path) -> Path:
    """Return the folder of a run: a path as it is, and for `hf://USER/NAME[@REVISION]` a verified copy in the cache.

    The copy is in the cache of huggingface_hub (`$HF_HOME`). Nothing may be written there.

    Raises:
        RequestError: the reference has another form.
        DabsError: the hub does not hand out the run, or a file is not what the run wrote.
    """
    if not is_on_hub(reference):
        return Path(reference)
    wanted = parse_reference(reference)
    from huggingface_hub import snapshot_download

    with explain_hub_errors(wanted, "read"):
        found = snapshot_download(wanted.repo, revision=wanted.revision or None, allow_patterns=list(DOWNLOADED))
    folder = Path(str(found))
    try:
        verify_run(folder)
    except DabsError as error:
        raise DabsError(
            f"{wanted} is not used: {error} If only the local copy is damaged, this helps: delete "
            f"{folder.parents[1]} and run the same command again."
        ) from error
    return folder


def results_home(reference: str | Path, folder: Path) -> Path:
    """Return the folder in which `results` of a run are written.

    This is the run's folder, and `hub/USER/NAME@COMMIT` for a run on the hub.

    Args:
        reference: of the run.
        folder: what `local_run` returned for it.
    """
    if not is_on_hub(reference):
        return folder
    return EVALUATED / f"{parse_reference(reference).repo}@{folder.name[:12]}"


def verify_run(folder: Path) -> None:
    """Check that the files of a complete run belong together.

    The weights must have the hash in `run.json`, the configuration must name the same source and data, and results must
    be of these weights, with unchanged predictions.

    Raises:
        DabsError: a file is missing or damaged, or is not the one that the run wrote.
    """
    missing = [name for name in REQUIRED if not (folder / name).is_file()]
    if missing:
        raise DabsError(f"{folder} is not a complete run of dabs: it has no {', '.join(missing)}.")
    run, weights = read_object(folder / "run.json"), folder / WEIGHTS
    found = sha256_file(weights)
    if found != run.get("weights_sha256"):
        raise DabsError(
            f"{weights} is not what the run wrote: its sha256 is {found}, and weights_sha256 in run.json is "
            f"{short(run.get('weights_sha256'))}."
        )
    identity = read_object(folder / "config.json").get("identity")
    for name in ("algorithm_sha256", "data_sha256"):
        stated = identity.get(name) if isinstance(identity, dict) else None
        if stated is None or stated != run.get(name):
            raise DabsError(
                f"{folder / 'config.json'} is not that of this run: {name} is {short(stated)} there and "
                f"{short(run.get(name))} in run.json."
            )
    for path in sorted((folder / "results").glob(f"*{RESULT_SUFFIX}")):
        result = read_result(path, check_predictions=True)
        stated = result.pretraining.weights_sha256
        if stated != found:
            raise DabsError(
                f"{path} is a result of other weights: their sha256 is {stated}, that of {weights} {found}."
            )


@contextmanager
def explain_hub_errors(wanted: HubReference, deed: str) -> Iterator[None]:
    """Raise what the hub's client raises as a DabsError that says what to do.

    Args:
        wanted: what was asked for.
        deed: what was to be done to it: "read" or "written".
    """
    try:
        yield
    except DabsError:
        raise
    except Exception as error:  # of the hub's client, the HTTP library or the system
        reason = _reason(error, wanted, deed)
        after = ""
        if deed == "written":
            after = " Files appear on the hub all at once in the last request, so there is never a part of a run on it."
        raise DabsError(f"{wanted} could not be {deed}: {reason}{after}") from error


def _reason(error: BaseException, wanted: HubReference, deed: str) -> str:
    """Return in one or two sentences what went wrong on the hub and what to do."""
    from huggingface_hub import constants, errors

    hub, owner = constants.ENDPOINT, wanted.repo.partition("/")[0]
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    code = next((one.response.status_code for one in chain if isinstance(one, errors.HfHubHTTPError)), 0)
    if any(isinstance(one, errors.OfflineModeIsEnabled) for one in chain):
        return "HF_HUB_OFFLINE is set, and no complete copy is in the cache. Unset it and run the same command again."
    if any(isinstance(one, errors.RevisionNotFoundError) for one in chain):
        return f"it has no revision {wanted.revision!r}. {hub}/{wanted.repo}/commits/main lists the commits."
    if code == 401 and deed == "written":
        return f"{hub} does not accept the token (401): it is wrong or expired. {token_help(hub)}"
    if code in (401, 404):
        return (
            f"{hub} has no model repository of this name, or it is private and the token may not see it ({code}). "
            "Check the name; for a private one, set HF_TOKEN to a token that may read it, or run `hf auth login`."
        )
    if code == 403 and deed == "written":
        return f"the token may not write to repositories of {owner} (403). {token_help(hub)}"
    if code == 403:
        return f"its owner has to allow it (403). Ask for access at {hub}/{wanted.repo}, with the account of the token."
    if code == 409:
        return (
            "the name is taken, by something that is not a model repository or that the token may not see (409). "
            "Choose another name."
        )
    if code == 412:
        return "somebody else has just changed the repository (412). Look at it, then run the same command again."
    if code:
        return f"{hub} answered with an error ({code}): {first_line(error)}. Run the same command again later."
    if "xet" in str(chain[-1]).lower():
        reason = first_line(chain[-1])
        return (
            f"its storage for large files did not answer ({reason}). Where a hub has no Xet, set HF_HUB_DISABLE_XET=1."
        )
    return (
        f"{hub} could not be reached, or the connection was cut ({first_line(chain[-1])}). Check the network "
        "(HF_ENDPOINT names another hub), then run the same command again."
    )


def token_help(hub: str) -> str:
    """Return how to give a token to the hub's client, as a sentence."""
    return f"Make a token with write access at {hub}/settings/tokens, then set HF_TOKEN to it or run `hf auth login`."
