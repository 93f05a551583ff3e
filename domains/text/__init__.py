"""What the text domains share: splitting, vocabularies, readers of sentences."""
