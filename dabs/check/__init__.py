"""The mock run of an algorithm: every promise of the contract tried on synthetic batches, before hours are spent.

`suite.run_checks` runs them all; each other file holds the checks of one theme. This file imports nothing, so that
`source.scan`, which needs no torch, is at hand where submissions are read.
"""
