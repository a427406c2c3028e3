"""How resources look in answers: every field of Clerk's description, and none besides."""

from toolkit.sandbox.emulator import codes
from toolkit.sandbox.emulator.settings import Settings
from toolkit.sandbox.emulator.store import Email, Phone, User

IMAGE_URL = "https://img.clerk.com/eyJ0eXBlIjoiZGVmYXVsdCJ9"


def show_user(user: User, settings: Settings) -> dict[str, object]:
    """A user, as the Backend API gives it."""
    totp = user.totp_secret is not None
    two_factor = user.has_second_factor
    backup = bool(user.backup_codes)
    return {
        "id": user.id,
        "object": "user",
        "external_id": user.external_id,
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "locale": user.locale,
        "profile_image_url": IMAGE_URL,
        "image_url": IMAGE_URL,
        "has_image": False,
        "primary_email_address_id": user.primary_email_address_id,
        "primary_phone_number_id": None,
        "primary_web3_wallet_id": None,
        "email_addresses": [show_email(email) for email in user.emails],
        "phone_numbers": [show_phone(phone) for phone in user.phones],
        "web3_wallets": [],
        "passkeys": [],
        "external_accounts": [],
        "saml_accounts": [],
        "enterprise_accounts": [],
        "password_enabled": user.password_digest is not None,
        "password_last_updated_at": user.password_last_updated_at,
        "two_factor_enabled": two_factor,
        "totp_enabled": totp,
        "backup_code_enabled": backup,
        "mfa_enabled_at": user.mfa_enabled_at,
        "mfa_disabled_at": user.mfa_disabled_at,
        "public_metadata": user.public_metadata,
        "private_metadata": user.private_metadata,
        "unsafe_metadata": user.unsafe_metadata,
        "banned": user.banned,
        "locked": user.is_locked,
        "lockout_expires_in_seconds": user.lockout_seconds,
        "verification_attempts_remaining": 0
        if user.is_locked
        else max(0, settings.lockout_attempts - user.failed_attempts),
        "last_sign_in_at": user.last_sign_in_at,
        "last_active_at": user.last_active_at,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "delete_self_enabled": user.delete_self_enabled,
        "create_organization_enabled": user.create_organization_enabled,
        "create_organizations_limit": user.create_organizations_limit,
        "legal_accepted_at": user.legal_accepted_at,
        "bypass_client_trust": user.bypass_client_trust,
    }


def show_phone(phone: Phone) -> dict[str, object]:
    """A phone number."""
    return {
        "id": phone.id,
        "object": "phone_number",
        "phone_number": phone.phone_number,
        "reserved_for_second_factor": phone.reserved_for_second_factor,
        "default_second_factor": phone.default_second_factor,
        "reserved": False,
        "verification": codes.show(phone.code, verified=phone.verified),
        "linked_to": [],
        "backup_codes": None,
        "created_at": phone.created_at,
        "updated_at": phone.updated_at,
    }


def show_email(email: Email) -> dict[str, object]:
    """An email address."""
    return {
        "id": email.id,
        "object": "email_address",
        "email_address": email.email_address,
        "reserved": email.status == "reserved",
        "verification": {
            "object": "verification_admin",
            "status": "verified",
            "strategy": "admin",
            "attempts": None,
            "expire_at": None,
        }
        if email.status == "verified"
        else codes.show(email.code),
        "linked_to": [],
        "matches_sso_connection": False,
        "created_at": email.created_at,
        "updated_at": email.updated_at,
    }
