"""Sessions, mounted."""

from bff.parts import Parts
from bff.sessions.clerk import ClerkSessions
from bff.sessions.identity import Identity
from bff.sessions.routes import SessionRoutes
from bff.sessions.service import Sessions


def mount(parts: Parts) -> None:
    """Serve what those who are signed in ask for."""
    sessions, clerk_sessions = Sessions(parts.settings.session, parts.cipher), ClerkSessions(parts.frontend)
    identity = Identity(parts.database, sessions, parts.edge.session)
    parts.serve(SessionRoutes(parts.database, sessions, identity, clerk_sessions, parts.edge).endpoints())
    parts.at_end(clerk_sessions.close)
