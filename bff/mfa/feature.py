"""Second factors, mounted."""

from functools import partial

from aiohttp import web

from bff.changes import Changes
from bff.events import Events
from bff.mfa.clerk import ClerkFactors
from bff.mfa.factors import Factors
from bff.mfa.routes import MfaRoutes
from bff.mfa.service import KINDS, MfaService
from bff.parts import Parts
from bff.proof.challenges import Challenges
from bff.proof.systems import SystemName
from bff.sessions.clerk import ClerkDevices, ClerkSessions
from bff.sessions.identity import Identity
from bff.sessions.service import Sessions

LEGACY_FACTORS = web.AppKey("legacy_factors", Factors)
"""AX's own second factors, as long as there are any."""


def mount(parts: Parts) -> None:
    """Serve the second factors, and the list of security events."""
    clerk_sessions = ClerkSessions(parts.frontend)
    sessions = Sessions(parts.settings.session, parts.cipher)
    factors: dict[SystemName, Factors] = {
        "clerk": ClerkFactors(
            parts.backend, parts.clerk_settings, ClerkDevices(parts.frontend, parts.database, sessions)
        )
    }
    if LEGACY_FACTORS in parts.app:
        factors["legacy"] = parts.app[LEGACY_FACTORS]
    events = Events(parts.mailer)
    changes = Changes(parts.database, sessions, clerk_sessions, events, parts.metrics.changes_unsettled)
    service = MfaService(
        parts.database, sessions, Challenges(parts.cipher), changes, events, parts.limits, factors
    )
    parts.run(partial(changes.keep_settling, KINDS, service.happened))
    pause = round(parts.limits["phone_pause_by_number"].seconds)
    parts.serve(
        MfaRoutes(
            service, Identity(parts.database, sessions, parts.edge.session), parts.edge, pause
        ).endpoints()
    )
    parts.at_end(clerk_sessions.close)
