"""Helpers of the text domains: vocabularies, message catalogues, labelled sentences, packed rows."""
