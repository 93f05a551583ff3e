"""Helpers of the speech domains."""
