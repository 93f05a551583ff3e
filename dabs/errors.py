"""The one exception a user is meant to read: a paragraph that says what is wrong, where, and the way out."""


class DabsError(Exception):
    """A problem the user can act on. The command line prints its text without a traceback and exits with `code`.

    Args:
        message: one paragraph that names the file, the value and the way out.
        code: process exit code: 1 for a failure while working, 2 for a wrong request.
    """

    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class RequestError(DabsError):
    """The request itself is wrong: an unknown name, a value that is not allowed (exit code 2)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=2)
