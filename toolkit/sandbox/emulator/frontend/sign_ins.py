"""Sign-ins: an identifier, the first factor, the second, and the session at the end."""

from dataclasses import replace

import jwt

from toolkit.sandbox.emulator import errors, sessions
from toolkit.sandbox.emulator.frontend import proofs
from toolkit.sandbox.emulator.frontend.resources import CODES, show_sign_in
from toolkit.sandbox.emulator.frontend.visit import Record, Visit, spend
from toolkit.sandbox.emulator.store import User, new_id, normalize_email, now_ms

_DAY = 24 * 3600 * 1000


async def create_sign_in(visit: Visit) -> object:
    """POST /v1/client/sign_ins."""
    spend(visit.instance, visit.call, "create_sign_in")
    if visit.instance.settings.single_session_mode and visit.sessions():
        raise errors.session_exists()
    sign_in = _new_sign_in(visit)
    strategy = visit.form.get("strategy") or ("password" if "password" in visit.form else None)
    if strategy == "ticket":
        _use_ticket(visit, sign_in)
    elif strategy in ("password", *CODES) or "identifier" in visit.form:
        user = _identify(visit, sign_in)
        await _begin(visit, sign_in, user, strategy)
    elif strategy is not None:
        raise errors.value_invalid("strategy", strategy)
    return _keep(visit, sign_in)


async def get_sign_in(visit: Visit) -> object:
    """GET /v1/client/sign_ins/{sign_in_id}."""
    return show_sign_in(visit, _find(visit))


async def prepare_first_factor(visit: Visit) -> object:
    """POST …/prepare_first_factor."""
    sign_in, user = _find_open(visit, "needs_first_factor")
    strategy = visit.text("strategy")
    if strategy not in CODES:
        raise errors.value_invalid("strategy", strategy)
    _send_email(visit, sign_in, "first", user, strategy)
    return _keep(visit, sign_in)


async def attempt_first_factor(visit: Visit) -> object:
    """POST …/attempt_first_factor."""
    spend(visit.instance, visit.call, "attempt")
    if visit.form.get("strategy") == "ticket":
        sign_in = _find(visit, "needs_identifier", "needs_first_factor")
        _use_ticket(visit, sign_in)
        return _keep(visit, sign_in)
    sign_in, user = _find_open(visit, "needs_first_factor")
    strategy = visit.text("strategy")
    if strategy == "password":
        await _try_password(visit, sign_in, user)
    elif strategy in CODES:
        user = _try_code(visit, sign_in, "first", strategy, user)
        if strategy == "reset_password_email_code":
            sign_in["status"] = "needs_new_password"
        else:
            _advance(visit, sign_in, user)
    else:
        raise errors.value_invalid("strategy", strategy)
    return _keep(visit, sign_in)


async def reset_password(visit: Visit) -> object:
    """POST …/reset_password."""
    spend(visit.instance, visit.call, "attempt")
    sign_in, user = _find_open(visit, "needs_new_password")
    user = await proofs.set_password(visit, user, visit.text("password"))
    if visit.form.get("sign_out_of_other_sessions") == "true":
        sessions.revoke_all(visit.instance, user.id)
    _advance(visit, sign_in, user)
    return _keep(visit, sign_in)


async def prepare_second_factor(visit: Visit) -> object:
    """POST …/prepare_second_factor."""
    sign_in, user = _find_open(visit, "needs_second_factor", "needs_client_trust")
    strategy, trusting = visit.text("strategy"), sign_in["status"] == "needs_client_trust"
    if strategy == "email_code" and trusting:
        _send_email(visit, sign_in, "second", user, strategy)
    elif strategy == "phone_code" and not trusting:
        phone = proofs.find_phone(visit, user)
        proofs.send_code(visit, sign_in, "second", phone.phone_number, strategy)
    else:
        raise errors.strategy_invalid()
    return _keep(visit, sign_in)


async def attempt_second_factor(visit: Visit) -> object:
    """POST …/attempt_second_factor."""
    spend(visit.instance, visit.call, "attempt")
    sign_in, user = _find_open(visit, "needs_second_factor", "needs_client_trust")
    strategy, trusting = visit.text("strategy"), sign_in["status"] == "needs_client_trust"
    if strategy == ("email_code" if trusting else "phone_code"):
        _try_code(visit, sign_in, "second", strategy, user)
    elif strategy in proofs.STRATEGIES and not trusting:
        await proofs.use_own_code(visit, sign_in, strategy, user)
    else:
        raise errors.strategy_invalid()
    _complete(visit, sign_in, proofs.reread(visit, user))
    return _keep(visit, sign_in)


def _new_sign_in(visit: Visit) -> Record:
    return {
        "id": new_id("sia"),
        "status": "needs_identifier",
        "user_id": None,
        "identifier": None,
        "identification_id": None,
        "first": None,
        "second": None,
        "code": None,
        "created_session_id": None,
        "abandon_at": now_ms() + _DAY,
        "client_trust_state": "pending" if visit.instance.settings.client_trust else None,
    }


def _keep(visit: Visit, sign_in: Record) -> object:
    client = visit.make_client()
    client.sign_in = None if sign_in["status"] == "complete" else sign_in
    if sign_in["status"] == "complete":
        visit.instance.store.put_thing(
            "sign_in", str(sign_in["id"]), None, {**sign_in, "client_id": client.id}
        )
    visit.keep()
    return show_sign_in(visit, sign_in)


def _find(visit: Visit, *statuses: str) -> Record:
    """The client's sign-in with the id in the path, in one of these states. Raises Refusal."""
    wanted = visit.call.ids["sign_in_id"]
    if visit.client is None:
        raise errors.client_not_found()
    sign_in = visit.client.sign_in
    if sign_in is None or sign_in["id"] != wanted:
        done = visit.instance.store.get_thing("sign_in", wanted)
        if done is None or done["client_id"] != visit.client.id:
            raise errors.not_found(f"No sign in was found with id {wanted}")
        sign_in = {name: value for name, value in done.items() if name != "client_id"}
    if int(str(sign_in["abandon_at"])) <= now_ms() and sign_in["status"] != "complete":
        sign_in = {**sign_in, "status": "abandoned"}
    if statuses and sign_in["status"] not in statuses:
        raise errors.client_state_invalid()
    return dict(sign_in)


def _find_open(visit: Visit, *statuses: str) -> tuple[Record, User]:
    """As `_find`, with the user. Raises Refusal."""
    sign_in = _find(visit, *statuses)
    user = visit.instance.store.get(str(sign_in["user_id"]))
    if user is None:
        raise errors.identifier_not_found()
    return sign_in, user


def _identify(visit: Visit, sign_in: Record) -> User:
    identifier = visit.text("identifier")
    user = visit.instance.store.with_email(identifier)
    email = next(
        (
            email
            for email in (user.emails if user is not None else ())
            if email.identifies and normalize_email(email.email_address) == normalize_email(identifier)
        ),
        None,
    )
    if user is None or email is None:
        raise errors.identifier_not_found()
    sign_in["identifier"], sign_in["identification_id"] = identifier, email.id
    _name(visit, sign_in, user)
    return user


def _name(visit: Visit, sign_in: Record, user: User) -> None:
    """Note who wants to sign in. Raises Refusal when they are signed in already."""
    if any(session["user_id"] == user.id for session in visit.sessions()):
        raise errors.already_signed_in()
    sign_in["user_id"], sign_in["status"] = user.id, "needs_first_factor"
    if visit.instance.settings.client_trust:
        known = visit.client is not None and user.id in visit.client.known_users
        sign_in["client_trust_state"] = "known" if known else "new"


async def _begin(visit: Visit, sign_in: Record, user: User, strategy: str | None) -> None:
    """Do what the strategy wants of a sign-in with an identifier; nothing yet without one."""
    if strategy == "password":
        await _try_password(visit, sign_in, user)
    elif strategy in CODES:
        _send_email(visit, sign_in, "first", user, str(strategy))
    elif strategy is not None:
        raise errors.value_invalid("strategy", strategy)


def _send_email(visit: Visit, sign_in: Record, factor: str, user: User, strategy: str) -> None:
    email = proofs.find_email(visit, user, sign_in["identification_id"])
    proofs.send_code(visit, sign_in, factor, email.email_address, strategy)


def _try_code(visit: Visit, sign_in: Record, factor: str, strategy: str, user: User) -> User:
    try:
        return proofs.check_code(visit, sign_in, factor, strategy, user)
    except errors.Refusal:
        _keep(visit, sign_in)  # with the attempt that it took
        raise


async def _try_password(visit: Visit, sign_in: Record, user: User) -> None:
    user = await proofs.check_password(visit, user, visit.text("password"))
    if user.password_compromised and visit.instance.settings.compromised_sign_in == "refused":
        raise errors.password_compromised()
    sign_in["first"] = proofs.verified("verification_password", "password")
    _advance(visit, sign_in, user)


def _use_ticket(visit: Visit, sign_in: Record) -> None:
    """Sign in by a sign-in token, which is used up. Raises Refusal."""
    user = _spend_ticket(visit)
    _name(visit, sign_in, user)
    sign_in["first"] = proofs.verified("verification_ticket", "ticket")
    _advance(visit, sign_in, user)


def _spend_ticket(visit: Visit) -> User:
    try:
        claims = visit.instance.signing_key.verify(visit.text("ticket"))
    except jwt.ExpiredSignatureError:
        raise errors.ticket_expired() from None
    except jwt.InvalidTokenError:
        raise errors.ticket_invalid() from None
    kept = visit.instance.store.get_thing("sign_in_token", str(claims.get("sid")))
    user = visit.instance.store.get(str(kept["user_id"])) if kept is not None else None
    if kept is None or user is None:
        raise errors.ticket_invalid()
    if kept["status"] != "pending":
        raise errors.ticket_revoked() if kept["status"] == "revoked" else errors.ticket_used()
    kept.update(status="accepted", updated_at=now_ms())
    visit.instance.store.put_thing("sign_in_token", str(kept["id"]), user.id, kept)
    return user


def _advance(visit: Visit, sign_in: Record, user: User) -> None:
    """After the first factor: a new password, the second factor, the client's trust, or the session."""
    if user.banned:
        raise errors.user_banned()
    first = sign_in["first"]
    by_password = isinstance(first, dict) and first["strategy"] == "password"
    if user.password_compromised:
        sign_in["status"] = "needs_new_password"
    elif user.has_second_factor:
        sign_in["status"] = "needs_second_factor"
    elif sign_in["client_trust_state"] == "new" and by_password and not user.bypass_client_trust:
        sign_in["status"] = "needs_client_trust"
    else:
        _complete(visit, sign_in, user)


def _complete(visit: Visit, sign_in: Record, user: User) -> None:
    if user.banned:
        raise errors.user_banned()
    swapped = visit.instance.settings.sign_in_as
    if swapped is not None:
        user = visit.instance.store.get(swapped) or user
    client, now = visit.make_client(), now_ms()
    second = isinstance(sign_in["second"], dict) and user.has_second_factor
    session = sessions.create(visit.instance, client.id, user.id, second_factor=second)
    client.session_ids.append(str(session["id"]))
    client.last_active_session_id = str(session["id"])
    if user.id not in client.known_users:
        client.known_users.append(user.id)
    if isinstance(sign_in["first"], dict):
        client.last_strategy = str(sign_in["first"]["strategy"])
    sign_in["status"], sign_in["created_session_id"] = "complete", session["id"]
    user = proofs.reread(visit, user)
    visit.instance.store.save(
        replace(user, failed_attempts=0, locked=user.is_locked, last_sign_in_at=now, last_active_at=now)
    )
