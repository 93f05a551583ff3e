"""Datasets and tokenizers from the Hugging Face hub, its cache or a local copy."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dabs.data.domain import Footprint
from dabs.errors import DabsError, first_line
from dabs.utils.files import raw_home

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER_VARIABLE = "DABS_TOKENIZER"  # the environment variable that `--tokenizer` sets


@dataclass(frozen=True, kw_only=True)
class HubFiles:
    """Some files of a dataset repository on the hub, or a local copy of the same data.

    Attributes:
        name: the dataset's folder below `raw_home()`, and its key in `Workspace.sources`.
        repo: e.g. "nyu-mll/glue".
        patterns: the files to download from the repository; a local copy may have the same layout.
        layouts: other layouts of a local copy, each a tuple of patterns that must all match.
        size: about how many bytes are downloaded, 0 if unknown.
        threaded: the hub's client downloads several files at once itself.
    """

    name: str
    repo: str
    patterns: tuple[str, ...]
    layouts: tuple[tuple[str, ...], ...] = ()
    size: int = 0
    threaded: bool = False

    def describe(self) -> dict[str, str]:
        """Return what the manifest records about this source."""
        return {"name": self.name, "repo": self.repo, "files": " ".join(self.patterns)}

    def footprints(self, *, missing: bool) -> dict[str, Footprint]:
        """Return what its files take; with `missing`, nothing if there is a local copy or one in the hub's cache."""
        if missing and (self._local_copy() or self._is_cached()):
            return {}
        return {f"{self.repo} {' '.join(self.patterns)}": Footprint(download=self.size, unpacked=self.size)}

    def _local_copy(self) -> Path | None:
        root = raw_home() / self.name
        return root if any(not missing_files(root, layout) for layout in (self.patterns, *self.layouts)) else None

    def _is_cached(self) -> bool:
        from huggingface_hub import snapshot_download

        try:
            found = snapshot_download(self.repo, repo_type="dataset", local_files_only=True)
        except Exception:  # of the hub's client, where nothing of the repository is cached
            return False
        return not missing_files(Path(str(found)), self.patterns)

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """Return a folder that has one of the layouts: the local copy, else a snapshot in the hub's cache.

        Raises:
            DabsError: there is no local copy, and the hub (or its cache, where HF_HUB_OFFLINE is set) lacks the files.
        """
        root = raw_home() / self.name
        if local := self._local_copy():
            return local
        say(f"fetching {self.repo} from the hub")
        from huggingface_hub import snapshot_download

        try:
            found = Path(str(snapshot_download(self.repo, repo_type="dataset", allow_patterns=list(self.patterns))))
        except Exception as error:  # of the hub's client, the HTTP library or the system
            raise self._unavailable(root, first_line(error)) from error
        if absent := missing_files(found, self.patterns):  # a snapshot cached for another task of the same repository
            raise self._unavailable(root, f"the cached copy {found} lacks {', '.join(absent)}")
        return found

    def _unavailable(self, root: Path, reason: str) -> DabsError:
        layouts = "\n".join(f"  {', '.join(layout)}" for layout in (self.patterns, *self.layouts))
        wanted = " ".join(f"--include '{pattern}'" for pattern in self.patterns)
        absent = missing_files(root, self.patterns)
        if root.is_dir() and set(absent) - set(self.patterns):  # some files of a pattern exist, but not all
            reason = f"{reason}; {root} lacks {', '.join(absent)}"
        return DabsError(
            f"{self.repo} cannot be downloaded from the Hugging Face hub: {reason}.\n"
            f"On a machine with network access: hf download {self.repo} --repo-type dataset {wanted} --local-dir "
            f"{root}\n"
            f"Or put a copy into {root}, in one of these layouts:\n{layouts}\n"
            "Then run the same command again. HF_ENDPOINT names a mirror; --data-dir DIR names another folder that "
            f"holds {self.name}/."
        )


@dataclass(frozen=True, kw_only=True)
class HubTokenizer:
    """A tokenizer.json from the Hugging Face hub, or a local one in its place.

    Attributes:
        name: e.g. "bert-base-uncased"; also the folder below `raw_home()` that may hold a local copy.
        repo: e.g. "google-bert/bert-base-uncased".
        vocabulary: its number of tokens; a local tokenizer may have fewer, but not more.
        pad: the id of the padding token.
        size: of its tokenizer.json, in bytes.
        threaded: it is small.
    """

    name: str
    repo: str
    vocabulary: int
    pad: int
    size: int
    threaded: bool = False

    def describe(self) -> dict[str, str]:
        """Return what the manifest records about this source."""
        given = os.environ.get(TOKENIZER_VARIABLE)
        return {"name": self.name, "repo": self.repo} | ({"replaced": Path(given).name} if given else {})

    def footprints(self, *, missing: bool) -> dict[str, Footprint]:
        """Return what it takes; with `missing`, nothing if there is a local copy or one in the hub's cache."""
        from huggingface_hub import try_to_load_from_cache

        local = os.environ.get(TOKENIZER_VARIABLE) or (raw_home() / self.name / "tokenizer.json").is_file()
        if missing and (local or isinstance(try_to_load_from_cache(self.repo, "tokenizer.json"), str)):
            return {}
        return {self.repo: Footprint(download=self.size, unpacked=self.size)}

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """Return the path of a tokenizer.json: `--tokenizer`, else the local copy, else the hub's or its cache's.

        Raises:
            DabsError: none of these exists, or the tokenizer does not fit the encoder's embedding table.
        """
        given = os.environ.get(TOKENIZER_VARIABLE)
        path = Path(given).expanduser() if given else raw_home() / self.name
        path = path / "tokenizer.json" if path.is_dir() else path
        if not path.is_file():
            if given:
                raise DabsError(f"--tokenizer: there is no {path}. Give a tokenizer.json, or a folder that holds one.")
            path = self._from_hub(say)
        self._check(path)
        return path

    def _from_hub(self, say: Callable[[str], None]) -> Path:
        from huggingface_hub import hf_hub_download

        say(f"fetching the tokenizer {self.repo} from the hub")
        try:
            return Path(hf_hub_download(self.repo, "tokenizer.json"))
        except Exception as error:
            raise DabsError(
                f"the tokenizer {self.name} has no local copy and cannot be downloaded from the Hugging Face hub: "
                f"{first_line(error)}. On a machine with network access: hf download {self.repo} tokenizer.json "
                f"--local-dir {raw_home() / self.name}; then run the same command again. Or give another one with "
                "--tokenizer PATH (a tokenizer.json with no more tokens; results with another tokenizer have another "
                "data hash and are not compared)."
            ) from error

    def _check(self, path: Path) -> None:
        tokenizer = load_tokenizer(path)
        size, pad = tokenizer.get_vocab_size(), _padding_id(tokenizer)
        if size > self.vocabulary or pad != self.pad:
            raise DabsError(
                f"{path} has {size:,} tokens and pads with the id {pad}; {self.name} has {self.vocabulary:,} and pads "
                f"with {self.pad}. Give a tokenizer with no more tokens whose [PAD] or <pad> has that id."
            )


BERT = HubTokenizer(
    name="bert-base-uncased", repo="google-bert/bert-base-uncased", vocabulary=30_522, pad=0, size=466_062
)
XLM_R = HubTokenizer(
    name="xlm-roberta-base", repo="FacebookAI/xlm-roberta-base", vocabulary=250_002, pad=1, size=9_096_718
)


@lru_cache(maxsize=2)
def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer from its tokenizer.json. It is cached, because XLM-R's takes a second to read.

    Raises:
        DabsError: the file is not a tokenizer.json.
    """
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise DabsError(f"{path} is not a tokenizer.json ({first_line(error)}). Download it again.") from error


def encode(tokenizer_json: Path, first: Sequence[str], second: Sequence[str] | None, length: int) -> np.ndarray:
    """Encode texts, or pairs of texts, with the tokenizer's special tokens.

    Args:
        tokenizer_json: the path that `HubTokenizer.fetch` returned (`workspace.sources["bert-base-uncased"]`).
        first, second: n texts, or n pairs of texts; of a pair, the longer text is truncated first.
        length: tokens in a row; longer texts are truncated, shorter ones padded.

    Returns:
        Token ids, int32 (n, length).
    """
    tokenizer = load_tokenizer(tokenizer_json)
    tokenizer.enable_truncation(length, strategy="longest_first")
    tokenizer.enable_padding(length=length, pad_id=_padding_id(tokenizer))
    texts: Any = list(first) if second is None else list(zip(first, second, strict=True))
    return np.array([e.ids for e in tokenizer.encode_batch(texts)], np.int32).reshape(-1, length)


def _padding_id(tokenizer: Tokenizer) -> int:
    found = [tokenizer.token_to_id(name) for name in ("[PAD]", "<pad>")]
    return next((number for number in found if number is not None), -1)


def read_parquet(root: Path, pattern: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of the parquet files that match `pattern`, in order, reading a few thousand at a time."""
    import pyarrow.parquet as pq

    for path in sorted(root.glob(pattern)):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(10_000):
                yield from batch.to_pylist()


SHARD = re.compile(r"(.+-)(\d+)(-of-(\d+)\b.*)")  # e.g. "train-00000-of-00002.parquet"


def missing_files(root: Path, patterns: Sequence[str]) -> list[str]:
    """Return the patterns that match no file, and the shards that must exist according to the names of the others."""
    absent = []
    for pattern in patterns:
        names = {path.name for path in root.glob(pattern) if path.is_file()}
        shards = [found for found in map(SHARD.fullmatch, sorted(names)) if found]
        wanted = [f"{s[1]}{i:0{len(s[2])}}{s[3]}" for s in shards for i in range(int(s[4]))]
        absent += [name for name in dict.fromkeys(wanted) if name not in names] if names else [pattern]
    return absent
