"""Captioned images of 64×64 pixels: COCO's val2017, dealt out by image.

A tenth of its 5,000 images validates and a fifth tests. The encoder is pretrained on the others, with all five captions
of each; so the tasks ask about images that it has not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dabs.data.domain import PRETRAIN, Card, Domain, Part, Rows, Workspace
from dabs.domains.images import captions, coco
from dabs.domains.images.resize import SPECS
from dabs.domains.sources.hub import BERT
from dabs.domains.sources.listing import check_count
from dabs.domains.sources.official import OfficialFiles, provided_by

SPEC = SPECS["open"]
SIDE = SPEC.height
IMAGES = 5_000
ROW_BYTES = 3 * SIDE * SIDE + 4 * coco.LENGTH
_ARCHIVES = (coco.VAL2017, replace(coco.ANNOTATIONS, provides=("annotations/captions_val2017.json",)))
COCO = OfficialFiles(name="mscoco", expects=provided_by(_ARCHIVES), archives=_ARCHIVES)
_TEXTS = coco.vqa_texts("Val")
VQA = OfficialFiles(name="vqa", expects=provided_by(_TEXTS), archives=_TEXTS)


def build_pretraining(workspace: Workspace) -> Iterator[Rows]:
    """Yield the images that are not tested on, once with each of their captions."""
    root = workspace.sources[COCO.name]
    check_count(workspace, len(captions.list_coco(root, "val2017")), IMAGES)
    yield from coco.decode_splits(workspace, PRETRAIN, captions.list_dealt_captions(root), SIDE)


def build_mismatched(workspace: Workspace) -> Iterator[Rows]:
    """Yield images with their own caption or that of another image."""
    listing = captions.list_dealt_mismatched(workspace.sources[COCO.name])
    yield from coco.decode_splits(workspace, "mismatched_caption", listing, SIDE)


def build_vqa(workspace: Workspace) -> Iterator[Rows]:
    """Yield images with a question and a right or wrong answer."""
    listing = captions.list_dealt_questions(workspace.sources[COCO.name], workspace.sources[VQA.name])
    yield from coco.decode_splits(workspace, "vqa", listing, SIDE)


CARD = Card(
    title="MSCOCO 2017 captions, val2017",
    origin="recorded",
    licence="annotations CC BY 4.0; each image under its own licence on Flickr",
    citation="Lin et al., Microsoft COCO: common objects in context, ECCV 2014, arXiv:1405.0312; Chen et al., "
    "Microsoft COCO captions: data collection and evaluation server, arXiv:1504.00325",
    source="https://cocodataset.org: the 5,000 images of val2017, dealt out by their numbers' hashes: 70 % train, 10 % "
    "validate, 20 % test; five captions each",
    size="1.1 GB of archives; prepared 250 MB at 64×64",
    notes="The publisher gives no checksums; MD5 and sizes are those that several public readers check. Licences are "
    "recalled, not checked. With 3,500 images this is a small set: 10,000 steps read each caption 37 times.",
)
VQA_CARD = Card(
    title="VQA v1, multiple choice, about the images of val2017",
    origin="recorded",
    licence="annotations CC BY 4.0; each image under its own licence on Flickr",
    citation="Antol et al., VQA: visual question answering, ICCV 2015, arXiv:1505.00468",
    source="https://visualqa.org/vqa_v1_download.html; the questions of val2014 about the images that are in val2017, "
    "in the splits of their images",
    size="about 30 MB of archives beside COCO's; prepared about 190 MB at 64×64",
    notes="The publisher gives no checksums; the SHA-256 are those of ParlAI. About three questions an image. "
    "No question is used in pretraining, and no image of the test split.",
)
MISMATCHED_CARD = replace(
    CARD,
    title="MSCOCO 2017, val2017, mismatched captions",
    size="1.1 GB of archives; prepared 62 MB at 64×64",
    notes="One caption an image; half of them in each split are those of another image (seed 42, as in `paper`).",
)

OPEN = Domain(
    name="captioned_images",
    suite="open",
    title="Captioned images",
    specs=(SPEC, coco.TOKENS),
    card=CARD,
    tasks=(
        coco.make_task("mismatched_caption", "Does the caption belong to the image?", MISMATCHED_CARD),
        coco.make_task("vqa", "Is this the right answer to the question about the image?", VQA_CARD),
    ),
    parts=(
        Part(dataset=PRETRAIN, sources=(COCO, BERT), build=build_pretraining, prepared=4 * IMAGES * ROW_BYTES),
        Part(dataset="mismatched_caption", sources=(COCO, BERT), build=build_mismatched, prepared=IMAGES * ROW_BYTES),
        Part(dataset="vqa", sources=(COCO, VQA, BERT), build=build_vqa, prepared=3 * IMAGES * ROW_BYTES),
    ),
    encoder="paper",
    steps=10_000,
    batch_size=64,
)
