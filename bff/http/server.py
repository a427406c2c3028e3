"""aiohttp's server, for strangers: what it answers by itself quotes nothing, and no connection is kept that does nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import structlog
from aiohttp import web

from bff.http.addresses import parse_address
from bff.http.connections import Connections, raise_file_limit
from bff.http.headers import standing_headers
from bff.visitor import network_of
from toolkit.playbook.bff import BffSettings

ANSWER_SECONDS = 30.0
"""Seconds for a client to take an answer in."""

_log = structlog.get_logger("bff")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection."""

    network: str | None
    """What its connections are counted by; None when they are not."""
    idle_seconds: float


class Connection(web.RequestHandler):
    """A client's connection. A request's header must be there before the connection counts as idle for too long."""

    __slots__ = ("_server",)

    def __init__(self, server: "Server", **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server = server

    @property
    def idle(self) -> bool:
        """No request is being answered."""
        return not (self._request_in_progress or self._messages)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it, if there is room."""
        peer = self._server.peer(transport)
        if not self._server.counted.enter(self, peer.network):
            _log.warning("too many connections", network=peer.network)
            self._turn_away(cast("asyncio.WriteTransport", transport))
            return
        self._keepalive_timeout = peer.idle_seconds
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count it no more."""
        self._server.counted.leave(self)
        super().connection_lost(exc)

    def force_close(self) -> None:
        """At once. Closing in order would wait for a client that never reads what it was sent."""
        transport = self.transport
        super().force_close()
        if transport is not None:
            transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is not even HTTP, told without the words of aiohttp: those quote the request, cookies and all."""
        super().handle_error(request, status, exc, message)
        response = _plain(status)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer, to whom takes it in."""
        if isinstance(
            resp, web.HTTPException
        ):  # aiohttp refuses an `Expect` before any middleware, and quotes it
            resp = _plain(resp.status)
        for name, value in self._server.headers.items():
            resp.headers.setdefault(name, value)
        self._server.counted.use(self)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            self.force_close()
            return resp, True

    def _turn_away(self, transport: asyncio.WriteTransport) -> None:
        self.close()
        transport.write(self._server.full)
        transport.close()


class Server(web.Server):
    """Makes a connection of each that comes."""

    def __init__(self, made: web.Server, settings: BffSettings, headers: Mapping[str, str]) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory)
        self.headers = headers
        most = raise_file_limit() // 2  # the other half is for Postgres, Clerk, mail and the pages' files
        self.counted = Connections(most, settings.connections.by_address)
        self.full = _raw(HTTPStatus.SERVICE_UNAVAILABLE, {**headers, "Retry-After": "2"})
        """What somebody is told for whom there is no room."""
        self._settings = settings

    def __call__(self) -> Connection:
        """A connection that begins."""
        return Connection(self, loop=self._loop, access_log=None)

    def peer(self, transport: asyncio.BaseTransport) -> Peer:
        """Who connects. Trusted proxies bring many people: they have as many connections as there are, and longer."""
        name = transport.get_extra_info("peername")
        address = parse_address(name[0]) if isinstance(name, tuple) else None
        settings = self._settings
        if address is None or any(address in network for network in settings.trusted_proxies):
            return Peer(None, settings.connections.proxy_idle_seconds)
        return Peer(network_of(address), settings.connections.idle_seconds)


class Runner(web.AppRunner):
    """Runs an application on this server."""

    def __init__(self, app: web.Application, settings: BffSettings, headers: Mapping[str, str]) -> None:
        super().__init__(app, handle_signals=True)
        self._settings = settings
        self._headers = headers

    async def _make_server(self) -> web.Server:
        return Server(await super()._make_server(), self._settings, self._headers)


async def run(app: web.Application, host: str, port: int, settings: BffSettings, *, https: bool) -> None:
    """Serve until a signal ends it (web.GracefulExit). Raises OSError when it cannot listen there."""
    runner = Runner(app, settings, standing_headers(https=https))
    try:
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        _log.info("listening", text=site.name)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _plain(status: int) -> web.Response:
    return web.Response(status=status, text=f"{status} {HTTPStatus(status).phrase}\n")


def _raw(status: HTTPStatus, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "Content-Length: 0",
        "Connection: close",
    ]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()
