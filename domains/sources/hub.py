"""Files of the Hugging Face hub: from a local copy, from the hub, or offline from its cache; tokenizers by name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dabs.errors import DabsError
from dabs.utils.files import raw_home

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER = "DABS_TOKENIZER"  # the variable that `--tokenizer` sets


@dataclass(frozen=True, kw_only=True)
class HubFiles:
    """Some files of a dataset's repository on the hub, or the same data as a user keeps it.

    Attributes:
        name: the dataset's folder under `raw_home()`, and the key of `Workspace.sources`.
        repo: e.g. "nyu-mll/glue".
        patterns: what is taken of the repository; the same layout is looked for in the local folder.
        layouts: other layouts that are read too, each the patterns that must all match.
    """

    name: str
    repo: str
    patterns: tuple[str, ...]
    layouts: tuple[tuple[str, ...], ...] = ()

    def describe(self) -> dict[str, str]:
        """For the manifest."""
        return {"name": self.name, "repo": self.repo, "files": " ".join(self.patterns)}

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """The folder that holds one of the layouts: the user's, else a snapshot in the hub's cache.

        Raises:
            DabsError: no local copy, and the hub (or its cache, where HF_HUB_OFFLINE is set) does not have it.
        """
        root = raw_home() / self.name
        if any(not lacking(root, layout) for layout in (self.patterns, *self.layouts)):
            return root
        say(f"fetching {self.repo} from the hub")
        from huggingface_hub import snapshot_download

        try:
            found = Path(str(snapshot_download(self.repo, repo_type="dataset", allow_patterns=list(self.patterns))))
        except Exception as error:  # the hub's client raises its own, the HTTP library's and the system's
            raise self._unreachable(root, _first_line(error)) from error
        if absent := lacking(found, self.patterns):  # an older snapshot, kept by another task of the same repository
            raise self._unreachable(root, f"the cached copy {found} lacks {', '.join(absent)}")
        return found

    def _unreachable(self, root: Path, reason: str) -> DabsError:
        layouts = "\n".join(f"  {', '.join(layout)}" for layout in (self.patterns, *self.layouts))
        wanted = " ".join(f"--include '{pattern}'" for pattern in self.patterns)
        absent = lacking(root, self.patterns)
        if root.is_dir() and set(absent) - set(self.patterns):  # a part of a pattern's files is there
            reason = f"{reason}; {root} lacks {', '.join(absent)}"
        return DabsError(
            f"{self.repo} cannot be had from the Hugging Face hub: {reason}.\n"
            f"Where there is a network: hf download {self.repo} --repo-type dataset {wanted} --local-dir {root}\n"
            f"Or put a copy into {root}, in one of these layouts:\n{layouts}\n"
            "Then run the same command again. A mirror is named by HF_ENDPOINT; a copy elsewhere by --data-dir DIR, a "
            f"folder that holds {self.name}/."
        )


@dataclass(frozen=True, kw_only=True)
class HubTokenizer:
    """A tokenizer.json of the Hugging Face hub, or a local one instead.

    Attributes:
        name: e.g. "bert-base-uncased"; also the folder under `raw_home()` where a local copy is looked for.
        repo: e.g. "google-bert/bert-base-uncased".
        vocabulary: pieces it has; a local one may have fewer, never more.
        pad: the id of padding.
    """

    name: str
    repo: str
    vocabulary: int
    pad: int

    def describe(self) -> dict[str, str]:
        """For the manifest."""
        given = os.environ.get(TOKENIZER)
        return {"name": self.name, "repo": self.repo} | ({"replaced": Path(given).name} if given else {})

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """The path of the tokenizer.json: `--tokenizer`, else under `raw_home()`, else the hub's or its cache's.

        Raises:
            DabsError: none of them is there, or it does not fit the encoder's table of embeddings.
        """
        given = os.environ.get(TOKENIZER)
        path = Path(given).expanduser() if given else raw_home() / self.name
        path = path / "tokenizer.json" if path.is_dir() else path
        if not path.is_file():
            if given:
                raise DabsError(f"--tokenizer: there is no {path}. Name a tokenizer.json, or a folder that holds one.")
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
                f"the tokenizer {self.name} is neither here nor to be had from the Hugging Face hub: "
                f"{_first_line(error)}. Where there is a network: hf download {self.repo} tokenizer.json --local-dir "
                f"{raw_home() / self.name}; then run the same command again. Or give another one with --tokenizer PATH "
                "(a tokenizer.json of at most as many pieces; results with another tokenizer carry another data hash "
                "and are not compared)."
            ) from error

    def _check(self, path: Path) -> None:
        tokenizer = load_tokenizer(path)
        size, pad = tokenizer.get_vocab_size(), _pad_of(tokenizer)
        if size > self.vocabulary or pad != self.pad:
            raise DabsError(
                f"{path} has {size:,} pieces and pads with the id {pad}; {self.name} has {self.vocabulary:,} and pads "
                f"with {self.pad}. Give a tokenizer of at most as many pieces whose [PAD] or <pad> has that id."
            )


BERT = HubTokenizer(name="bert-base-uncased", repo="google-bert/bert-base-uncased", vocabulary=30_522, pad=0)
XLM_R = HubTokenizer(name="xlm-roberta-base", repo="FacebookAI/xlm-roberta-base", vocabulary=250_002, pad=1)


@lru_cache(maxsize=2)
def load_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer from its tokenizer.json; the one of XLM-R takes a second to read.

    Raises:
        DabsError: it is not one.
    """
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise DabsError(f"{path} is not a tokenizer.json ({_first_line(error)}). Get it again.") from error


def encode(tokenizer_json: Path, first: Sequence[str], second: Sequence[str] | None, length: int) -> np.ndarray:
    """Token ids with the tokenizer's own special tokens, cut at `length` and padded: int32 (n, length).

    Args:
        tokenizer_json: as `HubTokenizer.fetch` gives it (`workspace.sources["bert-base-uncased"]`).
        first, second: n texts, or n pairs of texts; of a pair, the longer text is cut first.
        length: tokens in a row.
    """
    tokenizer = load_tokenizer(tokenizer_json)
    tokenizer.enable_truncation(length, strategy="longest_first")
    tokenizer.enable_padding(length=length, pad_id=_pad_of(tokenizer))
    texts: Any = list(first) if second is None else list(zip(first, second, strict=True))
    return np.array([e.ids for e in tokenizer.encode_batch(texts)], np.int32).reshape(-1, length)


def _pad_of(tokenizer: Tokenizer) -> int:
    found = [tokenizer.token_to_id(name) for name in ("[PAD]", "<pad>")]
    return next((number for number in found if number is not None), -1)


def read_parquet(root: Path, pattern: str) -> Iterator[dict[str, Any]]:
    """The rows of a split's parquet files in order; few are held at a time."""
    import pyarrow.parquet as pq

    for path in sorted(root.glob(pattern)):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(10_000):
                yield from batch.to_pylist()


SHARD = re.compile(r"(.+-)(\d+)(-of-(\d+)\b.*)")  # "train-00000-of-00002.parquet"


def lacking(root: Path, patterns: Sequence[str]) -> list[str]:
    """What is not there: patterns without a file, and files whose neighbours say that there must be more of them."""
    absent = []
    for pattern in patterns:
        names = {path.name for path in root.glob(pattern) if path.is_file()}
        shards = [found for found in map(SHARD.fullmatch, sorted(names)) if found]
        wanted = [f"{s[1]}{i:0{len(s[2])}}{s[3]}" for s in shards for i in range(int(s[4]))]
        absent += [name for name in dict.fromkeys(wanted) if name not in names] if names else [pattern]
    return absent


def _first_line(error: BaseException) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return text.rstrip(".")
