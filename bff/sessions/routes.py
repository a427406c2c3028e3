"""Sessions and the signed-in user, over HTTP."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from bff.database import Database
from bff.http.api import Endpoint, answer, no_content
from bff.http.edge import Edge
from bff.refusals import NotFound
from bff.sessions.answers import SessionListView, SessionView, SignedInView, UserView
from bff.sessions.clerk import ClerkSessions
from bff.sessions.identity import Identity
from bff.sessions.service import Session, Sessions


@dataclass(frozen=True)
class SessionRoutes:
    """Endpoints of those who are signed in."""

    database: Database
    sessions: Sessions
    identity: Identity
    clerk_sessions: ClerkSessions
    edge: Edge

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                "GET",
                "/auth/session",
                self.get,
                "The session that is in use",
                {200: SignedInView},
                signed_in=True,
            ),
            Endpoint(
                "GET",
                "/auth/sessions",
                self.list,
                "All live sessions of the user",
                {200: SessionListView},
                signed_in=True,
            ),
            Endpoint(
                "DELETE",
                "/auth/sessions/{session_id}",
                self.delete,
                "End one of one's sessions",
                {204: None},
                refusals=(NotFound,),
                signed_in=True,
            ),
            Endpoint(
                "POST",
                "/auth/logout",
                self.logout,
                "End the session that is in use",
                {204: None},
                signed_in=True,
            ),
            Endpoint(
                "GET", "/me", self.me, "Who one is, by session or API key", {200: UserView}, signed_in=True
            ),
        ]

    async def get(self, request: web.Request) -> web.StreamResponse:
        """GET /auth/session."""
        session = await self.identity.session(request)
        return answer(SignedInView(user=UserView.of(session.user), session=SessionView.of(session)))

    async def list(self, request: web.Request) -> web.StreamResponse:
        """GET /auth/sessions."""
        current = await self.identity.session(request)
        async with self.database.connection() as connection:
            sessions = await self.sessions.of_user(connection, current.user.id)
        return answer(SessionListView.of(sessions, current))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """DELETE /auth/sessions/{session_id}."""
        current = await self.identity.session(request)
        try:
            session_id = UUID(request.match_info["session_id"])
        except ValueError:
            raise NotFound from None
        if not await self._end(request, session_id, current):
            raise NotFound("You have no live session with this id.")
        response = no_content()
        if session_id == current.id:
            self.edge.take_session(response)
        return response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/logout."""
        current = await self.identity.session(request)
        await self._end(request, current.id, current)
        response = no_content()
        self.edge.take_session(response)
        return response

    async def me(self, request: web.Request) -> web.StreamResponse:
        """GET /me."""
        return answer(UserView.of(await self.identity.user(request)))

    async def _end(self, request: web.Request, session_id: UUID, current: Session) -> bool:
        """End a session of the current one's user, and the one behind it in Clerk; whether it lived."""
        async with self.database.connection() as connection:
            lived, behind = await self.sessions.revoke(connection, session_id, current.user.id)
        self.clerk_sessions.end(behind, self.edge.visitor(request))
        return lived
