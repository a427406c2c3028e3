"""Signing up, mounted: its endpoints, and the sweep that ends what somebody left."""

from datetime import timedelta
from functools import partial

from aiohttp import web

from bff.devices import Devices
from bff.parts import Parts
from bff.sessions.service import Sessions
from bff.signup.clerk import ClerkSignup
from bff.signup.codes import Codes
from bff.signup.decoys import Decoys
from bff.signup.mails import Mails
from bff.signup.proven import ProvenSignups
from bff.signup.resuming import Resuming
from bff.signup.routes import SignupRoutes
from bff.signup.service import LegacySignup, SignupService
from bff.signup.steps import Steps
from bff.signup.storage import Storage
from bff.veil import Veil
from toolkit.sweep.runner import Sweep
from toolkit.sweep.signups import Signups

LEGACY_SIGNUP = web.AppKey("legacy_signup", LegacySignup)
"""Signing up as AX does, as long as that is mounted."""
PROVEN = web.AppKey("proven_signups", ProvenSignups)
"""What the reset of a password asks of signups."""
RESUMING = web.AppKey("resuming", Resuming)
"""What a login asks of signups."""


def mount(parts: Parts) -> None:
    """Serve the signup, and sweep as long as the server runs."""
    settings = parts.settings.signup
    unverified = timedelta(hours=settings.unverified_hours)
    storage = Storage(parts.database, parts.cipher, unverified)
    clerk = ClerkSignup(parts.backend, parts.frontend)
    signups = Signups(parts.database.connection, parts.backend)
    mails = Mails(parts.limits, parts.mailer)
    decoys = Decoys(parts.database, storage, clerk, mails)
    devices = Devices(parts.cipher)
    veil = Veil(settings.answer_seconds)
    sessions = Sessions(parts.settings.session, parts.cipher)
    service = SignupService(
        parts.database,
        storage,
        clerk,
        Steps(parts.database, storage, clerk, signups, decoys, mails, sessions, devices),
        Codes(storage, clerk, signups, parts.limits),
        decoys,
        mails,
        signups,
        parts.app.get(LEGACY_SIGNUP),
        parts.limits,
        veil,
    )
    parts.app[RESUMING] = Resuming(
        parts.database,
        storage,
        clerk,
        signups,
        decoys,
        mails,
        devices,
        parts.limits,
        veil,
    )
    parts.app[PROVEN] = ProvenSignups(parts.database, storage, parts.backend, signups)
    parts.serve(SignupRoutes(service, parts.edge).endpoints())
    if parts.backend is not None:
        sweep = Sweep(parts.database.connection, parts.backend)
        every = timedelta(seconds=settings.sweep_seconds)
        parts.run(partial(sweep.forever, every=every, unverified=unverified))
