"""One file per algorithm, one class per file; found by file name."""
