"""The grid: its cells as tasks, and the store that machines share."""
