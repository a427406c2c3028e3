"""The Frontend API as it is on the wire: forms in, client tokens in and out, and every refusal by its code."""

import asyncio
import json
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import aiohttp
import jwt
import pyotp
import pytest
from argon2 import PasswordHasher
from jwt.types import Options

from tests.emulator import Emulator
from tests.integration.emulator.conftest import EMAIL, PASSWORD, SECRET, SIGN_INS, Api, Device

NEW = "an even newer horse"
NUMBER = "+4917012345678"


# Requests


async def test_what_does_not_come_from_a_native_application(api: Api) -> None:
    reply = await api.call("GET", "/v1/client", headers={})
    assert reply.refusal[:2] == (401, "dev_browser_unauthenticated")
    both = {"Authorization": "x", "Origin": "https://example.com"}
    reply = await api.call("GET", "/v1/client", query=[("_is_native", "1")], headers=both)
    assert reply.refusal[:2] == (400, "origin_authorization_headers_conflict")
    reply = await api.call("POST", SIGN_INS, {"identifier": EMAIL}, query=[("_is_native", "1")], headers={})
    assert reply.refusal[:2] == (415, "unsupported_content_type")


async def test_an_instance_that_takes_no_native_applications(device: Device) -> None:
    device.emulator.settings(native_api=False)
    for path in ("/v1/client", "/v1/environment"):
        assert await device.refused("GET", path) == (400, "native_api_disabled")


async def test_a_proxy_has_to_have_the_key(device: Device) -> None:
    device.headers = {"Clerk-Proxy-Url": "https://example.com/__clerk"}
    assert await device.refused("GET", "/v1/client") == (400, "proxy_request_missing_secret_key")
    device.headers = {**device.headers, "Clerk-Secret-Key": "sk_test_another"}
    assert await device.refused("GET", "/v1/client") == (401, "proxy_request_invalid_secret_key")
    device.headers = {**device.headers, "Clerk-Secret-Key": device.emulator.secret_key}
    assert await device.done("GET", "/v1/client") is None


async def test_the_method_may_be_in_the_query_and_a_slash_at_the_end(api: Api, device: Device) -> None:
    """As clerk-js sends it."""
    await api.created()
    await device.sign_in()
    assert (await device.done("POST", "/v1/me?_method=PATCH", first_name="Ada"))["first_name"] == "Ada"
    numbers = "/v1/me/phone_numbers/"
    number = await device.done("POST", numbers, phone_number=NUMBER)
    assert [listed["id"] for listed in (await device.call("GET", numbers)).content] == [number["id"]]
    path = f"/v1/me/phone_numbers/{number['id']}"
    device.emulator.add_fault({"match": {"method": "DELETE", "path": path}, "status": 500})
    assert (await device.call("POST", f"{path}/?_method=DELETE")).status == 500
    assert (await device.done("POST", f"{path}/?_method=DELETE"))["deleted"]
    latest = json.loads(device.emulator.traffic().splitlines()[-1])
    assert (latest["method"], latest["path"]) == ("DELETE", path)
    operation = "DELETE /v1/me/phone_numbers/{phone_number_id}"
    assert device.emulator.stats()["requests"][operation] == {"200": 1, "500": 1}


async def test_an_address_that_no_proxy_tells_is_nobodys(api: Api, device: Device) -> None:
    await api.created()
    device.emulator.settings(rate_limit="production")
    codes = []
    for number in range(6):
        device.headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        codes.append((await device.call("POST", SIGN_INS, identifier=EMAIL)).status)
    assert codes == [200] * 5 + [429]


async def test_attempts_are_three_in_ten_seconds_whatever_the_factor(api: Api, device: Device) -> None:
    await api.created(totp_secret=SECRET)
    device.emulator.settings(rate_limit="production")
    path = f"{SIGN_INS}/{(await device.done('POST', SIGN_INS, identifier=EMAIL))['id']}"
    await device.done("POST", f"{path}/attempt_first_factor", strategy="password", password=PASSWORD)
    attempt = {"strategy": "totp", "code": "000000"}
    for _ in range(2):
        assert await device.refused("POST", f"{path}/attempt_second_factor", **attempt) == (
            422,
            "form_code_incorrect",
        )
    reply = await device.call("POST", f"{path}/attempt_second_factor", **attempt)
    assert reply.refusal[:2] == (429, "too_many_requests")
    assert 1 <= int(reply.headers["Retry-After"]) <= 10


# Clients


async def test_a_client_begins_and_ends(api: Api, device: Device, other: Device) -> None:
    assert (await device.call("GET", "/v1/client")).content == {"response": None, "client": None}
    assert device.token is None
    made = await device.done("PUT", "/v1/client")
    await api.created()
    await device.sign_in()
    client = await device.done("GET", "/v1/client")
    assert (client["id"], client["last_active_session_id"]) == (made["id"], device.session_id)
    other.token = device.token
    assert await device.done("DELETE", "/v1/client") is None
    assert await other.refused("GET", "/v1/client") == (400, "client_not_found")
    session = (await api.call("GET", f"/v1/sessions/{device.session_id}")).content
    assert (session["status"], session["client_id"]) == ("ended", made["id"])


async def test_an_older_token_still_names_its_client(api: Api, device: Device) -> None:
    await api.created()
    await device.done("PUT", "/v1/client")
    first = device.token
    await device.sign_in()
    assert device.token != first
    device.token = first
    assert (await device.done("GET", "/v1/client"))["last_active_session_id"] == device.session_id


async def test_clients_and_the_clock_survive_a_kill(
    traffic_file: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    arguments = ("--state", str(tmp_path / "state.sqlite"), "--rate-limit", "off")
    emulator = Emulator(traffic_file, *arguments)
    device = Device(http, emulator)
    await Api(http, emulator).created()
    await device.sign_in()
    await device.advance(3600)
    emulator.kill()
    device.emulator = Emulator(traffic_file, *arguments)
    try:
        session = await device.done("GET", f"/v1/client/sessions/{device.session_id}")
        assert (session["status"], session["factor_verification_age"]) == ("active", [60, -1])
    finally:
        device.emulator.stop()


async def test_a_refusal_tells_the_client_and_counts(api: Api, device: Device) -> None:
    user = await api.created()
    sign_in = await device.done("POST", SIGN_INS, strategy="email_code", identifier=EMAIL)
    path = f"{SIGN_INS}/{sign_in['id']}/attempt_first_factor"
    reply = await device.call("POST", path, strategy="email_code", code="nonsense")
    assert reply.refusal == (422, "form_code_incorrect", "code")
    assert reply.content["meta"]["client"]["sign_in"]["first_factor_verification"]["attempts"] == 1
    left = (await api.call("GET", f"/v1/users/{user['id']}")).content["verification_attempts_remaining"]
    assert left == 99


async def test_two_sign_ins_at_once_on_a_client_lose_neither(api: Api, device: Device) -> None:
    device.emulator.settings(single_session_mode=False)
    digest = PasswordHasher(time_cost=3, memory_cost=8192, parallelism=1).hash(PASSWORD)
    for email in ("a@example.com", "b@example.com"):
        await api.created(email, password_digest=digest, password_hasher="argon2id")
    await device.done("PUT", "/v1/client")
    await asyncio.gather(device.sign_in("a@example.com"), device.sign_in("b@example.com"))
    client = await device.done("GET", "/v1/client")
    assert {session["public_user_data"]["identifier"] for session in client["sessions"]} == {
        "a@example.com",
        "b@example.com",
    }
    assert await device.refused("POST", SIGN_INS, identifier="a@example.com") == (
        400,
        "identifier_already_signed_in",
    )


async def test_a_costly_password_keeps_nobody_else_waiting(api: Api, device: Device, other: Device) -> None:
    digest = PasswordHasher(time_cost=16, memory_cost=65536, parallelism=1).hash(PASSWORD)
    await api.created(password_digest=digest, password_hasher="argon2id")
    signing_in = asyncio.create_task(device.sign_in())
    await asyncio.sleep(0.05)
    await other.done("GET", "/v1/client")
    assert not signing_in.done()
    assert (await signing_in)["status"] == "complete"


# Who signs in, and how


async def test_reserved_addresses_sign_in_and_a_code_verifies_them(api: Api, device: Device) -> None:
    user = await api.created(email_address_identification_status=["reserved"])
    sign_in = await device.done("POST", SIGN_INS, strategy="email_code", identifier=EMAIL)
    path = f"{SIGN_INS}/{sign_in['id']}/attempt_first_factor"
    await device.done("POST", path, strategy="email_code", code=await device.code())
    (email,) = (await api.call("GET", f"/v1/users/{user['id']}")).content["email_addresses"]
    assert (email["reserved"], email["verification"]["status"]) == (False, "verified")


async def test_an_address_that_nobody_proved_does_not_sign_in(api: Api, device: Device) -> None:
    user = await api.created()
    added = {"user_id": user["id"], "email_address": "new@example.com"}
    await api.call("POST", "/v1/email_addresses", added)
    for strategy in ("password", "email_code", "reset_password_email_code"):
        form = {"strategy": strategy, "identifier": "new@example.com", "password": PASSWORD}
        assert await device.refused("POST", SIGN_INS, **form) == (422, "form_identifier_not_found")
    offered = (await device.done("POST", SIGN_INS, identifier=EMAIL))["supported_first_factors"]
    assert {factor.get("email_address_id") for factor in offered} == {None, user["email_addresses"][0]["id"]}


async def test_the_code_goes_to_the_address_that_was_given(api: Api, device: Device) -> None:
    await api.created(email_address=["ada@example.com", "work@example.com"])
    sign_in = await device.done(
        "POST", SIGN_INS, strategy="reset_password_email_code", identifier="work@example.com"
    )
    path = f"{SIGN_INS}/{sign_in['id']}"
    first = await device.code("work@example.com")
    await device.done("POST", f"{path}/prepare_first_factor", strategy="reset_password_email_code")
    second = await device.code("work@example.com")
    form = {"strategy": "reset_password_email_code"}
    if first != second:
        assert (await device.refused("POST", f"{path}/attempt_first_factor", code=first, **form))[0] == 422
    done = await device.done("POST", f"{path}/attempt_first_factor", code=second, **form)
    assert done["status"] == "needs_new_password"


async def test_tickets_that_are_good_for_nothing(api: Api, device: Device) -> None:
    user = await api.created(totp_secret=SECRET)

    async def ticket() -> dict[str, Any]:
        return dict((await api.call("POST", "/v1/sign_in_tokens", {"user_id": user["id"]})).content)

    used, revoked, orphaned = await ticket(), await ticket(), await ticket()
    sign_in = await device.done("POST", SIGN_INS, strategy="ticket", ticket=used["token"])
    assert sign_in["status"] == "needs_second_factor"  # invariant 2: a ticket is no second factor
    await api.call("POST", f"/v1/sign_in_tokens/{revoked['id']}/revoke")
    for token, code in (
        (used["token"], "sign_in_token_already_used_code"),
        (revoked["token"], "sign_in_token_revoked_code"),
        ("nonsense", "ticket_invalid_code"),
    ):
        assert await device.refused("POST", SIGN_INS, strategy="ticket", ticket=token) == (400, code)
    await api.call("DELETE", f"/v1/users/{user['id']}")
    assert await device.refused("POST", SIGN_INS, strategy="ticket", ticket=orphaned["token"]) == (
        400,
        "ticket_invalid_code",
    )


async def test_a_compromised_password_is_replaced_and_the_second_factor_asked_for(
    api: Api, device: Device
) -> None:
    user = await api.created(totp_secret=SECRET)
    await api.call("POST", f"/v1/users/{user['id']}/password/set_compromised", {})
    sign_in = await device.sign_in()
    assert (sign_in["status"], sign_in["created_session_id"]) == ("needs_new_password", None)
    path = f"{SIGN_INS}/{sign_in['id']}"
    assert (await device.done("POST", f"{path}/reset_password", password=NEW))[
        "status"
    ] == "needs_second_factor"
    code = pyotp.TOTP(SECRET).now()
    done = await device.done("POST", f"{path}/attempt_second_factor", strategy="totp", code=code)
    assert done["status"] == "complete"


async def test_a_compromised_password_may_be_refused_outright(api: Api, device: Device) -> None:
    device.emulator.settings(compromised_sign_in="refused")
    user = await api.created()
    path = f"/v1/users/{user['id']}/password"
    await api.call("POST", f"{path}/set_compromised", {"revoke_all_sessions": True})
    form = {"strategy": "password", "identifier": EMAIL, "password": PASSWORD}
    assert await device.refused("POST", SIGN_INS, **form) == (422, "form_password_compromised")
    await api.call("POST", f"{path}/unset_compromised")
    assert (await device.sign_in())["status"] == "complete"


async def test_a_sign_in_is_abandoned_after_a_day(api: Api, device: Device) -> None:
    await api.created()
    path = f"{SIGN_INS}/{(await device.done('POST', SIGN_INS, identifier=EMAIL))['id']}"
    await device.advance(24 * 3600 + 1)
    assert (await device.done("GET", path))["status"] == "abandoned"
    form = {"strategy": "password", "password": PASSWORD}
    assert await device.refused("POST", f"{path}/attempt_first_factor", **form) == (
        400,
        "client_state_invalid",
    )


async def test_a_code_counts_once_in_both_apis_at_once(api: Api, device: Device, other: Device) -> None:
    user = await api.created(totp_secret=SECRET)
    attempts = [f"{SIGN_INS}/{(await device.sign_in())['id']}", f"{SIGN_INS}/{(await other.sign_in())['id']}"]
    code = pyotp.TOTP(SECRET).now()
    replies = await asyncio.gather(
        device.call("POST", f"{attempts[0]}/attempt_second_factor", strategy="totp", code=code),
        other.call("POST", f"{attempts[1]}/attempt_second_factor", strategy="totp", code=code),
        api.call("POST", f"/v1/users/{user['id']}/verify_totp", {"code": code}),
    )
    assert sorted(reply.status for reply in replies) == [200, 422, 422]


async def test_who_has_a_second_factor_or_is_exempt_needs_no_trusted_client(
    api: Api, device: Device, other: Device
) -> None:
    device.emulator.settings(client_trust=True)
    await api.created("mfa@example.com", totp_secret=SECRET)
    await api.created("exempt@example.com", bypass_client_trust=True)
    sign_in = await device.sign_in("mfa@example.com")
    assert (sign_in["status"], sign_in["client_trust_state"]) == ("needs_second_factor", "new")
    assert (await other.sign_in("exempt@example.com"))["status"] == "complete"


# Locks


async def test_after_a_lock_the_count_begins_anew(api: Api, device: Device) -> None:
    device.emulator.settings(lockout_attempts=3, lockout_seconds=600)
    user = await api.created()
    wrong = {"strategy": "password", "identifier": EMAIL, "password": "wrong"}

    async def seen() -> tuple[Any, Any, Any]:
        shown = (await api.call("GET", f"/v1/users/{user['id']}")).content
        return (
            shown["locked"],
            shown["lockout_expires_in_seconds"],
            shown["verification_attempts_remaining"],
        )

    for left in (2, 1):
        assert await device.refused("POST", SIGN_INS, **wrong) == (422, "form_password_incorrect")
        assert await seen() == (False, None, left)
    await device.refused("POST", SIGN_INS, **wrong)
    locked, seconds, left = await seen()
    assert (locked, 540 <= seconds <= 600, left) == (True, True, 0)
    reply = await device.call("POST", SIGN_INS, **{**wrong, "password": PASSWORD})
    assert reply.refusal[:2] == (403, "user_locked")
    assert 540 <= reply.content["errors"][0]["meta"]["lockout_expires_in_seconds"] <= 600
    await device.advance(601)
    assert await seen() == (False, None, 3)
    await device.refused("POST", SIGN_INS, **wrong)
    assert await seen() == (False, None, 2)
    await api.call("POST", f"/v1/users/{user['id']}/lock")
    assert await device.refused("POST", SIGN_INS, **wrong) == (403, "user_locked")
    await api.call("POST", f"/v1/users/{user['id']}/unlock")
    assert (await device.sign_in())["status"] == "complete"


# Sessions


async def test_an_expired_session_is_so_everywhere_and_hinders_nobody(api: Api, device: Device) -> None:
    await api.created()
    await device.sign_in()
    expired = device.session_id
    await device.advance(7 * 24 * 3600)
    assert await device.refused("GET", "/v1/me") == (401, "signed_out")
    assert (await api.call("GET", f"/v1/sessions/{expired}")).content["status"] == "expired"
    assert (await device.sign_in())["status"] == "complete"


async def test_a_sessions_token_says_what_clerks_do(api: Api, device: Device) -> None:
    """https://clerk.com/docs/guides/sessions/session-tokens, version 2."""
    user = await api.created()
    await device.sign_in()
    await device.advance(180)
    path = f"/v1/client/sessions/{device.session_id}/tokens"
    first, second = [(await device.call("POST", path)).content["jwt"] for _ in range(2)]
    (key,) = (await api.call("GET", "/v1/jwks")).content["keys"]
    ahead: Options = {"verify_iat": False, "verify_nbf": False}  # jwt's clock is not the instance's
    claims = jwt.decode(first, jwt.PyJWK(key), algorithms=["RS256"], options=ahead)
    assert claims["exp"] - claims["iat"] == 60
    assert claims["nbf"] <= claims["iat"]
    assert claims["jti"] != jwt.decode(second, options={"verify_signature": False})["jti"]
    assert {name: claims[name] for name in ("iss", "sub", "sid", "sts", "fva", "v")} == {
        "iss": device.emulator.url,
        "sub": user["id"],
        "sid": device.session_id,
        "sts": "active",
        "fva": [3, -1],
        "v": 2,
    }


async def test_nobody_is_signed_in(device: Device) -> None:
    assert await device.refused("GET", "/v1/me") == (401, "authentication_invalid")
    await device.done("PUT", "/v1/client")
    assert await device.refused("GET", "/v1/me") == (401, "signed_out")
    assert await device.refused("GET", "/v1/client/sessions/sess_none") == (404, "resource_not_found")


async def test_sessions_on_all_devices(api: Api, device: Device, other: Device) -> None:
    user = await api.created()
    await device.sign_in()
    await other.sign_in()
    both = {device.session_id, other.session_id}
    for path in ("/v1/me/sessions", "/v1/me/sessions/active"):
        assert {session["id"] for session in (await device.call("GET", path)).content} == both
    listed = (await api.call("GET", "/v1/sessions", query=[("user_id", user["id"])])).content
    assert {session["id"] for session in listed} == both
    token = await device.call("POST", f"/v1/client/sessions/{device.session_id}/tokens")
    assert token.content["jwt"].count(".") == 2
    await device.done("POST", f"/v1/me/sessions/{other.session_id}/revoke")
    assert await other.refused("GET", "/v1/me") == (401, "signed_out")
    await device.done("POST", f"/v1/client/sessions/{device.session_id}/remove")
    assert (await device.done("GET", "/v1/client"))["sessions"] == []


async def test_a_user_who_is_deleted_is_nobody(api: Api, device: Device) -> None:
    user = await api.created()
    await device.sign_in()
    await api.call("DELETE", f"/v1/users/{user['id']}")
    assert await device.refused("GET", "/v1/me") == (401, "signed_out")
    form = {"strategy": "password", "identifier": EMAIL, "password": PASSWORD}
    assert await device.refused("POST", SIGN_INS, **form) == (422, "form_identifier_not_found")


async def test_somebody_else_signs_in_when_it_is_set_so(api: Api, device: Device) -> None:
    await api.created()
    mallory = await api.created("mallory@example.com")
    device.emulator.settings(sign_in_as=mallory["id"])
    await device.sign_in()
    assert (await device.done("GET", "/v1/me"))["id"] == mallory["id"]


# What the signed-in user changes


async def test_a_check_falls_back_to_the_first_factor(api: Api, device: Device) -> None:
    await api.created()
    await device.sign_in()
    path = f"/v1/client/sessions/{device.session_id}/verify"
    form = {"strategy": "password", "password": PASSWORD}
    assert await device.refused("POST", f"{path}/attempt_first_factor", **form) == (
        400,
        "session_reverification_missing",
    )
    for level in ("second_factor", "multi_factor"):
        begun = await device.done("POST", path, level=level)
        assert (begun["level"], begun["status"]) == ("first_factor", "needs_first_factor")
    assert await device.refused("POST", f"{path}/attempt_second_factor", strategy="totp", code="1") == (
        400,
        "invalid_action_for_session_reverification",
    )


@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        ("POST", "/v1/me/change_password", {"new_password": NEW}),
        ("POST", "/v1/me/remove_password", {"current_password": PASSWORD}),
        ("POST", "/v1/me/totp", {}),
        ("DELETE", "/v1/me/totp", {}),
        ("POST", "/v1/me/backup_codes", {}),
        ("POST", "/v1/me/email_addresses", {"email_address": "b@example.com"}),
        ("DELETE", "/v1/me/email_addresses/{email}", {}),
        ("POST", "/v1/me/phone_numbers", {"phone_number": NUMBER}),
        ("PATCH", "/v1/me", {"primary_email_address_id": "{email}"}),
    ],
)
async def test_what_matters_is_not_changed_ten_minutes_later(
    api: Api, device: Device, method: str, path: str, form: dict[str, str]
) -> None:
    user = await api.created()
    await device.sign_in()
    email = user["email_addresses"][0]["id"]
    form = {name: value.format(email=email) for name, value in form.items()}
    await device.advance(600)
    reply = await device.call(method, path.format(email=email), **form)
    assert reply.refusal[:2] == (403, "session_reverification_required")
    assert reply.content["errors"][0]["meta"]["reverification"] == {
        "level": "first_factor",
        "after_minutes": 10,
    }


async def test_passwords_are_changed_not_repeated_and_not_removed(
    api: Api, device: Device, other: Device
) -> None:
    await api.created()
    await device.sign_in()
    await other.sign_in()
    same = {"current_password": PASSWORD, "new_password": PASSWORD}
    assert await device.refused("POST", "/v1/me/change_password", **same) == (
        422,
        "form_new_password_matches_current",
    )
    assert await device.refused(
        "POST", "/v1/me/change_password", current_password="wrong", new_password=NEW
    ) == (422, "form_password_validation_failed")
    form = {"new_password": NEW, "sign_out_of_other_sessions": "true"}
    await device.done("POST", "/v1/me/change_password", **form)
    assert await other.refused("GET", "/v1/me") == (401, "signed_out")
    assert (await device.done("GET", "/v1/me"))["password_enabled"]
    assert await device.refused("POST", "/v1/me/remove_password", current_password=NEW) == (
        400,
        "password_required",
    )


async def test_the_last_second_factor_takes_the_backup_codes_with_it(api: Api, device: Device) -> None:
    await api.created()
    await device.sign_in()
    assert await device.refused("POST", "/v1/me/backup_codes") == (400, "backup_codes_not_available")
    phone = await device.done(
        "POST", "/v1/me/phone_numbers", phone_number=NUMBER, reserved_for_second_factor="true"
    )
    path = f"/v1/me/phone_numbers/{phone['id']}"
    assert await device.refused("PATCH", path, default_second_factor="true") == (
        400,
        "identification_update_second_factor_unverified",
    )
    assert await device.refused("POST", f"{path}/attempt_verification", code="1") == (
        400,
        "verification_not_sent",
    )
    await device.done("POST", f"{path}/prepare_verification", strategy="phone_code")
    proven = await device.done("POST", f"{path}/attempt_verification", code=await device.code(NUMBER))
    assert (proven["default_second_factor"], len(proven["backup_codes"])) == (True, 10)
    assert await device.refused("POST", f"{path}/prepare_verification", strategy="phone_code") == (
        400,
        "verification_already_verified",
    )
    me = await device.done("GET", "/v1/me")
    assert (me["two_factor_enabled"], me["backup_code_enabled"]) == (True, True)
    # From here on the second factor has to be proven, too.
    assert await device.refused("DELETE", path) == (403, "session_reverification_required")
    verify = f"/v1/client/sessions/{device.session_id}/verify"
    await device.done("POST", verify, level="second_factor")
    await device.done("POST", f"{verify}/prepare_second_factor", strategy="phone_code")
    form = {"strategy": "phone_code", "code": await device.code(NUMBER)}
    assert (await device.done("POST", f"{verify}/attempt_second_factor", **form))["status"] == "complete"
    assert await device.refused("PATCH", path, default_second_factor="false") == (
        422,
        "form_disable_default_second_factor_not_allowed",
    )
    await device.done("DELETE", path)
    me = await device.done("GET", "/v1/me")
    assert (me["two_factor_enabled"], me["backup_code_enabled"]) == (False, False)


async def test_a_number_is_one_users_and_the_backend_api_can_disable_it(
    api: Api, device: Device, other: Device
) -> None:
    user = await api.created()
    await api.created("b@example.com")
    await device.sign_in()
    await other.sign_in("b@example.com")
    phone = await device.done(
        "POST", "/v1/me/phone_numbers", phone_number=NUMBER, reserved_for_second_factor="true"
    )
    assert await other.refused("POST", "/v1/me/phone_numbers", phone_number=NUMBER) == (
        422,
        "form_identifier_exists",
    )
    path = f"/v1/me/phone_numbers/{phone['id']}"
    await device.done("POST", f"{path}/prepare_verification", strategy="phone_code")
    await device.done("POST", f"{path}/attempt_verification", code=await device.code(NUMBER))
    shown = (await api.call("GET", f"/v1/users/{user['id']}")).content
    assert (shown["two_factor_enabled"], shown["phone_numbers"][0]["phone_number"]) == (True, NUMBER)
    for query in ("phone_number", "phone_number_query"):
        assert await api.ids((query, NUMBER)) == [user["id"]]
    await api.call("DELETE", f"/v1/users/{user['id']}/mfa")
    shown = (await api.call("GET", f"/v1/users/{user['id']}")).content
    assert (shown["two_factor_enabled"], shown["backup_code_enabled"]) == (False, False)
    await api.call("DELETE", f"/v1/users/{user['id']}")
    await other.done("POST", "/v1/me/phone_numbers", phone_number=NUMBER)


async def test_what_users_change_of_themselves_is_kept_or_refused(api: Api, device: Device) -> None:
    await api.created()
    await device.sign_in()
    for name in ("username", "primary_phone_number_id"):
        assert await device.refused("PATCH", "/v1/me", first_name="Ada", **{name: "ada"}) == (
            422,
            "form_param_unknown",
        )
    assert await device.refused("PATCH", "/v1/me", primary_email_address_id="") == (
        422,
        "form_param_value_invalid",
    )
    assert (await device.done("GET", "/v1/me"))["first_name"] is None
    device.emulator.settings(username=True)
    changed = await device.done("PATCH", "/v1/me", first_name="Ada", last_name="Lovelace", username="ada")
    assert (changed["first_name"], changed["last_name"], changed["username"]) == ("Ada", "Lovelace", "ada")
    assert (await device.done("PATCH", "/v1/me", username=""))["username"] is None
    assert await device.done("GET", "/v1/me") == {**changed, "username": None, "updated_at": ANY}


async def test_users_keep_what_applications_call_unsafe(api: Api, device: Device) -> None:
    await api.created(unsafe_metadata={"theme": "dark", "seen": {"tour": True, "news": True}})
    await device.sign_in()
    patch = json.dumps({"theme": None, "seen": {"news": False}})
    changed = await device.done("PATCH", "/v1/me/metadata", unsafe_metadata=patch)
    assert changed["unsafe_metadata"] == {"seen": {"tour": True, "news": False}}
    for content in ("[]", "{", ""):
        status, _ = await device.refused("PATCH", "/v1/me/metadata", unsafe_metadata=content)
        assert status == 422
    assert (await device.done("GET", "/v1/me"))["unsafe_metadata"] == changed["unsafe_metadata"]


async def test_addresses_are_proven_before_they_become_primary(api: Api, device: Device) -> None:
    user = await api.created()
    await device.sign_in()
    added = await device.done("POST", "/v1/me/email_addresses", email_address="second@example.com")
    assert await device.refused("PATCH", "/v1/me", primary_email_address_id=added["id"]) == (
        422,
        "form_verification_needed",
    )
    path = f"/v1/me/email_addresses/{added['id']}"
    await device.done("POST", f"{path}/prepare_verification", strategy="email_code")
    await device.done("POST", f"{path}/attempt_verification", code=await device.code("second@example.com"))
    await device.done("PATCH", "/v1/me", primary_email_address_id=added["id"])
    await device.done("DELETE", f"/v1/me/email_addresses/{user['primary_email_address_id']}")
    assert await device.refused("DELETE", path) == (400, "identification_deletion_failed")
    listed = (await device.call("GET", "/v1/me/email_addresses")).content
    assert [email["email_address"] for email in listed] == ["second@example.com"]
