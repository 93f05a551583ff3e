"""Speech synthesis with espeak-ng, from the package `espeakng_loader`.

The library keeps phases, flutter and random numbers from one word to the next, and even `espeak_Terminate` does not
reset them. Each list of words is therefore spoken in a process of its own: the same list gives the same samples,
whatever was spoken before, and a crash of the library becomes an error message.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dabs.errors import DabsError
from dabs.utils.processes import module_command

SAMPLE_RATE = 22050  # Hz; the same for all voices used here

# constants from speak_lib.h
_AUDIO_OUTPUT_SYNCHRONOUS = 2  # without a sound card: samples go to the callback, in the calling thread
_INITIALIZE_DONT_EXIT = 0x8000  # return an error instead of ending the process
_CHARS_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_MAX_PATH_LENGTH = 150  # the library has 160 bytes for the path of its data
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word to speak, and how to speak it.

    Attributes:
        text: in the language's own script.
        language: espeak-ng's name of the language, such as "en-us" or "cmn".
        voice: a voice variant: a file name in espeak-ng-data/voices/!v.
        rate: words per minute, 80 to 450.
        pitch: 0 to 99, relative to the voice's own; 50 is normal.
        inflection: 0 (monotone) to 99.
    """

    text: str
    language: str
    voice: str
    rate: int = 175
    pitch: int = 50
    inflection: int = 50


def voice_names() -> list[str]:
    """Return the voice variants that the installed package carries, sorted."""
    import espeakng_loader

    return sorted(path.name for path in Path(espeakng_loader.get_data_path(), "voices", "!v").iterdir())


def speak(words: list[Word]) -> list[np.ndarray]:
    """Speak words and return the samples of each, int16 at 22,050 Hz, without padding.

    Raises:
        DabsError: the library cannot be loaded, or does not know a voice or a language.
    """
    with tempfile.TemporaryDirectory(prefix="dabs-espeak-") as folder:
        request, reply = Path(folder) / "words.json", Path(folder) / "samples.npz"
        request.write_text(json.dumps([asdict(word) for word in words]), encoding="utf-8")
        command = [*module_command("dabs.domains.audio.espeak"), str(request), str(reply)]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            lines = [line for line in result.stderr.splitlines() if line.strip()]
            reason = lines[-1] if lines else f"it ended with code {result.returncode}"
            raise DabsError(f"espeak-ng could not speak: {reason} Install espeakng-loader 0.2.4 for this platform.")
        with np.load(reply) as archive:
            return np.split(archive["samples"], np.cumsum(archive["lengths"])[:-1])


class EspeakLibrary:
    """The loaded library; its state is global, so create it once per process."""

    def __init__(self, folder: Path) -> None:
        import espeakng_loader

        data = espeakng_loader.get_data_path()
        if len(data) > _MAX_PATH_LENGTH:
            link = folder / "espeak-ng-data"
            link.symlink_to(data)
            data = str(link)
        self.call: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        rate = self.call.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), _INITIALIZE_DONT_EXIT)
        if rate != SAMPLE_RATE:
            raise DabsError(f"with the voice data in {data} its sampling rate is {rate}, expected {SAMPLE_RATE}.")
        self.blocks: list[bytes] = []
        self.callback = _CALLBACK(self._receive)  # kept, because ctypes frees a callback without references
        self.call.espeak_SetSynthCallback(self.callback)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self.blocks.append(ctypes.string_at(samples, 2 * count))
        return 0

    def speak(self, word: Word) -> np.ndarray:
        """Speak one word; return int16 (samples,)."""
        name = f"{word.language}+{word.voice}"
        if self.call.espeak_SetVoiceByName(name.encode()):
            raise DabsError(f"there is no language and voice {name!r}.")
        for parameter, value in ((_RATE, word.rate), (_PITCH, word.pitch), (_RANGE, word.inflection)):
            self.call.espeak_SetParameter(parameter, value, 0)
        self.call.espeak_ng_SetRandSeed(ctypes.c_long(1))  # otherwise breath and noise depend on the clock
        self.blocks = []
        text = word.text.encode()
        self.call.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, _CHARS_UTF8, None, None)
        self.call.espeak_Synchronize()
        return np.frombuffer(b"".join(self.blocks), np.int16)


def _main(request: Path, reply: Path) -> None:
    """Speak the words in the file `request` and write their samples to `reply`, in the child process."""
    words = [Word(**fields) for fields in json.loads(request.read_text(encoding="utf-8"))]
    missing = sorted({word.voice for word in words} - set(voice_names()))
    if missing:  # the library would silently use its default voice
        raise DabsError(f"there is no voice {missing[0]!r} in the installed espeakng_loader.")
    library = EspeakLibrary(reply.parent)
    spoken = [library.speak(word) for word in words]
    np.savez(reply, samples=np.concatenate(spoken), lengths=[len(samples) for samples in spoken])


if __name__ == "__main__":
    try:
        _main(Path(sys.argv[1]), Path(sys.argv[2]))
    except DabsError as error:
        sys.exit(str(error))
