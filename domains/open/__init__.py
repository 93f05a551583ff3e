"""The domains of the suite `open`, one file each: real data without an account.

Each file offers a `Domain(suite="open", parts=(...), encoder="paper", ...)`. All of its sources can be downloaded by
anyone, and examples have 64 to 128 embeddings. What it has in common with the paper suite lies in the helper folders.
"""
