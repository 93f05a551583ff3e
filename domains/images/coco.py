"""COCO 2017 and VQA v1: archives, rows of an image with its tokens, questions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from dabs.data.domain import Card, Classes, Rows, Task, Workspace
from dabs.domains.images.resize import resize_coco
from dabs.domains.sources.decode import decode_rows
from dabs.domains.sources.hub import BERT, encode
from dabs.domains.sources.listing import Item, Listing
from dabs.domains.sources.official import Archive
from dabs.specs import Tokens

LENGTH = 32  # tokens
TOKENS = Tokens(length=LENGTH, vocabulary=BERT.vocabulary)
COCO_URL = "http://images.cocodataset.org"
_VQA_URL = "https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa"
# The publishers give no checksums. COCO's are those that several libraries check, VQA's are ParlAI's.
TRAIN2017 = Archive(
    url=f"{COCO_URL}/zips/train2017.zip",
    checksum="md5:cced6f7f71b7629ddf16f17bbcfab6b2",
    size=19_336_861_798,
    provides=("train2017/*.jpg",),
)
VAL2017 = Archive(
    url=f"{COCO_URL}/zips/val2017.zip",
    checksum="md5:442b8da7639aecaf257c1dceb8ba8c80",
    size=815_585_330,
    provides=("val2017/*.jpg",),
)
ANNOTATIONS = Archive(
    url=f"{COCO_URL}/annotations/annotations_trainval2017.zip",
    checksum="md5:f4bbac642086de4f52a3fdda2de5fa2c",
    size=252_907_541,
    unpacked=820_000_000,
    provides=("annotations/captions_train2017.json", "annotations/captions_val2017.json"),
)
_VQA_SHA256 = {
    "Questions_Train": "c3b2bb6155528eeae95e0a914af394d6f0d98f8f2b51012c44b27778e1a96707",
    "Questions_Val": "e8839be5de2d711989bf0adc82e6717d1ce307d27c9b1dfb0abf413b79a5d4d0",
    "Annotations_Train": "a5f5f97c162a4ad44896be08bac6deaa258aa3fec281afcc84fe85ae44cb1ebc",
    "Annotations_Val": "29377c35186d90aeab3e61bdad890f51215d1f88b700bd22ef19004d73bf284f",
}
_VQA_BYTES = 15_000_000  # about, of an archive; it unpacks to five times that


def vqa_archive(url: str, *provides: str, checksum: str = "", size: int, unpacked: int = 0) -> Archive:
    """Return an archive that is unpacked into `coco-vqa/`; `provides` are paths in there."""
    patterns = tuple(f"coco-vqa/{pattern}" for pattern in provides)
    return Archive(url=url, checksum=checksum, size=size, unpacked=unpacked, into="coco-vqa", provides=patterns)


def vqa_texts(*subsets: str) -> tuple[Archive, ...]:
    """Return the answers, then the questions, of "Train" or "Val"."""
    files = [("Annotations", "mscoco_{}2014_annotations"), ("Questions", "MultipleChoice_mscoco_{}2014_questions")]
    return tuple(
        vqa_archive(
            f"{_VQA_URL}/{kind}_{subset}_mscoco.zip",
            f"{name.format(subset.lower())}.json",
            checksum=f"sha256:{_VQA_SHA256[f'{kind}_{subset}']}",
            size=_VQA_BYTES,
            unpacked=5 * _VQA_BYTES,
        )
        for kind, name in files
        for subset in subsets
    )


def decode_splits(workspace: Workspace, dataset: str, listing: Listing, side: int) -> Iterator[Rows]:
    """Yield the images of every split, `side` by `side` pixels, with their tokens."""
    for split, items in listing.items():
        workspace.say(f"decoding {len(items):,} images of {dataset}/{split}")
        tokens = _encode_texts(workspace, items)
        yield from decode_rows(dataset, split, items, partial(resize_coco, side=side), tokens)


def _encode_texts(workspace: Workspace, items: list[Item]) -> np.ndarray:
    """Encode captions, or questions with an answer: int32 (items, 32)."""
    first = [item.text[0] for item in items]
    second = [item.text[1] for item in items] if len(items[0].text) == 2 else None
    return encode(workspace.sources[BERT.name], first, second, LENGTH)


def make_task(name: str, question: str, card: Card) -> Task:
    """Return a task whose answer is yes or no; its images are never in two splits."""
    target = Classes(names=("no", "yes"))
    return Task(name=name, question=question, target=target, metric="accuracy", split_by="image", card=card)
