"""Helpers for every part: files, strict JSON, signals, the environment."""
