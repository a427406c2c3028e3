"""What needs recent proof says so in its first line."""

from datetime import UTC, datetime, timedelta

from bff.refusals import ReauthenticationRequired
from bff.sessions.service import Session

RECENT = timedelta(minutes=10)
"""How long a proof counts, as Clerk counts it (https://clerk.com/docs/guides/secure/reverification)."""


def require_recent_proof(session: Session) -> None:
    """Raises ReauthenticationRequired, also for a session that has nothing behind it in Clerk though its user is there.

    Clerk itself has the last word on its users, and may want a proof sooner.
    """
    moved = session.user.clerk_id is not None and session.clerk_session_id is None
    if moved or session.proved_at is None or datetime.now(UTC) - session.proved_at > RECENT:
        raise ReauthenticationRequired
