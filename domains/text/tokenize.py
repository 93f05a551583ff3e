"""Subword vocabularies trained on a domain's own text, and the encoding of texts as fixed-length rows of token ids.

Two builds must give the same bytes on every machine, so only trainers that are deterministic are used. The `tokenizers`
WordPiece trainer numbers continuation pieces in the order of a hash map and breaks ties by these numbers; naming them
beforehand, in sorted order, removes that. Its Unigram trainer cannot be made deterministic (it feeds its estimation in
hash order and the scores differ from run to run), which is why the multilingual vocabulary is byte-pair encoding.
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
    """A lower-case WordPiece vocabulary of at most `size` pieces; gives the bytes of its tokenizer.json.

    Words are split at spaces and punctuation and accents are dropped, as for BERT (Devlin et al., NAACL 2019).
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    normalizer = normalizers.BertNormalizer(lowercase=True)
    alphabet = sorted({c for text in texts for c in normalizer.normalize_str(text) if not c.isspace()})
    named = [PAD, UNKNOWN, *(_PREFIX + c for c in alphabet)]  # fixes the numbers that ties are broken by

    def _empty(vocabulary: dict[str, int]) -> Tokenizer:
        tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN, continuing_subword_prefix=_PREFIX))
        tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return tokenizer

    trained = _empty({PAD: 0, UNKNOWN: 1})
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=named, show_progress=False)
    trained.train_from_iterator(texts, trainer)
    # a fresh tokenizer, because the one trained would treat the named pieces as special wherever they stand
    return _bytes_of(_empty(trained.get_vocab()), size)


def train_bpe(texts: Sequence[str], size: int) -> bytes:
    """A byte-pair vocabulary of at most `size` pieces over any scripts; gives the bytes of its tokenizer.json.

    Text is put into compatibility form (NFKC) and lower case and split at spaces, punctuation and digits. Pieces do not
    mark where a word starts, so that they also serve scripts without spaces (Sennrich et al., ACL 2016).
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[PAD, UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return _bytes_of(tokenizer, size)


def _bytes_of(tokenizer: Tokenizer, size: int) -> bytes:
    """The tokenizer.json; refuses more pieces than the input spec has room for (the trainers keep every character)."""
    if tokenizer.get_vocab_size() > size:
        raise BuildError(
            f"the text has too many characters for {size} pieces: {tokenizer.get_vocab_size()} are needed."
        )
    return tokenizer.to_str(pretty=True).encode()


def encode_whole(tokenizer_json: bytes, texts: Iterable[str]) -> list[list[int]]:
    """Token ids of each text, neither cut nor filled up."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(tokenizer_json)
    return [e.ids for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def encode(tokenizer_json: bytes, texts: Iterable[str], length: int) -> np.ndarray:
    """Token ids, int32 (n, length): cut at `length`, filled up with 0, the padding."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(tokenizer_json)
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length, pad_id=0, pad_token=PAD)
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return np.array([e.ids for e in encodings], np.int32).reshape(-1, length)
