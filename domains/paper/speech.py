"""Speech: LibriSpeech; speakers, digits, commands and celebrities.

A training clip longer than the window (9.4 s) gives two rows, its head and its tail; the reference chooses one of them
at random at every access. Over two epochs both see the same windows, but here a long clip counts twice in each epoch.
Validation and test clips give only their head.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from dabs.data.domain import PRETRAIN, TRAIN, Card, Domain, Part, Rows, Source, Workspace
from dabs.domains.audio.clip_sets import (
    ACTIONS,
    CELEBRITIES,
    LIBRISPEECH_TRAIN,
    LIST_FUNCTIONS,
    LOCATIONS,
    OBJECTS,
    list_librispeech_pretraining,
)
from dabs.domains.audio.clips import DecibelStats, make_spectrograms
from dabs.domains.audio.speech_sets import (
    AUDIO_MNIST,
    AUDIO_MNIST_DIGITS,
    LIBRISPEECH_PAPER,
    LIBRISPEECH_SPEAKERS,
    librispeech_archive,
    make_task,
)
from dabs.domains.audio.words import SPEECH_COMMANDS
from dabs.domains.sources.decode import decode_rows
from dabs.domains.sources.listing import check_count
from dabs.domains.sources.official import Archive, OfficialFiles, provided_by
from dabs.specs import Image

# the reference's constants, in dB
DECIBEL_STATS = {
    PRETRAIN: DecibelStats(mean=-22.924, std=12.587),
    "librispeech": DecibelStats(mean=-22.924, std=12.587),
    "audio_mnist": DecibelStats(mean=-90.293, std=11.799),
    "fluent_speech_action": DecibelStats(mean=-31.809, std=13.127),
    "fluent_speech_object": DecibelStats(mean=-31.809, std=13.127),
    "fluent_speech_location": DecibelStats(mean=-31.809, std=13.127),
    "google_speech": DecibelStats(mean=-46.847, std=19.151),
    "voxceleb1": DecibelStats(mean=-37.075, std=19.776),
}
# clips in all splits
COUNTS = {
    PRETRAIN: 28_539 + 104_014 + 148_688 + 2_703,
    "librispeech": 2_703,
    "audio_mnist": 30_000,
    "fluent_speech_action": 23_132 + 3_118 + 3_793,
    "fluent_speech_object": 23_132 + 3_118 + 3_793,
    "fluent_speech_location": 23_132 + 3_118 + 3_793,
    "google_speech": 105_829,
    "voxceleb1": 153_516,
}


_DEV_CLEAN = librispeech_archive("dev-clean")
_SUBSETS = (_DEV_CLEAN, *(librispeech_archive(subset) for subset in LIBRISPEECH_TRAIN))
LIBRISPEECH = OfficialFiles(name="librispeech", expects=provided_by(_SUBSETS), archives=_SUBSETS)
LIBRISPEECH_DEV = OfficialFiles(name="librispeech", expects=_DEV_CLEAN.provides, archives=(_DEV_CLEAN,))
FLUENT = OfficialFiles(
    name="fluent_speech",
    expects=(
        *(f"fluent_speech_commands_dataset/data/{split}_data.csv" for split in ("train", "valid", "test")),
        "fluent_speech_commands_dataset/wavs/speakers/*/*.wav",
    ),
    instructions="""
Fluent Speech Commands is available for academic research, after agreeing to its licence:
  1. Request it at https://fluent.ai/fluent-speech-commands-a-dataset-for-spoken-language-understanding-research/ (the
     address in the paper's code no longer answers).
  2. Unpack the archive in the folder above, so that it holds fluent_speech_commands_dataset/wavs/speakers/.
""",
)
GOOGLE_SPEECH = OfficialFiles(
    name="google_speech",
    expects=tuple(
        f"SpeechCommands/speech_commands_v0.02/{name}"
        for name in ("validation_list.txt", "testing_list.txt", "*/*_nohash_*.wav")
    ),
    archives=(
        Archive(
            url="https://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
            checksum="sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
            size=2_428_923_189,
            into="SpeechCommands/speech_commands_v0.02",
        ),
    ),
)
VOXCELEB = OfficialFiles(
    name="voxceleb1",
    expects=("iden_split.txt", "wav/*/*/*.wav"),
    instructions="""
VoxCeleb1 requires registration:
  1. Request access at https://mm.kaist.ac.kr/datasets/voxceleb/ (the form of the authors' site,
     https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html).
  2. Join the four parts of vox1_dev_wav.zip (cat vox1_dev_wav_parta* > vox1_dev_wav.zip); unpack it and
     vox1_test_wav.zip in the folder above, so that it holds wav/id10001/. Files must be wav; m4a (as in
     VoxCeleb2) cannot be decoded.
  3. Put https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta/iden_split.txt beside wav/.
""",
)


def build_pretraining(workspace: Workspace) -> Iterator[Rows]:
    """Yield LibriSpeech without labels."""
    groups = 0
    for split, items in list_librispeech_pretraining(workspace.sources[LIBRISPEECH.name]):
        workspace.say(f"decoding LibriSpeech {split}")
        decode = partial(make_spectrograms, stats=DECIBEL_STATS[PRETRAIN], both=split == TRAIN)
        for block in decode_rows(PRETRAIN, split, items, decode):
            groups += len(set(block.group))  # a clip is one group, and all its windows are in one block
            yield block
    check_count(workspace, groups, COUNTS[PRETRAIN])


def build_task(workspace: Workspace, name: str, source: str) -> Iterator[Rows]:
    """Yield the splits of a labelled dataset."""
    listing = LIST_FUNCTIONS[name](workspace.sources[source])
    check_count(workspace, sum(map(len, listing.values())), COUNTS[name])
    workspace.say(f"decoding {sum(map(len, listing.values())):,} clips of {name}")
    for split, items in listing.items():
        decode = partial(make_spectrograms, stats=DECIBEL_STATS[name], both=split == TRAIN)
        yield from decode_rows(name, split, items, decode)


CARD = Card(
    title="LibriSpeech",
    origin="recorded",
    licence="CC BY 4.0",
    citation=LIBRISPEECH_PAPER,
    source="https://www.openslr.org/12: train-clean-100, train-clean-360 and train-other-500; dev-clean validates",
    size="60 GB of archives; prepared about 50 GB (two windows of clips over 9.4 s)",
    notes="The task `librispeech` uses dev-clean, whose speakers are in none of the training subsets.",
)
FLUENT_CARD = Card(
    title="Fluent Speech Commands",
    origin="recorded",
    licence="Fluent Speech Commands Public License: academic research, no redistribution of the audio",
    citation="Lugosch et al., Speech model pre-training for end-to-end spoken language understanding, Interspeech "
    "2019, arXiv:1904.03670",
    source="https://fluent.ai; 23,132 train, 3,118 valid and 3,793 test clips of 97 speakers, split by speaker",
    size="1.5 GB archive; prepared 3.0 GB for each of its three tasks",
    registration=True,
    notes="The official valid list is the validation split; probes are refitted on train and valid.",
)


TASKS = (
    LIBRISPEECH_SPEAKERS,
    AUDIO_MNIST_DIGITS,
    make_task("fluent_speech_action", "Which of six actions is requested?", ACTIONS, "speaker", FLUENT_CARD),
    make_task("fluent_speech_object", "Which of 14 objects is named?", OBJECTS, "speaker", FLUENT_CARD),
    make_task("fluent_speech_location", "Which of four places is named?", LOCATIONS, "speaker", FLUENT_CARD),
    make_task(
        "google_speech",
        "Which of 35 words is spoken, by a speaker not heard in training?",
        SPEECH_COMMANDS,
        "speaker",
        Card(
            title="Google Speech Commands v0.02",
            origin="recorded",
            licence="CC BY 4.0",
            citation="Warden, Speech Commands: a dataset for limited-vocabulary speech recognition, "
            "arXiv:1804.03209 (2018)",
            source="https://download.tensorflow.org/data/speech_commands_v0.02.tar.gz; 105,829 clips, official lists",
            size="2.4 GB archive; prepared 10.6 GB",
            notes="Background noise is not a class.",
        ),
    ),
    make_task(
        "voxceleb1",
        "Which of 1,251 celebrities speaks, in a video not heard in training?",
        CELEBRITIES,
        "video",
        Card(
            title="VoxCeleb1, identification",
            origin="recorded",
            licence="CC BY 4.0 for the metadata; the audio belongs to its authors",
            citation="Nagrani et al., VoxCeleb: a large-scale speaker identification dataset, Interspeech 2017, "
            "arXiv:1706.08612",
            source="https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html; 153,516 clips, iden_split 1, 2 and 3",
            size="38 GB of archives; prepared about 20 GB",
            registration=True,
            notes="wav only; split by video, because the task is to recognise people.",
        ),
    ),
)
SOURCES: dict[str, Source] = {
    "librispeech": LIBRISPEECH_DEV,
    "audio_mnist": AUDIO_MNIST,
    "fluent_speech_action": FLUENT,
    "fluent_speech_object": FLUENT,
    "fluent_speech_location": FLUENT,
    "google_speech": GOOGLE_SPEECH,
    "voxceleb1": VOXCELEB,
}

PAPER = Domain(
    name="speech",
    suite="paper",
    title="Speech",
    specs=(Image(height=224, width=224, channels=1, patch=16),),
    card=CARD,
    tasks=TASKS,
    parts=(
        Part(dataset=PRETRAIN, sources=(LIBRISPEECH,), build=build_pretraining, version=2),
        *(
            Part(dataset=name, sources=(source,), build=partial(build_task, name=name, source=source.name), version=2)
            for name, source in SOURCES.items()
        ),
    ),
    encoder="paper",
    steps=100_000,
    batch_size=64,
)
