"""Subword vocabularies trained on a domain's own text, and encoding with them.

A build must give the same bytes on every machine, so training must be deterministic. The WordPiece trainer of the
`tokenizers` library numbers continuation pieces in the order of a hash map and breaks ties by these numbers; naming
the pieces beforehand, in sorted order, avoids this. Its Unigram trainer cannot be made deterministic, because it
processes texts in hash order and its scores differ from run to run; the multilingual vocabulary is therefore a
byte-pair encoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dabs.data.domain import BuildError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, UNKNOWN = "[PAD]", "[UNK]"  # ids 0 and 1
_PREFIX = "##"  # WordPiece marks a piece that continues a word


def train_wordpiece(texts: Sequence[str], size: int) -> bytes:
    """Train a lower-case WordPiece vocabulary of at most `size` pieces and return its tokenizer.json.

    Words are split at spaces and punctuation, and accents are dropped, as in BERT (Devlin et al., NAACL 2019).
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    normalizer = normalizers.BertNormalizer(lowercase=True)
    alphabet = sorted({c for text in texts for c in normalizer.normalize_str(text) if not c.isspace()})
    named = [PAD, UNKNOWN, *(_PREFIX + c for c in alphabet)]  # fixes the numbers by which ties are broken

    def untrained(vocabulary: dict[str, int]) -> Tokenizer:
        tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN, continuing_subword_prefix=_PREFIX))
        tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return tokenizer

    trained = untrained({PAD: 0, UNKNOWN: 1})
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=named, show_progress=False)
    trained.train_from_iterator(texts, trainer)
    # a fresh tokenizer, because the trained one would treat the named pieces as special tokens everywhere
    return _to_bytes(untrained(trained.get_vocab()), size)


def train_bpe(texts: Sequence[str], size: int) -> bytes:
    """Train a byte-pair vocabulary of at most `size` pieces for any script and return its tokenizer.json.

    Text is normalised to NFKC and lower case and split at spaces, punctuation and digits. Pieces do not mark the start
    of a word, so they also suit scripts without spaces (Sennrich et al., ACL 2016).
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[PAD, UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return _to_bytes(tokenizer, size)


def _to_bytes(tokenizer: Tokenizer, size: int) -> bytes:
    """Return the tokenizer.json; the trainers keep every character, so there may be too many pieces for the spec."""
    if tokenizer.get_vocab_size() > size:
        raise BuildError(f"the text has too many characters for {size} pieces; it needs {tokenizer.get_vocab_size()}.")
    return tokenizer.to_str(pretty=True).encode()


def encode_whole(tokenizer_json: bytes, texts: Iterable[str]) -> list[list[int]]:
    """Return the token ids of each text, neither truncated nor padded."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(tokenizer_json)
    return [e.ids for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def encode(tokenizer_json: bytes, texts: Iterable[str], length: int) -> np.ndarray:
    """Return token ids, int32 (n, length), truncated to `length` and padded with 0."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(tokenizer_json)
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length, pad_id=0, pad_token=PAD)
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return np.array([e.ids for e in encodings], np.int32).reshape(-1, length)
