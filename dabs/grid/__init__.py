"""The grid of all runs: its cells as jobs, and the store that machines share."""
