"""Clients and their sessions."""

from toolkit.sandbox.clerk import errors
from toolkit.sandbox.clerk.frontend.resources import session_token, show_client, show_session
from toolkit.sandbox.clerk.frontend.visit import Record, Visit
from toolkit.sandbox.clerk.instance import Instance
from toolkit.sandbox.clerk.sessions import lives
from toolkit.sandbox.clerk.store import new_id, now_ms

_WEEK = 7 * 24 * 3600 * 1000
_MONTH = 30 * 24 * 3600 * 1000


def create(instance: Instance, client_id: str, user_id: str, *, second_factor: bool) -> Record:
    """A session of a client."""
    now = now_ms()
    session: Record = {
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
    instance.store.put_thing("session", str(session["id"]), user_id, session)
    return session


def revoke_all(instance: Instance, user_id: str, but: str | None = None) -> None:
    """End all sessions of a user, but for one."""
    for session in instance.store.things_of("session", user_id):
        if session["id"] != but:
            set_status(instance, session, "revoked")


async def get_client(visit: Visit) -> object:
    """GET /v1/client."""
    return show_client(visit)


async def sign_out(visit: Visit) -> object:
    """DELETE /v1/client/sessions."""
    if visit.client is None:
        raise errors.client_not_found()
    for session in visit.sessions():
        set_status(visit.instance, session, "removed")
    visit.client.session_ids.clear()
    visit.client.last_active_session_id = None
    visit.keep()
    return show_client(visit)


async def get_session(visit: Visit) -> object:
    """GET /v1/client/sessions/{session_id}."""
    return show_session(visit, find(visit))


async def touch_session(visit: Visit) -> object:
    """POST …/touch."""
    session = {**find(visit), "last_active_at": now_ms()}
    visit.instance.store.put_thing("session", str(session["id"]), str(session["user_id"]), session)
    return show_session(visit, session)


async def create_token(visit: Visit) -> object:
    """POST …/tokens: a short-lived token of the session."""
    return {"jwt": session_token(visit, find(visit))}


async def end_session(visit: Visit) -> object:
    """POST …/end."""
    return _end(visit, "ended")


async def remove_session(visit: Visit) -> object:
    """POST …/remove."""
    return _end(visit, "removed")


def _end(visit: Visit, status: str) -> object:
    session = find(visit)
    ended = set_status(visit.instance, session, status)
    client = visit.make_client()
    client.session_ids.remove(str(session["id"]))
    if client.last_active_session_id == session["id"]:
        client.last_active_session_id = client.session_ids[-1] if client.session_ids else None
    visit.keep()
    return show_session(visit, ended)


def find(visit: Visit) -> Record:
    """The client's session with the id in the path. Raises Refusal."""
    if visit.client is None:
        raise errors.client_not_found()
    wanted = visit.call.ids["session_id"]
    session = (
        visit.instance.store.get_thing("session", wanted) if wanted in visit.client.session_ids else None
    )
    if session is None:
        raise errors.not_found(f"No session was found with id {wanted}")
    if not lives(session):
        raise errors.signed_out()
    return session


def set_status(instance: Instance, session: Record, status: str) -> Record:
    """Change a session's status; the session as it is then."""
    changed = {**session, "status": status, "updated_at": now_ms()}
    instance.store.put_thing("session", str(session["id"]), str(session["user_id"]), changed)
    return changed
