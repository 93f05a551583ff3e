"""Pretraining: the loop, one step, checkpoints, a run's folder."""
