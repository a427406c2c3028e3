"""The instance's settings, as the Frontend API tells them to anybody."""

from typing import get_args

from toolkit.sandbox.emulator import passwords
from toolkit.sandbox.emulator.frontend.visit import is_native
from toolkit.sandbox.emulator.instance import Answer, Call, Instance
from toolkit.sandbox.emulator.settings import Characters, Settings

_PAGES = (
    *("home_url", "sign_in_url", "sign_up_url", "user_profile_url", "waitlist_url", "oauth_consent_url"),
    *("after_sign_in_url", "after_sign_up_url", "after_sign_out_one_url", "after_sign_out_all_url"),
    *("after_switch_session_url", "after_join_waitlist_url", "organization_profile_url"),
    *(
        "create_organization_url",
        "after_leave_organization_url",
        "after_create_organization_url",
        "logo_link_url",
    ),
)
_NONE_OF = (
    *("support_email", "clerk_js_version", "google_one_tap_client_id", "help_url", "privacy_policy_url"),
    *("terms_url", "logo_url", "favicon_url", "logo_image", "favicon_image", "logo_image_url"),
    *("favicon_image_url", "captcha_public_key", "captcha_widget_type", "captcha_public_key_invisible"),
    "captcha_provider",
)
_SOCIAL = (
    *("apple", "atlassian", "bitbucket", "box", "coinbase", "custom_mock", "discord", "dropbox", "enstall"),
    *("expressen", "facebook", "github", "gitlab", "google", "hubspot", "huggingface", "instagram", "line"),
    *("linear", "linkedin", "linkedin_oidc", "microsoft", "mock", "notion", "slack", "spotify", "tiktok"),
    *("twitch", "twitter", "x", "xero"),
)


async def get_environment(instance: Instance, call: Call) -> Answer:
    """GET /v1/environment."""
    is_native(instance, call)
    settings = instance.settings
    return Answer(
        {
            "auth_config": _auth_config(instance, settings),
            "display_config": _display_config(instance),
            "user_settings": _user_settings(settings),
            "organization_settings": {
                "enabled": False,
                "max_allowed_memberships": 5,
                "actions": {"admin_delete": True},
                "domains": {"enabled": False, "enrollment_modes": [], "default_role": "org:member"},
                "slug": {"disabled": True},
                "creator_role": "org:admin",
            },
            "fraud_settings": {"object": "fraud_settings", "native": {"device_attestation_mode": "disabled"}},
            "commerce_settings": {
                "billing": {
                    "stripe_publishable_key": None,
                    "free_trial_requires_payment_method": True,
                    "user": {"enabled": False, "has_paid_plans": False},
                    "organization": {"enabled": False, "has_paid_plans": False},
                }
            },
            "api_keys_settings": {
                "enabled": False,
                "user_api_keys_enabled": False,
                "orgs_api_keys_enabled": False,
            },
            "client_debug_mode": False,
            "partitioned_cookies": True,
            "maintenance_mode": False,
        }
    )


def _auth_config(instance: Instance, settings: Settings) -> dict[str, object]:
    second_factors = [
        *(["totp"] if settings.authenticator_app else []),
        *(["phone_code"] if settings.phone_number else []),
        *(["backup_code"] if settings.backup_code else []),
    ]
    by_phone = ["phone_code"] if settings.phone_number_identifies else []
    return {
        "object": "auth_config",
        "id": f"aconf_{instance.id}",
        "first_name": _wanted("first_name", settings, enabled=True),
        "last_name": _wanted("last_name", settings, enabled=True),
        "email_address": "on" if settings.email_address else "off",
        "phone_number": _wanted("phone_number", settings, enabled=settings.phone_number),
        "username": _wanted("username", settings, enabled=settings.username),
        "password": "required" if settings.password else "off",
        "identification_requirements": [["email_address"]],
        "identification_strategies": ["email_address", *(["phone_number"] if by_phone else [])],
        "first_factors": ["email_code", *by_phone, *(["password"] if settings.password else [])],
        "second_factors": second_factors,
        "email_address_verification_strategies": ["email_code"],
        "single_session_mode": settings.single_session_mode,
        "enhanced_email_deliverability": False,
        "test_mode": True,
        "url_based_session_syncing": True,
        "claimed_at": None,
        "reverification": True,
        "native_settings": {
            "object": "native_settings",
            "api_enabled": settings.native_api,
            "trusted_device_sign_in_enabled": False,
            "trusted_device_enrollment_prompt_after_sign_in_enabled": False,
            "trusted_device_enrollment_prompt_after_sign_up_enabled": False,
        },
    }


def _wanted(name: str, settings: Settings, *, enabled: bool) -> str:
    if name in settings.required:
        return "required"
    return "on" if enabled else "off"


def _display_config(instance: Instance) -> dict[str, object]:
    return {
        "object": "display_config",
        "id": f"dconf_{instance.id}",
        "instance_environment_type": instance.environment_type,
        "application_name": "Sandbox",
        "theme": {},
        "preferred_sign_in_strategy": "password",
        **dict.fromkeys(_PAGES, "http://127.0.0.1/"),
        **dict.fromkeys(_NONE_OF),
        "branded": True,
        "experimental_force_oauth_first": False,
        "show_devmode_warning": instance.environment_type == "development",
        "captcha_oauth_bypass": [],
        "captcha_heartbeat": False,
    }


def _user_settings(settings: Settings) -> dict[str, object]:
    return {
        "attributes": {
            "email_address": _attribute(
                enabled=settings.email_address,
                required=settings.email_address,
                first=["email_code"],
                verifications=["email_code"],
                at_sign_up=True,
            ),
            "phone_number": _attribute(
                enabled=settings.phone_number,
                required="phone_number" in settings.required,
                first=["phone_code"] if settings.phone_number_identifies else [],
                second=["phone_code"],
                verifications=["phone_code"],
            ),
            "username": _attribute(enabled=settings.username, required="username" in settings.required),
            "web3_wallet": _attribute(enabled=False),
            "first_name": _attribute(enabled=True, required="first_name" in settings.required),
            "last_name": _attribute(enabled=True, required="last_name" in settings.required),
            "password": _attribute(enabled=settings.password, required=settings.password),
            "authenticator_app": _attribute(enabled=settings.authenticator_app, second=["totp"]),
            "ticket": _attribute(enabled=True, first=["ticket"]),
            "backup_code": _attribute(enabled=settings.backup_code, second=["backup_code"]),
            "passkey": _attribute(enabled=False),
        },
        "social": {
            f"oauth_{name}": {
                "enabled": False,
                "required": False,
                "authenticatable": False,
                "block_email_subaddresses": False,
                "strategy": f"oauth_{name}",
                "not_selectable": False,
                "deprecated": False,
            }
            for name in _SOCIAL
        },
        "saml": {"enabled": False},
        "enterprise_sso": {"enabled": False},
        "sign_in": {"second_factor": {"required": False}},
        "sign_up": {
            "captcha_enabled": False,
            "captcha_widget_type": "smart",
            "custom_action_required": False,
            "progressive": True,
            "mode": settings.sign_up_mode,
            "legal_consent_enabled": False,
        },
        "restrictions": {
            name: {"enabled": False}
            for name in (
                *("allowlist", "blocklist", "allowlist_blocklist_disabled_on_sign_in"),
                *("block_email_subaddresses", "block_disposable_email_domains"),
            )
        },
        "password_settings": {
            "disable_hibp": not settings.reject_pwned,
            "disable_password_reverification": False,
            "min_length": settings.password_min_length,
            "max_length": settings.password_max_length,
            **{f"require_{kind}": kind in settings.password_requires for kind in get_args(Characters)},
            "show_zxcvbn": settings.show_password_strength,
            "min_zxcvbn_strength": settings.password_strength,
            "enforce_hibp_on_sign_in": settings.reject_pwned_at_sign_in,
            "allowed_special_characters": passwords.SPECIAL,
        },
        "username_settings": {
            "min_length": 4,
            "max_length": 64,
            "allow_extended_special_characters": False,
            "allow_numeric_usernames": False,
        },
        "actions": {"delete_self": True, "create_organization": False, "create_organizations_limit": None},
        "attack_protection": {
            "user_lockout": {
                "enabled": True,
                "max_attempts": settings.lockout_attempts,
                "duration_in_minutes": -(-settings.lockout_seconds // 60),
            },
            "pii": {"enabled": True},
            "email_link": {"require_same_client": False},
            "enumeration_protection": {"enabled": settings.enumeration_protection},
        },
        "passkey_settings": {
            "allow_autofill": False,
            "show_sign_in_button": False,
            "satisfies_second_factor": False,
        },
    }


def _attribute(
    *,
    enabled: bool,
    required: bool = False,
    first: list[str] | None = None,
    second: list[str] | None = None,
    verifications: list[str] | None = None,
    at_sign_up: bool = False,
) -> dict[str, object]:
    return {
        "enabled": enabled,
        "required": required,
        "used_for_first_factor": enabled and bool(first),
        "first_factors": first or [],
        "used_for_second_factor": enabled and bool(second),
        "second_factors": second or [],
        "verifications": verifications or [],
        "verify_at_sign_up": at_sign_up,
        "immutable": False,
    }
