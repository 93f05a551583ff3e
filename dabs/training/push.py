"""Upload a run to the Hugging Face hub, in one commit and without private paths."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dabs.config import PROTOCOLS, PretrainConfig
from dabs.errors import DabsError, RequestError
from dabs.registry import find_domain, read_algorithm
from dabs.results.files import RESULT_SUFFIX, read_result
from dabs.results.hub import (
    DOWNLOADED,
    REQUIRED,
    HubReference,
    explain_hub_errors,
    parse_reference,
    token_help,
    verify_run,
)
from dabs.results.model_card import model_card
from dabs.results.schema import Result
from dabs.training.run_folder import load_run
from dabs.utils.files import json_text, short
from dabs.utils.strict_json import read_object

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SOURCE = "algorithm.py"
WRITTEN = (*DOWNLOADED, SOURCE)  # what a push replaces as a whole, so that nothing of an older run is left
UNIMPORTANT = {".gitattributes", "README.md"}  # what a new repository may hold
TEXT_SUFFIXES = (".json", ".csv", ".md", ".py")

Content = bytes | Path


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What was uploaded, and where it is now.

    Attributes:
        url: of the repository.
        commit: that holds the files.
        files: the number of bytes of each.
    """

    url: str
    commit: str
    files: Mapping[str, int]


def push(
    run: Path | str,
    target: str,
    *,
    private: bool = False,
    message: str = "",
    license_name: str = "",
    with_source: bool = False,
) -> Pushed:
    """Upload a complete run to a model repository, in one commit that replaces an older run there.

    Args:
        run: the run's folder.
        target: `hf://USER/NAME`.
        private: whether to make the repository private if it does not exist yet.
        message: of the commit.
        license_name: of the weights, for the model card, such as "mit".
        with_source: whether to upload the algorithm's source, which must still be what ran.

    Raises:
        RequestError: the target, the source or an option of the run cannot be uploaded.
        DabsError: the run is incomplete or damaged, or the hub refuses it.
    """
    wanted = parse_reference(target)
    if wanted.revision:
        raise RequestError(f"{target}: a run is pushed to hf://USER/NAME, without @{wanted.revision}.")
    files = collect_files(Path(run), wanted.repo, license_name=license_name, with_source=with_source)
    with explain_hub_errors(wanted, "written"):
        url, commit = _upload(wanted, files, private=private, message=message)
    sizes = {name: x.stat().st_size if isinstance(x, Path) else len(x) for name, x in sorted(files.items())}
    return Pushed(url=url, commit=commit, files=sizes)


def collect_files(folder: Path, repo: str, *, license_name: str = "", with_source: bool = False) -> dict[str, Content]:
    """Return the files of a run as they are uploaded: bytes where something was changed, otherwise paths.

    The place of the algorithm's file on this machine is replaced by its name, in the configuration and in every result.

    Raises:
        RequestError: the source is not what ran, or a text names a folder of this machine.
        DabsError: the run is incomplete or damaged.
    """
    config, provenance = load_run(folder)
    verify_run(folder)
    reference = _public_reference(config.algorithm)
    saved = read_object(folder / "config.json")
    saved["pretrain"]["algorithm"] = reference
    files: dict[str, Content] = {name: folder / name for name in REQUIRED}
    files["config.json"] = json_text(saved).encode()
    if (folder / "metrics.csv").is_file():
        files["metrics.csv"] = folder / "metrics.csv"
    results = []
    for path in sorted((folder / "results").glob(f"*{RESULT_SUFFIX}")):
        result = _with_reference(read_result(path), reference)
        files[f"results/{path.name}"] = json_text(result.model_dump(mode="json")).encode()
        files[f"results/{result.predictions.file}"] = path.parent / result.predictions.file
        results.append(result)
    if with_source:
        files[SOURCE] = _source_that_ran(config, provenance).encode()
    domain = find_domain(config.domain, config.suite)
    order = {task.name: number for number, task in enumerate(domain.tasks)}
    results.sort(key=lambda r: (order.get(r.task, len(order)), PROTOCOLS.index(r.protocol)))
    public = replace(config, algorithm=reference)
    files["README.md"] = model_card(repo, public, provenance, results, domain, license_name=license_name).encode()
    _refuse_private_paths(folder, config, files)
    return files


def _public_reference(reference: str) -> str:
    """Return how the algorithm is named without the folder that its file is in."""
    path, colon, kind = reference.partition(":")
    return f"{path.replace(chr(92), '/').rpartition('/')[2]}{colon}{kind}"


def _with_reference(result: Result, reference: str) -> Result:
    pretraining = result.pretraining
    changed = pretraining.model_copy(update={"config": {**pretraining.config, "algorithm": reference}})
    return result.model_copy(update={"pretraining": changed})


def _source_that_ran(config: PretrainConfig, provenance: Mapping[str, Any]) -> str:
    """Return the algorithm's source, which is not kept in the run, after comparing its hash."""
    _, source = read_algorithm(config.algorithm)
    if hashlib.sha256(source.encode()).hexdigest() != provenance["algorithm_sha256"]:
        raise RequestError(
            f"the source of {config.algorithm} is no longer what ran: its sha256 is not algorithm_sha256 in run.json. "
            "Restore it, or push without --with-source."
        )
    return source


def _refuse_private_paths(folder: Path, config: PretrainConfig, files: Mapping[str, Content]) -> None:
    """Refuse to upload a text that names a folder of this machine.

    Raises:
        RequestError: an option of the algorithm is an absolute path, or a text contains the path of the home folder,
            the working folder or the run.
    """
    for name, value in config.options.items():
        if isinstance(value, str) and Path(value).expanduser().is_absolute():
            raise RequestError(
                f"the option {name} of this run is {short(value)}, a path on this machine, and its configuration would "
                "publish it. Pretrain with a relative path."
            )
    here = {str(place) for place in (Path.home(), Path.cwd(), folder.resolve())} - {"/"}
    for name, content in files.items():
        if not name.endswith(TEXT_SUFFIXES):
            continue
        text = (content.read_bytes() if isinstance(content, Path) else content).decode("utf-8", "replace")
        for place in sorted(here):
            if re.search(rf"(?<![\w.-]){re.escape(place)}(?![\w-])", text):
                raise RequestError(f"{name} would publish the path {place} of this machine. Remove it from the file.")


def _upload(wanted: HubReference, files: Mapping[str, Content], *, private: bool, message: str) -> tuple[str, str]:
    """Create the repository if it is missing, and commit the files; return its URL and the commit."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    api = HfApi()
    if get_token() is None:
        raise DabsError(f"{wanted} could not be written: there is no token. {token_help(api.endpoint)}")
    there = _list_files(api, wanted)
    if there is None:
        api.create_repo(wanted.repo, private=private or None)
    parent, names = there or (None, ())
    if not set(REQUIRED) <= set(names) and set(names) - UNIMPORTANT:
        raise DabsError(
            f"{wanted} holds something other than a run of dabs ({', '.join(sorted(set(names) - UNIMPORTANT)[:3])}). "
            "Choose another name."
        )
    old = [name for name in names if name not in files and any(fnmatch.fnmatch(name, one) for one in WRITTEN)]
    operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=content) for name, content in files.items()]
    done = api.create_commit(
        wanted.repo,
        [*operations, *(CommitOperationDelete(path_in_repo=name) for name in old)],
        commit_message=message or "Upload a run of dabs",
        parent_commit=parent,
    )
    return f"{api.endpoint}/{wanted.repo}", str(done.oid)


def _list_files(api: HfApi, wanted: HubReference) -> tuple[str | None, tuple[str, ...]] | None:
    """Return the newest commit of a repository and its files, or None if there is no repository."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        found = api.model_info(wanted.repo)
    except RepositoryNotFoundError as error:
        if error.response.status_code == 401:  # the token, and not the repository, is what the hub does not know
            raise
        return None
    return found.sha, tuple(one.rfilename for one in found.siblings or ())
