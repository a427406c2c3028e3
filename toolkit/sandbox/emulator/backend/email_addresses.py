"""Email addresses, in the Backend API."""

from toolkit.sandbox.emulator import errors
from toolkit.sandbox.emulator.backend.users import find_user
from toolkit.sandbox.emulator.instance import Answer, Call, Instance
from toolkit.sandbox.emulator.parameters import Body, check_email
from toolkit.sandbox.emulator.resources import show_email
from toolkit.sandbox.emulator.store import Email, User, new_id, normalize_email, now_ms

_CREATE = frozenset(
    {"user_id", "email_address", "verified", "primary", "notify_primary_email_address_changed"}
)
_STATUSES = ("verified", "reserved", "unverified")
_REPLACE = frozenset({"email_address", "identification_status", "notify_primary_email_address_changed"})
_UPDATE = frozenset({"verified", "primary", "notify_primary_email_address_changed"})


async def create_email_address(instance: Instance, call: Call) -> Answer:
    """POST /v1/email_addresses."""
    body = Body(call.body, _CREATE)
    user_id, address = body.required_text("user_id"), body.required_text("email_address")
    check_email(address, "email_address")
    user = instance.store.get(user_id)
    if user is None:
        raise errors.user_not_found(user_id)
    now = now_ms()
    status = "verified" if body.flag("verified") else "unverified"
    email = Email(new_id("idn"), address.strip().lower(), status, now, now)
    if any(normalize_email(other.email_address) == normalize_email(address) for other in user.emails):
        raise errors.exists("email_address")
    user.emails.append(email)
    if body.flag("primary") or len(user.emails) == 1:
        user.primary_email_address_id = email.id
    _save(instance, user)
    return Answer(show_email(email))


async def get_email_address(instance: Instance, call: Call) -> Answer:
    """GET /v1/email_addresses/{email_address_id}."""
    return Answer(show_email(_find(instance, call)[1]))


async def update_email_address(instance: Instance, call: Call) -> Answer:
    """PATCH /v1/email_addresses/{email_address_id}."""
    body = Body(call.body, _UPDATE)
    user, email = _find(instance, call)
    was_verified = email.status == "verified"
    if body.flag("verified", default=was_verified) != was_verified:
        email.status = "unverified" if was_verified else "verified"
    if body.flag("primary"):
        user.primary_email_address_id = email.id
    email.updated_at = now_ms()
    _save(instance, user)
    return Answer(show_email(email))


async def delete_email_address(instance: Instance, call: Call) -> Answer:
    """DELETE /v1/email_addresses/{email_address_id}."""
    user, email = _find(instance, call)
    user.emails.remove(email)
    if not user.emails and not user.username:
        raise errors.last_identification()
    if user.primary_email_address_id == email.id:
        user.primary_email_address_id = user.emails[0].id if user.emails else None
    _save(instance, user)
    return Answer({"id": email.id, "object": "email_address", "deleted": True})


async def replace_email_addresses(instance: Instance, call: Call) -> Answer:
    """PUT /v1/users/{user_id}/email_address: one address in place of all that there are."""
    body = Body(call.body, _REPLACE)
    address, status = body.required_text("email_address"), body.text("identification_status") or "verified"
    check_email(address, "email_address")
    if status not in _STATUSES:
        raise errors.value_invalid("identification_status", status)
    user, now = find_user(instance, call), now_ms()
    email = Email(new_id("idn"), address.strip().lower(), status, now, now)
    user.emails, user.primary_email_address_id = [email], email.id
    _save(instance, user)
    return Answer(show_email(email))


def _find(instance: Instance, call: Call) -> tuple[User, Email]:
    email_id = call.ids["email_address_id"]
    user = instance.store.owner_of(email_id)
    if user is None:
        raise errors.not_found(f"No identifier was found with id {email_id}")
    return user, next(email for email in user.emails if email.id == email_id)


def _save(instance: Instance, user: User) -> None:
    user.updated_at = now_ms()
    taken = instance.store.save(user)
    if taken:
        raise errors.exists(taken)
