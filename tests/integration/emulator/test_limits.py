"""The rate limits that Clerk documents, and latency."""

import asyncio
import math
import time

import pytest

from tests.emulator import Emulator
from tests.integration.emulator.conftest import Api


async def burst(api: Api, requests: int) -> list[int]:
    replies = await asyncio.gather(*(api.call("GET", "/v1/users/count") for _ in range(requests)))
    return [reply.status for reply in replies]


@pytest.mark.parametrize(("kind", "most"), [("production", 1000), ("development", 100)])
async def test_the_limit_is_the_documented_one(api: Api, emulator: Emulator, kind: str, most: int) -> None:
    emulator.settings(rate_limit=kind)
    statuses = await burst(api, most + 50)
    assert (statuses.count(200), statuses.count(429)) == (most, 50)
    reply = await api.call("GET", "/v1/users/count")
    assert reply.refusal == (429, "too_many_requests", None)
    assert 1 <= int(reply.headers["Retry-After"]) <= 10


async def test_after_retry_after_a_request_passes_and_the_window_slides(api: Api, emulator: Emulator) -> None:
    emulator.settings(rate_limit="development")
    begun = emulator.now()
    assert await burst(api, 60) == [200] * 60
    burst_took = emulator.now() - begun
    emulator.advance(6)
    assert (await burst(api, 50)).count(200) == 40
    asked = emulator.now()
    refused = await api.call("GET", "/v1/users/count")
    wait = int(refused.headers["Retry-After"])
    earliest, latest = begun + 10 - emulator.now(), begun + burst_took + 10 - asked
    assert math.ceil(earliest) <= wait <= math.ceil(latest)
    emulator.advance(wait + burst_took)
    # Sixty have left the window by now, the forty of six seconds later have not.
    assert (await burst(api, 80)).count(200) == 60


async def test_no_limit_when_it_is_off(api: Api) -> None:
    assert await burst(api, 1200) == [200] * 1200


async def test_a_narrower_limit_counts_what_was_before(api: Api, emulator: Emulator) -> None:
    emulator.settings(rate_limit="production")
    assert await burst(api, 150) == [200] * 150
    emulator.settings(rate_limit="development")
    assert await burst(api, 1) == [429]
    emulator.settings(rate_limit="production")
    assert await burst(api, 1) == [200]


async def test_requests_without_the_key_are_not_counted(api: Api, emulator: Emulator) -> None:
    emulator.settings(rate_limit="development")
    for _ in range(101):
        assert (await api.call("GET", "/v1/users", headers={})).status == 401
    assert await burst(api, 100) == [200] * 100


async def test_the_frontend_api_is_not_under_the_backend_apis_limit(api: Api, emulator: Emulator) -> None:
    emulator.settings(rate_limit="development")
    assert 429 in await burst(api, 101)
    assert (await api.call("GET", "/v1/environment", headers={})).status == 200


@pytest.mark.parametrize("headers", [None, {}])
async def test_every_answer_takes_the_latency(
    api: Api, emulator: Emulator, headers: dict[str, str] | None
) -> None:
    emulator.settings(latency_ms=500)
    begun = time.monotonic()
    await asyncio.gather(*(api.call("GET", "/v1/users", headers=headers) for _ in range(50)))
    assert 0.5 <= time.monotonic() - begun < 20, "one after the other they would take 25 s"


async def test_jitter_comes_on_top(api: Api, emulator: Emulator) -> None:
    emulator.settings(latency_ms=20, latency_jitter_ms=100)
    took = []
    for _ in range(12):
        begun = time.monotonic()
        await api.call("GET", "/v1/users/count")
        took.append(time.monotonic() - begun)
    assert min(took) >= 0.02
    assert max(took) - min(took) > 0.015
