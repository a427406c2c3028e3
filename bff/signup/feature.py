"""Signing up, mounted: its endpoints, and the sweep that ends what somebody left."""

from datetime import timedelta
from functools import partial

from aiohttp import web

from bff.devices import Devices
from bff.parts import Parts
from bff.sessions.service import Sessions
from bff.signup.clerk import ClerkSignup
from bff.signup.routes import SignupRoutes
from bff.signup.service import LegacySignup, SignupService
from toolkit.sweep.runner import Sweep
from toolkit.sweep.signups import Signups

LEGACY_SIGNUP = web.AppKey("legacy_signup", LegacySignup)
"""Signing up as AX does, as long as that is mounted."""
SIGNUPS = web.AppKey("signups", SignupService)


def mount(parts: Parts) -> None:
    """Serve the signup, and sweep as long as the server runs."""
    signups = clerk = None
    if parts.frontend is not None and parts.backend is not None:
        signups = Signups(parts.database.connection, parts.backend)
        clerk = ClerkSignup(parts.backend, parts.frontend)
        parts.run(
            partial(
                Sweep(parts.database.connection, parts.backend).forever,
                every=timedelta(seconds=parts.settings.signup.sweep_seconds),
                unverified=timedelta(hours=parts.settings.signup.unverified_hours),
            )
        )
    service = SignupService(
        parts.database,
        Sessions(parts.settings.session, parts.cipher),
        Devices(parts.cipher),
        parts.limits,
        parts.cipher,
        clerk,
        signups,
        parts.app.get(LEGACY_SIGNUP),
        parts.mailer,
        parts.settings.signup,
        parts.settings.login,
        public_url=parts.settings.public_url,
    )
    parts.app[SIGNUPS] = service
    parts.serve(SignupRoutes(service, parts.edge).endpoints())
