"""What only a real connection shows."""

import asyncio

import pytest

from toolkit.clerk import BackendClient, ClerkAnswerUnexpected, ClerkConfig, ClerkUnavailable

from .answers import user_json
from .conftest import SECRET_KEY, Recorder


async def test_connections_are_used_again(clerk: BackendClient, recorder: Recorder) -> None:
    recorder.body = user_json()
    for _ in range(5):
        await clerk.get_user("user_1")
    assert len({request.peer for request in recorder.requests}) == 1


async def test_many_requests_go_at_once(clerk: BackendClient, recorder: Recorder) -> None:
    recorder.body = user_json()
    users = await asyncio.gather(*(clerk.get_user("user_1") for _ in range(300)))
    assert len(users) == 300
    assert len({request.peer for request in recorder.requests}) > 10


async def test_invariant_7_a_connection_that_was_cut_after_sending_may_have_had_its_effect(
    clerk: BackendClient, recorder: Recorder
) -> None:
    recorder.drop = True
    with pytest.raises(ClerkUnavailable, match="broke the connection") as caught:
        await clerk.create_user(email_address="ada@example.com")
    assert caught.value.maybe_applied
    assert len(recorder.requests) == 1


async def test_a_redirect_is_not_followed_with_the_key(clerk: BackendClient, recorder: Recorder) -> None:
    recorder.status, recorder.headers = 302, {"Location": f"{recorder.url}/elsewhere"}
    with pytest.raises(ClerkAnswerUnexpected, match="redirect"):
        await clerk.get_user("user_1")
    assert len(recorder.requests) == 1


async def test_cookies_are_not_kept(recorder: Recorder) -> None:
    recorder.body, recorder.headers = user_json(), {"Set-Cookie": "__cf_bm=1"}
    # aiohttp keeps no cookies of numeric addresses anyway
    url = recorder.url.replace("127.0.0.1", "localhost")
    config = ClerkConfig.from_environment({"CLERK_SECRET_KEY": SECRET_KEY, "CLERK_API_URL": url})
    async with BackendClient(config) as clerk:
        for _ in range(2):
            await clerk.get_user("user_1")
    assert "Cookie" not in recorder.requests[1].headers


async def test_nobody_listening_is_said_with_address_and_reason(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    config = ClerkConfig.from_environment({"CLERK_SECRET_KEY": SECRET_KEY, "CLERK_API_URL": url})
    async with BackendClient(config) as clerk:
        with pytest.raises(ClerkUnavailable, match=f"{url} cannot be connected to") as caught:
            await clerk.count_users()
    assert not caught.value.maybe_applied
