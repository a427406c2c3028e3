"""The settings of the Clerk instance, as it told them in the last minutes."""

import time

from toolkit.clerk import ClerkUnavailable, FrontendClient, InstanceSettings

SECONDS = 300.0
"""How long they are remembered."""


class ClerkSettings:
    """Asks the instance now and then. Without a client (Clerk is not configured) it is as if Clerk did not answer."""

    def __init__(self, frontend: FrontendClient | None) -> None:
        self._frontend = frontend
        self._told: tuple[float, InstanceSettings] | None = None

    async def get(self) -> InstanceSettings:
        """The settings. Raises ClerkError."""
        if self._frontend is None:
            raise ClerkUnavailable("Clerk is not configured.")
        if self._told is None or time.monotonic() - self._told[0] > SECONDS:
            self._told = (time.monotonic(), await self._frontend.environment())
        return self._told[1]
