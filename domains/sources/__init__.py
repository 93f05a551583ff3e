"""Fetching, listing and decoding the files that domains are built from."""
