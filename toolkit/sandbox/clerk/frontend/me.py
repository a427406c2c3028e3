"""The signed-in user: password, addresses, numbers, authenticator, backup codes."""

import asyncio
import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

from toolkit.sandbox.clerk import errors, passwords
from toolkit.sandbox.clerk.frontend import codes, sessions
from toolkit.sandbox.clerk.frontend.resources import show_frontend_user, show_session
from toolkit.sandbox.clerk.frontend.sign_ins import count_failure, refuse_locked
from toolkit.sandbox.clerk.frontend.visit import Record, Visit, spend
from toolkit.sandbox.clerk.resources import show_email, show_phone
from toolkit.sandbox.clerk.sessions import lives
from toolkit.sandbox.clerk.store import Email, Phone, User, new_id, normalize_email, now_ms
from toolkit.sandbox.clerk.users import check_email

FRESH_MS = 10 * 60 * 1000
"""How long a proven factor lets its user change what matters."""
BACKUP_CODES = 10
T = TypeVar("T", Email, Phone)
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")


async def get_me(visit: Visit) -> object:
    """GET /v1/me."""
    return show_frontend_user(_me(visit)[0])


async def update_me(visit: Visit) -> object:
    """PATCH /v1/me."""
    user = _me(visit)[0]
    for name in ("first_name", "last_name"):
        if name in visit.form:
            setattr(user, name, visit.form[name] or None)
    return show_frontend_user(_save(visit, user))


async def list_sessions(visit: Visit) -> object:
    """GET /v1/me/sessions."""
    user = _me(visit)[0]
    found = visit.instance.store.things_of("session", user.id)
    return [show_session(visit, session) for session in found if lives(session)]


async def revoke_session(visit: Visit) -> object:
    """POST /v1/me/sessions/{session_id}/revoke."""
    user = _me(visit)[0]
    session = visit.instance.store.get_thing("session", visit.call.ids["session_id"])
    if session is None or session["user_id"] != user.id:
        raise errors.not_found(f"No session was found with id {visit.call.ids['session_id']}")
    return show_session(visit, sessions.set_status(visit.instance, session, "revoked"))


async def change_password(visit: Visit) -> object:
    """POST /v1/me/change_password."""
    spend(visit.instance, visit.call, "attempt")
    user, session = _fresh(visit)
    new = visit.text("new_password")
    if user.password_digest is not None:
        await _check_current(visit, user)
    passwords.check_password(new, "new_password")
    digest = await asyncio.to_thread(passwords.hash_password, new)
    user = replace(
        _me(visit)[0],
        password_digest=digest,
        password_hasher=passwords.OWN_HASHER,
        password_last_updated_at=now_ms(),
        password_compromised=False,
    )
    _save(visit, user)
    if visit.form.get("sign_out_of_other_sessions") == "true":
        sessions.revoke_all(visit.instance, user.id, but=str(session["id"]))
    return show_frontend_user(user)


async def remove_password(visit: Visit) -> object:
    """POST /v1/me/remove_password."""
    user, _ = _fresh(visit)
    if user.password_digest is None:
        raise errors.no_password_set()
    await _check_current(visit, user)
    return show_frontend_user(
        _save(visit, replace(_me(visit)[0], password_digest=None, password_hasher=None))
    )


async def create_email_address(visit: Visit) -> object:
    """POST /v1/me/email_addresses."""
    user, _ = _fresh(visit)
    address, now = visit.text("email_address"), now_ms()
    check_email(address, "email_address")
    if any(normalize_email(email.email_address) == normalize_email(address) for email in user.emails):
        raise errors.exists("email_address")
    email = Email(new_id("idn"), address.strip().lower(), "unverified", now, now)
    user.emails.append(email)
    _save(visit, user)
    return show_email(email)


async def prepare_email_address(visit: Visit) -> object:
    """POST /v1/me/email_addresses/{email_id}/prepare_verification."""
    user, _ = _me(visit)
    email = _email(visit, user)
    if visit.text("strategy") != "email_code":
        raise errors.value_invalid("strategy", visit.form["strategy"])
    email.code = codes.send(visit.instance, email.email_address, "email_code")
    _save(visit, user)
    return show_email(email)


async def verify_email_address(visit: Visit) -> object:
    """POST /v1/me/email_addresses/{email_id}/attempt_verification."""
    spend(visit.instance, visit.call, "attempt")
    user, _ = _me(visit)
    email = _email(visit, user)
    right = codes.matches(email.code, "email_code", visit.text("code"))
    if right:
        email.status, email.updated_at = "verified", now_ms()
    _save(visit, user)
    if not right:
        raise errors.code_incorrect()
    return show_email(email)


async def delete_email_address(visit: Visit) -> object:
    """DELETE /v1/me/email_addresses/{email_id}."""
    user, _ = _fresh(visit)
    email = _email(visit, user)
    if len(user.emails) == 1:
        raise errors.last_identification()
    user.emails.remove(email)
    if user.primary_email_address_id == email.id:
        user.primary_email_address_id = user.emails[0].id
    _save(visit, user)
    return _deleted("email_address", email.id)


async def create_phone_number(visit: Visit) -> object:
    """POST /v1/me/phone_numbers."""
    if not visit.instance.settings.phone_number:
        raise errors.unknown("phone_number")
    user, _ = _fresh(visit)
    number, now = visit.text("phone_number"), now_ms()
    if not _NUMBER.fullmatch(number):
        raise errors.phone_invalid()
    if any(phone.phone_number == number for phone in user.phones):
        raise errors.exists("phone_number")
    phone = Phone(new_id("idn"), number, now, now)
    phone.reserved_for_second_factor = visit.form.get("reserved_for_second_factor") == "true"
    user.phones.append(phone)
    _save(visit, user)
    return show_phone(phone)


async def prepare_phone_number(visit: Visit) -> object:
    """POST /v1/me/phone_numbers/{phone_number_id}/prepare_verification."""
    user, _ = _me(visit)
    phone = _phone(visit, user)
    phone.code = codes.send(visit.instance, phone.phone_number, "phone_code")
    _save(visit, user)
    return show_phone(phone)


async def verify_phone_number(visit: Visit) -> object:
    """POST /v1/me/phone_numbers/{phone_number_id}/attempt_verification."""
    spend(visit.instance, visit.call, "attempt")
    user, _ = _me(visit)
    phone = _phone(visit, user)
    right = codes.matches(phone.code, "phone_code", visit.text("code"))
    if right:
        phone.verified, phone.updated_at = True, now_ms()
    _save(visit, user)
    if not right:
        raise errors.code_incorrect()
    return show_phone(phone)


async def update_phone_number(visit: Visit) -> object:
    """PATCH /v1/me/phone_numbers/{phone_number_id}."""
    user, _ = _fresh(visit)
    phone = _phone(visit, user)
    if not phone.verified:
        raise errors.verification_needed()
    for name in ("reserved_for_second_factor", "default_second_factor"):
        if name in visit.form:
            setattr(phone, name, visit.form[name] == "true")
    phone.updated_at = now_ms()
    _save(visit, user)
    return show_phone(phone)


async def delete_phone_number(visit: Visit) -> object:
    """DELETE /v1/me/phone_numbers/{phone_number_id}."""
    user, _ = _fresh(visit)
    phone = _phone(visit, user)
    user.phones.remove(phone)
    _save(visit, user)
    return _deleted("phone_number", phone.id)


async def create_totp(visit: Visit) -> object:
    """POST /v1/me/totp."""
    user, _ = _fresh(visit)
    if user.totp_secret is not None:
        raise errors.totp_already_enabled()
    secret = base64.b32encode(secrets.token_bytes(20)).decode()
    _save(visit, replace(user, totp_pending=secret))
    label = quote(user.emails[0].email_address if user.emails else user.id)
    uri = f"otpauth://totp/AX:{label}?algorithm=SHA1&digits=6&issuer=AX&period=30&secret={secret}"
    return _totp(verified=False, secret=secret, uri=uri)


async def verify_totp(visit: Visit) -> object:
    """POST /v1/me/totp/attempt_verification: the first one brings backup codes."""
    spend(visit.instance, visit.call, "attempt")
    user, _ = _me(visit)
    if user.totp_pending is None:
        raise errors.verification_missing()
    step = passwords.totp_step(user.totp_pending, visit.text("code"), now_ms() / 1000)
    if step is None:
        raise errors.code_incorrect()
    fresh = [] if user.backup_codes or not visit.instance.settings.backup_code else _new_codes()
    user = replace(
        user,
        totp_secret=user.totp_pending,
        totp_pending=None,
        totp_last_step=step,
        mfa_enabled_at=now_ms(),
        backup_codes=user.backup_codes or fresh,
    )
    _save(visit, user)
    return _totp(verified=True, backup_codes=fresh or None)


async def delete_totp(visit: Visit) -> object:
    """DELETE /v1/me/totp."""
    user, _ = _fresh(visit)
    if user.totp_secret is None:
        raise errors.not_found()
    user = replace(user, totp_secret=None, mfa_disabled_at=now_ms())
    _save(visit, user if user.has_second_factor else replace(user, backup_codes=[]))
    return _deleted("totp", None)


async def create_backup_codes(visit: Visit) -> object:
    """POST /v1/me/backup_codes: those that there were are void."""
    user, _ = _fresh(visit)
    if not user.has_second_factor:
        raise errors.backup_codes_not_available()
    user = replace(user, backup_codes=_new_codes())
    _save(visit, user)
    now = now_ms()
    return {
        "object": "backup_code",
        "id": new_id("backup_code"),
        "codes": user.backup_codes,
        "created_at": now,
        "updated_at": now,
    }


def current_session(visit: Visit) -> Record:
    """The session that the request is about. Raises Refusal."""
    wanted = dict(visit.call.query).get("_clerk_session_id") or (
        visit.client.last_active_session_id if visit.client is not None else None
    )
    for session in visit.sessions():
        if session["id"] == wanted:
            return session
    raise errors.signed_out()


def _me(visit: Visit) -> tuple[User, Record]:
    session = current_session(visit)
    user = visit.instance.store.get(str(session["user_id"]))
    if user is None:
        raise errors.signed_out()
    return user, session


def _fresh(visit: Visit) -> tuple[User, Record]:
    """The user, whose factors were proven just now. Raises Refusal (reverification)."""
    user, session = _me(visit)
    verified = session.get("verified_at")
    created = int(str(session["created_at"]))
    moments: list[int | None] = verified if isinstance(verified, list) else [created, None]
    needed = moments if user.has_second_factor else moments[:1]
    if any(moment is None or now_ms() - moment > FRESH_MS for moment in needed):
        raise errors.reverification_required("multi_factor" if user.has_second_factor else "first_factor")
    return user, session


async def _check_current(visit: Visit, user: User) -> None:
    refuse_locked(user)
    current = visit.text("current_password")
    assert user.password_digest is not None
    assert user.password_hasher is not None
    if not await asyncio.to_thread(passwords.verify, user.password_digest, user.password_hasher, current):
        count_failure(visit, _me(visit)[0])
        raise errors.current_password_incorrect()


def _save(visit: Visit, user: User) -> User:
    user.updated_at = now_ms()
    taken = visit.instance.store.save(user)
    if taken:
        raise errors.exists(taken)
    return user


def _email(visit: Visit, user: User) -> Email:
    return _pick(user.emails, visit.call.ids["email_id"])


def _phone(visit: Visit, user: User) -> Phone:
    return _pick(user.phones, visit.call.ids["phone_number_id"])


def _pick(items: Sequence[T], wanted: str) -> T:
    for item in items:
        if item.id == wanted:
            return item
    raise errors.not_found(f"No identifier was found with id {wanted}")


def _deleted(kind: str, thing_id: str | None) -> Record:
    return {"object": kind, "deleted": True, **({"id": thing_id} if thing_id is not None else {})}


def _new_codes() -> list[str]:
    return [secrets.token_hex(4) for _ in range(BACKUP_CODES)]


def _totp(
    *,
    verified: bool,
    secret: str | None = None,
    uri: str | None = None,
    backup_codes: list[str] | None = None,
) -> Record:
    now = now_ms()
    return {
        "object": "totp",
        "id": new_id("totp"),
        "secret": secret,
        "uri": uri,
        "verified": verified,
        "backup_codes": backup_codes,
        "created_at": now,
        "updated_at": now,
    }
