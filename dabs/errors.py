"""Errors for the user to read: what is wrong, where, and what to do about it."""

import difflib

# characters that control a terminal or the direction of text
_CONTROL = (*range(32), *range(127, 160), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_ESCAPES = {code: f"\\u{code:04x}" for code in _CONTROL if chr(code) not in "\n\t"}


class DabsError(Exception):
    """A problem that the user can solve. The command line prints the message, without a traceback, and exits.

    Names and values in the message may come from a stranger's file, so characters that control a terminal are escaped.

    Args:
        message: one paragraph that names the file, the value and the way out.
        code: the exit code of the process: 1 for a failure while working, 2 for a wrong request.
    """

    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message.encode("utf-8", "backslashreplace").decode().translate(_ESCAPES))
        self.code = code


class RequestError(DabsError):
    """The request itself is wrong, such as an unknown name or a value that is not allowed (exit code 2)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=2)


class DabsWarning(UserWarning):
    """Something that the user should know, although the work goes on. The command line prints one line for it."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text without a final full stop, or its type's name if it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def unknown(kind: str, name: str, known: list[str], *, of: str = "") -> RequestError:
    """Return the error for an unknown name, which suggests the most similar known name and lists them all."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    place = f" in {of}" if of else ""
    return RequestError(f"there is no {kind} {name!r}{place}.{hint} Known: {', '.join(sorted(known))}.")
