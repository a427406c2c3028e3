"""The sessions in Clerk that stand behind AX's: reached for what their users do there, and ended with AX's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from bff.clerk_errors import RETRY_AFTER
from bff.database import Database
from bff.refusals import AuthenticationUnavailable, ReauthenticationRequired
from bff.sessions.service import ClerkSession, Session, Sessions
from bff.visitor import Visitor
from toolkit.clerk import ClerkError, ClientInvalid, Device, FrontendClient, ResourceNotFound

_log = structlog.get_logger("bff")


class ClerkDevices:
    """Without a client (Clerk is not configured) everybody is refused."""

    def __init__(self, frontend: FrontendClient | None, database: Database, sessions: Sessions) -> None:
        self._frontend = frontend
        self._database = database
        self._sessions = sessions

    @asynccontextmanager
    async def behind(self, session: Session, visitor: Visitor) -> AsyncIterator[tuple[Device, str]]:
        """The user's device, and the id of the session in Clerk that stands behind one of AX's.

        Raises ReauthenticationRequired when there is none, or AuthenticationUnavailable.
        """
        if self._frontend is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER, asked=False)
        async with self._database.connection() as connection:
            behind = await self._sessions.behind(connection, session)
        if behind is None:
            raise ReauthenticationRequired
        device = self._frontend.device(behind.client_token, address=visitor.address_text)
        try:
            yield device, behind.id
        finally:
            if device.client_token is not None and device.client_token != behind.client_token:
                renewed = ClerkSession(behind.id, device.client_token)
                async with self._database.connection() as connection:
                    await self._sessions.keep_client_token(connection, session, renewed)


class ClerkSessions:
    """Ends sessions in Clerk in the background: nobody waits for Clerk to log out.

    Without a client (Clerk is not configured) they are left to expire.
    """

    def __init__(self, frontend: FrontendClient | None) -> None:
        self._frontend = frontend
        self._ending: set[asyncio.Task[None]] = set()

    def end(self, session: ClerkSession | None, visitor: Visitor) -> None:
        """End a session without waiting for it; for None, do nothing."""
        if session is None or self._frontend is None:
            return
        task = asyncio.create_task(_end(self._frontend, session, visitor))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Wait for what is still being ended."""
        await asyncio.gather(*self._ending, return_exceptions=True)


async def _end(frontend: FrontendClient, session: ClerkSession, visitor: Visitor) -> None:
    device = frontend.device(session.client_token, address=visitor.address_text)
    try:
        await device.end_session(session.id)
    except (ClientInvalid, ResourceNotFound):
        return  # it is over already
    except ClerkError as error:
        _log.warning("clerk session not ended", error=str(error), trace_id=error.trace_id)
