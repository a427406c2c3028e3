"""Every refusal has Clerk's status, code and parameter.

The requests here are wrong on purpose, so they are kept apart from the traffic that must conform; the answers must.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulator import CONFORM, Emulator, answer_faults
from tests.integration.emulator.conftest import ARGON2I, DIGEST, PASSWORD, Api

MIB = 1 << 20
BCRYPT = "$2b$04$VtJF1KX9Z5VKqkNFhl3ev.g7cWsS0Ah1gh8cLX3yHkQrWTLY3Z7Iq"


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    path = tmp_path_factory.mktemp("refused") / "traffic.jsonl"
    started = Emulator(path, "--rate-limit", "off")
    yield started
    started.stop()
    if CONFORM.is_file():
        assert answer_faults(path) == []


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "authorization_header_format_invalid"),
        ({"Authorization": ""}, "authorization_header_format_invalid"),
        ({"Authorization": "Basic abc"}, "authorization_header_format_invalid"),
        ({"Authorization": "Bearer"}, "authorization_header_format_invalid"),
        ({"Authorization": "Bearer sk_test_another"}, "clerk_key_invalid"),
        ({"Authorization": "Bearer schlüssel"}, "clerk_key_invalid"),
    ],
)
async def test_a_wrong_key(api: Api, headers: dict[str, str], code: str) -> None:
    reply = await api.call("GET", "/v1/users", headers=headers)
    assert reply.refusal == (401, code, None)


@pytest.mark.parametrize("version", ["newest", "2026-13-45", "20260512", ""])
async def test_an_api_version_that_is_none(api: Api, emulator: Emulator, version: str) -> None:
    headers = {"Authorization": f"Bearer {emulator.secret_key}", "Clerk-API-Version": version}
    assert (await api.call("GET", "/v1/users", headers=headers)).refusal == (400, "api_version_invalid", None)


@pytest.mark.parametrize("version", ["2024-10-01", "2025-11-10", "2026-05-12"])
async def test_api_versions_that_there_are(api: Api, emulator: Emulator, version: str) -> None:
    headers = {"Authorization": f"Bearer {emulator.secret_key}", "Clerk-API-Version": version}
    assert (await api.call("GET", "/v1/users", headers=headers)).status == 200


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b'"text"', b"null", b"1", b"email_address=a", b"\xff\xfe", b'{"external_id": "\\ud800"}'],
)
async def test_a_body_that_is_no_json_object(api: Api, data: bytes) -> None:
    assert (await api.call("POST", "/v1/users", data=data)).refusal == (400, "request_body_invalid", None)


@pytest.mark.parametrize("size", [MIB + 1, MIB + 2, 3 * MIB])
async def test_a_body_that_is_too_large(api: Api, emulator: Emulator, size: int) -> None:
    head, tail = b'{"external_id": "', b'"}'
    data = head + b"x" * (size - len(head) - len(tail)) + tail
    reply = await api.call("POST", "/v1/users", data=data)
    assert reply.refusal == (413, "request_body_too_large", None)
    assert emulator.stats()["requests"]["POST /v1/users"] == {"413": 1}


async def test_a_body_that_is_just_not_too_large(api: Api) -> None:
    head, tail = b'{"external_id": "', b'"}'
    data = head + b"x" * (MIB - len(head) - len(tail)) + tail
    assert (await api.call("POST", "/v1/users", data=data)).refusal == (
        422,
        "form_param_max_length_exceeded",
        "external_id",
    )


NOBODY = "user_2aaaaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"/v1/users/{NOBODY}", None),
        ("PATCH", f"/v1/users/{NOBODY}", {"first_name": "Ada"}),
        ("DELETE", f"/v1/users/{NOBODY}", None),
        ("PATCH", f"/v1/users/{NOBODY}/metadata", {"public_metadata": {}}),
        ("POST", f"/v1/users/{NOBODY}/ban", None),
        ("POST", f"/v1/users/{NOBODY}/unban", None),
        ("POST", f"/v1/users/{NOBODY}/lock", None),
        ("POST", f"/v1/users/{NOBODY}/unlock", None),
        ("POST", f"/v1/users/{NOBODY}/verify_password", {"password": "x"}),
        ("POST", f"/v1/users/{NOBODY}/verify_totp", {"code": "123456"}),
        ("DELETE", f"/v1/users/{NOBODY}/mfa", None),
        ("DELETE", f"/v1/users/{NOBODY}/totp", None),
        ("DELETE", f"/v1/users/{NOBODY}/backup_code", None),
        ("POST", "/v1/email_addresses", {"user_id": NOBODY, "email_address": "a@example.com"}),
        ("GET", "/v1/email_addresses/idn_none", None),
        ("PATCH", "/v1/email_addresses/idn_none", {"verified": True}),
        ("DELETE", "/v1/email_addresses/idn_none", None),
        ("POST", "/v1/sessions", {"user_id": NOBODY}),
        ("GET", "/v1/sessions/sess_none", None),
        ("POST", "/v1/sessions/sess_none/revoke", None),
        ("POST", "/v1/sign_in_tokens", {"user_id": NOBODY}),
        ("POST", "/v1/sign_in_tokens/sit_none/revoke", None),
        ("GET", "/v1/no_such_thing", None),
        ("PUT", "/v1/users", {}),
        ("GET", "/", None),
    ],
)
async def test_something_that_is_not_there(api: Api, method: str, path: str, body: object) -> None:
    assert (await api.call(method, path, body)).refusal == (404, "resource_not_found", None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/me/no_such_thing"),
        ("GET", "/v1/client/no_such_thing/"),
        ("PUT", "/v1/me"),
        ("POST", "/v1/me?_method=DELETE"),
        ("GET", "/v1/users/"),
        ("POST", "/v1/no_such_thing"),
    ],
)
async def test_a_path_that_nobody_serves_is_so_without_a_key(api: Api, method: str, path: str) -> None:
    reply = await api.call(method, path, headers={})
    assert reply.refusal == (404, "resource_not_found", None)


async def test_a_second_factor_that_is_not_there(api: Api) -> None:
    user = await api.created()
    for factor in ("totp", "backup_code"):
        reply = await api.call("DELETE", f"/v1/users/{user['id']}/{factor}")
        assert reply.refusal == (404, "resource_not_found", None)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"nickname": "ada"}, "form_param_unknown", "nickname"),
        ({"phone_number": ["+15555550100"]}, "form_param_unknown", "phone_number"),
        ({"username": "ada"}, "form_param_unknown", "username"),  # switched off unless a setting says else
        ({"external_id": 7}, "form_param_type_invalid", "external_id"),
        ({"email_address": "a@example.com"}, "form_param_type_invalid", "email_address"),
        ({"email_address": [1]}, "form_param_type_invalid", "email_address"),
        ({"banned": "yes"}, "form_param_type_invalid", "banned"),
        ({"public_metadata": []}, "form_param_type_invalid", "public_metadata"),
        ({"create_organizations_limit": True}, "form_param_type_invalid", "create_organizations_limit"),
        ({"first_name": "x" * 257}, "form_param_max_length_exceeded", "first_name"),
        ({"created_at": "yesterday"}, "form_param_invalid_time", "created_at"),
        ({"created_at": "2020-01-01"}, "form_param_invalid_time", "created_at"),
        ({"created_at": "2020-01-01T00:00:00"}, "form_param_invalid_time", "created_at"),
        ({"created_at": "2020-02-30T00:00:00Z"}, "form_param_invalid_time", "created_at"),
        ({"totp_secret": "not base32!"}, "invalid_totp_secret_code", "totp_secret"),
        ({"totp_secret": "ÄÖÜ"}, "invalid_totp_secret_code", "totp_secret"),
        ({"totp_secret": "==="}, "invalid_totp_secret_code", "totp_secret"),
        (
            {"email_address_identification_status": ["verified", "verified"]},
            "form_param_array_length_mismatch",
            "email_address_identification_status",
        ),
        (
            {"email_address_identification_status": ["unverified"]},
            "form_param_value_invalid",
            "email_address_identification_status",
        ),
        ({"password": "short"}, "form_password_length_too_short", "password"),
        ({"password": "1234567"}, "form_password_length_too_short", "password"),
        ({"password": "x" * 73}, "form_password_size_in_bytes_exceeded", "password"),
        ({"password": "é" * 37}, "form_password_size_in_bytes_exceeded", "password"),
        ({"password": "Password123"}, "form_password_pwned", "password"),
        ({"password_digest": DIGEST}, "form_conditional_param_missing", "password_hasher"),
        (
            {"password_hasher": "argon2id", "password": PASSWORD},
            "form_conditional_param_missing",
            "password_digest",
        ),
        (
            {"password_digest": DIGEST, "password_hasher": "argon2id", "password": PASSWORD},
            "form_conditional_param_disallowed",
            "password_digest",
        ),
        ({"password_digest": DIGEST, "password_hasher": "argon2d"}, "form_param_value_invalid", "password_hasher"),
    ],
)  # fmt: skip
async def test_a_parameter_of_a_new_user(api: Api, body: dict[str, Any], code: str, param: str) -> None:
    sent: dict[str, Any] = {"email_address": ["ada@example.com"], **body}
    if "password" not in sent and "password_digest" not in sent:
        sent["password"] = PASSWORD
    assert (await api.call("POST", "/v1/users", sent)).refusal == (422, code, param)
    assert (await api.call("GET", "/v1/users/count")).content["total_count"] == 0


@pytest.mark.parametrize(
    "address",
    [
        *("", "ada", "ada@", "@example.com", "ada@example", "ada@@example.com", "ada@example..com"),
        *(
            "ada lovelace@example.com",
            "ada@exam ple.com",
            "ada@-example.com",
            "ada@example.com,b@example.com",
        ),
        "x" * 65 + "@example.com",
    ],
)
async def test_an_address_that_is_none(api: Api, address: str) -> None:
    assert (await api.create(address)).refusal == (422, "form_param_format_invalid", "email_address")


@pytest.mark.parametrize(
    ("digest", "hasher"),
    [
        ("", "argon2id"),
        ("plain", "argon2id"),
        (DIGEST, "argon2i"),
        (ARGON2I.hash("x", salt=b"the same each time"), "argon2id"),
        (DIGEST, "bcrypt"),
        (DIGEST[:-2], "argon2id"),  # no base64 ends like this
        (DIGEST + "=", "argon2id"),
        (DIGEST.replace("argon2id", "argon2d"), "argon2id"),
        (DIGEST.replace("v=19", "v=99"), "argon2id"),
        (DIGEST.replace("m=8", "m=7"), "argon2id"),
        (DIGEST.replace("t=1", "t=0"), "argon2id"),
        (DIGEST.replace("p=1", "p=0"), "argon2id"),
        (DIGEST.replace("p=1", "p=2"), "argon2id"),
        ("$argon2id$v=19$m=8,t=1,p=1$c2FsdA$" + DIGEST.split("$")[-1], "argon2id"),
        ("$argon2id$v=19$m=8,t=1,p=1$" + DIGEST.split("$")[-2], "argon2id"),
        (DIGEST.rsplit("$", 1)[0] + "$a*b", "argon2id"),
        (BCRYPT[:-1], "bcrypt"),
        (BCRYPT + "x", "bcrypt"),
        (BCRYPT.replace("$04$", "$03$"), "bcrypt"),
        (BCRYPT.replace("$04$", "$32$"), "bcrypt"),
        (BCRYPT.replace("$2b$", "$3b$"), "bcrypt"),
        (BCRYPT, "argon2id"),
    ],
)
async def test_a_digest_that_is_not_its_hashers(api: Api, digest: str, hasher: str) -> None:
    reply = await api.create(password_digest=digest, password_hasher=hasher)
    if digest:
        assert reply.refusal == (422, "form_password_digest_invalid_code", "password_digest")
    else:
        assert reply.refusal == (422, "form_conditional_param_missing", "password_digest")


async def test_a_user_without_what_the_instance_wants(api: Api, emulator: Emulator) -> None:
    refused = await api.create(None, external_id="ax-1")
    assert refused.refusal == (422, "form_data_missing", None)
    assert refused.content["errors"][0]["meta"] == {"names": ["email_address"]}
    refused = await api.call("POST", "/v1/users", {"email_address": ["ada@example.com"]})
    assert refused.content["errors"][0]["meta"] == {"names": ["password"]}
    emulator.settings(required=["first_name", "last_name"])
    refused = await api.create(first_name="Ada")
    assert refused.content["errors"][0]["meta"] == {"names": ["last_name"]}
    assert refused.content["errors"][0]["long_message"].startswith('["last_name"] data')
    await api.created(first_name="Ada", last_name="Lovelace")


async def test_a_user_may_be_let_off(api: Api) -> None:
    body = {"external_id": "ax-1", "skip_user_requirement": True, "skip_password_requirement": True}
    reply = await api.call("POST", "/v1/users", body)
    assert (reply.status, reply.content["password_enabled"]) == (200, False)
    await api.created("short@example.com", password="1234567", skip_password_checks=True)


@pytest.mark.parametrize("name", ["totp_secret", "backup_codes", "password", "password_digest"])
async def test_what_is_switched_off_is_unknown(api: Api, emulator: Emulator, name: str) -> None:
    switches = {"totp_secret": "authenticator_app", "backup_codes": "backup_code"}
    emulator.settings(**{switches.get(name, "password"): False})
    value = ["some-code"] if name == "backup_codes" else "JBSWY3DPEHPK3PXP"
    body = {"email_address": ["ada@example.com"], "skip_password_requirement": True, name: value}
    assert (await api.call("POST", "/v1/users", body)).refusal == (422, "form_param_unknown", name)
    body[name] = None
    assert (await api.call("POST", "/v1/users", body)).status == 200


async def test_metadata_is_not_updated_with_the_rest(api: Api) -> None:
    user = await api.created()
    reply = await api.call("PATCH", f"/v1/users/{user['id']}", {"public_metadata": {}})
    assert reply.refusal == (422, "form_param_unknown", "public_metadata")


async def test_a_primary_address_must_be_verified_and_the_users(api: Api) -> None:
    user = await api.created(email_address_identification_status=["reserved"])
    for email_id in (user["email_addresses"][0]["id"], "idn_none"):
        reply = await api.call("PATCH", f"/v1/users/{user['id']}", {"primary_email_address_id": email_id})
        assert reply.refusal == (422, "form_param_value_invalid", "primary_email_address_id")


async def test_the_last_address_stays(api: Api) -> None:
    user = await api.created()
    reply = await api.call("DELETE", f"/v1/email_addresses/{user['email_addresses'][0]['id']}")
    assert reply.refusal == (400, "identification_deletion_failed", None)
    assert (await api.call("GET", f"/v1/users/{user['id']}")).content["email_addresses"]


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        ("verify_password", {}, "form_param_missing", "password"),
        ("verify_password", {"password": "wrong"}, "incorrect_password", None),
        ("verify_password", {"password": "wr\0ng"}, "incorrect_password", None),
        ("verify_totp", {}, "form_param_missing", "code"),
        ("verify_totp", {"code": 123456}, "form_param_type_invalid", "code"),
    ],
)
async def test_a_credential(api: Api, path: str, body: object, code: str, param: str | None) -> None:
    user = await api.created()
    reply = await api.call("POST", f"/v1/users/{user['id']}/{path}", body)
    assert reply.refusal == (422, code, param)


async def test_credentials_that_the_user_has_not(api: Api) -> None:
    body = {"email_address": ["ada@example.com"], "skip_password_requirement": True}
    user = (await api.call("POST", "/v1/users", body)).content["id"]
    reply = await api.call("POST", f"/v1/users/{user}/verify_password", {"password": "x"})
    assert reply.refusal == (400, "no_password_set", None)
    reply = await api.call("POST", f"/v1/users/{user}/verify_totp", {"code": "123456"})
    assert reply.refusal == (400, "totp_disabled", None)


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        (("limit", "0"), "form_param_value_invalid", "limit"),
        (("limit", "501"), "form_param_value_invalid", "limit"),
        (("limit", "ten"), "form_param_type_invalid", "limit"),
        (("limit", "１"), "form_param_type_invalid", "limit"),
        (("offset", "-1"), "form_param_value_invalid", "offset"),
        (("offset", "99999999999999999999"), "form_param_value_invalid", "offset"),
        (("order_by", "shoe_size"), "form_param_value_invalid", "order_by"),
        (("order_by", "--created_at"), "form_param_value_invalid", "order_by"),
        (("starting_after", "user_none"), "form_param_value_invalid", "starting_after"),
        (("banned", "maybe"), "form_param_value_invalid", "banned"),
        (("created_at_after", "yesterday"), "form_param_type_invalid", "created_at_after"),
        (("shoe_size", "43"), "form_param_unknown", "shoe_size"),
    ],
)
async def test_a_list(api: Api, query: tuple[str, str], code: str, param: str) -> None:
    assert (await api.call("GET", "/v1/users", query=[query])).refusal == (422, code, param)


async def test_a_list_of_more_than_a_hundred(api: Api) -> None:
    query = [("external_id", f"ax-{number}") for number in range(101)]
    reply = await api.call("GET", "/v1/users", query=query)
    assert reply.refusal == (422, "form_param_array_size_exceeded", "external_id")
    assert (await api.call("GET", "/v1/users", query=query[:100])).status == 200


async def test_a_cursor_wants_the_order_of_creation(api: Api) -> None:
    user = await api.created()
    query = [("starting_after", user["id"]), ("order_by", "updated_at")]
    reply = await api.call("GET", "/v1/users", query=query)
    assert reply.refusal == (422, "form_param_value_invalid", "starting_after")


async def test_sessions_of_nobody_in_particular(api: Api) -> None:
    assert (await api.call("GET", "/v1/sessions")).refusal == (422, "form_param_missing", "user_id")
    reply = await api.call("GET", "/v1/sessions", query=[("user_id", "user_1"), ("status", "odd")])
    assert reply.refusal == (422, "form_param_value_invalid", "status")


async def test_a_sign_in_token_for_no_time(api: Api) -> None:
    user = await api.created()
    body = {"user_id": user["id"], "expires_in_seconds": 0}
    reply = await api.call("POST", "/v1/sign_in_tokens", body)
    assert reply.refusal == (422, "form_param_value_invalid", "expires_in_seconds")
