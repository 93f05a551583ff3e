"""Benchmarks of speed on synthetic data, for `dabs bench` and the scripts in benchmarks/."""
