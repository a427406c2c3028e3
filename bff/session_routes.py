"""Sessions and the signed-in user, over HTTP."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from bff import cookies
from bff.addresses import Network, client_address
from bff.api import Endpoint, answer, no_content
from bff.identity import Identity
from bff.login.service import LoginService
from bff.problems import Problem
from bff.views import ListedSessionView, SessionListView, SessionView, SignedInView, UserView


@dataclass(frozen=True)
class SessionRoutes:
    """Endpoints of those who are signed in."""

    identity: Identity
    login: LoginService
    trusted_proxies: tuple[Network, ...]
    secure: bool

    def endpoints(self) -> list[Endpoint]:
        """What there is."""
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
                problems=("not_found", "origin_mismatch"),
                signed_in=True,
            ),
            Endpoint(
                "POST",
                "/auth/logout",
                self.logout,
                "End the session that is in use",
                {204: None},
                problems=("origin_mismatch",),
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
        async with self.identity.database.connection() as connection:
            records = await self.identity.sessions.of_user(connection, current.user.id)
        return answer(
            SessionListView(
                sessions=tuple(
                    ListedSessionView(
                        id=record["id"],
                        created_at=record["created_at"],
                        expires_at=record["expires_at"],
                        last_used_at=record["last_used_at"],
                        address=record["address"],
                        user_agent=record["user_agent"],
                        current=record["id"] == current.id,
                    )
                    for record in records
                )
            )
        )

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """DELETE /auth/sessions/{session_id}."""
        current = await self.identity.session(request)
        try:
            session_id = UUID(request.match_info["session_id"])
        except ValueError:
            raise Problem("not_found") from None
        if not await self._revoke(request, session_id, current.user.id):
            raise Problem("not_found", "You have no live session with this id.")
        response = no_content()
        if session_id == current.id:
            cookies.clear_session(response, secure=self.secure)
        return response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/logout."""
        session = await self.identity.session(request)
        await self._revoke(request, session.id, session.user.id)
        response = no_content()
        cookies.clear_session(response, secure=self.secure)
        return response

    async def me(self, request: web.Request) -> web.StreamResponse:
        """GET /me."""
        return answer(UserView.of(await self.identity.user(request)))

    async def _revoke(self, request: web.Request, session_id: UUID, user_id: UUID) -> bool:
        async with self.identity.database.connection() as connection:
            revoked, behind = await self.identity.sessions.revoke(connection, session_id, user_id)
        self.login.end_in_clerk(behind, client_address(request, self.trusted_proxies))
        return revoked
