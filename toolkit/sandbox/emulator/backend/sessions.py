"""Sessions and sign-in tokens, in the Backend API."""

from toolkit.sandbox.emulator import errors, sessions
from toolkit.sandbox.emulator.backend.queries import MOST, read_integer
from toolkit.sandbox.emulator.instance import Answer, Call, Instance
from toolkit.sandbox.emulator.parameters import Body
from toolkit.sandbox.emulator.store import new_id, now_ms

_MONTH_SECONDS = 30 * 24 * 3600
_STATUSES = ("abandoned", "active", "ended", "expired", "removed", "replaced", "revoked", "pending")


async def create_session(instance: Instance, call: Call) -> Answer:
    """POST /v1/sessions: a session for tests, as Clerk offers on development instances."""
    user_id = Body(call.body, {"user_id", "active_organization_id"}).required_text("user_id")
    _require_user(instance, user_id)
    session = sessions.create(instance, new_id("client"), user_id)
    return Answer(_shown(session))


async def list_sessions(instance: Instance, call: Call) -> Answer:
    """GET /v1/sessions, the newest first.

    With `paginated=true` in the form that Clerk's Node SDK reads, which its description lacks.
    """
    given = dict(call.query)
    status = given.get("status")
    if status is not None and status not in _STATUSES:
        raise errors.value_invalid("status", status)
    if "user_id" not in given and "client_id" not in given:
        raise errors.missing("user_id")
    limit = read_integer(call.query, "limit", default=10, least=1, most=MOST)
    offset = read_integer(call.query, "offset", default=0, least=0)
    found = [
        session
        for session in instance.store.things_of("session", given.get("user_id"))
        if status in (None, sessions.status_of(session))
        and given.get("client_id") in (None, session["client_id"])
    ]
    found.sort(key=lambda session: int(str(session["created_at"])), reverse=True)
    page = found if given.get("paginated") == "false" else found[offset : offset + limit]
    shown = [_shown(session) for session in page]
    if given.get("paginated") == "true":
        return Answer({"data": shown, "total_count": len(found)})
    return Answer(shown)


async def get_session(instance: Instance, call: Call) -> Answer:
    """GET /v1/sessions/{session_id}."""
    return Answer(_shown(_find_session(instance, call)))


async def revoke_session(instance: Instance, call: Call) -> Answer:
    """POST /v1/sessions/{session_id}/revoke."""
    return Answer(_shown(sessions.set_status(instance, _find_session(instance, call), "revoked")))


async def create_sign_in_token(instance: Instance, call: Call) -> Answer:
    """POST /v1/sign_in_tokens."""
    body = Body(call.body, {"user_id", "org_id", "expires_in_seconds"})
    user_id, seconds = body.required_text("user_id"), body.integer("expires_in_seconds")
    if seconds is not None and seconds < 1:
        raise errors.value_invalid("expires_in_seconds", seconds)
    _require_user(instance, user_id)
    now = now_ms()
    token = {
        "object": "sign_in_token",
        "id": new_id("sit"),
        "user_id": user_id,
        "status": "pending",
        "url": None,
        "created_at": now,
        "updated_at": now,
    }
    expire_at = now + 1000 * (seconds or _MONTH_SECONDS)
    instance.store.put_thing("sign_in_token", str(token["id"]), user_id, {**token, "expire_at": expire_at})
    claims = {
        "iid": instance.id,
        "sid": token["id"],
        "st": "sign_in_token",
        "iat": now // 1000,
        "exp": expire_at // 1000,
    }
    return Answer({**token, "token": instance.signing_key.sign(claims)})


async def revoke_sign_in_token(instance: Instance, call: Call) -> Answer:
    """POST /v1/sign_in_tokens/{sign_in_token_id}/revoke."""
    token_id = call.ids["sign_in_token_id"]
    kept = instance.store.get_thing("sign_in_token", token_id)
    if kept is None:
        raise errors.not_found()
    if kept["status"] != "pending":
        raise errors.cannot_revoke(str(kept["status"]))
    kept.update(status="revoked", updated_at=now_ms())
    instance.store.put_thing("sign_in_token", token_id, str(kept["user_id"]), kept)
    return Answer({name: value for name, value in kept.items() if name != "expire_at"})


def _require_user(instance: Instance, user_id: str) -> None:
    if instance.store.get(user_id) is None:
        raise errors.user_not_found(user_id)


def _find_session(instance: Instance, call: Call) -> dict[str, object]:
    session = instance.store.get_thing("session", call.ids["session_id"])
    if session is None:
        raise errors.not_found(f"No session was found with id {call.ids['session_id']}")
    return session


def _shown(session: dict[str, object]) -> dict[str, object]:
    """The session as it is answered, without the fields that Clerk keeps to itself."""
    shown = {name: value for name, value in session.items() if name not in ("verified_at", "verification")}
    return {**shown, "status": sessions.status_of(session)}
