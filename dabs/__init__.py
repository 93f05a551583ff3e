"""DABS, a domain-agnostic benchmark for self-supervised learning.

The engine in this folder names no domain and no algorithm.
"""

from dabs.utils.moved import keep_old_paths

__version__ = "0.1.0"

keep_old_paths()
