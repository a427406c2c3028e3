"""Connections that are opened and left, by one or by many: those that do nothing end, and the others are served."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.bff.conftest import Bff, World
from tests.waiting import SECONDS, until

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PROXY, SOMEBODY, SOMEBODY_ELSE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
ENDLESS = (
    b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n{"
)
"""Its last eight bytes never come."""


@contextlib.asynccontextmanager
async def connections(bff: Bff, count: int, address: str = SOMEBODY) -> AsyncIterator[list[Streams]]:
    """So many connections from an address."""
    opened = [
        await asyncio.open_connection("127.0.0.1", bff.port, local_addr=(address, 0)) for _ in range(count)
    ]
    yield opened
    for _, writer in opened:
        writer.close()


async def ended(streams: Streams) -> bool:
    """Whether the BFF has closed it, or does within the time that tests have."""
    async with asyncio.timeout(SECONDS):
        with contextlib.suppress(ConnectionError):
            return await streams[0].read(1) == b""
        return True


async def answers(streams: Streams, request: bytes = HEALTH) -> bool:
    """Whether a request is answered on it."""
    reader, writer = streams
    writer.write(request)
    async with asyncio.timeout(SECONDS):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
    return head.startswith(b"HTTP/1.1 200")


def behind_proxy(world: World, **settings: float) -> None:
    """Trust PROXY alone."""
    world.settings.update(trusted_proxies=[f"{PROXY}/32"], connections=settings)


@pytest.mark.parametrize("address", [PROXY, SOMEBODY], ids=["through a proxy", "by one address"])
async def test_idle_connections_do_not_use_up_the_files(world: World, address: str) -> None:
    behind_proxy(world, idle_seconds=300, proxy_idle_seconds=300)
    world.files = 200
    email, bff = await world.add(), await world.bff()
    limits = await asyncio.to_thread(Path(f"/proc/{bff.process.pid}/limits").read_text)
    assert next(line for line in limits.splitlines() if "open files" in line).split()[3:5] == ["200", "200"]
    async with connections(bff, 250, address):
        assert (await bff.call("GET", "/healthz")).status == 200
        assert (await bff.login(email)).status == 200
        async with connections(bff, 1) as (mine,):
            assert await answers(mine)
    assert "Traceback" not in await asyncio.to_thread(bff.log.read_text)


async def test_who_has_as_many_connections_as_one_may_loses_an_idle_one(world: World) -> None:
    behind_proxy(world, by_address=3, idle_seconds=300)
    bff = await world.bff()
    async with connections(bff, 1, SOMEBODY_ELSE) as (other,), connections(bff, 3) as (first, second, third):
        assert await answers(first)
        async with connections(bff, 1) as (fourth,):
            assert await ended(second)
            for streams in (other, first, third, fourth):
                assert await answers(streams)


async def test_who_is_busy_with_as_many_as_one_may_is_turned_away_and_nobody_else(world: World) -> None:
    behind_proxy(world, by_address=2)
    bff = await world.bff(constants={"bff.http.api.BODY_SECONDS": 300})
    async with connections(bff, 2) as busy:
        for reader, writer in busy:
            writer.write(ENDLESS)
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        async with connections(bff, 1) as ((reader, _),):
            head = (await reader.read()).decode().splitlines()
        assert head[0] == "HTTP/1.1 503 Service Unavailable"
        assert {"Retry-After: 2", "Connection: close", "Cache-Control: no-store"} <= set(head)
        async with connections(bff, 1, SOMEBODY_ELSE) as (other,), connections(bff, 3, PROXY) as proxies:
            for streams in (other, *proxies):
                assert await answers(streams)


@pytest.mark.parametrize(
    "begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: a"], ids=["nothing", "a half"]
)
@pytest.mark.parametrize("before", [False, True], ids=["first", "later"])
async def test_who_sends_no_request_in_time_is_hung_up_on(world: World, begun: bytes, before: bool) -> None:
    """Also who sends a header byte by byte."""
    behind_proxy(world, idle_seconds=0.5, proxy_idle_seconds=300)
    bff = await world.bff()
    async with connections(bff, 1, PROXY) as (proxy,), connections(bff, 1) as (mine,):
        assert not before or await answers(mine)

        async def trickle() -> None:
            mine[1].write(begun)
            while begun:
                mine[1].write(b"a")
                await asyncio.sleep(0.05)

        sending = asyncio.create_task(trickle())
        assert await ended(mine)
        sending.cancel()
        assert await answers(proxy), "a proxy's connection is kept for longer than proxies keep it"


async def test_who_takes_no_answer_in_is_hung_up_on(world: World) -> None:
    behind_proxy(world, idle_seconds=300)
    bff = await world.bff(constants={"bff.http.server.ANSWER_SECONDS": 0.5})
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.bind((SOMEBODY, 0))
        client.connect(("127.0.0.1", bff.port))
        client.setblocking(False)
        large = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
        assert client.send(large * 400) == len(large) * 400

        async def hung_up() -> bool:
            try:
                client.send(HEALTH)
            except BlockingIOError:
                return False
            except ConnectionError:
                return True
            return False

        await until(hung_up)
    assert "Traceback" not in await asyncio.to_thread(bff.log.read_text)
