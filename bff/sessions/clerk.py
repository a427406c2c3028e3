"""Ending the sessions in Clerk that stand behind AX's, in the background: nobody waits for Clerk to log out."""

import asyncio

import structlog

from bff.sessions.service import ClerkSession
from bff.visitor import Visitor
from toolkit.clerk import ClerkError, ClientInvalid, FrontendClient, ResourceNotFound

_log = structlog.get_logger("bff")


class ClerkSessions:
    """Without a client (Clerk is not configured) sessions in Clerk are left to expire."""

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
