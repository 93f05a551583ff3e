"""Word lists that the speech domains share."""

from __future__ import annotations


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


# the 35 words of Speech Commands v0.02 (Warden, 2018)
SPEECH_COMMANDS = split_words(
    "backward bed bird cat dog down eight five follow forward four go happy house learn left marvin nine no off on one "
    "right seven sheila six stop three tree two up visual wow yes zero"
)
