"""Calls that do not go well: what is sent again, when, and what is said in the end. In virtual time."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import CallbackResult
from pydantic import SecretStr

from toolkit.clerk import (
    BackendClient,
    ClerkAnswerUnexpected,
    ClerkApiError,
    ClerkConfig,
    ClerkRateLimited,
    ClerkUnavailable,
    IdentifierExists,
    ResourceNotFound,
    User,
)
from toolkit.clerk.transport import ATTEMPTS, ATTEMPTS_BEFORE_FIRST_ANSWER, DEADLINE

from .answers import error_json, user_json
from .mocked import MockedClerk
from .virtual_time import in_virtual_time

CONFIG = ClerkConfig(secret_key=SecretStr("sk_test_aaaabbbbccccdddd"))
USERS = "https://api.clerk.com/v1/users"
ADA = f"{USERS}/user_1"
ANY = re.compile("https://api.clerk.com/.*")

RESET = ConnectionResetError(104, "Connection reset by peer")
LOST = [
    pytest.param(aiohttp.ServerDisconnectedError(), id="disconnected"),
    pytest.param(aiohttp.ClientOSError(*RESET.args), id="reset"),
    pytest.param(aiohttp.ClientPayloadError("cut off"), id="cut-off"),
    pytest.param(aiohttp.SocketTimeoutError("no answer"), id="timeout"),
]
NEVER_SENT = [
    pytest.param(
        aiohttp.ClientConnectorError(Mock(), ConnectionRefusedError(111, "Connection refused")), id="refused"
    ),
    pytest.param(aiohttp.ClientConnectorDNSError(Mock(), OSError(-2, "Name or service not known")), id="dns"),
    pytest.param(aiohttp.ConnectionTimeoutError("Connection timeout"), id="connect-timeout"),
]


def now() -> float:
    return asyncio.get_running_loop().time()


def client() -> BackendClient:
    return BackendClient(CONFIG, rate=None)


async def get_user() -> User:
    async with client() as clerk:
        return await clerk.get_user("user_1")


async def create_user(external_id: str | None) -> User:
    async with client() as clerk:
        return await clerk.create_user(external_id=external_id, email_address="ada@example.com")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@in_virtual_time
async def test_an_error_of_clerks_own_is_tried_again_later_each_time(status: int) -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, status=status, repeat=2)
        clerk.get(ADA, payload=user_json())
        begin = now()
        assert (await get_user()).id == "user_1"
        assert clerk.sent == 3
        assert 0.1 < now() - begin < 5


@pytest.mark.parametrize("fault", LOST + NEVER_SENT)
@in_virtual_time
async def test_a_connection_that_fails_is_tried_again(fault: Exception) -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, exception=fault)
        clerk.get(ADA, payload=user_json())
        assert (await get_user()).id == "user_1"


@pytest.mark.parametrize("fault", LOST)
@in_virtual_time
async def test_invariant_7_a_create_with_an_external_id_is_tried_again_and_one_without_is_not(
    fault: Exception,
) -> None:
    with MockedClerk() as clerk:
        clerk.post(USERS, exception=fault)
        clerk.post(USERS, payload=user_json())
        assert (await create_user("ax-1")).external_id == "ax-1"
    with MockedClerk() as clerk:
        clerk.post(USERS, exception=fault)
        clerk.post(USERS, payload=user_json())
        with pytest.raises(ClerkUnavailable) as caught:
            await create_user(None)
        assert (clerk.sent, caught.value.attempts, caught.value.maybe_applied) == (1, 1, True)


@in_virtual_time
async def test_a_create_without_an_external_id_is_not_repeated_after_an_error_of_clerks_own() -> None:
    with MockedClerk() as clerk:
        clerk.post(USERS, status=500)
        clerk.post(USERS, payload=user_json())
        with pytest.raises(ClerkUnavailable) as caught:
            await create_user(None)
        assert (clerk.sent, caught.value.maybe_applied) == (1, True)


@pytest.mark.parametrize("fault", NEVER_SENT)
@in_virtual_time
async def test_what_was_never_sent_is_tried_again_whatever_it_is(fault: Exception) -> None:
    with MockedClerk() as clerk:
        clerk.post(USERS, exception=fault)
        clerk.post(USERS, payload=user_json())
        assert (await create_user(None)).id == "user_1"


@in_virtual_time
async def test_invariant_7_that_the_lost_attempt_may_have_got_through_is_told() -> None:
    with MockedClerk() as clerk:
        clerk.post(USERS, exception=aiohttp.ServerDisconnectedError())
        clerk.post(USERS, status=422, payload=error_json("form_identifier_exists", param="external_id"))
        with pytest.raises(IdentifierExists) as caught:
            await create_user("ax-1")
        assert (caught.value.attempts, caught.value.maybe_applied) == (2, True)
        assert caught.value.params == {"external_id"}


@in_virtual_time
async def test_a_refusal_is_not_repeated() -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, status=404, payload=error_json("resource_not_found"), repeat=True)
        with pytest.raises(ResourceNotFound) as caught:
            await get_user()
        assert (clerk.sent, caught.value.attempts, caught.value.maybe_applied) == (1, 1, False)


@in_virtual_time
async def test_a_locked_resource_is_tried_again() -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, status=409, payload=error_json("resource_locked"))
        clerk.get(ADA, payload=user_json())
        await get_user()


@pytest.mark.parametrize(
    ("retry_after", "least"),
    [
        ("7", 7.0),
        ("in 40 s, as a date", 30.0),
        ("soon", 1.0),
        ("", 1.0),
    ],
)
@in_virtual_time
async def test_a_429_is_sent_again_after_as_long_as_clerk_asks(retry_after: str, least: float) -> None:
    if retry_after == "in 40 s, as a date":
        retry_after = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    with MockedClerk() as clerk:
        clerk.post(USERS, status=429, headers={"Retry-After": retry_after})
        clerk.post(USERS, payload=user_json())
        begin = now()
        await create_user(None)
        assert least <= now() - begin < least + 12


@in_virtual_time
async def test_a_429_that_does_not_end_is_given_up() -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, status=429, headers={"Retry-After": "3"}, repeat=True)
        async with client() as backend:
            with pytest.raises(ClerkRateLimited) as caught:
                await backend.get_user("user_1")
            assert backend.limiter.refused == backend.limiter.started == clerk.sent == ATTEMPTS
    assert (caught.value.retry_after, caught.value.attempts, caught.value.maybe_applied) == (
        3,
        ATTEMPTS,
        False,
    )


@in_virtual_time
async def test_a_429_that_asks_to_wait_beyond_the_deadline_is_given_up_at_once() -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, status=429, headers={"Retry-After": "3600"})
        begin = now()
        with pytest.raises(ClerkRateLimited) as caught:
            await get_user()
        assert (now() - begin, caught.value.retry_after) == (0, 3600)


@in_virtual_time
async def test_a_503_is_sent_again_after_as_long_as_clerk_asks() -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, status=503, headers={"Retry-After": "20"})
        clerk.get(ADA, payload=user_json())
        begin = now()
        await get_user()
        assert now() - begin >= 20


@in_virtual_time
async def test_an_outage_is_waited_out_for_some_time_once_clerk_was_reached() -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, payload=user_json())
        clerk.get(ADA, status=503, repeat=True)
        async with client() as backend:
            await backend.get_user("user_1")
            with pytest.raises(ClerkUnavailable) as caught:
                await backend.get_user("user_1")
    assert caught.value.attempts == ATTEMPTS


@pytest.mark.parametrize("fault", NEVER_SENT)
@in_virtual_time
async def test_a_clerk_that_never_answered_is_given_up_soon_and_the_address_is_named(
    fault: Exception,
) -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, exception=fault, repeat=True)
        begin = now()
        with pytest.raises(ClerkUnavailable, match=re.escape("https://api.clerk.com")) as caught:
            await get_user()
        assert now() - begin < 5
    assert "CLERK_API_URL" in str(caught.value)
    assert (caught.value.attempts, caught.value.maybe_applied) == (ATTEMPTS_BEFORE_FIRST_ANSWER, False)


@in_virtual_time
async def test_a_call_ends_at_its_deadline() -> None:
    async def hang(*_: object, **__: object) -> CallbackResult:
        await asyncio.sleep(24 * 3600)
        return CallbackResult()

    with MockedClerk() as clerk:
        clerk.post(USERS, callback=hang)
        begin = now()
        with pytest.raises(ClerkUnavailable, match="60 s") as caught:
            await create_user("ax-1")
        assert now() - begin == pytest.approx(DEADLINE)
        assert caught.value.maybe_applied


@in_virtual_time
async def test_waiting_for_ones_turn_does_not_count_against_the_deadline() -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, payload=user_json(), repeat=True)
        begin = now()
        async with BackendClient(CONFIG, rate=0.5) as backend:
            await asyncio.gather(*(backend.get_user("user_1") for _ in range(50)))
        assert now() - begin > DEADLINE


@in_virtual_time
async def test_every_attempt_keeps_to_the_pace() -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, status=500, repeat=60)
        clerk.get(ADA, payload=user_json(), repeat=True)
        begin = now()
        async with BackendClient(CONFIG) as backend:
            await asyncio.gather(*(backend.get_user("user_1") for _ in range(40)), return_exceptions=True)
            assert backend.limiter.started == clerk.sent
        assert clerk.sent > 90
        assert clerk.sent <= CONFIG.documented_rate * (now() - begin) + 1


HTML = {"body": "<html>hello</html>", "content_type": "text/html"}


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (200, HTML, "text/html"),
        (200, {"body": ""}, "json_invalid"),
        (200, {"body": '{"id": "user_1"'}, "json_invalid"),
        (200, {"payload": []}, "dataclass"),
        (200, {"payload": {"id": "user_1"}}, "external_id: missing"),
        (200, {"payload": user_json(banned="no")}, "banned: bool"),
        (301, {"headers": {"Location": "https://elsewhere.example.com/"}}, "redirect"),
        (307, {"headers": {"Location": "https://elsewhere.example.com/"}}, "redirect"),
        (403, HTML, "text/html"),
        (404, {"payload": {"message": "no such route"}}, "404"),
        (422, {"payload": {"errors": []}}, "422"),
    ],
)
@in_virtual_time
async def test_an_answer_that_is_not_clerks_is_called_that_and_not_asked_for_again(
    status: int, answer: dict[str, str], said: str
) -> None:
    with MockedClerk() as clerk:
        clerk.get(ANY, status=status, repeat=True, **answer)
        with pytest.raises(ClerkAnswerUnexpected, match=re.escape(said)) as caught:
            await get_user()
        assert clerk.sent == 1
    assert isinstance(caught.value, ClerkUnavailable)
    assert "CLERK_API_URL" in str(caught.value)


@in_virtual_time
async def test_a_gateways_error_page_is_an_outage() -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, status=502, body="<html>", content_type="text/html")
        clerk.get(ADA, payload=user_json())
        await get_user()


@pytest.mark.parametrize(
    ("headers", "trace", "expected"),
    [
        ({}, "from-body", "from-body"),
        ({"X-Clerk-Trace-Id": "from-header"}, None, "from-header"),
        ({"CF-Ray": "ray"}, None, "ray"),
        ({}, None, None),
    ],
)
@in_virtual_time
async def test_clerks_trace_id_is_kept(
    headers: dict[str, str], trace: str | None, expected: str | None
) -> None:
    with MockedClerk() as clerk:
        clerk.get(ADA, status=400, payload=error_json("bad_request", trace=trace), headers=headers)
        with pytest.raises(ClerkApiError) as caught:
            await get_user()
    assert caught.value.trace_id == expected
    assert expected is None or expected in str(caught.value)


@pytest.mark.parametrize("user_id", ["", ".", ".."])
@in_virtual_time
async def test_an_id_that_would_name_another_path_is_not_sent(user_id: str) -> None:
    async with client() as clerk:
        with pytest.raises(ValueError, match="user_id"):
            await clerk.delete_user(user_id)


@in_virtual_time
async def test_a_client_outside_of_its_context_says_so() -> None:
    with pytest.raises(RuntimeError, match="context manager"):
        await client().get_user("user_1")
