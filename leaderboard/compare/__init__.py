"""Comparisons: which of two algorithms is better, on which tasks, how certainly."""
