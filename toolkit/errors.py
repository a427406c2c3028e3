"""Errors that an operator sees.

ToolkitError        the work failed: exit code 1
└── UsageError      the call or the configuration is wrong, nothing was tried: exit code 2

Every message says what happened, to what, and what to do. The command line prints it without a traceback.
"""


class ToolkitError(Exception):
    """The work failed; the message says what, and what to do about it."""

    exit_code = 1


class UsageError(ToolkitError):
    """An option, a setting or a file is wrong; the message names it and the remedy."""

    exit_code = 2
