"""Re-authentication, mounted."""

from bff.parts import Parts
from bff.proof.feature import proof_service, resets
from bff.reauthentication.routes import ReauthenticationRoutes
from bff.reauthentication.service import Reauthentication
from bff.sessions.clerk import ClerkSessions
from bff.sessions.identity import Identity
from bff.sessions.service import Sessions


def mount(parts: Parts) -> None:
    """Serve the re-authentication."""
    clerk_sessions = ClerkSessions(parts.frontend)
    sessions = Sessions(parts.settings.session, parts.cipher)
    service = Reauthentication(
        parts.database,
        proof_service(parts, clerk_sessions),
        sessions,
        clerk_sessions,
        resets(parts),
        parts.limits,
    )
    identity = Identity(parts.database, sessions, parts.edge.session)
    parts.serve(ReauthenticationRoutes(service, identity, parts.edge).endpoints())
    parts.at_end(clerk_sessions.close)
