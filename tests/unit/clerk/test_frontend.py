"""The instance's settings, as the Frontend API tells them."""

from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from toolkit.clerk import (
    ClerkAnswerUnexpected,
    ClerkConfig,
    ClerkNotConfigured,
    FrontendClient,
    InstanceSettings,
)

from .answers import PASSWORD_SETTINGS, Json
from .conftest import SECRET_KEY, Recorder


def attribute(
    *, enabled: bool = True, required: bool = False, first: bool = False, second: bool = False
) -> Json:
    return {
        "enabled": enabled,
        "required": required,
        "used_for_first_factor": first,
        "first_factors": [],
        "used_for_second_factor": second,
        "second_factors": [],
        "verifications": [],
        "verify_at_sign_up": False,
        "immutable": False,
    }


OFF = attribute(enabled=False)
USUAL: dict[str, Json] = {
    "email_address": attribute(required=True, first=True),
    "phone_number": OFF,
    "username": OFF,
    "first_name": attribute(),
    "last_name": attribute(),
    "password": attribute(required=True),
    "authenticator_app": attribute(second=True),
    "backup_code": attribute(second=True),
}


def environment(attributes: Mapping[str, Json] | None = None) -> Json:
    settings: Json = {
        "attributes": dict[str, JsonValue]({**USUAL, **(attributes or {})}),
        "sign_in": {"second_factor": {"required": False}},
        "sign_up": {"mode": "public", "legal_consent_enabled": False, "progressive": True},
        "password_settings": PASSWORD_SETTINGS,
        "attack_protection": {
            "enumeration_protection": {"enabled": False},
            "user_lockout": {"enabled": True, "max_attempts": 10, "duration_in_minutes": 60},
            "pii": {"enabled": True},
        },
        "social": {},
    }
    return {
        "auth_config": {"object": "auth_config", "native_settings": {"api_enabled": True}},
        "display_config": {"application_name": "AX", "instance_environment_type": "production"},
        "user_settings": settings,
        "maintenance_mode": False,
    }


async def settings_from(recorder: Recorder, answer: JsonValue) -> InstanceSettings:
    recorder.body = answer
    config = ClerkConfig.from_environment(
        {"CLERK_SECRET_KEY": SECRET_KEY, "CLERK_FRONTEND_API_URL": recorder.url}
    )
    async with FrontendClient(config) as frontend:
        return await frontend.environment()


async def test_settings_are_asked_for_without_the_key(recorder: Recorder) -> None:
    await settings_from(recorder, environment())
    assert (recorder.only.method, recorder.only.path) == ("GET", "/v1/environment?_is_native=1")
    assert "Authorization" not in recorder.only.headers
    assert SECRET_KEY not in str(recorder.only.headers)


async def test_an_instance_that_fits(recorder: Recorder) -> None:
    settings = await settings_from(recorder, environment())
    assert settings.email_address_enabled
    assert settings.email_address_identifies
    assert settings.password_enabled
    assert settings.authenticator_app_enabled
    assert not settings.second_factor_required
    assert settings.required_beyond_email_and_password == ()
    assert settings.native_api_enabled
    assert settings.open_to_anybody
    assert not settings.hides_who_has_an_account
    assert not settings.legal_consent_required
    rules = settings.user_settings.password_settings
    assert (rules.min_length, rules.require_numbers, rules.require_uppercase) == (8, True, False)
    assert not settings.refuses_leaked_passwords_at_sign_in


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"email_address": OFF}, "email_address_enabled"),
        ({"email_address": attribute(first=False)}, "email_address_identifies"),
        ({"password": OFF}, "password_enabled"),
        ({"authenticator_app": OFF}, "authenticator_app_enabled"),
        ({"authenticator_app": attribute(second=False)}, "authenticator_app_enabled"),
    ],
)
async def test_what_is_off_is_seen(recorder: Recorder, attributes: dict[str, Json], name: str) -> None:
    settings = await settings_from(recorder, environment(attributes))
    assert getattr(settings, name) is False


async def test_what_clerk_requires_beyond_email_and_password_is_named(recorder: Recorder) -> None:
    settings = await settings_from(
        recorder,
        environment(
            {
                "username": attribute(required=True),
                "first_name": attribute(required=True),
                "phone_number": attribute(enabled=False, required=True),
            }
        ),
    )
    assert set(settings.required_beyond_email_and_password) == {"Username", "First name"}


async def test_something_else_at_that_address_is_recognized(recorder: Recorder) -> None:
    with pytest.raises(ClerkAnswerUnexpected, match="CLERK_PUBLISHABLE_KEY"):
        await settings_from(recorder, {"hello": "world"})


def test_without_a_publishable_key_it_says_what_is_missing() -> None:
    with pytest.raises(ClerkNotConfigured, match="CLERK_PUBLISHABLE_KEY"):
        FrontendClient(ClerkConfig.from_environment({"CLERK_SECRET_KEY": SECRET_KEY}))
