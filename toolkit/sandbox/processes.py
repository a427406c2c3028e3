"""What the sandbox's two servers have in common as processes."""

import socket
import time
from collections.abc import Callable

from toolkit.errors import ToolkitError

_POLL_SECONDS = 0.05


class PortInUse(ToolkitError):
    """Another program listens on a port that the sandbox needs."""


def check_port_is_free(port: int, option: str) -> None:
    """Raise PortInUse, naming the option that chooses another, when something listens on the port."""
    with socket.socket() as probe:
        # As the servers do: connections that have ended don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortInUse(
                f"Port {port} is taken by another program ({error.strerror}). End it, or choose another port: "
                f"`python -m toolkit sandbox start {option} PORT`."
            ) from error


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition comes true in this time.

    Whether a process is gone is asked of the process itself in this way, not of the system: where nobody reaps
    them, as in some containers, ended processes keep their ids.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
