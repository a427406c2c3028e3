"""The signed-in user's phone numbers: second factors, nothing to sign in with."""

import re

from toolkit.sandbox.emulator import codes, errors
from toolkit.sandbox.emulator.frontend import me
from toolkit.sandbox.emulator.frontend.authenticators import make_backup_codes, save_without_factor
from toolkit.sandbox.emulator.frontend.visit import Record, Visit, spend
from toolkit.sandbox.emulator.resources import show_phone
from toolkit.sandbox.emulator.store import Phone, User, new_id, now_ms

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")


async def list_phone_numbers(visit: Visit) -> object:
    """GET /v1/me/phone_numbers."""
    return [show_phone(phone) for phone in me.signed_in(visit)[0].phones]


async def get_phone_number(visit: Visit) -> object:
    """GET /v1/me/phone_numbers/{phone_number_id}."""
    return show_phone(_find(visit, me.signed_in(visit)[0]))


async def create_phone_number(visit: Visit) -> object:
    """POST /v1/me/phone_numbers."""
    if not visit.instance.settings.phone_number:
        raise errors.unknown("phone_number")
    user, _ = me.fresh(visit)
    number, now = visit.text("phone_number"), now_ms()
    if not _NUMBER.fullmatch(number):
        raise errors.phone_invalid()
    if any(phone.phone_number == number for phone in user.phones):
        raise errors.exists("phone_number")
    reserved = visit.form.get("reserved_for_second_factor") == "true"
    phone = Phone(new_id("idn"), number, now, now, reserved_for_second_factor=reserved)
    user.phones.append(phone)
    me.save(visit, user)
    return show_phone(phone)


async def prepare_verification(visit: Visit) -> object:
    """POST /v1/me/phone_numbers/{phone_number_id}/prepare_verification."""
    user, _ = me.signed_in(visit)
    phone, strategy = _find(visit, user), visit.text("strategy")
    if strategy != "phone_code":
        raise errors.value_invalid("strategy", strategy)
    if phone.verified:
        raise errors.already_verified()
    phone.code = codes.send(visit.instance, phone.phone_number, strategy)
    me.save(visit, user)
    return show_phone(phone)


async def attempt_verification(visit: Visit) -> object:
    """POST /v1/me/phone_numbers/{phone_number_id}/attempt_verification."""
    spend(visit.instance, visit.call, "verification")
    user, _ = me.signed_in(visit)
    phone = _find(visit, user)
    if phone.verified:
        raise errors.already_verified()
    if phone.code is None:
        raise errors.verification_not_sent()
    right = codes.matches(phone.code, "phone_code", visit.text("code"))
    if not right:
        me.save(visit, user)
        raise errors.code_incorrect()
    phone.verified, phone.updated_at = True, now_ms()
    return _shown_with_new_codes(visit, user, phone)


async def update_phone_number(visit: Visit) -> object:
    """PATCH /v1/me/phone_numbers/{phone_number_id}: the first second factor becomes the default."""
    user, _ = me.fresh(visit)
    phone = _find(visit, user)
    if not phone.verified:
        raise errors.second_factor_unverified()
    if "reserved_for_second_factor" in visit.form:
        phone.reserved_for_second_factor = visit.form["reserved_for_second_factor"] == "true"
    if "default_second_factor" in visit.form:
        _set_default(user, phone, visit.form["default_second_factor"] == "true")
    phone.updated_at = now_ms()
    return _shown_with_new_codes(visit, user, phone)


async def delete_phone_number(visit: Visit) -> object:
    """DELETE /v1/me/phone_numbers/{phone_number_id}."""
    user, _ = me.fresh(visit)
    phone = _find(visit, user)
    user.phones.remove(phone)
    save_without_factor(visit, user)
    return {"object": "phone_number", "id": phone.id, "deleted": True}


def _set_default(user: User, phone: Phone, wanted: bool) -> None:
    if not wanted and phone.default_second_factor:
        raise errors.default_factor_disallowed()
    if wanted:
        for other in user.phones:
            other.default_second_factor = other is phone


def _shown_with_new_codes(visit: Visit, user: User, phone: Phone) -> Record:
    """The number; with backup codes when it is the user's first second factor."""
    new = None
    if phone.is_second_factor:
        user.settle_second_factors()
        new = make_backup_codes(visit, user)
        me.save(visit, user)
    else:
        save_without_factor(visit, user)
    return {**show_phone(phone), "backup_codes": new}


def _find(visit: Visit, user: User) -> Phone:
    wanted = visit.call.ids["phone_number_id"]
    for phone in user.phones:
        if phone.id == wanted:
            return phone
    raise errors.not_found(f"No identifier was found with id {wanted}")
