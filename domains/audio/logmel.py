"""Log-mel spectrograms with the paper's settings, or smaller ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class LogMel:
    """Settings of a log-mel spectrogram. Mel bands and filter areas follow Slaney, as in librosa."""

    sample_rate: int  # Hz
    n_fft: int  # samples in a Hann window
    hop: int  # samples from one frame to the next
    bands: int
    squared: bool  # whether decibels are taken of the squared power, as in the reference code
    dynamic_range: float = 80.0  # dB; lower values are raised to this far below the clip's maximum

    def frames(self, samples: int) -> int:
        """Return the number of frames of a waveform; the first and the last window are centred on its ends."""
        return 1 + samples // self.hop


# 150,526 samples give 224 frames
PAPER_LOG_MEL = LogMel(sample_rate=16000, n_fft=2048, hop=672, bands=224, squared=True)


def log_mel(waveform: np.ndarray | Tensor, settings: LogMel) -> np.ndarray:
    """Compute the log-mel spectrogram of waveforms.

    As in the DABS reference code, it is a mel power spectrogram with centred frames and zero padding, then
    10 * log10(max(power, 1e-10)) of the power (or of its square), with a floor relative to each clip's own maximum.

    Args:
        waveform: float (..., samples), between -1 and 1.
        settings: sizes; `PAPER_LOG_MEL` are the paper's.

    Returns:
        Decibels, float32 (..., bands, frames), low bands first.
    """
    import torch

    power = _mel_spectrogram(settings)(torch.as_tensor(waveform, dtype=torch.float32))
    if settings.squared:
        power = power.square()
    decibels = 10 * power.clamp(min=1e-10).log10()
    floor = decibels.amax(dim=(-2, -1), keepdim=True) - settings.dynamic_range
    floored: np.ndarray = torch.maximum(decibels, floor).numpy()
    return floored


def _mel_spectrogram(settings: LogMel) -> Any:
    from torchaudio.transforms import MelSpectrogram

    return MelSpectrogram(
        sample_rate=settings.sample_rate,
        n_fft=settings.n_fft,
        hop_length=settings.hop,
        n_mels=settings.bands,
        power=2.0,
        norm="slaney",
        mel_scale="slaney",
        pad_mode="constant",
    )
