"""Errors that an operator sees.

ToolkitError        the work failed: exit code 1
├── UsageError      the call or the configuration is wrong, nothing was tried: exit code 2
├── NeedsPerson     nothing failed, and there is nothing to do until a person has looked: exit code 3
└── Interrupted     told to stop before anything was begun: exit code 130

Every message says what happened, to what, and what to do. The command line prints it without a traceback.
"""

FAILED = 1
WRONG_USAGE = 2
NEEDS_PERSON = 3
"""The exit code of a command that is done, and after which somebody has to look at something."""
INTERRUPTED = 130
"""The exit code of a command that was told to stop, or whose question was answered with no."""


class ToolkitError(Exception):
    """The work failed; the message says what, and what to do about it."""

    exit_code = FAILED


class UsageError(ToolkitError):
    """An option, a setting or a file is wrong; the message names it and the remedy."""

    exit_code = WRONG_USAGE


class NeedsPerson(ToolkitError):
    """Nothing failed, but what was asked for can't be meant; the message says why, and what to look at."""

    exit_code = NEEDS_PERSON


class Interrupted(ToolkitError):
    """It was told to stop while it waited; the message says for what."""

    exit_code = INTERRUPTED
