"""Text streamed in several languages, interleaved evenly and shuffled in a bounded buffer; goes on where it stopped.

The stream is written down as rows of token ids once, at preparation: as many as the standard budget of steps looks at,
so that a run sees each document once, the order of a run depends on its seed alone, and nothing is fetched while it
trains. What was tokenized before an interruption is kept, together with the place in each language's stream.
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

from dabs.data.domain import BuildError
from dabs.domains.sources.hub import encode
from dabs.errors import DabsError
from dabs.utils.files import raw_home, replacing, write_json
from dabs.utils.strict_json import read_json

if TYPE_CHECKING:
    from datasets import IterableDataset

MOST_CHARACTERS = 8192  # of a document: 128 pieces are at most 16 characters each


@dataclass(frozen=True, kw_only=True)
class HubStream:
    """Text files of a repository on the hub that are too large to download, or some of them in a local folder.

    Attributes:
        name: the dataset's folder under `raw_home()`.
        repo: e.g. "allenai/c4".
        pattern: the files of a language and a split, with {language} and {split} in it.
        languages: all of them.
        splits: our split -> the word in the files' names.
    """

    name: str
    repo: str
    pattern: str
    languages: tuple[str, ...]
    splits: dict[str, str] = field(default_factory=dict)

    def describe(self) -> dict[str, str]:
        """For the manifest."""
        return {"name": self.name, "repo": self.repo, "files": self.pattern}

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        """The local folder; where it does not hold every language, the hub is asked whether it does.

        Raises:
            DabsError: neither does.
        """
        for language in self.languages:
            for split in self.splits:
                self.files(language, split)
        return raw_home() / self.name

    def files(self, language: str, split: str) -> list[str]:
        """Paths or hub addresses of the files of a language and a split, sorted."""
        pattern = self.pattern.format(language=language, split=self.splits[split])
        root = raw_home() / self.name
        local = sorted(str(path) for path in root.glob(pattern))
        if local:
            return local
        from huggingface_hub import HfFileSystem

        reason = "it has no such files"
        try:
            found = sorted(str(path) for path in HfFileSystem().glob(f"datasets/{self.repo}/{pattern}"))
        except Exception as error:  # of the client, of the HTTP library, of the system
            found, reason = [], f"{(str(error).strip() or type(error).__name__).splitlines()[0].rstrip('.')}"
        if not found:
            raise DabsError(
                f"{self.repo} cannot be streamed from the Hugging Face hub: {reason}.\n"
                f"Without a network, put some of its files for every language into {root}, e.g. with\n"
                f"  hf download {self.repo} --repo-type dataset --include '{pattern}' --local-dir {root}\n"
                "(a few files of each language are enough), and run the same command again; or name a folder that "
                f"holds {self.name}/ with --data-dir DIR, or a mirror with HF_ENDPOINT."
            )
        return [f"hf://{path}" for path in found]


def interleaved(files: dict[str, list[str]], seed: int) -> IterableDataset:
    """One document of each language in turn, with its language, until the first language has no more.

    Args:
        files: language -> its files; their order is drawn with `seed`, so that a part of them is a fair part.
        seed: of that draw.
    """
    import datasets

    streams = []
    for number, (language, paths) in enumerate(files.items()):
        order = np.random.Generator(np.random.PCG64([seed, number])).permutation(len(paths))
        stream = datasets.load_dataset("json", data_files=[paths[i] for i in order], split="train", streaming=True)
        streams.append(stream.select_columns(["text"]).map(_tagged, fn_kwargs={"language": language}))
    return datasets.interleave_datasets(streams, stopping_strategy="first_exhausted")


def _tagged(row: dict[str, Any], language: str) -> dict[str, Any]:
    return {"text": row["text"][:MOST_CHARACTERS], "language": language}


@dataclass(frozen=True, kw_only=True)
class TokenStream:
    """Blocks of token ids made of a stream, kept in a folder until all are there.

    Attributes:
        stream: rows with `text` and `language`.
        tokenizer: a tokenizer.json.
        length: tokens in a row.
        rows: how many at most.
        buffer: documents that are held and shuffled at a time; one block.
        seed: of the shuffling.
        folder: where finished blocks and the place in the stream are kept.
    """

    stream: IterableDataset
    tokenizer: Path
    length: int
    rows: int
    buffer: int
    seed: int
    folder: Path

    def blocks(self, say: Callable[[str], None]) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Token ids int32 (n, length) and languages of each block, the ones that were kept first.

        Raises:
            DabsError: the stream broke; what is done is kept.
        """
        made, rows = 0, None
        for number in range(-(-self.rows // self.buffer)):
            wanted = min(self.buffer, self.rows - made)
            if not self._kept(number).exists():
                say(f"streaming and tokenizing, {made:,} of {self.rows:,} documents")
                rows = self._rows_from(number) if rows is None else rows
                if not self._make(number, wanted, rows):
                    return
            with np.load(self._kept(number), allow_pickle=False) as block:
                ids, languages = block["ids"], block["languages"].tolist()
            yield ids, languages
            made += len(ids)
            if len(ids) < wanted:
                return

    def _kept(self, number: int) -> Path:
        return self.folder / f"{number:05}.npz"

    def _rows_from(self, number: int) -> Iterator[dict[str, str]]:
        """The stream from the first row of a block on; what comes before is passed over where it is stored."""
        if number:
            self.stream.load_state_dict(read_json(self._state(number)))
        return iter(self.stream)

    def _make(self, number: int, wanted: int, rows: Iterator[dict[str, str]]) -> int:
        """Read and write one block; gives its rows. The place behind it is written first, so a block always has one."""
        texts, languages = [], []
        try:
            for row in islice(rows, wanted):
                texts.append(row["text"])
                languages.append(row["language"])
        except Exception as error:  # of the hub's client, of the HTTP library, of the system, of damaged JSON
            raise DabsError(
                f"the stream broke in block {number} ({type(error).__name__}: {error}). {number} blocks are kept in "
                f"{self.folder}; run the same command again to go on from there."
            ) from error
        if texts:
            write_json(self._state(number + 1), json.loads(json.dumps(self.stream.state_dict())))
            order = np.random.Generator(np.random.PCG64([self.seed, number])).permutation(len(texts))
            ids = encode(self.tokenizer, [texts[i] for i in order], None, self.length)
            with replacing(self._kept(number)) as temporary, open(temporary, "wb") as handle:
                np.savez(handle, ids=ids, languages=np.array([languages[i] for i in order]))
        return len(texts)

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:05}.state.json"

    def forget(self) -> None:
        """Remove what was kept."""
        shutil.rmtree(self.folder, ignore_errors=True)


def check_whole(rows: int, what: str) -> None:
    """Refuse a stream that gave nothing.

    Raises:
        BuildError: it did.
    """
    if not rows:
        raise BuildError(f"{what}: the files hold no document. Get them again.")
