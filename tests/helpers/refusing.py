"""Check the error with which a file is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dabs.errors import DabsError


def refusal(read: Callable[[], object], *named: object) -> str:
    """Check that `read` raises a DabsError of one printable paragraph that contains `named`, and return it."""
    with pytest.raises(DabsError) as caught:
        read()
    text = str(caught.value)
    assert "\n" not in text.strip()
    assert text.isprintable()
    assert len(text) < 3000
    assert all(str(name) in text for name in named), text
    return text
