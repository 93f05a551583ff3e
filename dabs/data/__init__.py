"""Data: what a domain is, and its rows from preparation to batches."""
