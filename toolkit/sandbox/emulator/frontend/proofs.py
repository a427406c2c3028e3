"""Proving who one is: passwords, codes that were sent, authenticators and backup codes. Failures are counted."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from toolkit.sandbox.emulator import codes, errors, passwords
from toolkit.sandbox.emulator.errors import Refusal
from toolkit.sandbox.emulator.frontend.visit import Record, Visit
from toolkit.sandbox.emulator.store import Email, Phone, User, now_ms

STRATEGIES = {"totp": "verification_totp", "backup_code": "verification_backup_code"}
"""Strategies for which no code is sent, and what Clerk calls their verification."""


def refuse_locked(user: User) -> None:
    """Raises Refusal for a user who is locked out."""
    if user.is_locked:
        raise errors.user_locked(user.lockout_seconds)


def count_failure(visit: Visit, user_id: str) -> None:
    """Count a wrong password or code; too many lock the user (https://clerk.com/docs/guides/protect/user-lockout)."""
    user, settings = visit.instance.store.get(user_id), visit.instance.settings
    if user is None or user.is_locked:
        return
    failures = user.failed_attempts + 1
    if failures >= settings.lockout_attempts:
        until = now_ms() + settings.lockout_seconds * 1000
        user = replace(user, failed_attempts=0, locked=True, locked_until=until)
    else:
        user = replace(user, failed_attempts=failures, locked=False, locked_until=None)
    visit.instance.store.save(user)


async def check_password(
    visit: Visit, user: User, password: str, wrong: Callable[[], Refusal] = errors.password_incorrect
) -> User:
    """Check the password; returns the user as they are by then, for it takes time. Raises Refusal."""
    refuse_locked(user)
    if user.password_digest is None or user.password_hasher is None:
        raise errors.strategy_for_user_invalid()
    right = await _is_current(visit, user, password)
    visit.refresh()
    user = reread(visit, user)
    refuse_locked(user)
    if not right:
        count_failure(visit, user.id)
        raise wrong()
    return user


async def set_password(visit: Visit, user: User, password: str, param: str = "password") -> User:
    """Give the user a new password; returns the user with it. Raises Refusal for one that Clerk does not take."""
    passwords.check_password(visit.instance.settings, password, user.identifiers, param)
    if await _is_current(visit, user, password):
        raise errors.same_password(param)
    digest = await asyncio.to_thread(passwords.hash_password, password)
    visit.refresh()
    user = replace(
        reread(visit, user),
        password_digest=digest,
        password_hasher=passwords.OWN_HASHER,
        password_last_updated_at=now_ms(),
        password_compromised=False,
    )
    visit.instance.store.save(user)
    return user


async def _is_current(visit: Visit, user: User, password: str) -> bool:
    if user.password_digest is None or user.password_hasher is None:
        return False
    settings = visit.instance.settings
    return await asyncio.to_thread(
        passwords.verify, settings, user.password_digest, user.password_hasher, password
    )


def send_code(visit: Visit, flow: Record, factor: str, to: str, strategy: str) -> None:
    """Send a code for a factor of a flow: a sign-in or a reverification. It replaces the one before."""
    kept = codes.send(visit.instance, to, strategy)
    flow["code"], flow[factor] = {**kept, "factor": factor}, codes.show(kept)


def check_code(visit: Visit, flow: Record, factor: str, strategy: str, user: User) -> User:
    """Check a code of `send_code`; returns the user, whose address it has proven. Raises Refusal."""
    refuse_locked(user)
    kept = flow["code"]
    if not isinstance(kept, dict) or kept["factor"] != factor:
        raise errors.verification_missing()
    right = codes.matches(kept, strategy, visit.text("code"))
    flow[factor] = codes.show(kept, verified=right)
    if not right:
        count_failure(visit, user.id)
        raise errors.code_incorrect()
    flow["code"] = None
    return _prove_email(visit, user, kept["to"])


async def use_own_code(visit: Visit, flow: Record, strategy: str, user: User) -> None:
    """Spend an authenticator's code or a backup code as second factor of a flow. Raises Refusal."""
    refuse_locked(user)
    code = visit.text("code")
    if strategy == "totp" and user.totp_secret is not None:
        spent = _use_totp(visit, user, user.totp_secret, code)
    elif strategy == "backup_code" and user.backup_codes:
        spent = await _use_backup_code(visit, user, code)
    else:
        raise errors.no_second_factors(strategy)
    if not spent:
        count_failure(visit, user.id)
        raise errors.code_incorrect()
    flow["second"] = verified(STRATEGIES[strategy], strategy)


def verified(kind: str, strategy: str) -> Record:
    """A verification that needed no code to be sent."""
    return {"object": kind, "status": "verified", "strategy": strategy, "attempts": None, "expire_at": None}


def reread(visit: Visit, user: User) -> User:
    """The user as they are now. Raises Refusal when they were deleted meanwhile."""
    found = visit.instance.store.get(user.id)
    if found is None:
        raise errors.identifier_not_found()
    return found


def find_email(visit: Visit, user: User, preferred: object = None) -> Email:
    """The address that the request names, or else the preferred, or the primary one. Raises Refusal."""
    wanted, usable = visit.form.get("email_address_id"), [email for email in user.emails if email.identifies]
    if wanted is not None:
        usable = [email for email in usable if email.id == wanted]
    order = (preferred, user.primary_email_address_id)
    usable.sort(key=lambda email: order.index(email.id) if email.id in order else len(order))
    if not usable:
        raise errors.value_invalid("email_address_id", wanted)
    return usable[0]


def find_phone(visit: Visit, user: User) -> Phone:
    """The second factor's number that the request names, or the default. Raises Refusal."""
    usable = [phone for phone in user.phones if phone.is_second_factor]
    if not usable:
        raise errors.no_second_factors("phone_code")
    usable.sort(key=lambda phone: not phone.default_second_factor)
    return _named(visit, usable)


def find_identifying_phone(visit: Visit, user: User, preferred: object) -> Phone:
    """The number to sign in with that the request names, or else the preferred, or the first one. Raises Refusal."""
    identifies = visit.instance.settings.phone_number_identifies
    usable = [phone for phone in user.phones if phone.identifies and identifies]
    if not usable:
        raise errors.strategy_for_user_invalid()
    usable.sort(key=lambda phone: phone.id != preferred)
    return _named(visit, usable)


def _named(visit: Visit, phones: list[Phone]) -> Phone:
    """The number that the request names, or the first. Raises Refusal."""
    wanted = visit.form.get("phone_number_id")
    for phone in phones:
        if wanted in (None, phone.id):
            return phone
    raise errors.value_invalid("phone_number_id", wanted)


def _prove_email(visit: Visit, user: User, address: str) -> User:
    """Whoever had the code has the address: one that was only reserved is verified now."""
    user = reread(visit, user)
    for email in user.emails:
        if email.email_address == address and email.status == "reserved":
            email.status, email.updated_at = "verified", now_ms()
            visit.instance.store.save(user)
    return user


def _use_totp(visit: Visit, user: User, secret: str, code: str) -> bool:
    step = passwords.totp_step(secret, code, now_ms() / 1000)
    if step is None or step <= user.totp_last_step:
        return False
    visit.instance.store.save(replace(user, totp_last_step=step))
    return True


async def _use_backup_code(visit: Visit, user: User, code: str) -> bool:
    for stored in user.backup_codes:
        if await asyncio.to_thread(passwords.backup_code_matches, stored, code):
            break
    else:
        return False
    visit.refresh()
    user = reread(visit, user)
    if stored not in user.backup_codes:  # another request was first
        return False
    left = [other for other in user.backup_codes if other != stored]
    visit.instance.store.save(replace(user, backup_codes=left))
    return True
