"""A plain client for the emulator's APIs."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from argon2 import PasswordHasher, Type
from multidict import CIMultiDictProxy

from tests.emulator import Emulator

PASSWORD = "correct horse battery"
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


@pytest.fixture
async def api(emulator: Emulator) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(session, emulator)
