"""Who runs this, and which version, for the records."""

import os
import pwd
import socket
from importlib import metadata


def who() -> str:
    """The operating system's user and the host, as `user@host`."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user often has a number only
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def version() -> str:
    """The toolkit's version."""
    return metadata.version("postgres-to-clerk")
