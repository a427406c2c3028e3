"""Who sends a request: a session by cookie or bearer token, or an API key."""

from dataclasses import dataclass

from aiohttp import web

from bff.database import Database
from bff.http.cookies import Cookie
from bff.refusals import SessionRequired
from bff.sessions import api_keys
from bff.sessions.service import Session, Sessions, User


@dataclass(frozen=True)
class Identity:
    """Finds out who is signed in."""

    database: Database
    sessions: Sessions
    cookie: Cookie

    async def session(self, request: web.Request) -> Session:
        """The request's session. Raises SessionRequired."""
        token = bearer(request) or self.cookie.read(request)
        if not token:
            raise SessionRequired
        async with self.database.connection() as connection:
            session = await self.sessions.find(connection, token)
        if session is None:
            raise SessionRequired
        return session

    async def user(self, request: web.Request) -> User:
        """The request's user, by session or API key. Raises SessionRequired."""
        key = bearer(request)
        if key is None or not key.startswith(api_keys.PREFIX):
            return (await self.session(request)).user
        async with self.database.connection() as connection:
            user = await api_keys.find_user(connection, key)
        if user is None:
            raise SessionRequired("The API key is unknown, has expired or was revoked.")
        return user


def bearer(request: web.Request) -> str | None:
    """The bearer token of the `Authorization` header; None without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
