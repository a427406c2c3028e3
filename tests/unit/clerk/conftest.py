"""A server that takes down what it is sent and answers what it is told to."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import orjson
import pytest
from aiohttp import web
from aiohttp.pytest_plugin import AiohttpServer
from multidict import CIMultiDict
from pydantic import JsonValue, SecretStr

from toolkit.clerk import BackendClient, ClerkConfig

SECRET_KEY = "sk_test_aaaabbbbccccdddd"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    """As it was sent, with the query."""
    headers: CIMultiDict[str]
    body: JsonValue
    peer: object


@dataclass
class Recorder:
    """Answers with `status` and `body` until told otherwise; `drop` closes the connection instead."""

    url: str = ""
    status: int = 200
    body: JsonValue = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    requests: list[Request] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        assert request.transport is not None
        self.requests.append(
            Request(
                request.method,
                request.raw_path,
                CIMultiDict(request.headers),
                _decode(request.content_type, content),
                request.transport.get_extra_info("peername"),
            )
        )
        if self.drop:
            request.transport.abort()
        return web.json_response(self.body, status=self.status, headers=self.headers)

    @property
    def only(self) -> Request:
        """The one request that came."""
        assert len(self.requests) == 1
        return self.requests[0]


def _decode(content_type: str, content: bytes) -> JsonValue:
    """JSON, or a form's fields."""
    if content_type == "application/x-www-form-urlencoded":
        return dict[str, JsonValue](
            parse_qsl(content.decode(), keep_blank_values=True, strict_parsing=bool(content))
        )
    return orjson.loads(content) if content else None


@pytest.fixture
async def recorder(aiohttp_server: AiohttpServer) -> Recorder:
    recorder = Recorder()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", recorder.handle)
    server = await aiohttp_server(application)
    recorder.url = str(server.make_url("")).rstrip("/")
    return recorder


@pytest.fixture
async def clerk(recorder: Recorder) -> AsyncIterator[BackendClient]:
    config = ClerkConfig(secret_key=SecretStr(SECRET_KEY), api_url=recorder.url)
    async with BackendClient(config, rate=None) as client:
        yield client
