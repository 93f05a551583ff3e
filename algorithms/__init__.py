"""One file an algorithm, one class a file. A file dropped in here is found by its name."""
