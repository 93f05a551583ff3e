"""The checks of `dabs check`: each promise of an algorithm, on synthetic batches.

`suite.run_checks` runs all checks; each other file holds those of one theme, and `mock` what they work with.
"""
