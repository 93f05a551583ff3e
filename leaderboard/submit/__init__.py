"""The rules for submissions, and the checks of everything that is committed."""
