"""Logging in, mounted."""

from aiohttp import web

from bff.login.counts import LoginCounts
from bff.login.grace import DeviceGrace
from bff.login.routes import LoginRoutes
from bff.login.service import LoginService
from bff.parts import Parts
from bff.proof.feature import proof_service, resets
from bff.sessions.clerk import ClerkSessions
from bff.sessions.service import Sessions
from bff.signup.feature import RESUMING
from bff.veil import Veil

LOGIN = web.AppKey("login", LoginService)
"""What mints a session after the reset of a password."""


def mount(parts: Parts) -> None:
    """Serve the login."""
    clerk_sessions = ClerkSessions(parts.frontend)
    grace = DeviceGrace(parts.backend, parts.database)
    login = LoginService(
        parts.database,
        proof_service(parts, clerk_sessions),
        Sessions(parts.settings.session, parts.cipher),
        clerk_sessions,
        parts.app[RESUMING],
        resets(parts),
        parts.limits,
        LoginCounts(parts.database, parts.metrics.registry),
        grace,
        Veil(parts.settings.login.failure_seconds),
    )
    parts.app[LOGIN] = login
    parts.serve(LoginRoutes(login, parts.edge).endpoints())
    parts.at_end(clerk_sessions.close)
    parts.at_end(grace.close)
