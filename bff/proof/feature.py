"""Hands the proof to the features that need one."""

from aiohttp import web

from bff.devices import Devices
from bff.parts import Parts
from bff.proof.challenges import Challenges
from bff.proof.clerk import ClerkSystem
from bff.proof.lockout import Lockout
from bff.proof.service import ProofService
from bff.proof.systems import System
from bff.sessions.clerk import ClerkSessions

LEGACY_SYSTEM = web.AppKey("legacy_system", System)
"""AX's own system, as long as there is one."""


LOCKOUT = web.AppKey("lockout", Lockout)


def proof_service(parts: Parts, clerk_sessions: ClerkSessions) -> ProofService:
    """What checks passwords and codes, with all the systems that are mounted."""
    if LOCKOUT not in parts.app:
        parts.app[LOCKOUT] = Lockout(parts.limits, parts.frontend)
        parts.run(parts.app[LOCKOUT].keep_informed)
    systems: list[System] = [
        ClerkSystem(parts.frontend, parts.database, clerk_sessions, parts.limits, parts.app[LOCKOUT])
    ]
    if LEGACY_SYSTEM in parts.app:
        systems.append(parts.app[LEGACY_SYSTEM])
    return ProofService(
        parts.database, Challenges(parts.cipher), Devices(parts.cipher), parts.limits, systems
    )
