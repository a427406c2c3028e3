"""Users: unique, and changed one request at a time."""

import asyncio
from typing import Any

import pytest

from tests.emulator import Emulator
from tests.integration.emulator.conftest import PASSWORD, Api

TAKEN_EMAIL = (422, "form_identifier_exists", "email_address")


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com",
        "ADA@Example.COM",
        "  ada@example.com ",
        "ａｄａ@example.com",  # full width: the same under NFKC
    ],
)
async def test_an_email_has_one_user_however_it_is_written(api: Api, address: str) -> None:
    await api.created("ada@example.com")
    assert (await api.create(address)).refusal == TAKEN_EMAIL
    other = await api.created("other@example.com")
    body = {"user_id": other["id"], "email_address": address}
    assert (await api.call("POST", "/v1/email_addresses", body)).refusal == TAKEN_EMAIL
    assert (await api.call("GET", "/v1/users/count")).content["total_count"] == 2


async def test_a_reserved_email_is_taken_too(api: Api) -> None:
    await api.created(email_address_identification_status=["reserved"])
    assert (await api.create()).refusal == TAKEN_EMAIL


async def test_a_user_has_an_email_once(api: Api) -> None:
    refused = await api.create(None, email_address=["ada@example.com", "ＡDA@example.com"])
    assert refused.refusal == (422, "form_param_duplicate", "email_address")
    assert (await api.call("GET", "/v1/users/count")).content["total_count"] == 0
    user = await api.created()
    body = {"user_id": user["id"], "email_address": "ａda@example.com"}
    assert (await api.call("POST", "/v1/email_addresses", body)).refusal == TAKEN_EMAIL


async def test_an_external_id_has_one_user(api: Api) -> None:
    await api.created(external_id="ax-1")
    refused = await api.create("other@example.com", external_id="ax-1")
    assert refused.refusal == (422, "form_identifier_exists", "external_id")
    other = await api.created("other@example.com", external_id="AX-1")
    refused = await api.call("PATCH", f"/v1/users/{other['id']}", {"external_id": "ax-1"})
    assert refused.refusal == (422, "form_identifier_exists", "external_id")
    await api.call("PATCH", f"/v1/users/{other['id']}", {"external_id": "ax-2"})
    await api.created("third@example.com", external_id="AX-1")


async def test_a_username_has_one_user(api: Api, emulator: Emulator) -> None:
    emulator.settings(username=True)
    await api.created(username="ada")
    refused = await api.create("other@example.com", username="ada")
    assert refused.refusal == (422, "form_identifier_exists", "username")
    assert (await api.created(None, username="grace"))["email_addresses"] == []


async def test_what_a_deleted_user_had_is_free_again(api: Api) -> None:
    user = await api.created(external_id="ax-1")
    gone = await api.call("DELETE", f"/v1/users/{user['id']}")
    assert gone.content == {"id": user["id"], "object": "user", "deleted": True, "external_id": "ax-1"}
    await api.created(external_id="ax-1")


async def test_what_a_deleted_user_had_is_gone(api: Api) -> None:
    user = await api.created()
    session = (await api.call("POST", "/v1/sessions", {"user_id": user["id"]})).content
    token = (await api.call("POST", "/v1/sign_in_tokens", {"user_id": user["id"]})).content
    await api.call("DELETE", f"/v1/users/{user['id']}")
    for method, path in (
        ("GET", f"/v1/sessions/{session['id']}"),
        ("POST", f"/v1/sign_in_tokens/{token['id']}/revoke"),
        ("GET", f"/v1/email_addresses/{user['email_addresses'][0]['id']}"),
    ):
        assert (await api.call(method, path)).status == 404


async def test_of_a_hundred_at_once_one_gets_the_email(api: Api, emulator: Emulator) -> None:
    replies = await asyncio.gather(
        *(api.create(f"{'ADA' if n % 2 else 'ada'}@example.com", external_id=f"ax-{n}") for n in range(100))
    )
    assert sorted(reply.status for reply in replies) == [200] + [422] * 99
    assert {reply.refusal for reply in replies if reply.status == 422} == {TAKEN_EMAIL}
    assert emulator.stats()["users"] == 1


async def test_of_a_hundred_at_once_one_gets_the_external_id(api: Api, emulator: Emulator) -> None:
    # A plain password is hashed in a thread, which gives the others time to come between.
    replies = await asyncio.gather(
        *(api.create(f"u{n}@example.com", external_id="ax-1", password=PASSWORD) for n in range(100))
    )
    assert sorted(reply.status for reply in replies) == [200] + [422] * 99
    assert emulator.stats()["users"] == 1


async def test_changes_that_meet_are_all_kept(api: Api) -> None:
    user = await api.created()
    path = f"/v1/users/{user['id']}"
    replies = await asyncio.gather(
        *(api.call("PATCH", path, {"password": f"{PASSWORD} {n}"}) for n in range(20)),
        *(api.call("PATCH", f"{path}/metadata", {"private_metadata": {str(n): n}}) for n in range(20)),
    )
    assert {reply.status for reply in replies} == {200}
    assert len((await api.call("GET", path)).content["private_metadata"]) == 20


async def test_metadata_merges_deeply_and_null_removes(api: Api) -> None:
    user = await api.created(public_metadata={"a": {"b": 1, "c": [1]}, "d": 2})
    path = f"/v1/users/{user['id']}/metadata"
    change = {"public_metadata": {"a": {"b": None, "c": [2], "e": {"f": None, "g": 3}}}}
    merged = (await api.call("PATCH", path, change)).content
    assert merged["public_metadata"] == {"a": {"c": [2], "e": {"g": 3}}, "d": 2}
    assert (await api.call("PATCH", path, {})).content["public_metadata"] == merged["public_metadata"]


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2020-02-03T04:05:06.123Z", 1580702706123),
        ("2020-02-03T04:05:06.123999999Z", 1580702706123),
        ("2020-02-03T06:05:06.7+02:00", 1580702706700),
        ("0001-01-01T00:00:00+14:00", -62135647200000),
        ("1969-12-31T23:59:59.9Z", -100),
    ],
)
async def test_the_time_of_creation_is_kept_to_the_millisecond(
    api: Api, written: str, milliseconds: int
) -> None:
    assert (await api.created(created_at=written))["created_at"] == milliseconds


async def test_zero_is_a_limit_too(api: Api) -> None:
    user = await api.created(create_organizations_limit=5)
    changed = await api.call("PATCH", f"/v1/users/{user['id']}", {"create_organizations_limit": 0})
    assert changed.content["create_organizations_limit"] == 0


async def test_what_is_not_sent_or_null_stays(api: Api) -> None:
    user = await api.created(created_at="2020-01-01T00:00:00Z", totp_secret="JBSWY3DPEHPK3PXP")
    nulls: dict[str, Any] = dict.fromkeys(("created_at", "totp_secret", "password", "delete_self_enabled"))
    changed = (await api.call("PATCH", f"/v1/users/{user['id']}", {"last_name": "L", **nulls})).content
    assert changed == {**user, "last_name": "L", "updated_at": changed["updated_at"]}


async def test_names_are_taken_away_by_null_and_by_nothing(api: Api) -> None:
    user = await api.created(first_name="Ada", external_id="ax-1")
    changed = await api.call("PATCH", f"/v1/users/{user['id']}", {"first_name": None, "external_id": ""})
    assert (changed.content["first_name"], changed.content["external_id"]) == (None, None)


async def test_an_email_stays_as_it_is_when_told_null(api: Api) -> None:
    user = await api.created()
    path = f"/v1/email_addresses/{user['email_addresses'][0]['id']}"
    same = (await api.call("PATCH", path, {"verified": None, "primary": None})).content
    assert same["verification"]["status"] == "verified"
    assert (await api.call("PATCH", path, {"verified": False})).content["verification"] is None
    assert (await api.call("PATCH", path, {"verified": True})).content["verification"]["status"] == "verified"


async def test_a_reserved_email_becomes_verified(api: Api) -> None:
    user = await api.created(email_address_identification_status=["reserved"])
    (email,) = user["email_addresses"]
    assert (email["reserved"], email["verification"]) == (True, None)
    changed = (await api.call("PATCH", f"/v1/email_addresses/{email['id']}", {"verified": True})).content
    assert (changed["reserved"], changed["verification"]["status"]) == (False, "verified")


async def test_the_next_email_becomes_primary_when_the_primary_goes(api: Api) -> None:
    user = await api.created(None, email_address=["a@example.com", "b@example.com"])
    first, second = user["email_addresses"]
    await api.call("DELETE", f"/v1/email_addresses/{first['id']}")
    left = (await api.call("GET", f"/v1/users/{user['id']}")).content
    assert left["primary_email_address_id"] == second["id"]
    await api.created("a@example.com")


async def test_a_ban_ends_the_sessions(api: Api) -> None:
    user = await api.created()
    session = (await api.call("POST", "/v1/sessions", {"user_id": user["id"]})).content
    assert (await api.call("POST", f"/v1/users/{user['id']}/ban")).content["banned"]
    assert (await api.call("GET", f"/v1/sessions/{session['id']}")).content["status"] == "revoked"


async def test_a_plan_without_bans(api: Api, emulator: Emulator) -> None:
    user = await api.created()
    emulator.settings(bans=False)
    refusal = (402, "unsupported_subscription_plan_features", None)
    for path in ("ban", "unban"):
        assert (await api.call("POST", f"/v1/users/{user['id']}/{path}")).refusal == refusal
    assert (await api.create("b@example.com", banned=True)).refusal == refusal
    await api.created("b@example.com", banned=False)


async def test_the_quota_of_users(api: Api, emulator: Emulator) -> None:
    emulator.settings(user_quota=2)
    replies = await asyncio.gather(*(api.create(f"u{n}@example.com", password=PASSWORD) for n in range(5)))
    assert sorted(reply.status for reply in replies) == [200, 200, 403, 403, 403]
    assert {reply.refusal for reply in replies if reply.status == 403} == {(403, "user_quota_exceeded", None)}
    (user, *_) = [reply.content["id"] for reply in replies if reply.status == 200]
    await api.call("DELETE", f"/v1/users/{user}")
    await api.created("u9@example.com")


async def test_another_password_may_end_the_other_sessions(api: Api) -> None:
    user = await api.created()
    session = (await api.call("POST", "/v1/sessions", {"user_id": user["id"]})).content
    path, body = f"/v1/users/{user['id']}", {"password": "another password"}
    await api.call("PATCH", path, body)
    assert (await api.call("GET", f"/v1/sessions/{session['id']}")).content["status"] == "active"
    await api.call("PATCH", path, {**body, "sign_out_of_other_sessions": True})
    assert (await api.call("GET", f"/v1/sessions/{session['id']}")).content["status"] == "revoked"
