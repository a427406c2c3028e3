"""Each operation as it goes over the wire, and what is made of the answer."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote

import pytest
from pydantic import JsonValue

from toolkit.clerk import BackendClient, IncorrectPassword, NoPasswordSet, UserLocked

from .answers import Json, email_json, error_json, user_json
from .conftest import SECRET_KEY, Recorder

DIGEST = "$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
SESSION: Json = {
    "object": "session",
    "id": "sess_1",
    "user_id": "user_1",
    "client_id": "client_1",
    "status": "active",
    "last_active_at": 1700000000000,
    "expire_at": 1700000600000,
    "abandon_at": 1700000700000,
    "updated_at": 1700000000000,
    "created_at": 1700000000000,
}
TOKEN: Json = {
    "object": "sign_in_token",
    "id": "sit_1",
    "status": "pending",
    "user_id": "user_1",
    "token": "the-token",
    "url": "https://example.com/?ticket=the-token",
    "created_at": 1700000000000,
    "updated_at": 1700000000000,
}
DELETED: Json = {"object": "user", "id": "user_1", "deleted": True}

Operation = Callable[[BackendClient], Awaitable[object]]
OPERATIONS: list[tuple[str, Operation, str, str, JsonValue, JsonValue]] = [
    ("get", lambda c: c.get_user("user_1"), "GET", "/v1/users/user_1", None, user_json()),
    ("count", lambda c: c.count_users(), "GET", "/v1/users/count", None, {"object": "x", "total_count": 7}),
    (
        "update",
        lambda c: c.update_user(
            "user_1", password_digest=DIGEST, password_hasher="argon2id", totp_secret="ABC"
        ),
        "PATCH",
        "/v1/users/user_1",
        {"password_digest": DIGEST, "password_hasher": "argon2id", "totp_secret": "ABC"},
        user_json(),
    ),
    (
        "metadata",
        lambda c: c.update_user_metadata("user_1", private_metadata={"migration": None}),
        "PATCH",
        "/v1/users/user_1/metadata",
        {"private_metadata": {"migration": None}},
        user_json(),
    ),
    ("delete", lambda c: c.delete_user("user_1"), "DELETE", "/v1/users/user_1", None, DELETED),
    ("ban", lambda c: c.ban_user("user_1"), "POST", "/v1/users/user_1/ban", None, user_json(banned=True)),
    ("unban", lambda c: c.unban_user("user_1"), "POST", "/v1/users/user_1/unban", None, user_json()),
    (
        "password",
        lambda c: c.verify_password("user_1", "correct horse"),
        "POST",
        "/v1/users/user_1/verify_password",
        {"password": "correct horse"},
        {"verified": True},
    ),
    (
        "mfa",
        lambda c: c.disable_mfa("user_1"),
        "DELETE",
        "/v1/users/user_1/mfa",
        None,
        {"user_id": "user_1"},
    ),
    (
        "totp",
        lambda c: c.delete_totp("user_1"),
        "DELETE",
        "/v1/users/user_1/totp",
        None,
        {"user_id": "user_1"},
    ),
    (
        "backup codes",
        lambda c: c.delete_backup_codes("user_1"),
        "DELETE",
        "/v1/users/user_1/backup_code",
        None,
        {"user_id": "user_1"},
    ),
    (
        "new email",
        lambda c: c.create_email("user_1", "b@example.com", verified=True, primary=True),
        "POST",
        "/v1/email_addresses",
        {"user_id": "user_1", "email_address": "b@example.com", "verified": True, "primary": True},
        email_json("b@example.com"),
    ),
    (
        "verify email",
        lambda c: c.verify_email("idn_1"),
        "PATCH",
        "/v1/email_addresses/idn_1",
        {"verified": True},
        email_json(),
    ),
    ("no email", lambda c: c.delete_email("idn_1"), "DELETE", "/v1/email_addresses/idn_1", None, DELETED),
    (
        "token",
        lambda c: c.create_sign_in_token("user_1", expires_in_seconds=60),
        "POST",
        "/v1/sign_in_tokens",
        {"user_id": "user_1", "expires_in_seconds": 60},
        TOKEN,
    ),
    (
        "no token",
        lambda c: c.revoke_sign_in_token("sit_1"),
        "POST",
        "/v1/sign_in_tokens/sit_1/revoke",
        None,
        {**TOKEN, "status": "revoked"},
    ),
    (
        "sessions",
        lambda c: c.list_sessions("user_1", status="active"),
        "GET",
        "/v1/sessions?user_id=user_1&limit=500&offset=0&status=active",
        None,
        [SESSION],
    ),
    (
        "no session",
        lambda c: c.revoke_session("sess_1"),
        "POST",
        "/v1/sessions/sess_1/revoke",
        None,
        {**SESSION, "status": "revoked"},
    ),
    (
        "instance",
        lambda c: c.get_instance(),
        "GET",
        "/v1/instance",
        None,
        {"object": "instance", "id": "ins_1", "environment_type": "production", "allowed_origins": None},
    ),
]


@pytest.mark.parametrize(
    ("operation", "method", "path", "body", "answer"),
    [row[1:] for row in OPERATIONS],
    ids=[r[0] for r in OPERATIONS],
)
async def test_an_operation_is_what_clerks_description_says(
    clerk: BackendClient,
    recorder: Recorder,
    operation: Operation,
    method: str,
    path: str,
    body: JsonValue,
    answer: JsonValue,
) -> None:
    recorder.body = answer
    await operation(clerk)
    assert (recorder.only.method, recorder.only.path, recorder.only.body) == (method, path, body)


async def test_requests_carry_the_key_the_version_and_who_asks(
    clerk: BackendClient, recorder: Recorder
) -> None:
    recorder.body = user_json()
    await clerk.get_user("user_1")
    headers = recorder.only.headers
    assert headers["Authorization"] == f"Bearer {SECRET_KEY}"
    assert headers["Clerk-API-Version"] == "2026-05-12"
    assert headers["User-Agent"].startswith("postgres-to-clerk/")


async def test_a_create_sends_all_that_is_given_in_one_request(
    clerk: BackendClient, recorder: Recorder
) -> None:
    recorder.body = user_json(totp_enabled=True)
    user = await clerk.create_user(
        external_id="ax-1",
        email_address="ada@example.com",
        email_status="reserved",
        first_name="Ada",
        last_name="Lovelace",
        password_digest=DIGEST,
        password_hasher="argon2id",
        totp_secret="JBSWY3DPEHPK3PXP",
        backup_codes=["one", "two"],
        public_metadata={"plan": "free"},
        private_metadata={"migration": {"run": 1}},
        created_at=datetime(2020, 5, 17, 10, 30, tzinfo=timezone(timedelta(hours=2))),
        banned=False,
        bypass_client_trust=True,
        skip_legal_checks=True,
    )
    assert user.totp_enabled
    assert (recorder.only.method, recorder.only.path) == ("POST", "/v1/users")
    assert recorder.only.headers["Content-Type"] == "application/json"
    assert recorder.only.body == {
        "external_id": "ax-1",
        "email_address": ["ada@example.com"],
        "email_address_identification_status": ["reserved"],
        "first_name": "Ada",
        "last_name": "Lovelace",
        "password_digest": DIGEST,
        "password_hasher": "argon2id",
        "totp_secret": "JBSWY3DPEHPK3PXP",
        "backup_codes": ["one", "two"],
        "public_metadata": {"plan": "free"},
        "private_metadata": {"migration": {"run": 1}},
        "created_at": "2020-05-17T10:30:00+02:00",
        "banned": False,
        "bypass_client_trust": True,
        "skip_legal_checks": True,
    }


async def test_what_is_not_given_is_not_sent(clerk: BackendClient, recorder: Recorder) -> None:
    recorder.body = user_json()
    await clerk.create_user(external_id="ax-1", skip_password_requirement=True)
    assert recorder.only.body == {"external_id": "ax-1", "skip_password_requirement": True}


async def test_a_time_without_zone_is_utc(clerk: BackendClient, recorder: Recorder) -> None:
    recorder.body = user_json()
    moment = datetime(2020, 5, 17, 10, 30, tzinfo=UTC)
    await clerk.create_user(external_id="ax-1", created_at=moment.replace(tzinfo=None))
    assert recorder.only.body == {"external_id": "ax-1", "created_at": moment.isoformat()}


async def test_ids_are_quoted(clerk: BackendClient, recorder: Recorder) -> None:
    recorder.body = user_json()
    await clerk.get_user("user/../1?x=ü")
    assert recorder.only.path == "/v1/users/user%2F..%2F1%3Fx%3D%C3%BC"


@pytest.mark.parametrize(
    ("external_id", "sent"), [("42", "42"), ("-42", "+-42"), ("+42", "++42"), ("a&b=ü +", "a&b=ü +")]
)
async def test_a_user_is_found_by_external_id_even_if_it_begins_with_the_filters_signs(
    clerk: BackendClient, recorder: Recorder, external_id: str, sent: str
) -> None:
    recorder.body = [user_json(external_id=external_id)]
    found = await clerk.find_user_by_external_id(external_id)
    assert found is not None
    assert recorder.only.path.replace("+", "%20") == f"/v1/users?external_id={quote(sent)}&limit=500"


async def test_invariant_1_another_users_external_id_is_never_taken_for_the_one_asked_for(
    clerk: BackendClient, recorder: Recorder
) -> None:
    recorder.body = [user_json(external_id="ax-2"), user_json(external_id=None)]
    assert await clerk.find_user_by_external_id("ax-1") is None


async def test_several_filters_are_sent_as_repeated_keys(clerk: BackendClient, recorder: Recorder) -> None:
    recorder.body = [user_json()]
    await clerk.list_users(
        external_ids=["1", "2"],
        email_addresses=["a+b@example.com"],
        limit=10,
        offset=20,
        order_by="-updated_at",
    )
    assert recorder.only.path == (
        "/v1/users?external_id=1&external_id=2&email_address=a%2Bb%40example.com&limit=10&offset=20"
        "&order_by=-updated_at"
    )


async def test_more_filters_than_clerk_takes_are_refused(clerk: BackendClient) -> None:
    with pytest.raises(ValueError, match="100"):
        await clerk.list_users(external_ids=[str(number) for number in range(101)])


async def test_users_are_found_by_email(clerk: BackendClient, recorder: Recorder) -> None:
    recorder.body = [user_json()]
    assert [user.id for user in await clerk.find_users_by_email("ada@example.com")] == ["user_1"]
    assert recorder.only.path == "/v1/users?email_address=ada%40example.com&limit=500"


@pytest.mark.parametrize("total", [0, 2, 3, 4, 7])
async def test_all_users_are_walked_by_cursor(
    clerk: BackendClient, recorder: Recorder, total: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = [user_json(id=f"user_{number}") for number in range(total)]
    list_users = clerk.list_users

    async def answer(*, limit: int, starting_after: str | None, order_by: str) -> object:
        begin = 0 if starting_after is None else int(starting_after.removeprefix("user_")) + 1
        recorder.body = list[JsonValue](everybody[begin : begin + limit])
        return await list_users(limit=limit, starting_after=starting_after, order_by=order_by)

    monkeypatch.setattr(clerk, "list_users", answer)
    pages = [[user.id for user in page] async for page in clerk.user_pages(3)]
    assert [user_id for page in pages for user_id in page] == [user["id"] for user in everybody]
    assert len(recorder.requests) == total // 3 + 1
    assert recorder.requests[0].path == "/v1/users?limit=3&order_by=%2Bcreated_at"
    if total > 3:
        assert recorder.requests[1].path == "/v1/users?limit=3&starting_after=user_2&order_by=%2Bcreated_at"


async def test_every_user_is_walked_over(clerk: BackendClient, recorder: Recorder) -> None:
    recorder.body = [user_json(id="user_1"), user_json(id="user_2")]
    assert [user.id async for user in clerk.iterate_users()] == ["user_1", "user_2"]


async def test_a_wrong_password_is_no_error(clerk: BackendClient, recorder: Recorder) -> None:
    recorder.status, recorder.body = 422, error_json("incorrect_password")
    assert await clerk.verify_password("user_1", "wrong horse") is False


@pytest.mark.parametrize(
    ("status", "code", "kind"), [(400, "no_password_set", NoPasswordSet), (403, "user_locked", UserLocked)]
)
async def test_a_password_that_could_not_be_checked_is_an_error(
    clerk: BackendClient, recorder: Recorder, status: int, code: str, kind: type[Exception]
) -> None:
    recorder.status, recorder.body = status, error_json(code)
    with pytest.raises(kind) as caught:
        await clerk.verify_password("user_1", "wrong horse")
    assert not isinstance(caught.value, IncorrectPassword)


async def test_the_answers_become_resources(clerk: BackendClient, recorder: Recorder) -> None:
    recorder.body = user_json(
        email_addresses=[email_json("old@example.com"), {**email_json(reserved=True), "id": "idn_2"}],
        primary_email_address_id="idn_2",
        locked=True,
    )
    user = await clerk.get_user("user_1")
    assert (user.id, user.external_id, user.first_name) == ("user_1", "ax-1", "Ada")
    assert (user.locked, user.banned, user.password_enabled) == (True, False, True)
    assert user.created_at == 1700000000000
    assert user.private_metadata == {"migration": {"run": 1}}
    assert [(e.email_address, e.verified, e.reserved) for e in user.email_addresses] == [
        ("old@example.com", True, False),
        ("ada@example.com", False, True),
    ]
    assert user.primary_email is user.email_addresses[1]


@pytest.mark.parametrize(
    ("status", "verified"), [("verified", True), ("unverified", False), ("failed", False), ("expired", False)]
)
async def test_an_address_is_verified_only_if_clerk_says_so(
    clerk: BackendClient, recorder: Recorder, status: str, verified: bool
) -> None:
    verification: Json = {"object": "verification_otp", "status": status, "strategy": "email_code"}
    recorder.body = {**email_json(), "verification": verification}
    assert (await clerk.verify_email("idn_1")).verified is verified


async def test_a_sign_in_token_is_there_once_and_not_in_its_text(
    clerk: BackendClient, recorder: Recorder
) -> None:
    recorder.body = TOKEN
    token = await clerk.create_sign_in_token("user_1")
    assert token.token == "the-token"
    assert "the-token" not in repr(token)
