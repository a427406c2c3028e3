"""Who runs this, for the records."""

import os
import pwd
import socket


def who() -> str:
    """The operating system's user and the host, as `user@host`."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user often has a number only
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
