"""Sign-ins: who one says one is, the first factor, the second, and the session at the end."""

import asyncio
from dataclasses import replace

import jwt

from toolkit.sandbox.clerk import errors, passwords
from toolkit.sandbox.clerk.frontend import codes, sessions
from toolkit.sandbox.clerk.frontend.resources import CODES, show_sign_in
from toolkit.sandbox.clerk.frontend.visit import Record, Visit, spend
from toolkit.sandbox.clerk.store import Email, Phone, User, new_id, normalize_email, now_ms

_DAY = 24 * 3600 * 1000


async def create_sign_in(visit: Visit) -> object:
    """POST /v1/client/sign_ins."""
    spend(visit.instance, visit.call, "create_sign_in")
    if visit.instance.settings.single_session_mode and visit.sessions():
        raise errors.session_exists()
    strategy = visit.form.get("strategy")
    sign_in = _new_sign_in()
    if strategy == "ticket":
        sign_in["user_id"] = _use_ticket(visit)
        sign_in["first"] = _verification("verification_ticket", "ticket", "verified")
        user = _user(visit, sign_in)
        _refuse_banned(user)
        _advance(visit, sign_in, user)
    elif "identifier" in visit.form:
        user = _identify(visit, sign_in)
        if strategy == "password":
            await _check_password(visit, sign_in, user, visit.text("password"))
        elif strategy in CODES:
            _send_code(visit, sign_in, "first", user.emails[0].email_address, str(strategy))
    else:
        sign_in["status"] = "needs_identifier"
    return _keep(visit, sign_in)


async def get_sign_in(visit: Visit) -> object:
    """GET /v1/client/sign_ins/{sign_in_id}."""
    return show_sign_in(visit, _find(visit))


async def prepare_first_factor(visit: Visit) -> object:
    """POST …/prepare_first_factor."""
    sign_in = _find(visit, "needs_first_factor")
    strategy, user = visit.text("strategy"), _user(visit, sign_in)
    if strategy not in CODES:
        raise errors.value_invalid("strategy", strategy)
    _send_code(visit, sign_in, "first", _email(user, visit).email_address, strategy)
    return _keep(visit, sign_in)


async def attempt_first_factor(visit: Visit) -> object:
    """POST …/attempt_first_factor."""
    spend(visit.instance, visit.call, "attempt")
    sign_in = _find(visit, "needs_first_factor")
    strategy, user = visit.text("strategy"), _user(visit, sign_in)
    if strategy == "password":
        await _check_password(visit, sign_in, user, visit.text("password"))
        return _keep(visit, sign_in)
    if strategy not in CODES:
        raise errors.value_invalid("strategy", strategy)
    refuse_locked(user)
    _check_code(visit, sign_in, "first", strategy, user)
    if strategy == "reset_password_email_code":
        sign_in["status"] = "needs_new_password"
    else:
        _refuse_banned(user)
        _advance(visit, sign_in, user)
    return _keep(visit, sign_in)


async def reset_password(visit: Visit) -> object:
    """POST …/reset_password."""
    sign_in = _find(visit, "needs_new_password")
    password = visit.text("password")
    passwords.check_password(password)
    digest = await asyncio.to_thread(passwords.hash_password, password)
    user = _user(visit, sign_in)
    user = replace(
        user,
        password_digest=digest,
        password_hasher=passwords.OWN_HASHER,
        password_last_updated_at=now_ms(),
        password_compromised=False,
    )
    visit.instance.store.save(user)
    if visit.form.get("sign_out_of_other_sessions") == "true":
        sessions.revoke_all(visit.instance, user.id)
    _refuse_banned(user)
    _advance(visit, sign_in, user)
    return _keep(visit, sign_in)


async def prepare_second_factor(visit: Visit) -> object:
    """POST …/prepare_second_factor."""
    sign_in = _find(visit, "needs_second_factor", "needs_client_trust")
    strategy, user = visit.text("strategy"), _user(visit, sign_in)
    if strategy == "email_code" and sign_in["status"] == "needs_client_trust":
        _send_code(visit, sign_in, "second", _email(user, visit).email_address, strategy)
    elif strategy == "phone_code" and sign_in["status"] == "needs_second_factor":
        _send_code(
            visit,
            sign_in,
            "second",
            find_phone(user, visit.form.get("phone_number_id")).phone_number,
            strategy,
        )
    else:
        raise errors.strategy_invalid()
    return _keep(visit, sign_in)


async def attempt_second_factor(visit: Visit) -> object:
    """POST …/attempt_second_factor."""
    spend(visit.instance, visit.call, "attempt")
    sign_in = _find(visit, "needs_second_factor", "needs_client_trust")
    strategy, code, user = visit.text("strategy"), visit.text("code"), _user(visit, sign_in)
    refuse_locked(user)
    wanted = "email_code" if sign_in["status"] == "needs_client_trust" else "phone_code"
    if strategy == wanted:
        _check_code(visit, sign_in, "second", strategy, user)
    elif sign_in["status"] == "needs_second_factor" and await check_own_code(visit, user, strategy, code):
        sign_in["second"] = _verification(f"verification_{strategy}", strategy, "verified")
    else:
        raise errors.strategy_invalid()
    user = _user(visit, sign_in)
    _refuse_banned(user)
    _complete(visit, sign_in, user)
    return _keep(visit, sign_in)


def _new_sign_in() -> Record:
    return {
        "id": new_id("sia"),
        "status": "needs_first_factor",
        "user_id": None,
        "identifier": None,
        "first": None,
        "second": None,
        "code": None,
        "created_session_id": None,
        "abandon_at": now_ms() + _DAY,
        "client_trust_state": None,
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
    if int(str(sign_in["abandon_at"])) < now_ms() and sign_in["status"] != "complete":
        sign_in = {**sign_in, "status": "abandoned"}
    if statuses and sign_in["status"] not in statuses:
        raise errors.client_state_invalid()
    return dict(sign_in)


def _identify(visit: Visit, sign_in: Record) -> User:
    identifier = visit.text("identifier")
    users = visit.instance.store.find(
        "id IN (SELECT user_id FROM emails WHERE address = ?)", (normalize_email(identifier),), "id", 1, 0
    )
    if not users:
        raise errors.identifier_not_found()
    sign_in["identifier"], sign_in["user_id"] = identifier, users[0].id
    return users[0]


def _user(visit: Visit, sign_in: Record) -> User:
    user = visit.instance.store.get(str(sign_in["user_id"]))
    if user is None:
        raise errors.identifier_not_found()
    return user


def find_phone(user: User, wanted: str | None) -> Phone:
    """One of the user's numbers that serve as second factor. Raises Refusal."""
    for phone in user.phones:
        if phone.is_second_factor and wanted in (None, phone.id):
            return phone
    raise errors.value_invalid("phone_number_id", wanted)


def _email(user: User, visit: Visit) -> Email:
    wanted = visit.form.get("email_address_id")
    for email in user.emails:
        if wanted in (None, email.id):
            return email
    raise errors.value_invalid("email_address_id", wanted)


async def _check_password(visit: Visit, sign_in: Record, user: User, password: str) -> None:
    refuse_locked(user)
    if user.password_digest is None or user.password_hasher is None:
        raise errors.strategy_for_user_invalid()
    right = await asyncio.to_thread(passwords.verify, user.password_digest, user.password_hasher, password)
    user = _user(visit, sign_in)  # it may have changed meanwhile
    if not right:
        count_failure(visit, user)
        raise errors.password_incorrect()
    _refuse_banned(user)
    sign_in["first"] = _verification("verification_password", "password", "verified")
    if user.password_compromised:
        sign_in["status"] = "needs_new_password"
    else:
        _advance(visit, sign_in, user)


def _advance(visit: Visit, sign_in: Record, user: User) -> None:
    """After the first factor: the second, the client's trust, or the session."""
    client = visit.make_client()
    by_password = isinstance(sign_in["first"], dict) and sign_in["first"]["strategy"] == "password"
    if user.has_second_factor:
        sign_in["status"] = "needs_second_factor"
    elif (
        visit.instance.settings.client_trust
        and by_password
        and user.id not in client.known_users
        and not user.bypass_client_trust
    ):
        sign_in["status"], sign_in["client_trust_state"] = "needs_client_trust", "new"
    else:
        _complete(visit, sign_in, user)


def _complete(visit: Visit, sign_in: Record, user: User) -> None:
    client = visit.make_client()
    swapped = visit.instance.settings.sign_in_as
    if swapped is not None:
        user = visit.instance.store.get(swapped) or user
    session = sessions.create(visit.instance, client.id, user.id, second_factor=sign_in["second"] is not None)
    client.session_ids.append(str(session["id"]))
    client.last_active_session_id = str(session["id"])
    if user.id not in client.known_users:
        client.known_users.append(user.id)
    if isinstance(sign_in["first"], dict):
        client.last_strategy = str(sign_in["first"]["strategy"])
    sign_in["status"], sign_in["created_session_id"] = "complete", session["id"]
    fresh = visit.instance.store.get(user.id)
    if fresh is not None:
        now = now_ms()
        visit.instance.store.save(replace(fresh, failed_attempts=0, last_sign_in_at=now, last_active_at=now))


def count_failure(visit: Visit, user: User) -> None:
    """Count a wrong password or code; too many lock the user."""
    settings, failures = visit.instance.settings, user.failed_attempts + 1
    locked_until = (
        now_ms() + settings.lockout_seconds * 1000 if failures >= settings.lockout_attempts else None
    )
    visit.instance.store.save(
        replace(
            user,
            failed_attempts=failures,
            locked=user.locked or locked_until is not None,
            locked_until=locked_until or user.locked_until,
        )
    )


def refuse_locked(user: User) -> None:
    """Raises Refusal for a user who is locked out."""
    if user.is_locked:
        raise errors.user_locked(user.lockout_seconds)


def _refuse_banned(user: User) -> None:
    if user.banned:
        raise errors.user_banned()


def _use_ticket(visit: Visit) -> str:
    """The user whose sign-in token it is; it is used up."""
    try:
        claims = visit.instance.signing_key.verify(visit.text("ticket"))
    except jwt.ExpiredSignatureError:
        raise errors.ticket_expired() from None
    except jwt.InvalidTokenError:
        raise errors.ticket_invalid() from None
    kept = visit.instance.store.get_thing("sign_in_token", str(claims.get("sid")))
    if kept is None:
        raise errors.ticket_invalid()
    if kept["status"] != "pending":
        raise errors.ticket_used()
    kept.update(status="accepted", updated_at=now_ms())
    visit.instance.store.put_thing("sign_in_token", str(kept["id"]), str(kept["user_id"]), kept)
    return str(kept["user_id"])


def _send_code(visit: Visit, sign_in: Record, factor: str, to: str, strategy: str) -> None:
    kept = codes.send(visit.instance, to, strategy)
    sign_in["code"] = {**kept, "factor": factor}
    sign_in[factor] = codes.show(kept)


def _check_code(visit: Visit, sign_in: Record, factor: str, strategy: str, user: User) -> None:
    kept = sign_in["code"]
    if not isinstance(kept, dict) or kept["factor"] != factor:
        raise errors.verification_missing()
    if not codes.matches(kept, strategy, visit.text("code")):
        sign_in[factor] = codes.show(kept)
        count_failure(visit, user)
        _keep(visit, sign_in)
        raise errors.code_incorrect()
    sign_in["code"], sign_in[factor] = None, codes.show(kept, verified=True)


async def check_own_code(visit: Visit, user: User, strategy: str, code: str) -> bool:
    """Spend an authenticator's code or a backup code; false when the user has no such thing. Raises Refusal."""
    if strategy == "totp" and user.totp_secret is not None:
        step = passwords.totp_step(user.totp_secret, code, now_ms() / 1000)
        if step is None or step <= user.totp_last_step:
            count_failure(visit, user)
            raise errors.code_incorrect()
        visit.instance.store.save(replace(user, totp_last_step=step))
        return True
    if strategy == "backup_code" and user.backup_codes:
        await _use_backup_code(visit, user, code)
        return True
    return False


async def _use_backup_code(visit: Visit, user: User, code: str) -> None:
    for stored in user.backup_codes:
        if await asyncio.to_thread(passwords.backup_code_matches, stored, code):
            fresh = visit.instance.store.get(user.id)
            if fresh is not None and stored in fresh.backup_codes:
                left = [other for other in fresh.backup_codes if other != stored]
                visit.instance.store.save(replace(fresh, backup_codes=left))
                return
    count_failure(visit, user)
    raise errors.code_incorrect()


def _verification(
    kind: str, strategy: str, status: str, *, attempts: int | None = None, expire_at: int | None = None
) -> Record:
    return {
        "object": kind,
        "status": status,
        "strategy": strategy,
        "attempts": attempts,
        "expire_at": expire_at,
    }
