"""Sign-ins: an identifier, the first factor, the second, and the session at the end."""

from dataclasses import replace
from typing import NoReturn

import jwt

from toolkit.sandbox.emulator import errors, passwords, sessions
from toolkit.sandbox.emulator.frontend import nobody, proofs
from toolkit.sandbox.emulator.frontend.resources import EMAIL_CODES, PHONE_CODES, goes_to, show_sign_in
from toolkit.sandbox.emulator.frontend.visit import Record, Visit, spend
from toolkit.sandbox.emulator.store import User, new_id, normalize_email, now_ms

_DAY = 24 * 3600 * 1000
_CODES = (*EMAIL_CODES, *PHONE_CODES)
_RESETS = ("reset_password_email_code", "reset_password_phone_code")
"""Codes after which a new password is due."""


async def create_sign_in(visit: Visit) -> object:
    """POST /v1/client/sign_ins."""
    spend(visit.instance, visit.call, "create_sign_in")
    if visit.instance.settings.single_session_mode and visit.sessions():
        raise errors.session_exists()
    sign_in = _new_sign_in(visit)
    strategy = visit.form.get("strategy") or ("password" if "password" in visit.form else None)
    if strategy == "ticket":
        _use_ticket(visit, sign_in)
    elif strategy in ("password", *_CODES) or "identifier" in visit.form:
        user = _identify(visit, sign_in)
        if user is None:
            _begin_nobodys(visit, sign_in, strategy)
        else:
            await _begin(visit, sign_in, user, strategy)
    elif strategy is not None:
        raise errors.value_invalid("strategy", strategy)
    return _keep(visit, sign_in)


async def get_sign_in(visit: Visit) -> object:
    """GET /v1/client/sign_ins/{sign_in_id}."""
    return show_sign_in(visit, _find(visit))


async def prepare_first_factor(visit: Visit) -> object:
    """POST …/prepare_first_factor: who has to replace a password may also prove an address before."""
    strategy = visit.text("strategy")
    if strategy not in _CODES:
        raise errors.value_invalid("strategy", strategy)
    sign_in = _find(visit, *_first_factor_statuses(strategy))
    if sign_in["user_id"] is None:
        nobody.prepare(visit, sign_in, strategy)
    else:
        _send_code(visit, sign_in, "first", _user(visit, sign_in), strategy)
    return _keep(visit, sign_in)


async def attempt_first_factor(visit: Visit) -> object:
    """POST …/attempt_first_factor."""
    spend(visit.instance, visit.call, "attempt")
    if visit.form.get("strategy") == "ticket":
        sign_in = _find(visit, "needs_identifier", "needs_first_factor")
        _use_ticket(visit, sign_in)
        return _keep(visit, sign_in)
    strategy = visit.text("strategy")
    if strategy not in ("password", *_CODES):
        raise errors.value_invalid("strategy", strategy)
    sign_in = _find(visit, *_first_factor_statuses(strategy))
    if sign_in["user_id"] is None:
        _refuse_nobody(visit, sign_in, strategy)
    user = _user(visit, sign_in)
    if strategy == "password":
        await _try_password(visit, sign_in, user)
    else:
        user = _try_code(visit, sign_in, "first", strategy, user)
        if strategy in _RESETS:
            sign_in["status"] = "needs_new_password"
        else:
            _advance(visit, sign_in, user)
    return _keep(visit, sign_in)


async def reset_password(visit: Visit) -> object:
    """POST …/reset_password."""
    spend(visit.instance, visit.call, "attempt")
    sign_in, user = _find_open(visit, "needs_new_password")
    proofs.refuse_locked(user)
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
        _send_code(visit, sign_in, "second", user, strategy)
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
    return sign_in, _user(visit, sign_in)


def _user(visit: Visit, sign_in: Record) -> User:
    user = visit.instance.store.get(str(sign_in["user_id"]))
    if user is None:
        raise errors.identifier_not_found()
    return user


def _first_factor_statuses(strategy: str) -> tuple[str, ...]:
    return ("needs_first_factor", "needs_new_password") if strategy in _RESETS else ("needs_first_factor",)


def _identify(visit: Visit, sign_in: Record) -> User | None:
    """The user with the identifier; None where the instance does not tell that there is none. Raises Refusal."""
    identifier = visit.text("identifier")
    by_phone = "@" not in identifier and visit.instance.settings.phone_number_identifies
    found = _with_phone(visit, identifier) if by_phone else _with_email(visit, identifier)
    if found is None:
        if not visit.instance.settings.enumeration_protection:
            raise errors.identifier_not_found()
        nobody.identify(visit, sign_in, identifier)
        return None
    user, identification_id = found
    sign_in["identifier"], sign_in["identification_id"] = identifier, identification_id
    _name(visit, sign_in, user)
    return user


def _with_email(visit: Visit, address: str) -> tuple[User, str] | None:
    user = visit.instance.store.with_email(address)
    if user is None:
        return None
    same = (
        email for email in user.emails if normalize_email(email.email_address) == normalize_email(address)
    )
    return next(((user, email.id) for email in same if email.identifies), None)


def _with_phone(visit: Visit, number: str) -> tuple[User, str] | None:
    user = visit.instance.store.with_phone(number)
    if user is None:
        return None
    same = (phone for phone in user.phones if phone.phone_number == number)
    return next(((user, phone.id) for phone in same if phone.identifies), None)


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
    elif strategy in _CODES:
        if not goes_to(str(strategy), sign_in["identifier"]):
            raise errors.strategy_for_user_invalid()
        _send_code(visit, sign_in, "first", user, str(strategy))
    elif strategy is not None:
        raise errors.value_invalid("strategy", strategy)


def _begin_nobodys(visit: Visit, sign_in: Record, strategy: str | None) -> None:
    """As `_begin`, for a sign-in with an identifier that nobody has."""
    if strategy == "password":
        nobody.refuse(visit, sign_in, strategy)
    if strategy in _CODES:
        nobody.prepare(visit, sign_in, str(strategy))
    elif strategy is not None:
        raise errors.value_invalid("strategy", strategy)


def _refuse_nobody(visit: Visit, sign_in: Record, strategy: str) -> NoReturn:
    try:
        nobody.refuse(visit, sign_in, strategy)
    except errors.Refusal:
        _keep(visit, sign_in)  # with the attempt that it took
        raise


def _send_code(visit: Visit, sign_in: Record, factor: str, user: User, strategy: str) -> None:
    identified = sign_in["identification_id"]
    if strategy in PHONE_CODES:
        to = proofs.find_identifying_phone(visit, user, identified).phone_number
    else:
        to = proofs.find_email(visit, user, identified).email_address
    proofs.send_code(visit, sign_in, factor, to, strategy)


def _try_code(visit: Visit, sign_in: Record, factor: str, strategy: str, user: User) -> User:
    try:
        return proofs.check_code(visit, sign_in, factor, strategy, user)
    except errors.Refusal:
        _keep(visit, sign_in)  # with the attempt that it took
        raise


async def _try_password(visit: Visit, sign_in: Record, user: User) -> None:
    password, settings = visit.text("password"), visit.instance.settings
    if settings.enumeration_protection:
        if user.password_digest is None:
            raise errors.password_or_identifier_incorrect()
        wrong = errors.password_or_identifier_incorrect
    else:
        wrong = errors.password_incorrect
    user = await proofs.check_password(visit, user, password, wrong)
    if settings.reject_pwned_at_sign_in and passwords.is_pwned(settings, password):
        raise errors.password_pwned("password")
    if user.password_compromised and settings.compromised_sign_in == "refused":
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
