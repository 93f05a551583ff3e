"""Tables of scores: which results may share one, their means, and their display."""
