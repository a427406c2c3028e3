"""Users, in the Backend API."""

import asyncio
from dataclasses import replace

from toolkit.sandbox.emulator import errors, metadata, passwords
from toolkit.sandbox.emulator.backend.queries import read_filters, read_page
from toolkit.sandbox.emulator.instance import Answer, Call, Instance
from toolkit.sandbox.emulator.parameters import Body, check_email
from toolkit.sandbox.emulator.resources import show_user
from toolkit.sandbox.emulator.sessions import revoke_all
from toolkit.sandbox.emulator.settings import Settings
from toolkit.sandbox.emulator.store import Email, User, new_id, normalize_email, now_ms

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
    user = User(id=new_id("user"), created_at=now, updated_at=now)
    user.emails = _emails(instance, body, now)
    user.primary_email_address_id = user.emails[0].id if user.emails else None
    _refuse_disabled(instance, body)
    for name in _METADATA:
        setattr(user, name, body.mapping(name))
    _apply_common(instance, user, body, now)
    user.banned, user.locked = body.flag("banned"), body.flag("locked")
    if user.banned and not instance.settings.bans:
        raise errors.plan_unsupported()
    _set_password(user, await _read_password(instance, body, user), now)
    lacking = _lacking(instance.settings, user, body)
    if lacking:
        raise errors.data_missing(lacking)
    quota = instance.settings.user_quota
    if quota is not None and instance.store.users >= quota:
        raise errors.quota_exceeded(quota)
    taken = instance.store.add(user)
    if taken:
        raise errors.exists(taken)
    return Answer(show_user(user, instance.settings))


async def list_users(instance: Instance, call: Call) -> Answer:
    """GET /v1/users."""
    page = read_page(instance.store, call.query)
    where, values = read_filters(call.query)
    users = instance.store.find(
        f"{where} AND {page.where}", (*values, *page.values), page.order, page.limit, page.offset
    )
    return Answer([show_user(user, instance.settings) for user in users])


async def count_users(instance: Instance, call: Call) -> Answer:
    """GET /v1/users/count."""
    where, values = read_filters(call.query)
    return Answer({"object": "total_count", "total_count": instance.store.count(where, values)})


async def get_user(instance: Instance, call: Call) -> Answer:
    """GET /v1/users/{user_id}."""
    return Answer(show_user(find_user(instance, call), instance.settings))


async def update_user(instance: Instance, call: Call) -> Answer:
    """PATCH /v1/users/{user_id}."""
    body = Body(call.body, UPDATE)
    _refuse_disabled(instance, body)
    password = await _read_password(instance, body, find_user(instance, call))
    user, now = find_user(instance, call), now_ms()  # as they are by then, for the password took time
    primary = body.text("primary_email_address_id")
    if primary is not None:
        if not any(email.id == primary and email.status == "verified" for email in user.emails):
            raise errors.value_invalid("primary_email_address_id", primary)
        user.primary_email_address_id = primary
    _apply_common(instance, user, body, now)
    _set_password(user, password, now)
    answer = _save(instance, user)
    if body.flag("sign_out_of_other_sessions"):
        revoke_all(instance, user.id)
    return answer


async def update_metadata(instance: Instance, call: Call) -> Answer:
    """PATCH /v1/users/{user_id}/metadata: a deep merge; null removes a key."""
    body = Body(call.body, _METADATA)
    user = find_user(instance, call)
    for name in _METADATA:
        if name in body:
            setattr(user, name, metadata.merge(getattr(user, name), body.mapping(name)))
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
    until = now_ms() + instance.settings.lockout_seconds * 1000
    return _save(instance, replace(find_user(instance, call), locked=True, locked_until=until))


async def unlock_user(instance: Instance, call: Call) -> Answer:
    """POST /v1/users/{user_id}/unlock."""
    return _save(
        instance, replace(find_user(instance, call), locked=False, locked_until=None, failed_attempts=0)
    )


async def verify_password(instance: Instance, call: Call) -> Answer:
    """POST /v1/users/{user_id}/verify_password."""
    password = Body(call.body, {"password"}).required_text("password", most=None)
    user = find_user(instance, call)
    if user.password_digest is None or user.password_hasher is None:
        raise errors.no_password_set()
    if not await asyncio.to_thread(
        passwords.verify, instance.settings, user.password_digest, user.password_hasher, password
    ):
        raise errors.incorrect_password()
    return Answer({"verified": True})


async def remove_password(instance: Instance, call: Call) -> Answer:
    """POST /v1/users/{user_id}/remove_password; of a user without one nothing changes."""
    body = Body(call.body, {"sign_out_of_other_sessions"})
    user = find_user(instance, call)
    if user.password_digest is None:
        return Answer(show_user(user, instance.settings))
    if body.flag("sign_out_of_other_sessions"):
        revoke_all(instance, user.id)
    return _save(instance, replace(user, password_digest=None, password_hasher=None))


async def set_password_compromised(instance: Instance, call: Call) -> Answer:
    """POST /v1/users/{user_id}/password/set_compromised."""
    body = Body(call.body, {"revoke_all_sessions"})
    user = find_user(instance, call)
    if body.flag("revoke_all_sessions"):
        revoke_all(instance, user.id)
    return _save(instance, replace(user, password_compromised=True))


async def unset_password_compromised(instance: Instance, call: Call) -> Answer:
    """POST /v1/users/{user_id}/password/unset_compromised."""
    return _save(instance, replace(find_user(instance, call), password_compromised=False))


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
        if await asyncio.to_thread(passwords.backup_code_matches, stored, code):
            _use_up(instance, find_user(instance, call), stored)
            return Answer({"verified": True, "code_type": "backup_code"})
    raise errors.incorrect_totp()


def _use_up(instance: Instance, user: User, backup_code: str) -> None:
    """Take a backup code away, unless another request was first. Raises Refusal."""
    if backup_code not in user.backup_codes:
        raise errors.incorrect_totp()
    _save(
        instance, replace(user, backup_codes=[other for other in user.backup_codes if other != backup_code])
    )


async def disable_mfa(instance: Instance, call: Call) -> Answer:
    """DELETE /v1/users/{user_id}/mfa."""
    user = replace(find_user(instance, call), totp_secret=None, backup_codes=[])
    for phone in user.phones:
        phone.reserved_for_second_factor = False
    user.settle_second_factors()
    _save(instance, user)
    return Answer({"user_id": user.id})


async def delete_totp(instance: Instance, call: Call) -> Answer:
    """DELETE /v1/users/{user_id}/totp."""
    user = find_user(instance, call)
    if user.totp_secret is None:
        raise errors.not_found()
    user = replace(user, totp_secret=None)
    user.settle_second_factors()
    _save(instance, user)
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


def _save(instance: Instance, user: User) -> Answer:
    user.updated_at = now_ms()
    taken = instance.store.save(user)
    if taken:
        raise errors.exists(taken)
    return Answer(show_user(user, instance.settings))


def _set_ban(instance: Instance, call: Call, *, banned: bool) -> Answer:
    if not instance.settings.bans:
        raise errors.plan_unsupported()
    user = find_user(instance, call)
    if banned:
        revoke_all(instance, user.id)
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
    if len({normalize_email(address) for address in addresses}) < len(addresses):
        raise errors.duplicate_values("email_address")
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
    for name in ("created_at", "legal_accepted_at"):
        moment = body.moment(name)
        if moment is not None:
            setattr(user, name, moment)
    limit = body.integer("create_organizations_limit")
    if limit is not None:
        user.create_organizations_limit = limit
    secret = body.text("totp_secret")
    if secret:
        passwords.check_totp_secret(secret)
        user.totp_secret, user.totp_last_step, user.mfa_enabled_at = secret, 0, now
    if body.texts("backup_codes"):
        user.backup_codes = body.texts("backup_codes")


async def _read_password(instance: Instance, body: Body, user: User) -> tuple[str, str] | None:
    """Digest and hasher of the password that was sent for the user, if one was. Raises Refusal."""
    digest, password = body.text("password_digest", most=None), body.text("password", most=None)
    hasher = body.text("password_hasher")
    if digest and password:
        raise errors.disallowed_beside("password_digest", "password")
    if digest and not hasher:
        raise errors.missing_beside("password_hasher", "password_digest")
    if hasher and not digest:
        raise errors.missing_beside("password_digest", "password_hasher")
    if digest and hasher:
        passwords.check_digest(digest, hasher)
        return digest, hasher
    if not password:
        return None
    if not body.flag("skip_password_checks"):
        passwords.check_password(instance.settings, password, user.identifiers)
    return await asyncio.to_thread(passwords.hash_password, password), passwords.OWN_HASHER


def _set_password(user: User, password: tuple[str, str] | None, now: int) -> None:
    if password is not None:
        user.password_digest, user.password_hasher = password
        user.password_last_updated_at = now
        user.password_compromised = False


def _lacking(settings: Settings, user: User, body: Body) -> list[str]:
    """What the instance wants of every user, and this one lacks."""
    wanted: set[str] = {*settings.required}
    if body.flag("skip_user_requirement"):
        wanted -= {"username", "phone_number"}
    elif not user.emails and not user.username:
        wanted.add("email_address")
    lacking = sorted(name for name in wanted if not getattr(user, name, None))
    if settings.password and user.password_digest is None and not body.flag("skip_password_requirement"):
        lacking.append("password")
    return lacking
