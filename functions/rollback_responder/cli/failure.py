"""What a command can end with, and the errors that only the command line has."""

from enum import IntEnum

from rollback_responder.domain.errors import DocumentError, RollbackError


class Exit(IntEnum):
    """The exit codes, as `docs/cli.md` explains them."""

    DONE = 0
    NOT_READY = 1
    BAD_USAGE = 2
    NOT_READ = 3


class BadUsage(RollbackError):
    """What was asked for cannot be: a wrong option, a file that is not what it should be."""


class NotRead(RollbackError):
    """AWS could not be read. Nothing is said about what could not be seen."""


def exit_code(error: RollbackError) -> Exit:
    """What the command ends with after an error."""
    if isinstance(error, BadUsage | DocumentError):
        return Exit.BAD_USAGE
    return Exit.NOT_READ
