"""Answers of Clerk's, as its API description gives them."""

from pydantic import JsonValue

Json = dict[str, JsonValue]

PASSWORD_SETTINGS: Json = {
    "disable_hibp": False,
    "disable_password_reverification": False,
    "min_length": 8,
    "max_length": 0,
    "require_special_char": False,
    "require_numbers": True,
    "require_uppercase": False,
    "require_lowercase": False,
    "show_zxcvbn": False,
    "min_zxcvbn_strength": 0,
    "enforce_hibp_on_sign_in": False,
    "allowed_special_characters": "!#$",
}


def email_json(address: str = "ada@example.com", *, reserved: bool = False) -> Json:
    verification: Json = {
        "object": "verification_admin",
        "status": "verified",
        "strategy": "admin",
        "attempts": None,
        "expire_at": None,
    }
    return {
        "id": "idn_1",
        "object": "email_address",
        "email_address": address,
        "reserved": reserved,
        "verification": None if reserved else verification,
        "linked_to": [],
        "matches_sso_connection": False,
        "created_at": 1700000000000,
        "updated_at": 1700000000000,
    }


def user_json(**changes: JsonValue) -> Json:
    user: Json = {
        "id": "user_1",
        "object": "user",
        "external_id": "ax-1",
        "primary_email_address_id": "idn_1",
        "primary_phone_number_id": None,
        "primary_web3_wallet_id": None,
        "username": None,
        "first_name": "Ada",
        "last_name": "Lovelace",
        "locale": None,
        "image_url": "https://img.example.com/1",
        "has_image": False,
        "public_metadata": {},
        "private_metadata": {"migration": {"run": 1}},
        "unsafe_metadata": {},
        "email_addresses": [email_json()],
        "phone_numbers": [],
        "web3_wallets": [],
        "passkeys": [],
        "password_enabled": True,
        "two_factor_enabled": False,
        "totp_enabled": False,
        "backup_code_enabled": False,
        "mfa_enabled_at": None,
        "mfa_disabled_at": None,
        "external_accounts": [],
        "saml_accounts": [],
        "enterprise_accounts": [],
        "last_sign_in_at": None,
        "banned": False,
        "locked": False,
        "lockout_expires_in_seconds": None,
        "verification_attempts_remaining": 100,
        "created_at": 1700000000000,
        "updated_at": 1700000000000,
        "delete_self_enabled": True,
        "create_organization_enabled": True,
        "last_active_at": None,
        "legal_accepted_at": None,
    }
    return {**user, **changes}


def error_json(
    code: str, *, message: str = "no", param: str | None = None, trace: str | None = "trace-1"
) -> Json:
    entry: Json = {"code": code, "message": message, "long_message": f"{message}."}
    if param is not None:
        entry["meta"] = {"param_name": param}
    body: Json = {"errors": [entry]}
    return body if trace is None else {**body, "clerk_trace_id": trace}
