"""How many connections there may be, in all and from one network, so that nobody holds all that the process has files for."""

import resource
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol


class Held(Protocol):
    """A connection, as far as it matters here."""

    @property
    def idle(self) -> bool:
        """No request is being answered."""

    def force_close(self) -> None:
        """Close it at once."""


class Connections:
    """Those that are open, the one that was quiet for longest first.

    Where there are as many as may be, a new one takes the place of an idle one; when all are busy, it is not taken.
    """

    def __init__(self, most: int, most_of_network: int) -> None:
        self._most = most
        self._most_of_network = most_of_network
        self._open: dict[Held, str | None] = {}
        self._of_network: dict[str, dict[Held, None]] = {}

    def enter(self, connection: Held, network: str | None) -> bool:
        """Count a connection; whether there is room for it. Without a network it counts towards all alone."""
        if network is not None:
            same = self._of_network.get(network, {})
            if len(same) >= self._most_of_network and not self._make_room(same):
                return False
        if len(self._open) >= self._most and not self._make_room(self._open):
            return False
        self._add(connection, network)
        return True

    def use(self, connection: Held) -> None:
        """Note that it was not quiet."""
        if connection in self._open:
            network = self._open[connection]
            self.leave(connection)
            self._add(connection, network)

    def leave(self, connection: Held) -> None:
        """Count it no more."""
        network = self._open.pop(connection, None)
        if network is not None:
            same = self._of_network[network]
            del same[connection]
            if not same:
                del self._of_network[network]

    def _add(self, connection: Held, network: str | None) -> None:
        self._open[connection] = network
        if network is not None:
            self._of_network.setdefault(network, {})[connection] = None

    def _make_room(self, among: Iterable[Held]) -> bool:
        """Close the first idle one; whether there was one."""
        for connection in among:
            if connection.idle:
                self.leave(connection)
                connection.force_close()
                return True
        return False


def raise_file_limit() -> int:
    """Let the process open as many files as it may; how many that are."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):  # macOS calls it unlimited, and takes less
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
