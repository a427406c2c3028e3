"""Sessions, as both APIs know them."""

from toolkit.sandbox.emulator.instance import Instance
from toolkit.sandbox.emulator.store import new_id, now_ms

_WEEK = 7 * 24 * 3600 * 1000
_MONTH = 30 * 24 * 3600 * 1000

Session = dict[str, object]


def create(instance: Instance, client_id: str, user_id: str, *, second_factor: bool = False) -> Session:
    """A new session of a client, whose user proved the first factor now, or both."""
    now = now_ms()
    session: Session = {
        "object": "session",
        "id": new_id("sess"),
        "user_id": user_id,
        "client_id": client_id,
        "status": "active",
        "last_active_organization_id": None,
        "last_active_at": now,
        "actor": None,
        "expire_at": now + _WEEK,
        "abandon_at": now + _MONTH,
        "created_at": now,
        "updated_at": now,
        "verified_at": [now, now if second_factor else None],
    }
    return keep(instance, session)


def keep(instance: Instance, session: Session) -> Session:
    """Write a session."""
    instance.store.put_thing("session", str(session["id"]), str(session["user_id"]), session)
    return session


def set_status(instance: Instance, session: Session, status: str) -> Session:
    """Change a session's status; the session as it is then."""
    return keep(instance, {**session, "status": status, "updated_at": now_ms()})


def revoke_all(instance: Instance, user_id: str, but: str | None = None) -> None:
    """End all sessions of a user, but for one."""
    for session in instance.store.things_of("session", user_id):
        if session["id"] != but and lives(session):
            set_status(instance, session, "revoked")


def lives(session: Session) -> bool:
    """Active, and its time is not over."""
    return status_of(session) == "active"


def status_of(session: Session) -> str:
    """The status as of now: sessions expire by themselves."""
    status, expire_at = str(session["status"]), session["expire_at"]
    return (
        "expired" if status == "active" and isinstance(expire_at, int) and expire_at <= now_ms() else status
    )
