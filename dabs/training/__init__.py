"""Pretraining: the loop, the optimiser step, checkpoints and the run folder."""
