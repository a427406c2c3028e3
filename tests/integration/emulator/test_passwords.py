"""New passwords: the instance's rules, changing one, resetting one, and whoever must replace theirs."""

from typing import Any

import pyotp
import pytest

from tests.emulator import Emulator
from tests.integration.emulator.conftest import EMAIL, PASSWORD, SECRET, SIGN_INS, Api, Device

NEW = "an even newer horse"
NUMBER = "+4917012345678"
CHANGE = "/v1/me/change_password"
BY_EMAIL, BY_PHONE = "reset_password_email_code", "reset_password_phone_code"


async def begin_reset(device: Device, identifier: str = EMAIL, strategy: str = BY_EMAIL) -> str:
    """Begin a reset, whose code is sent with it; the sign-in's path."""
    sign_in = await device.done("POST", SIGN_INS, strategy=strategy, identifier=identifier)
    assert sign_in["status"] == "needs_first_factor"
    return f"{SIGN_INS}/{sign_in['id']}"


async def prove(device: Device, path: str, to: str = EMAIL, strategy: str = BY_EMAIL) -> None:
    """Prove the address of a reset with the code that was sent there."""
    form = {"strategy": strategy, "code": await device.code(to)}
    proven = await device.done("POST", f"{path}/attempt_first_factor", **form)
    assert (proven["status"], proven["created_session_id"]) == ("needs_new_password", None)


async def add_number(device: Device, *, second_factor: bool = False) -> None:
    """Give the user who is signed in a number."""
    reserved = "true" if second_factor else "false"
    form = {"phone_number": NUMBER, "reserved_for_second_factor": reserved}
    path = f"/v1/me/phone_numbers/{(await device.done('POST', '/v1/me/phone_numbers', **form))['id']}"
    await device.done("POST", f"{path}/prepare_verification", strategy="phone_code")
    await device.done("POST", f"{path}/attempt_verification", code=await device.code(NUMBER))


# The rules


@pytest.mark.parametrize(
    ("settings", "password", "code"),
    [
        ({}, "seven77", "form_password_length_too_short"),
        ({}, "é" * 37, "form_password_size_in_bytes_exceeded"),
        ({}, "Password123", "form_password_pwned"),
        ({}, "ADA@example.com", "form_password_matches_identifier"),
        ({"password_min_length": 20}, NEW, "form_password_length_too_short"),
        ({"password_max_length": 18}, NEW, "form_password_length_too_long"),
        ({"password_requires": ["uppercase"]}, NEW, "form_password_no_uppercase"),
        ({"password_requires": ["lowercase"]}, NEW.upper(), "form_password_no_lowercase"),
        ({"password_requires": ["numbers"]}, NEW, "form_password_no_number"),
        ({"password_requires": ["special_char"]}, "anevennewerhorse", "form_password_no_special_char"),
        ({"password_strength": 3}, "qwerty1234", "form_password_not_strong_enough"),
        ({"pwned_passwords": [NEW]}, NEW, "form_password_pwned"),
    ],
)
async def test_a_rule_holds_wherever_a_password_is_set(
    api: Api, device: Device, other: Device, settings: dict[str, Any], password: str, code: str
) -> None:
    user = await api.created()
    await device.sign_in()
    path = await begin_reset(other)
    await prove(other, path)
    device.emulator.settings(**settings)
    changed = await device.call("POST", CHANGE, current_password=PASSWORD, new_password=password)
    assert changed.refusal == (422, code, "new_password")
    assert (await other.call("POST", f"{path}/reset_password", password=password)).refusal == (
        422,
        code,
        "password",
    )
    by_the_backend = await api.call("PATCH", f"/v1/users/{user['id']}", {"password": password})
    assert by_the_backend.refusal == (422, code, "password")
    assert (await device.done("GET", "/v1/me"))["password_last_updated_at"] is not None
    verified = await api.call("POST", f"/v1/users/{user['id']}/verify_password", {"password": PASSWORD})
    assert verified.status == 200


@pytest.mark.parametrize(
    ("settings", "password"),
    [
        ({"reject_pwned": False}, "password123"),
        ({"password_strength": 0}, "qwerty1234"),
        ({"password_max_length": len(NEW), "password_min_length": len(NEW)}, NEW),
        ({"password_requires": ["special_char", "numbers", "uppercase", "lowercase"]}, "A newer horse: 1"),
    ],
)
async def test_a_password_that_keeps_to_the_rules(
    api: Api, device: Device, settings: dict[str, Any], password: str
) -> None:
    device.emulator.settings(**settings)
    await api.created()
    await device.sign_in()
    await device.done("POST", CHANGE, current_password=PASSWORD, new_password=password)


async def test_the_environment_tells_the_rules(api: Api, emulator: Emulator) -> None:
    async def told() -> dict[str, Any]:
        content = (await api.call("GET", "/v1/environment", headers={})).content
        return dict(content["user_settings"]["password_settings"])

    usual = await told()
    assert (usual["min_length"], usual["max_length"], usual["disable_hibp"]) == (8, 0, False)
    emulator.settings(
        password_min_length=10,
        password_max_length=64,
        password_requires=["numbers", "special_char"],
        password_strength=3,
        show_password_strength=True,
        reject_pwned=False,
        reject_pwned_at_sign_in=True,
    )
    changed = await told()
    assert changed["allowed_special_characters"]
    assert changed | {"allowed_special_characters": ""} == {
        "disable_hibp": True,
        "disable_password_reverification": False,
        "min_length": 10,
        "max_length": 64,
        "require_special_char": True,
        "require_numbers": True,
        "require_uppercase": False,
        "require_lowercase": False,
        "show_zxcvbn": True,
        "min_zxcvbn_strength": 3,
        "enforce_hibp_on_sign_in": True,
        "allowed_special_characters": "",
    }


# Changing


async def test_of_two_devices_the_other_is_signed_out_if_asked_for(
    api: Api, device: Device, other: Device
) -> None:
    await api.created()
    await device.sign_in()
    await other.sign_in()
    await device.done("POST", CHANGE, current_password=PASSWORD, new_password=NEW)
    await other.done("GET", "/v1/me")
    form = {"current_password": NEW, "new_password": PASSWORD, "sign_out_of_other_sessions": "true"}
    await device.done("POST", CHANGE, **form)
    assert await other.refused("GET", "/v1/me") == (401, "signed_out")
    await device.done("GET", "/v1/me")


async def test_wrong_current_passwords_count_towards_the_lock(api: Api, device: Device) -> None:
    device.emulator.settings(lockout_attempts=2)
    await api.created()
    await device.sign_in()
    wrong = {"current_password": "wrong", "new_password": NEW}
    for _ in range(2):
        refused = (await device.call("POST", CHANGE, **wrong)).refusal
        assert refused == (422, "form_password_validation_failed", "current_password")
    assert await device.refused("POST", CHANGE, **wrong) == (403, "user_locked")


async def test_changes_are_three_in_ten_seconds(api: Api, device: Device) -> None:
    await api.created()
    await device.sign_in()
    device.emulator.settings(rate_limit="production")
    form = {"current_password": "wrong", "new_password": NEW}
    codes = [(await device.call("POST", CHANGE, **form)).status for _ in range(4)]
    assert codes == [422, 422, 422, 429]


# Resetting


async def test_a_reset_does_not_take_the_password_that_is_forgotten(api: Api, device: Device) -> None:
    await api.created()
    path = await begin_reset(device)
    await prove(device, path)
    same = await device.call("POST", f"{path}/reset_password", password=PASSWORD)
    assert same.refusal == (422, "form_new_password_matches_current", "password")
    assert (await device.done("POST", f"{path}/reset_password", password=NEW))["status"] == "complete"


async def test_a_reset_begins_a_session_like_any_other(api: Api, device: Device, other: Device) -> None:
    """Invariant 2: with a second factor, no session begins before it is proven."""
    await api.created(totp_secret=SECRET)
    path = await begin_reset(device)
    await prove(device, path)
    reset = await device.done("POST", f"{path}/reset_password", password=NEW)
    assert (reset["status"], reset["created_session_id"]) == ("needs_second_factor", None)
    code = pyotp.TOTP(SECRET).now()
    done = await device.done("POST", f"{path}/attempt_second_factor", strategy="totp", code=code)
    client = (await device.call("GET", "/v1/client")).content["response"]
    (session,) = client["sessions"]
    assert (session["id"], session["factor_verification_age"]) == (done["created_session_id"], [0, 0])
    assert client["last_authentication_strategy"] == BY_EMAIL
    form = {"strategy": "password", "identifier": EMAIL, "password": PASSWORD}
    assert await other.refused("POST", SIGN_INS, **form) == (422, "form_password_incorrect")


@pytest.mark.parametrize("by_number", [True, False])
async def test_a_number_that_identifies_gets_the_code(
    api: Api, device: Device, other: Device, by_number: bool
) -> None:
    device.emulator.settings(phone_number_identifies=True)
    await api.created()
    await device.sign_in()
    await add_number(device)
    if by_number:
        path = await begin_reset(other, NUMBER, BY_PHONE)
    else:
        sign_in = await other.done("POST", SIGN_INS, identifier=EMAIL)
        path = f"{SIGN_INS}/{sign_in['id']}"
        (factor,) = (
            factor for factor in sign_in["supported_first_factors"] if factor["strategy"] == BY_PHONE
        )
        assert factor["safe_identifier"] == "+4*******78"
        form = {"strategy": BY_PHONE, "phone_number_id": factor["phone_number_id"]}
        await other.done("POST", f"{path}/prepare_first_factor", **form)
    (sent,) = device.emulator.control("GET", f"outbox?to={NUMBER.replace('+', '%2B')}")[1:]
    assert (sent["channel"], sent["purpose"]) == ("sms", BY_PHONE)
    await prove(other, path, NUMBER, BY_PHONE)
    assert (await other.done("POST", f"{path}/reset_password", password=NEW))["status"] == "complete"


@pytest.mark.parametrize(("identifies", "second_factor"), [(True, True), (False, False)])
async def test_a_second_factor_or_a_mere_number_gets_no_code_of_a_reset(
    api: Api, device: Device, other: Device, identifies: bool, second_factor: bool
) -> None:
    """Invariant 2: one phone is not both factors."""
    device.emulator.settings(phone_number_identifies=identifies)
    await api.created()
    await device.sign_in()
    await add_number(device, second_factor=second_factor)
    sign_in = await other.done("POST", SIGN_INS, identifier=EMAIL)
    offered = {factor["strategy"] for factor in sign_in["supported_first_factors"]}
    assert offered == {"password", "email_code", BY_EMAIL}
    prepare = f"{SIGN_INS}/{sign_in['id']}/prepare_first_factor"
    assert await other.refused("POST", prepare, strategy=BY_PHONE) == (400, "strategy_for_user_invalid")
    form = {"strategy": BY_PHONE, "identifier": NUMBER}
    assert await other.refused("POST", SIGN_INS, **form) == (422, "form_identifier_not_found")


@pytest.mark.parametrize(("strategy", "identifier"), [(BY_PHONE, EMAIL), (BY_EMAIL, NUMBER)])
async def test_a_code_goes_where_the_identifier_is(
    api: Api, device: Device, other: Device, strategy: str, identifier: str
) -> None:
    device.emulator.settings(phone_number_identifies=True)
    await api.created()
    await device.sign_in()
    await add_number(device)
    form = {"strategy": strategy, "identifier": identifier}
    assert await other.refused("POST", SIGN_INS, **form) == (400, "strategy_for_user_invalid")


async def test_wrong_codes_lock_and_a_lock_holds_up_the_reset(
    api: Api, device: Device, other: Device
) -> None:
    device.emulator.settings(lockout_attempts=2)
    await api.created()
    proven = await begin_reset(other)
    await prove(other, proven)
    path = await begin_reset(device)
    wrong = {"strategy": BY_EMAIL, "code": "000000" if await device.code() != "000000" else "111111"}
    for _ in range(2):
        refused = (await device.call("POST", f"{path}/attempt_first_factor", **wrong)).refusal
        assert refused == (422, "form_code_incorrect", "code")
    right = {"strategy": BY_EMAIL, "code": await device.code()}
    assert await device.refused("POST", f"{path}/attempt_first_factor", **right) == (403, "user_locked")
    assert await other.refused("POST", f"{proven}/reset_password", password=NEW) == (403, "user_locked")


async def test_codes_and_new_passwords_of_resets_are_three_in_ten_seconds(api: Api, device: Device) -> None:
    await api.created()
    path = await begin_reset(device)
    device.emulator.settings(rate_limit="production")
    await prove(device, path)
    codes = [(await device.call("POST", f"{path}/reset_password", password="x")).status for _ in range(3)]
    assert codes == [422, 422, 429]


# Whoever must replace theirs


async def test_a_leaked_password_does_not_sign_in_where_that_is_set_so(api: Api, device: Device) -> None:
    device.emulator.settings(reject_pwned_at_sign_in=True, pwned_passwords=[PASSWORD])
    await api.created()
    form = {"strategy": "password", "identifier": EMAIL}
    wrong = await device.call("POST", SIGN_INS, **form, password="wrong")
    assert wrong.refusal == (422, "form_password_incorrect", "password")
    right = await device.call("POST", SIGN_INS, **form, password=PASSWORD)
    assert right.refusal == (422, "form_password_pwned", "password")
    path = await begin_reset(device)
    await prove(device, path)
    assert (await device.done("POST", f"{path}/reset_password", password=NEW))["status"] == "complete"


async def test_before_a_new_password_is_set_an_address_may_be_proven(api: Api, device: Device) -> None:
    user = await api.created()
    await api.call("POST", f"/v1/users/{user['id']}/password/set_compromised", {})
    sign_in = await device.sign_in()
    path = f"{SIGN_INS}/{sign_in['id']}"
    assert BY_EMAIL in {factor["strategy"] for factor in sign_in["supported_first_factors"]}
    again = {"strategy": "password", "password": PASSWORD}
    assert await device.refused("POST", f"{path}/attempt_first_factor", **again) == (
        400,
        "client_state_invalid",
    )
    await device.done("POST", f"{path}/prepare_first_factor", strategy=BY_EMAIL)
    await prove(device, path)
    assert (await device.done("POST", f"{path}/reset_password", password=NEW))["status"] == "complete"


async def test_a_password_that_the_backend_sets_is_not_compromised(
    api: Api, device: Device, other: Device
) -> None:
    path = f"/v1/users/{(await api.created())['id']}"
    await api.call("POST", f"{path}/password/set_compromised", {})
    assert (await device.sign_in())["status"] == "needs_new_password"
    body = {"password": "short", "skip_password_checks": True}
    assert (await api.call("PATCH", path, body)).status == 200
    assert (await other.sign_in(password="short"))["status"] == "complete"


@pytest.mark.parametrize("sign_out", [True, False])
async def test_the_backend_removes_a_password_and_sessions_if_asked_for(
    api: Api, device: Device, sign_out: bool
) -> None:
    path = f"/v1/users/{(await api.created())['id']}/remove_password"
    await device.sign_in()
    for _ in range(2):  # of a user without one, nothing changes
        removed = await api.call("POST", path, {"sign_out_of_other_sessions": sign_out})
        assert (removed.status, removed.content["password_enabled"]) == (200, False)
    assert (await device.call("GET", "/v1/me")).status == (401 if sign_out else 200)


# Who has an account


async def test_without_protection_sign_ins_tell_that_there_is_no_account(api: Api, device: Device) -> None:
    await api.created()
    for form in ({"strategy": "password", "password": PASSWORD}, {"strategy": BY_EMAIL}, {}):
        refused = await device.call("POST", SIGN_INS, identifier="nobody@example.com", **form)
        assert refused.refusal == (422, "form_identifier_not_found", "identifier")


async def test_with_protection_a_password_is_refused_alike(api: Api, device: Device, other: Device) -> None:
    device.emulator.settings(enumeration_protection=True)
    await api.created()
    await api.created("without@example.com", password="", skip_password_requirement=True)
    for identifier in (EMAIL, "without@example.com", "nobody@example.com"):
        form = {"strategy": "password", "password": "wrong"}
        refused = await device.call("POST", SIGN_INS, identifier=identifier, **form)
        assert refused.refusal == (422, "form_password_or_identifier_incorrect", "password")
        path = f"{SIGN_INS}/{(await device.done('POST', SIGN_INS, identifier=identifier))['id']}"
        assert await device.refused("POST", f"{path}/attempt_first_factor", **form) == (
            422,
            "form_password_or_identifier_incorrect",
        )
    assert (await other.sign_in())["status"] == "complete"


@pytest.mark.parametrize(("strategy", "client_trust"), [(BY_EMAIL, True), ("email_code", False)])
async def test_with_protection_a_code_is_refused_alike(
    api: Api, device: Device, other: Device, strategy: str, client_trust: bool
) -> None:
    device.emulator.settings(enumeration_protection=True, client_trust=client_trust)
    await api.created()
    told = []
    for visitor, identifier in ((device, EMAIL), (other, "annette@example.com")):
        begun = await visitor.done("POST", SIGN_INS, strategy=strategy, identifier=identifier)
        path = f"{SIGN_INS}/{begun.pop('id')}"
        (sent,) = visitor.emulator.control("GET", f"outbox?to={identifier}")
        assert ("code" in sent) is (identifier == EMAIL)
        wrong = "000000" if sent.get("code") != "000000" else "111111"
        form = {"strategy": strategy, "code": wrong}
        refusals = [await visitor.refused("POST", f"{path}/attempt_first_factor", **form) for _ in range(4)]
        failed = await visitor.done("GET", path)
        by_phone = await visitor.refused("POST", f"{path}/prepare_first_factor", strategy=BY_PHONE)
        again = await visitor.done("POST", f"{path}/prepare_first_factor", strategy=strategy)
        told.append((shape(begun), refusals, shape(failed), by_phone, shape(again)))
    assert told[0] == told[1]
    assert told[0][1] == [(422, "form_code_incorrect")] * 3 + [(400, "verification_failed")]


async def test_with_protection_a_number_that_nobody_has_gets_no_message(api: Api, device: Device) -> None:
    device.emulator.settings(enumeration_protection=True, phone_number_identifies=True)
    path = await begin_reset(device, NUMBER, BY_PHONE)
    assert device.emulator.control("GET", "outbox") == []
    form = {"strategy": BY_PHONE, "code": "123456"}
    assert await device.refused("POST", f"{path}/attempt_first_factor", **form) == (
        422,
        "form_code_incorrect",
    )


def shape(sign_in: dict[str, Any]) -> dict[str, Any]:
    """A sign-in without what differs from one to the next."""
    factors = [
        {name: value for name, value in factor.items() if name != "email_address_id"}
        for factor in sign_in["supported_first_factors"]
    ]
    verification = sign_in["first_factor_verification"] | {"expire_at": None}
    changing = {"id": None, "identifier": None, "abandon_at": None}
    return {
        **sign_in,
        **changing,
        "supported_first_factors": factors,
        "first_factor_verification": verification,
    }
