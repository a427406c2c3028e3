"""Which settings of a Clerk instance do not fit the users, and when a survey ends."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from unittest.mock import Mock

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr, TypeAdapter

from tests.unit.clerk.answers import PASSWORD_SETTINGS
from tests.unit.migration.test_plan import NONCE, OLDER, ORDINARY, POLICY, SECRET, WITH_CODES, WITH_TOTP
from toolkit.clerk import ClerkConfig, InstanceSettings
from toolkit.migration.digests import Kind
from toolkit.migration.forecast import Forecast, foresee
from toolkit.migration.instance import cautions, misfits
from toolkit.migration.plan import REASONS, Policy, Reason, Skip, plan
from toolkit.migration.preflight import survey
from toolkit.migration.source import SourceUser
from toolkit.migration.survey import EXAMPLES, KINDS, Finding, Survey

Attribute = Mapping[str, bool]
PRODUCTION = ClerkConfig(secret_key=SecretStr("sk_live_aaaabbbbcccc"), proxy_url="https://ax.example/__clerk")
DEVELOPMENT = ClerkConfig(secret_key=SecretStr("sk_test_aaaabbbbcccc"))
NO_PASSWORDS: Attribute = {"enabled": False}


def instance(
    *,
    second_factor_required: bool = False,
    native_api: bool = True,
    sign_up_mode: str = "restricted",
    legal_consent: bool = False,
    enumeration_protection: bool = True,
    leaked_refused: bool = False,
    lockout: bool = True,
    **changes: Attribute,
) -> InstanceSettings:
    """An instance that fits and needs no caution, after these changes of settings and attributes."""
    on = {"enabled": True, "required": False, "used_for_first_factor": False, "used_for_second_factor": False}
    attributes: dict[str, Attribute] = {
        "email_address": {**on, "required": True, "used_for_first_factor": True},
        "password": {**on, "required": True},
        "authenticator_app": {**on, "used_for_second_factor": True},
        "phone_number": {**on, "enabled": False, "required": True},
        "first_name": on,
    }
    for name, change in changes.items():
        attributes[name] = {**attributes.get(name, on), **change}
    return TypeAdapter(InstanceSettings).validate_python(
        {
            "auth_config": {"native_settings": {"api_enabled": native_api}},
            "user_settings": {
                "attributes": attributes,
                "sign_in": {"second_factor": {"required": second_factor_required}},
                "sign_up": {"mode": sign_up_mode, "legal_consent_enabled": legal_consent},
                "password_settings": {**PASSWORD_SETTINGS, "enforce_hibp_on_sign_in": leaked_refused},
                "attack_protection": {
                    "enumeration_protection": {"enabled": enumeration_protection},
                    "user_lockout": {"enabled": lockout, "max_attempts": 10, "duration_in_minutes": 60},
                },
            },
            "display_config": {"application_name": "AX", "instance_environment_type": "production"},
        }
    )


USERS = Survey(
    examined=1500,
    importable=1500,
    digests=Counter({Kind("argon2id", "m=65536,t=3,p=4"): 1400}),
    without_password=100,
    second_factor=300,
)


def count(found: Survey, user: SourceUser, policy: Policy = POLICY) -> None:
    """Count a user by what the row alone says."""
    decided = plan(user, policy)
    if isinstance(decided, Skip):
        found.stay(user, decided.reason)
    else:
        found.go(user, decided)


class Nobody:
    """A Clerk instance where nobody is in the way."""

    async def among(self, users: Sequence[SourceUser]) -> dict[str, Reason]:
        return {}


def test_an_instance_that_fits_has_no_misfits() -> None:
    assert misfits(instance(), USERS) == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (instance(native_api=False), "The Native API is off"),
        (instance(email_address={"enabled": False}), "Email addresses are off."),
        (
            instance(email_address={"used_for_first_factor": False}),
            "Nobody signs in with an email address.",
        ),
        (instance(password=NO_PASSWORDS), "Passwords are off."),
        (
            instance(second_factor_required=True),
            "A second factor is required of every user, and 1,200 users have none.",
        ),
        (instance(first_name={"required": True}), "First name is required of every user"),
        (instance(phone_number={"enabled": True}), "Phone number is required of every user"),
    ],
)
def test_a_setting_that_does_not_fit_is_named_once_with_its_remedy(
    settings: InstanceSettings, told: str
) -> None:
    [said] = misfits(settings, USERS)
    assert said.startswith(told)
    assert "Dashboard" in said or "Multi-factor" in said


def test_passwords_may_be_off_when_nobody_has_one() -> None:
    without = replace(USERS, digests=Counter(), without_password=1500)
    assert misfits(instance(password=NO_PASSWORDS), without) == []


def test_a_second_factor_may_be_required_when_everybody_has_one() -> None:
    """Then nobody is locked out, and invariant 2 has nothing against it."""
    everybody = replace(USERS, second_factor=1500)
    assert misfits(instance(second_factor_required=True), everybody) == []


def test_authenticator_applications_are_missed_by_those_who_have_one() -> None:
    """Invariant 2."""
    off = instance(authenticator_app={"enabled": False})
    assert misfits(off, replace(USERS, second_factor=0)) == []
    held = Counter({REASONS["second_factor_not_offered"]: 3, REASONS["disabled"]: 1})
    [said] = misfits(off, replace(USERS, second_factor=0, reasons=held))
    assert said.startswith("Authenticator applications are off, and 3 users have one.")


def test_backup_codes_are_missed_by_those_who_have_some() -> None:
    off = instance(backup_code={"enabled": False})
    assert misfits(off, USERS) == []
    held = Counter({REASONS["backup_codes_not_offered"]: 3, REASONS["disabled"]: 1})
    [said] = misfits(off, replace(USERS, reasons=held))
    assert said.startswith("Backup codes are off, and 3 users have some.")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (instance(sign_up_mode="public"), "Anybody may sign up at Clerk itself"),
        (instance(enumeration_protection=False), "Clerk tells anybody whether an address has an account."),
        (instance(leaked_refused=True), "Whoever has a leaked password is kept from signing in"),
        (instance(legal_consent=True), "Consent to legal terms is required of who signs up."),
        (
            instance(authenticator_app={"enabled": False}),
            "Neither authenticator applications nor text messages",
        ),
        (instance(lockout=False), "Clerk locks nobody out"),
    ],
)
def test_what_an_operator_should_know_is_told_once_with_its_remedy(
    settings: InstanceSettings, told: str
) -> None:
    [said] = cautions(settings, PRODUCTION, Survey(), 0)
    assert said.startswith(told)
    assert "Dashboard" in said
    assert misfits(settings, USERS) == []


@pytest.mark.parametrize("mode", ["restricted", "waitlist"])
def test_an_instance_that_keeps_people_out_needs_no_caution(mode: str) -> None:
    assert cautions(instance(sign_up_mode=mode), PRODUCTION, Survey(), 0) == []


def test_text_messages_are_a_second_factor_to_set_up_too() -> None:
    texts = instance(
        authenticator_app={"enabled": False},
        phone_number={"enabled": True, "required": False, "used_for_second_factor": True},
    )
    assert cautions(texts, PRODUCTION, Survey(), 0) == []


def test_a_production_instance_without_a_proxy_is_told_who_shares_an_address() -> None:
    [said] = cautions(instance(), PRODUCTION.model_copy(update={"proxy_url": None}), Survey(), 0)
    assert said.startswith("CLERK_PROXY_URL is not set")
    assert "the 6th sign-in within ten seconds is refused" in said


@pytest.mark.parametrize(("already", "told"), [(99, 1), (100, 2)])
def test_a_development_instance_has_no_proxy_and_takes_a_hundred_users(already: int, told: int) -> None:
    one = Survey(importable=1)
    proxy, *more = cautions(instance(), DEVELOPMENT, one, already)
    assert "production instances alone" in proxy
    assert len(more) == told
    assert told == 1 or more[0].startswith("A development instance takes 100 users")


def test_webhooks_tell_of_each_user_who_goes_over() -> None:
    [said] = cautions(instance(), PRODUCTION, USERS, 0)
    assert "user.created is sent for each of the 1,500 users" in said


def test_the_forecast_counts_who_notices_what() -> None:
    found = Survey()
    passwordless = replace(ORDINARY, password_digest=None)
    for user in (
        *[ORDINARY] * 7,
        *[WITH_TOTP] * 3,
        *[replace(ORDINARY, email_verified=False)] * 2,
        *[passwordless] * 4,
        replace(ORDINARY, disabled=True),
        replace(passwordless, disabled=True),
        *[replace(ORDINARY, email=None)] * 5,
    ):
        count(found, user, replace(POLICY, device_trust="enforce"))
    foreseen = foresee(found, instance(leaked_refused=True))
    assert foreseen == Forecast(
        nothing=3 + 2,
        mailed_code=7,
        new_password=4,
        banned=2,
        staying=5,
        leaked_reset=12,
        lockout_attempts=10,
        lockout_minutes=60,
        password_length=8,
    )
    assert (
        foreseen.nothing + foreseen.mailed_code + foreseen.new_password + foreseen.banned == found.importable
    )
    spared = Survey()
    count(spared, ORDINARY, replace(POLICY, device_trust="grace"))
    told = foresee(spared, instance(lockout=False))
    assert (told.nothing, told.mailed_code, told.leaked_reset, told.lockout_attempts) == (1, 0, 0, None)


async def test_a_survey_ends_at_the_limit_of_users_that_would_go_over() -> None:
    """As the import's limit: rows that cannot go over do not use it up, and those behind it are not looked at."""
    broken = replace(ORDINARY, email=None)

    async def batches() -> AsyncIterator[list[SourceUser]]:
        yield [broken, ORDINARY]
        yield [WITH_TOTP, ORDINARY, broken]
        yield [ORDINARY]

    found = await survey(Mock(snapshot=batches), POLICY, Nobody(), Survey(), limit=2)
    assert (found.examined, found.importable, found.second_factor) == (3, 2, 1)
    assert found.reasons == {REASONS["email_missing"]: 1}
    everybody = await survey(Mock(snapshot=batches), POLICY, Nobody(), Survey())
    assert (everybody.examined, everybody.importable) == (6, 4)


async def test_second_factors_under_the_older_key_and_with_backup_codes_are_counted() -> None:
    """Before it is taken out of the environment, nobody may need it any more."""
    cipher = AESGCM(OLDER).encrypt(NONCE, SECRET.encode(), None)

    async def batches() -> AsyncIterator[list[SourceUser]]:
        yield [WITH_TOTP, replace(WITH_CODES, totp_cipher=cipher), ORDINARY]

    found = await survey(Mock(snapshot=batches), POLICY, Nobody(), Survey())
    assert (found.second_factor, found.older_key, found.backup_codes) == (2, 1, 1)


async def test_digests_that_have_each_drawn_their_own_parameters_are_counted_together() -> None:
    """Memory is flat also then."""

    async def batches() -> AsyncIterator[list[SourceUser]]:
        for n in range(KINDS + 50):
            digest = f"pbkdf2_sha256${1000 + n}$salt${'A' * 43}="
            yield [replace(ORDINARY, password_digest=digest, password_hasher="pbkdf2_sha256_django")] * 2

    found = (await survey(Mock(snapshot=batches), POLICY, Nobody(), Survey())).digests
    assert len(found) == KINDS + 1
    assert found.total() == 2 * (KINDS + 50)
    [(kind, users)] = [(kind, users) for kind, users in found.items() if users > 2]
    assert (str(kind), kind.is_weak, users) == ("pbkdf2_sha256_django of other parameters", True, 100)


def test_of_many_who_would_stay_a_few_are_kept_and_all_are_told() -> None:
    """Memory is flat also then."""
    told: list[Finding] = []
    found = Survey(told.append)
    ids = [f"broken-{n}" for n in range(EXAMPLES + 100)]
    for user_id in ids:
        count(found, replace(ORDINARY, external_id=user_id, email=None))
    assert (found.staying, found.examples) == (len(ids), {REASONS["email_missing"]: ids[:EXAMPLES]})
    assert told == [Finding(user_id, REASONS["email_missing"]) for user_id in ids]
