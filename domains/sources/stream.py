"""Text streamed in several languages, interleaved, shuffled and resumable.

The stream is stored as rows of token ids once, during preparation, with as many rows as the standard budget of steps
reads. So a run sees each document once, its order depends on its seed alone, and training needs no network. After an
interruption, the blocks that were already tokenized are kept, together with the position in each language's stream.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dabs.data.domain import BuildError, Footprint
from dabs.domains.sources.hub import encode
from dabs.errors import DabsError, first_line
from dabs.utils.files import raw_home, replacing, write_json
from dabs.utils.strict_json import read_json

if TYPE_CHECKING:
    from datasets import IterableDataset

MAX_CHARACTERS = 8192  # kept of a document: more than enough for 128 tokens


@dataclass(frozen=True, kw_only=True)
class HubStream:
    """Text files of a hub repository that are too large to download, or some of them in a local folder.

    Attributes:
        name: the dataset's folder below `raw_home()`.
        repo: e.g. "allenai/c4".
        pattern: the path of the files, with the placeholders {language} and {split}.
        languages: all languages to stream.
        splits: for each split, its name in `pattern`.
        size: about how many bytes are streamed, 0 if unknown.
        threaded: fetching only lists the files.
    """

    name: str
    repo: str
    pattern: str
    languages: tuple[str, ...]
    splits: dict[str, str] = field(default_factory=dict)
    size: int = 0
    threaded: bool = False

    def describe(self) -> dict[str, str]:
        """Return what the manifest records about this source."""
        return {"name": self.name, "repo": self.repo, "files": self.pattern}

    def footprints(self, *, missing: bool) -> dict[str, Footprint]:
        """Return what is streamed, nothing of which is kept; with `missing`, nothing if there are local files."""
        pattern = self.pattern.format(language=self.languages[0], split=next(iter(self.splits.values())))
        if missing and next((raw_home() / self.name).glob(pattern), None):
            return {}
        return {f"{self.repo} {self.pattern}": Footprint(download=self.size)}

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """Return the local folder, after checking that it or the hub has files for every language.

        Raises:
            DabsError: neither of them has.
        """
        for language in self.languages:
            for split in self.splits:
                self.files(language, split)
        return raw_home() / self.name

    def files(self, language: str, split: str) -> list[str]:
        """Return the paths, or the addresses on the hub, of the files of a language and a split, sorted."""
        pattern = self.pattern.format(language=language, split=self.splits[split])
        root = raw_home() / self.name
        local = sorted(str(path) for path in root.glob(pattern))
        if local:
            return local
        from huggingface_hub import HfFileSystem

        reason = "it has no such files"
        try:
            found = sorted(str(path) for path in HfFileSystem().glob(f"datasets/{self.repo}/{pattern}"))
        except Exception as error:  # of the hub's client, the HTTP library or the system
            found, reason = [], first_line(error)
        if not found:
            raise DabsError(
                f"{self.repo} cannot be streamed from the Hugging Face hub: {reason}.\n"
                f"To work offline, put some of its files for every language into {root}, e.g. with\n"
                f"  hf download {self.repo} --repo-type dataset --include '{pattern}' --local-dir {root}\n"
                "(a few files per language are enough), and run the same command again. --data-dir DIR names another "
                f"folder that holds {self.name}/; HF_ENDPOINT names a mirror."
            )
        return [f"hf://{path}" for path in found]


def interleave_languages(files: dict[str, list[str]], seed: int) -> IterableDataset:
    """Return a stream with one document of each language in turn, until the first language is exhausted.

    Args:
        files: the files of each language. They are read in random order, so that the first of them are a fair sample.
        seed: seeds that order.

    Returns:
        Rows with the columns `text` and `language`.
    """
    import datasets

    streams = []
    for number, (language, paths) in enumerate(files.items()):
        order = np.random.Generator(np.random.PCG64([seed, number])).permutation(len(paths))
        stream = datasets.load_dataset("json", data_files=[paths[i] for i in order], split="train", streaming=True)
        streams.append(stream.select_columns(["text"]).map(_add_language, fn_kwargs={"language": language}))
    return datasets.interleave_datasets(streams, stopping_strategy="first_exhausted")


def _add_language(row: dict[str, Any], language: str) -> dict[str, Any]:
    return {"text": row["text"][:MAX_CHARACTERS], "language": language}


@dataclass(frozen=True, kw_only=True)
class TokenStream:
    """A stream tokenized in blocks, which are kept in a folder until all of them are done.

    Attributes:
        stream: rows with the columns `text` and `language`.
        tokenizer: path of a tokenizer.json.
        length: tokens in a row.
        rows: the maximum number of rows.
        buffer: documents in a block, which are shuffled together.
        seed: seeds the shuffling.
        folder: holds the finished blocks and the position in the stream.
    """

    stream: IterableDataset
    tokenizer: Path
    length: int
    rows: int
    buffer: int
    seed: int
    folder: Path

    def blocks(self, say: Callable[[str], None]) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Yield the token ids, int32 (n, length), and the languages of each block; those kept earlier are read back.

        Raises:
            DabsError: the stream broke; the finished blocks are kept.
        """
        done, rows = 0, None
        for number in range(-(-self.rows // self.buffer)):
            wanted = min(self.buffer, self.rows - done)
            if not self._block_path(number).exists():
                say(f"streaming and tokenizing, {done:,} of {self.rows:,} documents")
                rows = self._rows_from(number) if rows is None else rows
                if not self._make_block(number, wanted, rows):
                    return
            with np.load(self._block_path(number), allow_pickle=False) as block:
                ids, languages = block["ids"], block["languages"].tolist()
            yield ids, languages
            done += len(ids)
            if len(ids) < wanted:
                return

    def _block_path(self, number: int) -> Path:
        return self.folder / f"{number:05}.npz"

    def _rows_from(self, number: int) -> Iterator[dict[str, str]]:
        """Return the stream from the first row of a block on, skipping to its stored position."""
        if number:
            self.stream.load_state_dict(read_json(self._state_path(number)))
        return iter(self.stream)

    def _make_block(self, number: int, wanted: int, rows: Iterator[dict[str, str]]) -> int:
        """Tokenize and write one block and return its number of rows.

        The position after the block is written before the block itself, so every block has one.
        """
        texts, languages = [], []
        try:
            for row in islice(rows, wanted):
                texts.append(row["text"])
                languages.append(row["language"])
        except Exception as error:  # of the hub's client, the HTTP library, the system, or damaged JSON
            raise DabsError(
                f"the stream broke in block {number} ({type(error).__name__}: {error}). {number} blocks are kept in "
                f"{self.folder}; run the same command again to resume from there."
            ) from error
        if texts:
            write_json(self._state_path(number + 1), json.loads(json.dumps(self.stream.state_dict())))
            order = np.random.Generator(np.random.PCG64([self.seed, number])).permutation(len(texts))
            ids = encode(self.tokenizer, [texts[i] for i in order], None, self.length)
            with replacing(self._block_path(number)) as temporary, open(temporary, "wb") as handle:
                np.savez(handle, ids=ids, languages=np.array([languages[i] for i in order]))
        return len(texts)

    def _state_path(self, number: int) -> Path:
        return self.folder / f"{number:05}.state.json"

    def remove_blocks(self) -> None:
        """Remove the folder with the finished blocks."""
        shutil.rmtree(self.folder, ignore_errors=True)


def check_not_empty(rows: int, what: str) -> None:
    """Check that a stream had at least one row.

    Raises:
        BuildError: it had none.
    """
    if not rows:
        raise BuildError(f"{what}: the files contain no documents. Download them again.")
