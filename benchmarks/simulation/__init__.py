"""Simulated results for the benchmarks of statistics."""
