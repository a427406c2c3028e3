"""The signed-in user's authenticator application and backup codes."""

import secrets
from dataclasses import replace

import pyotp

from toolkit.sandbox.emulator import errors, passwords
from toolkit.sandbox.emulator.frontend import me
from toolkit.sandbox.emulator.frontend.visit import Record, Visit, spend
from toolkit.sandbox.emulator.store import User, new_id, now_ms

BACKUP_CODES = 10
_ISSUER = "Sandbox"


async def create_totp(visit: Visit) -> object:
    """POST /v1/me/totp: a secret to scan, which is a factor only after its first code."""
    if not visit.instance.settings.authenticator_app:
        raise errors.feature_not_enabled()
    user, _ = me.fresh(visit)
    if user.totp_secret is not None:
        raise errors.totp_already_enabled()
    secret = pyotp.random_base32()
    me.save(visit, replace(user, totp_pending=secret))
    name = user.primary_email.email_address if user.primary_email else user.username or user.id
    uri = pyotp.TOTP(secret, name=name, issuer=_ISSUER).provisioning_uri()
    return _show(verified=False, secret=secret, uri=uri)


async def attempt_totp(visit: Visit) -> object:
    """POST /v1/me/totp/attempt_verification: the first one brings backup codes."""
    spend(visit.instance, visit.call, "verification")
    user, _ = me.signed_in(visit)
    if user.totp_pending is None:
        raise errors.already_verified() if user.totp_secret else errors.not_found()
    step = passwords.totp_step(user.totp_pending, visit.text("code"), now_ms() / 1000)
    if step is None:
        raise errors.code_incorrect()
    user = replace(user, totp_secret=user.totp_pending, totp_pending=None, totp_last_step=step)
    user.settle_second_factors()
    new = make_backup_codes(visit, user)
    me.save(visit, user)
    return _show(verified=True, backup_codes=new)


async def delete_totp(visit: Visit) -> object:
    """DELETE /v1/me/totp."""
    user, _ = me.fresh(visit)
    if user.totp_secret is None:
        raise errors.not_found()
    save_without_factor(visit, replace(user, totp_secret=None))
    return {"object": "totp", "deleted": True}


async def create_backup_codes(visit: Visit) -> object:
    """POST /v1/me/backup_codes: the codes from before are void."""
    user, _ = me.fresh(visit)
    if not user.has_second_factor:
        raise errors.backup_codes_not_available()
    codes = make_backup_codes(visit, replace(user, backup_codes=[]))
    if codes is None:
        raise errors.feature_not_enabled()
    me.save(visit, replace(user, backup_codes=codes))
    now = now_ms()
    return {
        "object": "backup_code",
        "id": new_id("backup_code"),
        "codes": codes,
        "created_at": now,
        "updated_at": now,
    }


def save_without_factor(visit: Visit, user: User) -> None:
    """Write a user who lost a second factor: with the last one the backup codes go, which stand in for it."""
    user.settle_second_factors()
    me.save(visit, user if user.has_second_factor else replace(user, backup_codes=[]))


def make_backup_codes(visit: Visit, user: User) -> list[str] | None:
    """Give a user backup codes who has none; None when there are some, or the instance has no backup codes."""
    if user.backup_codes or not visit.instance.settings.backup_code:
        return None
    user.backup_codes = [secrets.token_hex(4) for _ in range(BACKUP_CODES)]
    return user.backup_codes


def _show(
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
