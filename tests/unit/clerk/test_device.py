"""What a device sends to the Frontend API, to the letter; what it does is tested against the emulator."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import JsonValue, SecretStr

from tests.unit.clerk.conftest import SECRET_KEY, Recorder
from toolkit.clerk import (
    ClerkConfig,
    ClerkError,
    ClerkRateLimited,
    ClerkUnavailable,
    Factor,
    FrontendClient,
    IncorrectPassword,
    UserLocked,
)

PROXY = "https://app.example.com/__clerk"
PASSWORD, TOKEN = "the user's password", "client-token-1"


def signed_in(status: str = "complete") -> JsonValue:
    session: JsonValue = {
        "id": "sess_1",
        "status": "active",
        "expire_at": 1,
        "user": {"id": "user_1"},
        "new": 1,
    }
    return {
        "response": {
            "id": "sia_1",
            "status": status,
            "identifier": "ada@example.com",
            "supported_first_factors": None,
            "supported_second_factors": [{"strategy": "totp", "something": "new"}],
            "created_session_id": "sess_1" if status == "complete" else None,
        },
        "client": {
            "id": "client_1",
            "sessions": [{"id": "sess_0", "status": "active", "expire_at": 1}, session],
        },
    }


def refusal(code: str, **meta: JsonValue) -> JsonValue:
    return {
        "errors": [{"code": code, "message": "no", "long_message": f"not {PASSWORD} {TOKEN}", "meta": meta}]
    }


@pytest.fixture
async def frontend(recorder: Recorder) -> AsyncIterator[FrontendClient]:
    config = ClerkConfig(secret_key=SecretStr(SECRET_KEY), frontend_api_url=recorder.url, proxy_url=PROXY)
    async with FrontendClient(config, deadline=1) as client:
        yield client


async def test_a_sign_in_is_a_form_with_token_and_proxy_headers(
    frontend: FrontendClient, recorder: Recorder
) -> None:
    recorder.body, recorder.headers = signed_in(), {"Authorization": "client-token-2"}
    device = frontend.device(TOKEN, address="203.0.113.7")
    sign_in = await device.create_sign_in("ada@example.com", PASSWORD)
    sent = recorder.only
    assert (sent.method, sent.path) == ("POST", "/v1/client/sign_ins?_is_native=1")
    assert sent.body == {"strategy": "password", "identifier": "ada@example.com", "password": PASSWORD}
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert sent.headers["Authorization"] == TOKEN
    assert (sent.headers["Clerk-Proxy-Url"], sent.headers["X-Forwarded-For"]) == (PROXY, "203.0.113.7")
    assert sent.headers["Clerk-Secret-Key"] == SECRET_KEY
    assert device.client_token == "client-token-2"
    assert (sign_in.status, sign_in.user_id) == ("complete", "user_1")
    assert sign_in.session is not None
    assert sign_in.session.id == "sess_1"
    assert [factor.strategy for factor in sign_in.supported_second_factors] == ["totp"]


async def test_without_an_address_or_a_proxy_the_secret_key_stays_here(recorder: Recorder) -> None:
    recorder.body = signed_in()
    for proxy, address in ((PROXY, None), (None, "203.0.113.7")):
        config = ClerkConfig(secret_key=SecretStr(SECRET_KEY), frontend_api_url=recorder.url, proxy_url=proxy)
        async with FrontendClient(config) as frontend:
            await frontend.device(None, address=address).create_sign_in("a", PASSWORD)
        headers = recorder.requests[-1].headers
        assert SECRET_KEY not in str(headers)
        assert not {"X-Forwarded-For", "Authorization", "Clerk-Proxy-Url"} & set(headers)


async def test_a_session_is_named_in_the_query(frontend: FrontendClient, recorder: Recorder) -> None:
    recorder.body = {"response": {"id": "user_1"}, "client": None}
    await frontend.device(TOKEN, address=None).change_password("sess_1", "old", "new")
    assert recorder.only.path == "/v1/me/change_password?_is_native=1&_clerk_session_id=sess_1"
    assert recorder.only.body == {
        "current_password": "old",
        "new_password": "new",
        "sign_out_of_other_sessions": "true",
    }


async def test_a_reset_is_a_sign_in(frontend: FrontendClient, recorder: Recorder) -> None:
    recorder.body = signed_in("needs_first_factor")
    device = frontend.device(None, address=None)
    await device.begin_sign_in("ada@example.com")
    await device.prepare_first_factor(
        "sia_1", Factor(strategy="reset_password_email_code", email_address_id="idn_1")
    )
    await device.reset_password("sia_1", PASSWORD, sign_out_of_other_sessions=False)
    begun, sent, reset = recorder.requests
    assert begun.body == {"identifier": "ada@example.com"}
    assert sent.path == "/v1/client/sign_ins/sia_1/prepare_first_factor?_is_native=1"
    assert sent.body == {"strategy": "reset_password_email_code", "email_address_id": "idn_1"}
    assert reset.path == "/v1/client/sign_ins/sia_1/reset_password?_is_native=1"
    assert reset.body == {"password": PASSWORD, "sign_out_of_other_sessions": "false"}


async def test_a_factor_is_prepared_by_its_id(frontend: FrontendClient, recorder: Recorder) -> None:
    recorder.body = signed_in("needs_second_factor")
    factor = Factor(strategy="phone_code", safe_identifier="+4****", phone_number_id="idn_1")
    sign_in = await frontend.device(TOKEN, address=None).prepare_second_factor("sia_1", factor)
    assert recorder.only.path == "/v1/client/sign_ins/sia_1/prepare_second_factor?_is_native=1"
    assert recorder.only.body == {"strategy": "phone_code", "phone_number_id": "idn_1"}
    assert (sign_in.session, sign_in.user_id) == (None, None)


async def test_a_status_that_is_new_is_told_as_it_is(frontend: FrontendClient, recorder: Recorder) -> None:
    recorder.body = signed_in("needs_something_new")
    assert (
        await frontend.device(None, address=None).create_sign_in("a", PASSWORD)
    ).status == "needs_something_new"


async def test_refusals_have_types_keep_the_token_and_no_secret(
    frontend: FrontendClient, recorder: Recorder
) -> None:
    """Invariant 8."""
    device = frontend.device(TOKEN, address="203.0.113.7")
    recorder.status, recorder.headers = 422, {"Authorization": "client-token-2"}
    recorder.body = refusal("form_password_incorrect")
    with pytest.raises(IncorrectPassword) as refused:
        await device.create_sign_in("a", PASSWORD)
    assert device.client_token == "client-token-2"
    for secret in (PASSWORD, TOKEN, SECRET_KEY):
        assert secret not in f"{refused.value} {refused.value!r} {device!r} {frontend!r}"
    recorder.status, recorder.body = 403, refusal("user_locked", lockout_expires_in_seconds=7)
    with pytest.raises(UserLocked) as locked:
        await device.create_sign_in("a", PASSWORD)
    assert locked.value.seconds == 7


async def test_a_limit_is_told_and_not_waited_for(frontend: FrontendClient, recorder: Recorder) -> None:
    recorder.status, recorder.body = 429, refusal("too_many_requests")
    recorder.headers = {"Retry-After": "9"}
    with pytest.raises(ClerkRateLimited) as limited:
        await frontend.device(None, address=None).create_sign_in("a", PASSWORD)
    assert (limited.value.retry_after, len(recorder.requests)) == (9, 1)


@pytest.mark.parametrize("drop", [True, False])
async def test_what_may_have_taken_effect_is_not_sent_again(
    frontend: FrontendClient, recorder: Recorder, drop: bool
) -> None:
    recorder.status, recorder.drop = 500, drop
    with pytest.raises(ClerkUnavailable):
        await frontend.device(TOKEN, address=None).attempt_second_factor("sia_1", "totp", "123456")
    assert len(recorder.requests) == 1


async def test_what_changes_nothing_is_sent_once_more(frontend: FrontendClient, recorder: Recorder) -> None:
    recorder.status = 500
    with pytest.raises(ClerkUnavailable):
        await frontend.device(TOKEN, address=None).get_sign_in("sia_1")
    assert len(recorder.requests) == 2


async def test_the_deadline_holds(recorder: Recorder) -> None:
    server = await asyncio.start_server(lambda *_: asyncio.sleep(3600), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = ClerkConfig(secret_key=SecretStr(SECRET_KEY), frontend_api_url=f"http://127.0.0.1:{port}")
    async with FrontendClient(config, deadline=0.3) as frontend, asyncio.timeout(60):
        with pytest.raises(ClerkError, match="did not answer in time|had not answered"):
            await frontend.device(None, address=None).create_sign_in("a", PASSWORD)
    server.close()
