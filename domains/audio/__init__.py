"""What the speech domains share: synthesis, waveforms, spectrograms."""
