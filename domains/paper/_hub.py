"""Tokenizers by their hub names, or from a local file; and texts or pairs of texts as rows of token ids."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dabs.errors import DabsError
from dabs.home import raw_home


@dataclass(frozen=True, kw_only=True)
class HubTokenizer:
    """A tokenizer.json of the Hugging Face hub.

    Attributes:
        name: e.g. "bert-base-uncased"; also the folder under `raw_home()` where a local copy is looked for.
        repo: e.g. "google-bert/bert-base-uncased".
        vocabulary: pieces it has; a local one may have fewer, never more.
    """

    name: str
    repo: str
    vocabulary: int

    def describe(self) -> dict[str, str]:
        """For the manifest."""
        return {"tokenizer": self.name, "repo": self.repo}

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """The path of the tokenizer.json.

        Raises:
            DabsError: neither a local one nor the hub's can be had.
        """
        given = os.environ.get("DABS_TOKENIZER")
        path = Path(given) if given else raw_home() / self.name
        path = path / "tokenizer.json" if path.is_dir() else path
        if path.is_file():
            return path
        raise DabsError(f"there is no tokenizer {path}.")


BERT = HubTokenizer(name="bert-base-uncased", repo="google-bert/bert-base-uncased", vocabulary=30_522)
XLM_R = HubTokenizer(name="xlm-roberta-base", repo="FacebookAI/xlm-roberta-base", vocabulary=250_002)


def encode(tokenizer_json: Path, first: Sequence[str], second: Sequence[str] | None, length: int) -> np.ndarray:
    """Token ids with the tokenizer's own special tokens, cut at `length` and padded: int32 (n, length).

    Args:
        tokenizer_json: as `HubTokenizer.fetch` gives it (`workspace.sources["bert-base-uncased"]`).
        first, second: n texts, or n pairs of texts; of a pair, the longer text is cut first.
        length: tokens in a row.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.enable_truncation(length, strategy="longest_first")
    tokenizer.enable_padding(length=length, pad_id=pad_of(tokenizer_json))
    texts = list(first) if second is None else list(zip(first, second, strict=True))
    return np.array([e.ids for e in tokenizer.encode_batch(texts)], np.int32).reshape(-1, length)


def pad_of(tokenizer_json: Path) -> int:
    """The id of padding: 0 for BERT's, 1 for XLM-R's."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    found = [tokenizer.token_to_id(name) for name in ("[PAD]", "<pad>")]
    return next((number for number in found if number is not None), 0)
