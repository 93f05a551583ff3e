"""The speech sets that several suites use: files, tasks and cards."""

from __future__ import annotations

from dabs.data.domain import Card, Classes, Task
from dabs.domains.audio.clip_sets import DEV_CLEAN_SPEAKERS
from dabs.domains.sources.official import Archive, OfficialFiles

LIBRISPEECH_PAPER = "Panayotov et al., LibriSpeech: an ASR corpus based on public domain audio books, ICASSP 2015"
# the SHA-256 of torchaudio, and the size, of each subset's archive
_SUBSETS = {
    "dev-clean": ("76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3", 337_926_286),
    "dev-other": ("12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365", 314_305_928),
    "train-clean-100": ("d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2", 6_387_309_499),
    "train-clean-360": ("146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf", 23_049_477_885),
    "train-other-500": ("ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2", 30_593_501_606),
}


def librispeech_archive(subset: str) -> Archive:
    """Return the archive of a subset of LibriSpeech, such as "dev-clean"."""
    sha256, size = _SUBSETS[subset]
    url = f"https://www.openslr.org/resources/12/{subset}.tar.gz"
    return Archive(url=url, checksum=f"sha256:{sha256}", size=size, provides=(f"LibriSpeech/{subset}/*/*/*.flac",))


AUDIO_MNIST = OfficialFiles(
    name="audiomnist",
    expects=("AudioMNIST*/data/*/*.wav",),
    archives=(
        Archive(
            url="https://github.com/soerenab/AudioMNIST/archive/refs/heads/master.zip",
            size=1_000_000_000,
            unpacked=1_900_000_000,
            provides=("AudioMNIST*/data/*/*.wav",),
        ),
    ),
)


def make_task(name: str, question: str, names: tuple[str, ...], split_by: str, card: Card | None) -> Task:
    """Return a task that asks for one of several classes."""
    return Task(
        name=name, question=question, target=Classes(names=names), metric="accuracy", split_by=split_by, card=card
    )


LIBRISPEECH_SPEAKERS = make_task(
    "librispeech",
    "Which of 40 speakers reads?",
    DEV_CLEAN_SPEAKERS,
    "clip",
    Card(
        title="LibriSpeech dev-clean, speakers",
        origin="recorded",
        licence="CC BY 4.0",
        citation=LIBRISPEECH_PAPER,
        source="https://www.openslr.org/12: the 2,703 clips of dev-clean, split 70/10/20 within each speaker",
        size="338 MB archive; prepared about 0.4 GB",
        notes="As in the paper, clips of a chapter are in several splits: its acoustics and its text help.",
    ),
)
AUDIO_MNIST_DIGITS = make_task(
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
        notes="48 kHz, not resampled, as in the reference, so a clip fills a fifth of the window.",
    ),
)
