"""Helpers of the sensor domains."""
