"""What domains are built from: fetching wheels, official archives, hub files and streams; listing and decoding."""
