"""DABS, a domain-agnostic benchmark for self-supervised learning.

The engine in this folder names no domain and no algorithm.
"""

__version__ = "0.1.0"
