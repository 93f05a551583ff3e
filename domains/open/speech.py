"""Speech, one second at a time: LibriSpeech; speakers, digits and commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from dabs.data.domain import PRETRAIN, TEST, TRAIN, Card, Domain, Part, Rows, Source, Workspace
from dabs.domains.audio import clip_sets
from dabs.domains.audio.second_clips import FRAMES, second_spectrograms
from dabs.domains.audio.speech_sets import (
    AUDIO_MNIST,
    AUDIO_MNIST_DIGITS,
    LIBRISPEECH_PAPER,
    LIBRISPEECH_SPEAKERS,
    librispeech_archive,
    make_task,
)
from dabs.domains.sources.decode import decode_rows
from dabs.domains.sources.listing import Listing, check_count
from dabs.domains.sources.official import Archive, OfficialFiles, provided_by
from dabs.specs import Image

_SUBSETS = tuple(librispeech_archive(subset) for subset in ("dev-clean", "dev-other"))
LIBRISPEECH = OfficialFiles(name="librispeech", expects=provided_by(_SUBSETS), archives=_SUBSETS)
LIBRISPEECH_CLEAN = OfficialFiles(name="librispeech", expects=_SUBSETS[0].provides, archives=_SUBSETS[:1])
COMMANDS = OfficialFiles(
    name="speech_commands_test",
    expects=("yes/*_nohash_*.wav", "stop/*_nohash_*.wav"),
    archives=(
        Archive(
            url="https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_test_set_v0.02.tar.gz",
            checksum="sha256:cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
            size=112_563_277,
            unpacked=157_000_000,
        ),
    ),
)
# clips in all splits
COUNTS = {PRETRAIN: 2_703 + 2_864, "librispeech": 2_703, "audio_mnist": 30_000, "spoken_command": 4_074}
ROW_BYTES = 2 * FRAMES * FRAMES


def build_pretraining(workspace: Workspace) -> Iterator[Rows]:
    """Yield LibriSpeech dev-clean and dev-other without labels, and without the test clips of the task on speakers."""
    root = workspace.sources[LIBRISPEECH.name]
    tested = {item.group for item in clip_sets.list_librispeech(root)[TEST]}
    count = len(tested)
    for split, items in clip_sets.list_librispeech_dev(root, tested).items():
        workspace.say(f"decoding {len(items):,} clips of LibriSpeech {split}")
        count += len(items)
        yield from decode_rows(PRETRAIN, split, items, partial(second_spectrograms, every=True))
    check_count(workspace, count, COUNTS[PRETRAIN])


def build_task(workspace: Workspace, name: str, source: str, list_items: Callable[[Path], Listing]) -> Iterator[Rows]:
    """Yield the splits of a labelled dataset: every second of a training clip, the middle one of the others."""
    listing = list_items(workspace.sources[source])
    check_count(workspace, sum(map(len, listing.values())), COUNTS[name])
    for split, items in listing.items():
        workspace.say(f"decoding {len(items):,} clips of {name} {split}")
        yield from decode_rows(name, split, items, partial(second_spectrograms, every=split == TRAIN))


CARD = Card(
    title="LibriSpeech dev-clean and dev-other",
    origin="recorded",
    licence="CC BY 4.0",
    citation=LIBRISPEECH_PAPER,
    source="https://www.openslr.org/12: 5,567 clips of 73 speakers, about 10 hours; a tenth of the speakers of "
    "dev-other validates",
    size="652 MB of archives; prepared about 300 MB",
    notes="Checksums are torchaudio's; the licence, the numbers of clips and the sizes are recalled. The clips of "
    "dev-clean that the task `librispeech` tests on are left out.",
)
SPEAKERS = replace(
    LIBRISPEECH_SPEAKERS,
    question="Which of 40 speakers reads this second?",
    card=Card(
        title="LibriSpeech dev-clean, speakers",
        origin="recorded",
        licence="CC BY 4.0",
        citation=LIBRISPEECH_PAPER,
        source="https://www.openslr.org/12: the 2,703 clips of dev-clean, split as in `paper`, 70/10/20 within each "
        "speaker",
        size="338 MB archive; prepared about 110 MB",
        notes="As in the paper, clips of a chapter are in several splits: its acoustics help. One second a test clip.",
    ),
)
DIGITS = replace(
    AUDIO_MNIST_DIGITS,
    card=Card(
        title="AudioMNIST",
        origin="recorded",
        licence="MIT",
        citation="Becker et al., AudioMNIST: exploring explainable artificial intelligence for audio analysis on a "
        "simple benchmark, Journal of the Franklin Institute 2024, arXiv:1807.03418",
        source="https://github.com/soerenab/AudioMNIST; 30,000 clips of 60 speakers (36, 12 and 12, as in `paper`)",
        size="about 1 GB; prepared 250 MB",
        notes="The publisher gives no checksum; the SHA-256 of the first download is kept beside the data and a later "
        "one must have it too. 48 kHz, resampled to 16 kHz. Licence and size are recalled.",
    ),
)
COMMAND = make_task(
    "spoken_command",
    "Which of ten commands is spoken, by a speaker not heard in training?",
    clip_sets.COMMANDS,
    "speaker",
    Card(
        title="Speech Commands v0.02, the ten commands of its test archive",
        origin="recorded",
        licence="CC BY 4.0",
        citation="Warden, Speech Commands: a dataset for limited-vocabulary speech recognition, arXiv:1804.03209 "
        "(2018)",
        source="https://download.tensorflow.org/data/speech_commands_test_set_v0.02.tar.gz; about 4,074 clips, dealt "
        "out by the hashes of their speakers: 70 % train, 10 % validate, 20 % test",
        size="113 MB archive; prepared 34 MB",
        notes="The full archive (2.4 GB, 35 words) is the task google_speech of `paper`. Unknown words and silence are "
        "left out. SHA-256 and size are those that several public readers check; the licence is in the archive, the "
        "number of clips is recalled.",
    ),
)
LABELLED: dict[str, tuple[Source, Callable[[Path], Listing], int]] = {  # and about how many seconds there are
    "librispeech": (LIBRISPEECH_CLEAN, clip_sets.list_librispeech, 13_500),
    "audio_mnist": (AUDIO_MNIST, clip_sets.list_audio_mnist, COUNTS["audio_mnist"]),
    "spoken_command": (COMMANDS, clip_sets.list_commands, COUNTS["spoken_command"]),
}

OPEN = Domain(
    name="speech",
    suite="open",
    title="Speech",
    specs=(Image(height=FRAMES, width=FRAMES, channels=1, patch=8),),
    card=CARD,
    tasks=(SPEAKERS, DIGITS, COMMAND),
    parts=(
        Part(dataset=PRETRAIN, sources=(LIBRISPEECH,), build=build_pretraining, prepared=36_000 * ROW_BYTES),
        *(
            Part(
                dataset=name,
                sources=(source,),
                build=partial(build_task, name=name, source=source.name, list_items=list_items),
                prepared=seconds * ROW_BYTES,
            )
            for name, (source, list_items, seconds) in LABELLED.items()
        ),
    ),
    encoder="paper",
    steps=20_000,
    batch_size=64,
)
