"""The accidents that `benchmarks/faults.py` causes; `stage.py` is what they share."""
