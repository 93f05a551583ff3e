"""Accidents that `benchmarks/faults.py` causes, one file a kind; `stage.py` is what they have in common."""
