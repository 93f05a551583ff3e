"""The one exception a user is meant to read: a paragraph that says what is wrong, where, and the way out."""

import difflib

_STEERING = (*range(32), *range(127, 160), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SPELLED = {code: f"\\u{code:04x}" for code in _STEERING if chr(code) not in "\n\t"}


class DabsError(Exception):
    """A problem the user can act on. The command line prints its text without a traceback and exits with `code`.

    Names and values in it may come from a stranger's file, so characters that steer a terminal are spelled out.

    Args:
        message: one paragraph that names the file, the value and the way out.
        code: process exit code: 1 for a failure while working, 2 for a wrong request.
    """

    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message.encode("utf-8", "backslashreplace").decode().translate(_SPELLED))
        self.code = code


class RequestError(DabsError):
    """The request itself is wrong: an unknown name, a value that is not allowed (exit code 2)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=2)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or the name of its type when it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def unknown(kind: str, name: str, known: list[str], *, of: str = "") -> RequestError:
    """The error for a name that is not known: suggests the nearest and lists what there is."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    place = f" in {of}" if of else ""
    return RequestError(f"there is no {kind} {name!r}{place}.{hint} Known: {', '.join(sorted(known))}.")
