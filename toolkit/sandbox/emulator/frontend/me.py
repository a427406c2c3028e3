"""The signed-in user: names, password, and sessions on all devices."""

from dataclasses import replace

import orjson

from toolkit.sandbox.emulator import errors, metadata, sessions
from toolkit.sandbox.emulator.frontend import proofs
from toolkit.sandbox.emulator.frontend.resources import show_frontend_user, show_session, show_session_base
from toolkit.sandbox.emulator.frontend.visit import Record, Visit, spend
from toolkit.sandbox.emulator.store import User, now_ms

FRESH_MS = 10 * 60 * 1000
"""How long after proving a factor its user may change passwords and factors without proving it again
(https://clerk.com/docs/guides/secure/reverification)."""
_NAMES = ("first_name", "last_name")
_PRIMARY = "primary_email_address_id"


async def get_me(visit: Visit) -> object:
    """GET /v1/me."""
    return show_frontend_user(visit, signed_in(visit)[0])


async def update_me(visit: Visit) -> object:
    """PATCH /v1/me."""
    _refuse_unknown(visit, *_NAMES, _PRIMARY, *(["username"] if visit.instance.settings.username else []))
    user, _ = fresh(visit) if _PRIMARY in visit.form else signed_in(visit)
    for name in (*_NAMES, "username"):
        if name in visit.form:
            setattr(user, name, visit.form[name] or None)
    if _PRIMARY in visit.form:
        _make_primary(user, visit.form[_PRIMARY])
    return show_frontend_user(visit, save(visit, user))


async def update_metadata(visit: Visit) -> object:
    """PATCH /v1/me/metadata: of what applications keep, users may change what is called unsafe."""
    _refuse_unknown(visit, "unsafe_metadata")
    user, _ = signed_in(visit)
    user.unsafe_metadata = metadata.merge(user.unsafe_metadata, _read_object(visit, "unsafe_metadata"))
    return show_frontend_user(visit, save(visit, user))


async def list_sessions(visit: Visit) -> object:
    """GET /v1/me/sessions."""
    return [show_session(visit, session) for session in _living_sessions(visit)]


async def list_active_sessions(visit: Visit) -> object:
    """GET /v1/me/sessions/active."""
    return [
        {
            **show_session_base(visit, session),
            "latest_activity": {"object": "session_activity", "id": session["id"], "is_mobile": False},
        }
        for session in _living_sessions(visit)
    ]


async def revoke_session(visit: Visit) -> object:
    """POST /v1/me/sessions/{session_id}/revoke."""
    user, _ = signed_in(visit)
    session = visit.instance.store.get_thing("session", visit.call.ids["session_id"])
    if session is None or session["user_id"] != user.id:
        raise errors.not_found(f"No session was found with id {visit.call.ids['session_id']}")
    return show_session(visit, sessions.set_status(visit.instance, session, "revoked"))


async def change_password(visit: Visit) -> object:
    """POST /v1/me/change_password: the current one may be left out, as a factor was proven lately."""
    spend(visit.instance, visit.call, "verification")
    user, session = fresh(visit)
    new, current = visit.text("new_password"), visit.form.get("current_password")
    if current is not None and user.password_digest is not None:
        await proofs.check_password(visit, user, current, errors.current_password_incorrect)
    user = await proofs.set_password(visit, user, new, "new_password")
    if visit.form.get("sign_out_of_other_sessions") == "true":
        sessions.revoke_all(visit.instance, user.id, but=str(session["id"]))
    return show_frontend_user(visit, user)


async def remove_password(visit: Visit) -> object:
    """POST /v1/me/remove_password."""
    spend(visit.instance, visit.call, "verification")
    user, _ = fresh(visit)
    if user.password_digest is None:
        raise errors.no_password_set()
    current = visit.text("current_password")
    user = await proofs.check_password(visit, user, current, errors.current_password_incorrect)
    if visit.instance.settings.password:
        raise errors.password_required()
    return show_frontend_user(visit, save(visit, replace(user, password_digest=None, password_hasher=None)))


def signed_in(visit: Visit) -> tuple[User, Record]:
    """The user and the session that the request is about. Raises Refusal."""
    if visit.client is None:
        raise errors.authentication_invalid()
    wanted = dict(visit.call.query).get("_clerk_session_id") or visit.client.last_active_session_id
    for session in visit.sessions():
        user = visit.instance.store.get(str(session["user_id"]))
        if session["id"] == wanted and user is not None:
            return user, session
    raise errors.signed_out()


def fresh(visit: Visit) -> tuple[User, Record]:
    """As `signed_in`, when every factor that the user has was proven just now. Raises Refusal (reverification)."""
    user, session = signed_in(visit)
    verified = session.get("verified_at")
    moments: list[int | None] = verified if isinstance(verified, list) else [None, None]
    needed = moments if user.has_second_factor else moments[:1]
    if any(moment is None or now_ms() - moment >= FRESH_MS for moment in needed):
        raise errors.reverification_required("multi_factor" if user.has_second_factor else "first_factor")
    return user, session


def save(visit: Visit, user: User) -> User:
    """Write a changed user. Raises Refusal when somebody else has what is to be theirs."""
    user.updated_at = now_ms()
    taken = visit.instance.store.save(user)
    if taken:
        raise errors.exists(taken)
    return user


def _refuse_unknown(visit: Visit, *known: str) -> None:
    for name in visit.form:
        if name not in known:
            raise errors.unknown(name)


def _read_object(visit: Visit, name: str) -> dict[str, object]:
    try:
        value = orjson.loads(visit.text(name))
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise errors.wrong_type(name, "object")
    return value


def _make_primary(user: User, email_id: str) -> None:
    email = next((email for email in user.emails if email.id == email_id), None)
    if email is None:
        raise errors.value_invalid(_PRIMARY, email_id)
    if email.status != "verified":
        raise errors.verification_needed()
    user.primary_email_address_id = email.id


def _living_sessions(visit: Visit) -> list[Record]:
    user, _ = signed_in(visit)
    return [
        session for session in visit.instance.store.things_of("session", user.id) if sessions.lives(session)
    ]
