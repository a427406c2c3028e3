"""The signed-in user's email addresses."""

from toolkit.sandbox.emulator import codes, errors
from toolkit.sandbox.emulator.frontend import me
from toolkit.sandbox.emulator.frontend.visit import Visit, spend
from toolkit.sandbox.emulator.parameters import check_email
from toolkit.sandbox.emulator.resources import show_email
from toolkit.sandbox.emulator.store import Email, User, new_id, normalize_email, now_ms


async def list_email_addresses(visit: Visit) -> object:
    """GET /v1/me/email_addresses."""
    return [show_email(email) for email in me.signed_in(visit)[0].emails]


async def get_email_address(visit: Visit) -> object:
    """GET /v1/me/email_addresses/{email_id}."""
    return show_email(_find(visit, me.signed_in(visit)[0]))


async def create_email_address(visit: Visit) -> object:
    """POST /v1/me/email_addresses."""
    user, _ = me.fresh(visit)
    address, now = visit.text("email_address"), now_ms()
    check_email(address, "email_address")
    if any(normalize_email(email.email_address) == normalize_email(address) for email in user.emails):
        raise errors.exists("email_address")
    email = Email(new_id("idn"), address.strip().lower(), "unverified", now, now)
    user.emails.append(email)
    me.save(visit, user)
    return show_email(email)


async def prepare_verification(visit: Visit) -> object:
    """POST /v1/me/email_addresses/{email_id}/prepare_verification."""
    user, _ = me.signed_in(visit)
    email, strategy = _find(visit, user), visit.text("strategy")
    if strategy != "email_code":
        raise errors.value_invalid("strategy", strategy)
    if email.status == "verified":
        raise errors.already_verified()
    email.code = codes.send(visit.instance, email.email_address, strategy)
    me.save(visit, user)
    return show_email(email)


async def attempt_verification(visit: Visit) -> object:
    """POST /v1/me/email_addresses/{email_id}/attempt_verification."""
    spend(visit.instance, visit.call, "verification")
    user, _ = me.signed_in(visit)
    email = _find(visit, user)
    if email.status == "verified":
        raise errors.already_verified()
    if email.code is None:
        raise errors.verification_not_sent()
    right = codes.matches(email.code, "email_code", visit.text("code"))
    if right:
        email.status, email.updated_at = "verified", now_ms()
    me.save(visit, user)
    if not right:
        raise errors.code_incorrect()
    return show_email(email)


async def delete_email_address(visit: Visit) -> object:
    """DELETE /v1/me/email_addresses/{email_id}."""
    user, _ = me.fresh(visit)
    email = _find(visit, user)
    user.emails.remove(email)
    left = [other for other in user.emails if other.identifies]
    if not left and not user.username:
        raise errors.last_identification()
    if user.primary_email_address_id == email.id:
        user.primary_email_address_id = left[0].id if left else None
    me.save(visit, user)
    return {"object": "email_address", "id": email.id, "deleted": True}


def _find(visit: Visit, user: User) -> Email:
    wanted = visit.call.ids["email_id"]
    for email in user.emails:
        if email.id == wanted:
            return email
    raise errors.not_found(f"No identifier was found with id {wanted}")
