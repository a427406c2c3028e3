"""Hands the proof to the features that need one."""

from aiohttp import web

from bff.devices import Devices
from bff.parts import Parts
from bff.proof.challenges import Challenges
from bff.proof.clerk import ClerkSystem
from bff.proof.clerk_resets import ClerkResets
from bff.proof.lockout import Lockout
from bff.proof.resets import Resets
from bff.proof.service import ProofService
from bff.proof.systems import ResetSystem, System
from bff.sessions.clerk import ClerkSessions
from bff.veil import Veil

LEGACY_SYSTEM = web.AppKey("legacy_system", System)
"""AX's own system, as long as there is one."""
LEGACY_RESETS = web.AppKey("legacy_resets", ResetSystem)
"""Resets of passwords that AX keeps, as long as there are any."""
LOCKOUT = web.AppKey("lockout", Lockout)
RESETS = web.AppKey("resets", Resets)


def proof_service(parts: Parts, clerk_sessions: ClerkSessions) -> ProofService:
    """What checks passwords and codes, with all the systems that are mounted."""
    systems: list[System] = [_clerk_system(parts, clerk_sessions)]
    if LEGACY_SYSTEM in parts.app:
        systems.append(parts.app[LEGACY_SYSTEM])
    return ProofService(
        parts.database, Challenges(parts.cipher), Devices(parts.cipher), parts.limits, systems
    )


def resets(parts: Parts) -> Resets:
    """What begins resets and checks their codes: one for all, as it waits for what is being sent."""
    if RESETS in parts.app:
        return parts.app[RESETS]
    clerk_sessions = ClerkSessions(parts.frontend)
    systems: list[ResetSystem] = [
        ClerkResets(parts.frontend, parts.backend, _clerk_system(parts, clerk_sessions), lockout(parts))
    ]
    if LEGACY_RESETS in parts.app:
        systems.append(parts.app[LEGACY_RESETS])
    parts.app[RESETS] = Resets(
        parts.database,
        Challenges(parts.cipher),
        Devices(parts.cipher),
        parts.limits,
        systems,
        Veil(parts.settings.login.failure_seconds),
        parts.metrics.registry,
    )
    parts.at_end(clerk_sessions.close)
    parts.at_end(parts.app[RESETS].close)
    return parts.app[RESETS]


def lockout(parts: Parts) -> Lockout:
    """What counts the failures that Clerk would count: one for all, as it asks the instance for its number."""
    if LOCKOUT not in parts.app:
        parts.app[LOCKOUT] = Lockout(parts.limits, parts.frontend)
        parts.run(parts.app[LOCKOUT].keep_informed)
    return parts.app[LOCKOUT]


def _clerk_system(parts: Parts, clerk_sessions: ClerkSessions) -> ClerkSystem:
    return ClerkSystem(parts.frontend, parts.database, clerk_sessions, parts.limits, lockout(parts))
