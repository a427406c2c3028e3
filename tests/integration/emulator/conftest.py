"""Plain clients for the emulator's APIs."""

import json
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from argon2 import PasswordHasher, Type
from multidict import CIMultiDictProxy

from tests.emulator import Emulator

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
SIGN_INS = "/v1/client/sign_ins"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ARGON2ID = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ARGON2I = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=Type.I)
DIGEST = ARGON2ID.hash(PASSWORD, salt=b"the same each time")


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    content: Any
    headers: CIMultiDictProxy[str]

    @property
    def refusal(self) -> tuple[int, str, str | None]:
        """Status, code and parameter of a refusal."""
        (error,) = self.content["errors"]
        assert error["message"]
        assert error["long_message"]
        assert self.content["clerk_trace_id"]
        return self.status, error["code"], error["meta"].get("param_name")


class Api:
    """Both APIs over plain HTTP, with the right key."""

    def __init__(self, session: aiohttp.ClientSession, emulator: Emulator) -> None:
        self._session = session
        self._url = emulator.url
        self._key = emulator.secret_key

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: list[tuple[str, str]] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request: `body` as JSON, or `data` as it is. `headers` replace the Authorization."""
        sent = {"Content-Type": "application/json"} if body is not None or data is not None else {}
        async with self._session.request(
            method,
            self._url + path,
            params=query,
            data=json.dumps(body).encode() if body is not None else data,
            headers={**sent, **({"Authorization": f"Bearer {self._key}"} if headers is None else headers)},
        ) as answer:
            return Reply(answer.status, await answer.json(), answer.headers)

    async def create(self, email: str | None = "ada@example.com", **body: Any) -> Reply:
        """Create a user with a password, unless told otherwise."""
        if email is not None:
            body = {"email_address": [email], **body}
        if "password" not in body and "password_digest" not in body:
            body = {"password_digest": DIGEST, "password_hasher": "argon2id", **body}
        return await self.call("POST", "/v1/users", body)

    async def created(self, email: str | None = "ada@example.com", **body: Any) -> dict[str, Any]:
        """A user that was created."""
        reply = await self.create(email, **body)
        assert reply.status == 200, reply.content
        return dict(reply.content)

    async def ids(self, *query: tuple[str, str]) -> list[str]:
        """The ids of the users that a list holds, in its order."""
        reply = await self.call("GET", "/v1/users", query=list(query))
        assert reply.status == 200, reply.content
        return [user["id"] for user in reply.content]


@dataclass
class Device:
    """An end user's device, which keeps the newest client token."""

    http: aiohttp.ClientSession
    emulator: Emulator
    headers: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    session_id: str | None = None

    async def call(self, method: str, path: str, **form: str) -> Reply:
        query = {"_is_native": "1", **({"_clerk_session_id": self.session_id} if self.session_id else {})}
        headers = {**(FORM if form else {}), **self.headers}
        if self.token is not None:
            headers["Authorization"] = self.token
        async with self.http.request(
            method,
            self.emulator.url + path,
            params=query,
            data=urllib.parse.urlencode(form) or None,
            headers=headers,
        ) as answer:
            self.token = answer.headers.get("Authorization", self.token)
            return Reply(answer.status, await answer.json(), answer.headers)

    async def done(self, method: str, path: str, **form: str) -> Any:
        """Send a request that must succeed; the resource that was answered."""
        reply = await self.call(method, path, **form)
        assert reply.status == 200, reply.content
        return reply.content["response"]

    async def refused(self, method: str, path: str, **form: str) -> tuple[int, str]:
        """Send a request that must be refused; status and code of the refusal."""
        return (await self.call(method, path, **form)).refusal[:2]

    async def sign_in(self, identifier: str = EMAIL, password: str = PASSWORD) -> Any:
        sign_in = await self.done(
            "POST", SIGN_INS, strategy="password", identifier=identifier, password=password
        )
        self.session_id = sign_in["created_session_id"] or self.session_id
        return sign_in

    async def code(self, to: str = EMAIL) -> str:
        """The code that was sent there last."""
        async with self.http.get(f"{self.emulator.url}/_sandbox/outbox", params={"to": to}) as answer:
            return str((await answer.json())[-1]["code"])

    async def advance(self, seconds: float) -> None:
        async with self.http.post(
            f"{self.emulator.url}/_sandbox/clock", json={"advance_seconds": seconds}
        ) as answer:
            assert answer.status == 200


@pytest.fixture
async def api(emulator: Emulator) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(session, emulator)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def device(http: aiohttp.ClientSession, emulator: Emulator) -> Device:
    emulator.settings(phone_number=True)
    return Device(http, emulator)


@pytest.fixture
def other(http: aiohttp.ClientSession, emulator: Emulator) -> Device:
    return Device(http, emulator)
