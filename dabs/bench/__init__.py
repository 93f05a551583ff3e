"""Measurements of speed, for `dabs bench` and the scripts in benchmarks/."""
