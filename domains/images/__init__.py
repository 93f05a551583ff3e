"""Helpers of the image domains."""
