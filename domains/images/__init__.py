"""Helpers of the image domains: drawing, generated radiographs, resizing, and lists of image datasets."""
