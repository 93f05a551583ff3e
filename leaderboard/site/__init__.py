"""The HTML report and the static site."""
