"""Clients and their sessions."""

from toolkit.sandbox.emulator import errors
from toolkit.sandbox.emulator.frontend.resources import session_token, show_client, show_session
from toolkit.sandbox.emulator.frontend.visit import ClientRecord, Record, Visit
from toolkit.sandbox.emulator.sessions import keep, lives, set_status
from toolkit.sandbox.emulator.store import now_ms


async def get_client(visit: Visit) -> object:
    """GET /v1/client."""
    return show_client(visit)


async def create_client(visit: Visit) -> object:
    """POST and PUT /v1/client: a new client, whatever the token says."""
    visit.client = None
    visit.make_client()
    visit.keep()
    return show_client(visit)


async def end_client(visit: Visit) -> object:
    """DELETE /v1/client: its sessions end, and its token is unknown from then on."""
    client = _sign_out(visit, "ended")
    visit.instance.store.delete_thing("client", client.id)
    visit.client = None
    return None


async def sign_out(visit: Visit) -> object:
    """DELETE /v1/client/sessions: the client stays, and remembers who signed in on it."""
    client = _sign_out(visit, "removed")
    client.session_ids.clear()
    client.last_active_session_id = None
    visit.keep()
    return show_client(visit)


async def get_session(visit: Visit) -> object:
    """GET /v1/client/sessions/{session_id}."""
    return show_session(visit, find(visit))


async def touch_session(visit: Visit) -> object:
    """POST …/touch."""
    session = keep(visit.instance, {**find(visit), "last_active_at": now_ms()})
    client = visit.make_client()
    client.last_active_session_id = str(session["id"])
    visit.keep()
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


def _sign_out(visit: Visit, status: str) -> ClientRecord:
    if visit.client is None:
        raise errors.client_not_found()
    for session in visit.sessions():
        set_status(visit.instance, session, status)
    return visit.client


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
