"""Helpers of the text domains."""
