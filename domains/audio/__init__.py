"""Helpers of the speech domains: synthesis, waveforms, spectrograms, and lists of recorded clips."""
