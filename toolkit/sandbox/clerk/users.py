"""Users, in the Backend API."""

import asyncio
import re
from dataclasses import replace

from toolkit.sandbox.clerk import errors, passwords
from toolkit.sandbox.clerk.instance import Answer, Call, Instance
from toolkit.sandbox.clerk.parameters import MOST_CHARACTERS, Body
from toolkit.sandbox.clerk.queries import read_filters, read_page
from toolkit.sandbox.clerk.resources import show_user
from toolkit.sandbox.clerk.store import Email, User, new_id, now_ms

_EMAIL = re.compile(
    r"[^\s@\"(),:;<>\[\\\]]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_](?:[\w-]{0,61}[^\W_])?"
)
"""An address as web forms take it: no quotes, a domain with a dot in it; letters of any script."""
_COMMON = (
    *("external_id", "first_name", "last_name", "locale", "username", "password", "password_digest"),
    *("password_hasher", "skip_password_checks", "totp_secret", "backup_codes", "delete_self_enabled"),
    *("create_organization_enabled", "legal_accepted_at", "skip_legal_checks", "create_organizations_limit"),
    *("created_at", "bypass_client_trust"),
)
_METADATA = ("public_metadata", "private_metadata", "unsafe_metadata")
CREATE = frozenset(
    {
        *_COMMON,
        *_METADATA,
        *("email_address", "email_address_identification_status", "phone_number"),
        *("phone_number_identification_status", "web3_wallet", "skip_password_requirement"),
        *("skip_user_requirement", "banned", "locked"),
    }
)
UPDATE = frozenset(
    {
        *_COMMON,
        *("primary_email_address_id", "notify_primary_email_address_changed", "primary_phone_number_id"),
        *("primary_web3_wallet_id", "profile_image_id", "sign_out_of_other_sessions"),
    }
)


async def create_user(instance: Instance, call: Call) -> Answer:
    """POST /v1/users."""
    body = Body(call.body, CREATE)
    now = now_ms()
    user = User(id=new_id("user"), created_at=body.moment("created_at") or now, updated_at=now)
    user.emails = _emails(instance, body, now)
    user.primary_email_address_id = user.emails[0].id if user.emails else None
    _refuse_disabled(instance, body)
    for name in _METADATA:
        setattr(user, name, body.mapping(name))
    _apply_common(instance, user, body, now)
    user.banned, user.locked = body.flag("banned"), body.flag("locked")
    if user.banned and not instance.settings.bans:
        raise errors.plan_unsupported()
    _require(instance, user, body)
    await _apply_password(instance, user, body, now)
    if (
        user.password_digest is None
        and instance.settings.password
        and not body.flag("skip_password_requirement")
    ):
        raise errors.missing("password")
    quota = instance.settings.user_quota
    if quota is not None and instance.store.users >= quota:
        raise errors.quota_exceeded(quota)
    taken = instance.store.add(user)
    if taken:
        raise errors.exists(taken)
    return Answer(show_user(user))


async def list_users(instance: Instance, call: Call) -> Answer:
    """GET /v1/users."""
    page = read_page(instance.store, call.query)
    where, values = read_filters(call.query)
    users = instance.store.find(
        f"{where} AND {page.where}", (*values, *page.values), page.order, page.limit, page.offset
    )
    return Answer([show_user(user) for user in users])


async def count_users(instance: Instance, call: Call) -> Answer:
    """GET /v1/users/count."""
    where, values = read_filters(call.query)
    return Answer({"object": "total_count", "total_count": instance.store.count(where, values)})


async def get_user(instance: Instance, call: Call) -> Answer:
    """GET /v1/users/{user_id}."""
    return Answer(show_user(find_user(instance, call)))


async def update_user(instance: Instance, call: Call) -> Answer:
    """PATCH /v1/users/{user_id}."""
    body = Body(call.body, UPDATE)
    user, now = find_user(instance, call), now_ms()
    _refuse_disabled(instance, body)
    primary = body.text("primary_email_address_id")
    if primary is not None:
        if not any(email.id == primary and email.status == "verified" for email in user.emails):
            raise errors.value_invalid("primary_email_address_id", primary)
        user.primary_email_address_id = primary
    user.created_at = body.moment("created_at") or user.created_at
    _apply_common(instance, user, body, now)
    await _apply_password(instance, user, body, now)
    return _save(instance, user)


async def update_metadata(instance: Instance, call: Call) -> Answer:
    """PATCH /v1/users/{user_id}/metadata: a deep merge; null removes a key."""
    body = Body(call.body, _METADATA)
    user = find_user(instance, call)
    for name in _METADATA:
        if name in body:
            setattr(user, name, _merge(getattr(user, name), body.mapping(name)))
    return _save(instance, user)


async def delete_user(instance: Instance, call: Call) -> Answer:
    """DELETE /v1/users/{user_id}."""
    user = find_user(instance, call)
    instance.store.delete(user.id)
    gone: dict[str, object] = {"id": user.id, "object": "user", "deleted": True}
    if user.external_id is not None:
        gone["external_id"] = user.external_id
    return Answer(gone)


async def ban_user(instance: Instance, call: Call) -> Answer:
    """POST /v1/users/{user_id}/ban: also revokes the user's sessions."""
    return _set_ban(instance, call, banned=True)


async def unban_user(instance: Instance, call: Call) -> Answer:
    """POST /v1/users/{user_id}/unban."""
    return _set_ban(instance, call, banned=False)


async def lock_user(instance: Instance, call: Call) -> Answer:
    """POST /v1/users/{user_id}/lock."""
    return _save(instance, replace(find_user(instance, call), locked=True))


async def unlock_user(instance: Instance, call: Call) -> Answer:
    """POST /v1/users/{user_id}/unlock."""
    return _save(instance, replace(find_user(instance, call), locked=False))


async def verify_password(instance: Instance, call: Call) -> Answer:
    """POST /v1/users/{user_id}/verify_password."""
    password = Body(call.body, {"password"}).required_text("password", most=None)
    user = find_user(instance, call)
    if user.password_digest is None or user.password_hasher is None:
        raise errors.no_password_set()
    if not await asyncio.to_thread(passwords.verify, user.password_digest, user.password_hasher, password):
        raise errors.incorrect_password()
    return Answer({"verified": True})


async def verify_totp(instance: Instance, call: Call) -> Answer:
    """POST /v1/users/{user_id}/verify_totp: a TOTP code works once, and so does a backup code."""
    code = Body(call.body, {"code"}).required_text("code")
    user = find_user(instance, call)
    if user.totp_secret is None:
        raise errors.totp_disabled()
    step = passwords.totp_step(user.totp_secret, code, now_ms() / 1000)
    if step is not None and step > user.totp_last_step:
        _save(instance, replace(user, totp_last_step=step))
        return Answer({"verified": True, "code_type": "totp"})
    for stored in user.backup_codes:
        if passwords.backup_code_matches(stored, code):
            _save(
                instance,
                replace(user, backup_codes=[other for other in user.backup_codes if other != stored]),
            )
            return Answer({"verified": True, "code_type": "backup_code"})
    raise errors.incorrect_totp()


async def disable_mfa(instance: Instance, call: Call) -> Answer:
    """DELETE /v1/users/{user_id}/mfa."""
    user = find_user(instance, call)
    _save(instance, replace(user, totp_secret=None, backup_codes=[], mfa_disabled_at=now_ms()))
    return Answer({"user_id": user.id})


async def delete_totp(instance: Instance, call: Call) -> Answer:
    """DELETE /v1/users/{user_id}/totp."""
    user = find_user(instance, call)
    if user.totp_secret is None:
        raise errors.not_found()
    _save(instance, replace(user, totp_secret=None, mfa_disabled_at=now_ms()))
    return Answer({"user_id": user.id})


async def delete_backup_codes(instance: Instance, call: Call) -> Answer:
    """DELETE /v1/users/{user_id}/backup_code."""
    user = find_user(instance, call)
    if not user.backup_codes:
        raise errors.not_found()
    _save(instance, replace(user, backup_codes=[]))
    return Answer({"user_id": user.id})


def find_user(instance: Instance, call: Call) -> User:
    """The user whose id is in the path. Raises Refusal."""
    user = instance.store.get(call.ids["user_id"])
    if user is None:
        raise errors.user_not_found(call.ids["user_id"])
    return user


def check_email(address: str, param: str) -> None:
    """Raises Refusal when it is not an email address."""
    if len(address) > MOST_CHARACTERS or not _EMAIL.fullmatch(address.strip()):
        raise errors.email_invalid(param)


def _save(instance: Instance, user: User) -> Answer:
    user.updated_at = now_ms()
    taken = instance.store.save(user)
    if taken:
        raise errors.exists(taken)
    return Answer(show_user(user))


def _set_ban(instance: Instance, call: Call, *, banned: bool) -> Answer:
    if not instance.settings.bans:
        raise errors.plan_unsupported()
    user = find_user(instance, call)
    if banned:
        for session in instance.store.things_of("session", user.id):
            instance.store.put_thing("session", str(session["id"]), user.id, {**session, "status": "revoked"})
    return _save(instance, replace(user, banned=banned))


def _emails(instance: Instance, body: Body, now: int) -> list[Email]:
    addresses = body.texts("email_address")
    statuses = body.texts("email_address_identification_status")
    if addresses and not instance.settings.email_address:
        raise errors.unknown("email_address")
    if statuses and len(statuses) != len(addresses):
        raise errors.length_mismatch("email_address_identification_status", "email_address")
    for status in statuses:
        if status not in ("verified", "reserved"):
            raise errors.value_invalid("email_address_identification_status", status)
    for address in addresses:
        check_email(address, "email_address")
    return [
        Email(new_id("idn"), address.strip().lower(), status, now, now)
        for address, status in zip(addresses, statuses or ["verified"] * len(addresses), strict=True)
    ]


def _refuse_disabled(instance: Instance, body: Body) -> None:
    """What the instance has switched off is unknown to it."""
    settings = instance.settings
    for name, enabled in (
        ("totp_secret", settings.authenticator_app),
        ("backup_codes", settings.backup_code),
        ("username", settings.username),
        ("password", settings.password),
        ("password_digest", settings.password),
        ("phone_number", False),
        ("web3_wallet", False),
    ):
        if not enabled and (body.texts(name) if name in _ARRAYS else body.text(name, most=None)):
            raise errors.unknown(name)


_ARRAYS = frozenset({"backup_codes", "phone_number", "web3_wallet"})


def _apply_common(instance: Instance, user: User, body: Body, now: int) -> None:
    """What creating and updating have in common; a parameter that was not sent changes nothing."""
    for name in ("external_id", "first_name", "last_name", "locale", "username"):
        if name in body:
            setattr(user, name, body.text(name) or None)
    for name in ("delete_self_enabled", "create_organization_enabled", "bypass_client_trust"):
        setattr(user, name, body.flag(name, default=getattr(user, name)))
    user.create_organizations_limit = (
        body.integer("create_organizations_limit") or user.create_organizations_limit
    )
    user.legal_accepted_at = body.moment("legal_accepted_at") or user.legal_accepted_at
    secret = body.text("totp_secret")
    if secret:
        passwords.check_totp_secret(secret)
        user.totp_secret, user.totp_last_step, user.mfa_enabled_at = secret, 0, now
    if body.texts("backup_codes"):
        user.backup_codes = body.texts("backup_codes")


async def _apply_password(instance: Instance, user: User, body: Body, now: int) -> None:
    digest, password = body.text("password_digest", most=None), body.text("password", most=None)
    if digest and password:
        raise errors.value_invalid("password_digest")
    if digest:
        hasher = body.required_text("password_hasher")
        passwords.check_digest(digest, hasher)
        user.password_digest, user.password_hasher = digest, hasher
    elif password:
        if not body.flag("skip_password_checks"):
            passwords.check_password(password)
        user.password_digest = await asyncio.to_thread(passwords.hash_password, password)
        user.password_hasher = passwords.OWN_HASHER
    else:
        return
    user.password_last_updated_at = now


def _require(instance: Instance, user: User, body: Body) -> None:
    """What the instance wants of every user, and that there is something to identify the user by."""
    if not user.emails and not user.username and not body.flag("skip_user_requirement"):
        raise errors.missing("email_address")
    for name in instance.settings.required:
        if not getattr(user, name, None):
            raise errors.missing(name)


def _merge(old: dict[str, object], new: dict[str, object]) -> dict[str, object]:
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merge(before if isinstance(before, dict) else {}, value)
        else:
            merged[key] = value
    return merged
