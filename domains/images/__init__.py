"""What the image domains share: drawings, generators, readers of picture sets."""
