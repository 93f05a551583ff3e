"""Data: the definition of a domain, and its rows from preparation to batches."""
