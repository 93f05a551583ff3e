"""Tables of scores: which results share one, their means, how they are shown."""
