"""Speech: LibriSpeech to learn from; speakers, digits, commands and celebrities to tell apart.

A training clip longer than the window (9.4 s) gives two rows, its head and its tail, where the reference flips a coin
at every access: over two epochs both see the same windows, but here a long clip counts twice in one. Evaluation clips,
also those that only choose, give their head.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from dabs.data.domain import PRETRAIN, TRAIN, Card, Classes, Domain, Part, Rows, Source, Task, Workspace
from dabs.domains.audio import clip_sets as sets
from dabs.domains.audio.clips import Level, spectrograms
from dabs.domains.sources.official import Archive, OfficialFiles, given
from dabs.domains.sources.rows import check_count, rows
from dabs.specs import Image

# the reference's constants, in dB
LEVELS = {
    PRETRAIN: Level(mean=-22.924, std=12.587),
    "librispeech": Level(mean=-22.924, std=12.587),
    "audio_mnist": Level(mean=-90.293, std=11.799),
    "fluent_speech_action": Level(mean=-31.809, std=13.127),
    "fluent_speech_object": Level(mean=-31.809, std=13.127),
    "fluent_speech_location": Level(mean=-31.809, std=13.127),
    "google_speech": Level(mean=-46.847, std=19.151),
    "voxceleb1": Level(mean=-37.075, std=19.776),
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


def _openslr(subset: str, sha256: str, size: int) -> Archive:
    url = f"https://www.openslr.org/resources/12/{subset}.tar.gz"
    return Archive(url=url, checksum=f"sha256:{sha256}", size=size, gives=(f"LibriSpeech/{subset}/*/*/*.flac",))


DEV_CLEAN = _openslr("dev-clean", "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3", 337_926_286)
_ALL = (
    DEV_CLEAN,
    _openslr("train-clean-100", "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2", 6_387_309_499),
    _openslr("train-clean-360", "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf", 23_049_477_885),
    _openslr("train-other-500", "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2", 30_593_501_606),
)
LIBRISPEECH = OfficialFiles(name="librispeech", expects=given(_ALL), archives=_ALL)
LIBRISPEECH_DEV = OfficialFiles(name="librispeech", expects=DEV_CLEAN.gives, archives=(DEV_CLEAN,))
AUDIO_MNIST = OfficialFiles(
    name="audiomnist",
    expects=("AudioMNIST/data/*/*.wav",),
    steps="""
AudioMNIST lies in a git repository (about 1 GB):
  git clone https://github.com/soerenab/AudioMNIST
in the folder above, so that AudioMNIST/data/01/0_01_0.wav is there.
""",
)
FLUENT = OfficialFiles(
    name="fluent_speech",
    expects=(
        *(f"fluent_speech_commands_dataset/data/{split}_data.csv" for split in ("train", "valid", "test")),
        "fluent_speech_commands_dataset/wavs/speakers/*/*.wav",
    ),
    steps="""
Fluent Speech Commands is given out for academic research, after agreeing to its licence:
  1. Ask for it at https://fluent.ai/fluent-speech-commands-a-dataset-for-spoken-language-understanding-research/ (the
     address in the paper's code no longer answers).
  2. Unpack the archive in the folder above, so that fluent_speech_commands_dataset/wavs/speakers/ is there.
""",
)
COMMANDS = OfficialFiles(
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
    steps="""
VoxCeleb1 is given out after registration:
  1. Ask for access at https://mm.kaist.ac.kr/datasets/voxceleb/ (form of the authors' site,
     https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html).
  2. Join the four parts of vox1_dev_wav.zip (cat vox1_dev_wav_parta* > vox1_dev_wav.zip); unpack it and
     vox1_test_wav.zip in the folder above, so that wav/id10001/ is there. Files must be wav: m4a (as
     VoxCeleb2 has) is not decoded.
  3. Put https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta/iden_split.txt beside wav/.
""",
)


def build_pretraining(workspace: Workspace) -> Iterator[Rows]:
    """LibriSpeech without labels."""
    groups = 0
    for split, items in sets.librispeech_pretraining(workspace.sources[LIBRISPEECH.name]):
        workspace.say(f"decoding LibriSpeech {split}")
        decode = partial(spectrograms, level=LEVELS[PRETRAIN], both=split == TRAIN)
        for block in rows(PRETRAIN, split, items, decode):
            groups += len(set(block.group))  # a clip is one group, and all of its windows are in one block
            yield block
    check_count(workspace, groups, COUNTS[PRETRAIN])


def build_task(workspace: Workspace, name: str, source: str) -> Iterator[Rows]:
    """The splits of a labelled set."""
    found = sets.READERS[name](workspace.sources[source])
    check_count(workspace, sum(map(len, found.values())), COUNTS[name])
    workspace.say(f"decoding {sum(map(len, found.values())):,} clips of {name}")
    for split, items in found.items():
        yield from rows(name, split, items, partial(spectrograms, level=LEVELS[name], both=split == TRAIN))


CARD = Card(
    title="LibriSpeech",
    origin="recorded",
    licence="CC BY 4.0",
    citation="Panayotov et al., LibriSpeech: an ASR corpus based on public domain audio books, ICASSP 2015",
    source="https://www.openslr.org/12: train-clean-100, train-clean-360 and train-other-500; dev-clean to watch",
    size="60 GB of archives; prepared about 50 GB (two windows of clips over 9.4 s)",
    notes="The task `librispeech` asks about dev-clean, whose speakers are in none of the training subsets.",
)
_FLUENT_CARD = Card(
    title="Fluent Speech Commands",
    origin="recorded",
    licence="Fluent Speech Commands Public License: academic research, no redistribution of the audio",
    citation="Lugosch et al., Speech model pre-training for end-to-end spoken language understanding, Interspeech "
    "2019, arXiv:1904.03670",
    source="https://fluent.ai; 23,132 train, 3,118 valid and 3,793 test clips of 97 speakers, apart by speaker",
    size="1.5 GB archive; prepared 3.0 GB for each of its three tasks",
    registration=True,
    notes="The official valid list is the validation split; probes are refitted on both.",
)


def _task(name: str, question: str, names: tuple[str, ...], apart: str, card: Card | None) -> Task:
    return Task(name=name, question=question, target=Classes(names=names), metric="accuracy", split_by=apart, card=card)


TASKS = (
    _task(
        "librispeech",
        "Which of 40 speakers reads?",
        sets.DEV_CLEAN,
        "clip",
        Card(
            title="LibriSpeech dev-clean, speakers",
            origin="recorded",
            licence="CC BY 4.0",
            citation=CARD.citation,
            source="https://www.openslr.org/12: the 2,703 clips of dev-clean, 70/10/20 inside each speaker",
            size="338 MB archive; prepared about 0.4 GB",
            notes="As in the paper, clips of one chapter stand on both sides: recording and text help.",
        ),
    ),
    _task(
        "audio_mnist",
        "Which digit is spoken, by a speaker not heard in training?",
        tuple("0123456789"),
        "speaker",
        Card(
            title="AudioMNIST",
            origin="recorded",
            licence="MIT",
            citation="Becker et al., AudioMNIST: exploring explainable artificial intelligence for audio analysis on a "
            "simple benchmark, Journal of the Franklin Institute 2024, arXiv:1807.03418",
            source="https://github.com/soerenab/AudioMNIST; 30,000 clips of 60 speakers (36, 12 and 12)",
            size="1 GB; prepared 3.0 GB",
            notes="48 kHz, not resampled, as in the reference: a clip fills a fifth of the window.",
        ),
    ),
    _task("fluent_speech_action", "Which of six actions is asked for?", sets.ACTIONS, "speaker", _FLUENT_CARD),
    _task("fluent_speech_object", "Which of 14 objects is named?", sets.OBJECTS, "speaker", _FLUENT_CARD),
    _task("fluent_speech_location", "Which of four places is named?", sets.LOCATIONS, "speaker", _FLUENT_CARD),
    _task(
        "google_speech",
        "Which of 35 words is spoken, by a speaker not heard in training?",
        sets.WORDS,
        "speaker",
        Card(
            title="Google Speech Commands v0.02",
            origin="recorded",
            licence="CC BY 4.0",
            citation="Warden, Speech Commands: a dataset for limited-vocabulary speech recognition, "
            "arXiv:1804.03209 (2018)",
            source="https://download.tensorflow.org/data/speech_commands_v0.02.tar.gz; 105,829 clips, official lists",
            size="2.4 GB archive; prepared 10.6 GB",
            notes="Background noise is no class here.",
        ),
    ),
    _task(
        "voxceleb1",
        "Which of 1,251 celebrities speaks, in a video not heard in training?",
        sets.CELEBRITIES,
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
            notes="wav only; the unit is the video, because the people are the question.",
        ),
    ),
)
SOURCES: dict[str, Source] = {
    "librispeech": LIBRISPEECH_DEV,
    "audio_mnist": AUDIO_MNIST,
    "fluent_speech_action": FLUENT,
    "fluent_speech_object": FLUENT,
    "fluent_speech_location": FLUENT,
    "google_speech": COMMANDS,
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
        Part(dataset=PRETRAIN, sources=(LIBRISPEECH,), build=build_pretraining),
        *(
            Part(dataset=name, sources=(source,), build=partial(build_task, name=name, source=source.name))
            for name, source in SOURCES.items()
        ),
    ),
    encoder="paper",
    steps=100_000,
    batch_size=64,
)
