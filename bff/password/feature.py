"""Passwords, mounted."""

from functools import partial

from aiohttp import web

from bff.changes import Changes
from bff.events import Events
from bff.login.feature import LOGIN
from bff.parts import Parts
from bff.password.clerk import ClerkPasswords
from bff.password.routes import PasswordRoutes
from bff.password.service import KINDS, PasswordService
from bff.password.systems import PasswordSystem
from bff.proof.feature import lockout, proof_service, resets
from bff.proof.systems import SystemName
from bff.sessions.clerk import ClerkDevices, ClerkSessions
from bff.sessions.identity import Identity
from bff.sessions.service import Sessions
from bff.signup.feature import PROVEN

LEGACY_PASSWORDS = web.AppKey("legacy_passwords", PasswordSystem)
"""Passwords that AX keeps, as long as there are any."""


def mount(parts: Parts) -> None:
    """Serve changes and resets of passwords."""
    clerk_sessions = ClerkSessions(parts.frontend)
    sessions = Sessions(parts.settings.session, parts.cipher)
    devices = ClerkDevices(parts.frontend, parts.database, sessions)
    systems: dict[SystemName, PasswordSystem] = {
        "clerk": ClerkPasswords(parts.clerk_settings, devices, lockout(parts))
    }
    if LEGACY_PASSWORDS in parts.app:
        systems["legacy"] = parts.app[LEGACY_PASSWORDS]
    changes = Changes(
        parts.database, sessions, clerk_sessions, Events(parts.mailer), parts.metrics.changes_unsettled
    )
    service = PasswordService(
        parts.database,
        sessions,
        proof_service(parts, clerk_sessions),
        resets(parts),
        parts.app[PROVEN],
        parts.app[LOGIN],
        changes,
        parts.limits,
        systems,
    )
    parts.run(partial(changes.keep_settling, KINDS, service.happened))
    identity = Identity(parts.database, sessions, parts.edge.session)
    parts.serve(PasswordRoutes(service, resets(parts), identity, parts.edge).endpoints())
    parts.at_end(clerk_sessions.close)
