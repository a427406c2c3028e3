"""A BFF as a process of its own, with AX's users on both systems."""

import asyncio
import base64
import contextlib
import json
import os
import socket
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import asyncpg
import pyotp
import pytest
import yaml

from tests.emulator import Emulator
from tests.integration.migration.conftest import AX_SOURCE
from tests.postgres import Server
from tests.processes import Running
from tests.waiting import SECONDS, until
from toolkit.clerk import BackendClient, ClerkConfig, FrontendClient
from toolkit.playbook.limits import LimitName

PASSWORD = "her long password"
INVITE = "AX-INVITE"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
TOTP_KEY = bytes(range(32))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def raw(port: int, request: bytes) -> bytes:
    """The answer to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(65536), 60)
    writer.close()
    return answer


def most(attempts: int, seconds: float = 60) -> dict[str, float]:
    """A limit as a playbook says it."""
    return {"attempts": attempts, "seconds": seconds}


W = TypeVar("W", bound="World")


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    content: Any
    headers: Any

    @property
    def code(self) -> str:
        """A problem's code."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self
        assert self.content["status"] == self.status
        return str(self.content["code"])

    @property
    def told(self) -> tuple[int, dict[str, Any]]:
        """What can be learned from it: all but the request's id."""
        return self.status, {name: value for name, value in self.content.items() if name != "request_id"}


@dataclass
class Bff:
    """A running BFF."""

    port: int
    process: Running
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        address: str = "203.0.113.1",
        **headers: str,
    ) -> Reply:
        sent = {
            "X-Forwarded-For": address,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, self.url + path, json=body, headers=sent) as answer,
        ):
            text = await answer.text()
            return Reply(answer.status, json.loads(text) if text.startswith("{") else text, answer.headers)

    async def login(self, email: str, password: str = PASSWORD, **more: Any) -> Reply:
        headers = {name: more.pop(name) for name in ("address", "Origin", "Cookie") if name in more}
        return await self.call(
            "POST", "/auth/login", {"email": email, "password": password, **more}, **headers
        )

    async def token(self, email: str, password: str = PASSWORD) -> str:
        reply = await self.login(email, password, delivery="bearer")
        assert reply.status == 200, reply
        return str(reply.content["token"])

    async def sign_up(self, email: str = "new@example.com", **more: Any) -> Reply:
        body = {"invite": INVITE, "email": email, "password": PASSWORD, **more}
        return await self.call("POST", "/auth/signup", body)

    async def verify(self, signup_id: str, code: str) -> Reply:
        return await self.call("POST", f"/auth/signup/{signup_id}/verify", {"code": code})

    async def resend(self, signup_id: str) -> Reply:
        return await self.call("POST", f"/auth/signup/{signup_id}/resend")

    async def finish(self, challenge: str, code: str, method: str = "totp", **more: Any) -> Reply:
        body = {"challenge_id": challenge, "method": method, "code": code}
        return await self.call("POST", "/auth/login/second-factor", body, **more)

    async def reauthenticate(self, token: str, password: str = PASSWORD, **more: Any) -> Reply:
        body = {"password": password, "delivery": "bearer", **more}
        return await self.call("POST", "/auth/reauthenticate", body, token=token)

    async def prove(self, token: str, challenge: str, code: str, method: str = "totp") -> Reply:
        body = {"challenge_id": challenge, "method": method, "code": code}
        return await self.call("POST", "/auth/reauthenticate/second-factor", body, token=token)

    async def signed_in(self, token: str) -> bool:
        return (await self.call("GET", "/auth/session", token=token)).status == 200

    async def metric(self, name: str) -> float:
        """What /metrics says of one, which is named with its labels."""
        lines = (await self.call("GET", "/metrics")).content.splitlines()
        (value,) = [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]
        return float(value)

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        self.process.stop()


@dataclass
class World:
    """Postgres, Clerk, and whoever is in them."""

    url: str
    connection: "asyncpg.Connection[asyncpg.Record]"
    emulator: Emulator
    folder: Path
    running: list[Bff] = field(default_factory=list)
    login: dict[str, Any] = field(default_factory=lambda: {"failure_seconds": 0.05})
    session: dict[str, Any] = field(default_factory=dict)
    signup: dict[str, Any] = field(default_factory=lambda: {"answer_seconds": 0.05, "clerk_seconds": 2})
    limits: dict[LimitName, Any] = field(
        default_factory=lambda: {
            "sign_in_by_address": most(1000),
            "code_by_address": most(1000),
            "signup_by_address": most(1000),
            "signup_by_email": most(1000),
            "signup_code_by_address": most(1000),
            "signup_pause_by_signup": most(1, 0.02),
            "phone_pause_by_number": most(1, 0.02),
            "code_pause_by_challenge": most(1, 0.02),
            "reset_by_address": most(1000),
            "reset_by_account": most(1000),
            "reset_code_by_address": most(1000),
        }
    )
    settings: dict[str, Any] = field(default_factory=dict)
    """Of a playbook's `bff`, in place of what is said here."""
    files: int | None = None
    """As many may a BFF have open at most."""

    system = "clerk"
    """Who checks the users that `add` makes."""

    @property
    def variables(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.url,
            "CLERK_SECRET_KEY": self.emulator.secret_key,
            "CLERK_PUBLISHABLE_KEY": self.emulator.publishable_key,
            "CLERK_API_URL": self.emulator.url,
            "CLERK_FRONTEND_API_URL": self.emulator.url,
            "CLERK_PROXY_URL": f"{self.emulator.url}/__clerk",
            "AX_TOTP_KEY": base64.b64encode(TOTP_KEY).decode(),
            "AX_CLIENT_TOKEN_KEY": base64.b64encode(b"k" * 32).decode(),
            "SMTP_URL": f"smtp://127.0.0.1:{self.emulator.smtp_port}",
        }

    async def bff(self, constants: Mapping[str, object] | None = None, **changed: str | None) -> Bff:
        """Start a BFF; a variable that is None is not set. For `constants` see `Running`."""
        port = free_port()
        playbook = self.playbook(f"http://127.0.0.1:{port}")
        given = {name: value for name, value in {**self.variables, **changed}.items() if value is not None}
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("CLERK_", "AX_"))}
        log = self.folder / f"bff{len(self.running)}.log"
        process = Running(
            *("bff", "--env", str(playbook), "--port", str(port)),
            variables={**clean, **given},
            log=log,
            constants=constants,
            files=self.files,
        )
        started = Bff(port, process, log)
        self.running.append(started)

        async def answers() -> bool:
            assert process.returncode is None, log.read_text()
            with contextlib.suppress(aiohttp.ClientConnectionError):
                return (await started.call("GET", "/healthz")).status == 200
            return False

        await until(answers)
        return started

    def playbook(self, *origins: str) -> Path:
        """Write a playbook for a BFF; its path."""
        playbook = self.folder / f"bff{len(self.running)}.yaml"
        playbook.write_text(
            yaml.safe_dump(
                {
                    "clerk_instance": "development",
                    "source": AX_SOURCE,
                    "bff": {
                        "trusted_proxies": ["127.0.0.0/8"],
                        "origins": list(origins),
                        "login": self.login,
                        "signup": self.signup,
                        "session": self.session,
                        "limits": self.limits,
                        "public_url": "https://app.example.com",
                        **self.settings,
                    },
                }
            )
        )
        return playbook

    async def invite(self, code: str = INVITE, uses: int = 1) -> None:
        await self.connection.execute(
            "INSERT INTO invites (code_hash, uses_left) VALUES (sha256($1), $2)", code.encode(), uses
        )

    async def uses_left(self, code: str = INVITE) -> int:
        return int(
            await self.connection.fetchval(
                "SELECT uses_left FROM invites WHERE code_hash = sha256($1)", code.encode()
            )
        )

    async def switch(self, name: str, value: str) -> None:
        await self.connection.execute(
            "UPDATE clerk_migration.switches SET value = $2 WHERE name = $1", name, value
        )

    async def mail(self, to: str, purpose: str = "email_code", *, count: int = 1) -> list[dict[str, Any]]:
        """The mails to an address, once there are `count` of them."""
        async with asyncio.timeout(SECONDS):
            while True:
                outbox = await asyncio.to_thread(
                    self.emulator.control, "GET", f"outbox?to={urllib.parse.quote(to)}"
                )
                found = [mail for mail in outbox if mail["purpose"] == purpose]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.05)

    async def people_in_clerk(self, count: int) -> None:
        """Wait until Clerk has so many users."""

        async def so_many() -> bool:
            return (await self.people())[0] == count

        await until(so_many)

    async def people(self) -> tuple[int, int]:
        """Users in Clerk, and in AX."""
        async with self.clerk() as clerk:
            return await clerk.count_users(), await self.connection.fetchval("SELECT count(*) FROM users")

    def clerk(self) -> BackendClient:
        return BackendClient(ClerkConfig.from_environment(self.variables), rate=None, deadline=3)

    async def row(self, email: str, **columns: Any) -> str:
        """A row of `users`; the id."""
        row = {"email": email, **columns}
        names, places = ", ".join(row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
        statement = f"INSERT INTO users ({names}) VALUES ({places}) RETURNING id::text"  # noqa: S608
        return str(await self.connection.fetchval(statement, *row.values()))

    async def migrated(self, email: str = "clerk@example.com", *, totp: bool = False, **more: Any) -> str:
        """A user whom Clerk checks; the Clerk id."""
        async with self.clerk() as clerk:
            made = await clerk.create_user(
                email_address=email, password=PASSWORD, totp_secret=SECRET if totp else None, **more
            )
        await self.row(email, clerk_id=made.id)
        return made.id

    async def phones(self, *numbers: str, totp: bool = False, email: str = "clerk@example.com") -> None:
        """A user whom Clerk checks, with numbers as second factors."""
        await asyncio.to_thread(self.emulator.settings, phone_number=True)
        clerk_id = await self.migrated(email)
        async with FrontendClient(ClerkConfig.from_environment(self.variables)) as frontend:
            device = frontend.device(None, address=None)
            session = (await device.create_sign_in(email, PASSWORD)).session
            assert session is not None
            phones = [
                await device.create_phone_number(session.id, number, reserved_for_second_factor=True)
                for number in numbers
            ]
            for phone in phones:
                await device.prepare_phone_number(session.id, phone.id)
                code = (await self.mail(phone.phone_number, "phone_code"))[-1]["code"]
                await device.verify_phone_number(session.id, phone.id, code)
        if totp:
            async with self.clerk() as clerk:
                await clerk.update_user(clerk_id, totp_secret=SECRET)

    async def phone_to_reset_with(self, number: str, email: str = "clerk@example.com") -> None:
        """A user whom Clerk checks, with a number that is no second factor: the code of a reset may go there."""
        await asyncio.to_thread(self.emulator.settings, phone_number=True, phone_number_identifies=True)
        await self.migrated(email)
        await self.add_phone(number, email)

    async def add_phone(self, number: str, email: str) -> None:
        """As whoever has the password may do at Clerk itself: add a number, and verify it."""
        async with FrontendClient(ClerkConfig.from_environment(self.variables)) as frontend:
            device = frontend.device(None, address=None)
            session = (await device.create_sign_in(email, PASSWORD)).session
            assert session is not None
            phone = await device.create_phone_number(session.id, number)
            await device.prepare_phone_number(session.id, phone.id)
            code = (await self.mail(number, "phone_code"))[-1]["code"]
            await device.verify_phone_number(session.id, phone.id, code)

    async def compromise(self, clerk_id: str) -> None:
        """Let Clerk want a new password of a user."""
        path = f"/v1/users/{clerk_id}/password/set_compromised"
        key = {"Authorization": f"Bearer {self.emulator.secret_key}"}
        async with aiohttp.request("POST", self.emulator.url + path, json={}, headers=key) as done:
            assert done.status == 200

    async def add(self, email: str = "somebody@example.com", *, totp: bool = False) -> str:
        """A user of the system that the tests are about; the address."""
        await self.migrated(email, totp=totp)
        return email

    async def age_proofs(self) -> None:
        """Let everybody's last proof be too long ago."""
        await self.connection.execute("UPDATE sessions SET proved_at = now() - interval '11 minutes'")

    async def fresh_code(self, secret: str = SECRET) -> str:
        """A code of the authenticator that was not used yet: half a minute later by the checking system's clock."""
        put = await asyncio.to_thread(self.emulator.control, "POST", "clock", {"advance_seconds": 30})
        return pyotp.TOTP(secret).at(put["now"] // 1000)

    async def token(self, bff: Bff, email: str) -> str:
        """A session of somebody with an authenticator."""
        challenge = (await bff.login(email, delivery="bearer")).content["challenge"]["id"]
        done = await bff.finish(challenge, await self.fresh_code())
        assert done.status == 200, done
        return str(done.content["token"])

    async def id_of(self, email: str) -> str:
        return str(await self.connection.fetchval("SELECT id::text FROM users WHERE email = $1", email))

    async def settle_changes(self) -> None:
        """Let it be time to find out what became of the changes that nobody finished, and wait for that."""
        await self.connection.execute("UPDATE clerk_migration.changes SET look_at = now()")

        async def settled() -> bool:
            return not await self.connection.fetchval(
                "SELECT count(*) FROM clerk_migration.changes WHERE shelved_at IS NULL"
            )

        await until(settled)

    def limit_logins(self, attempts: int, seconds: float = 1_000_000) -> None:
        """Limit the logins that somebody's account is meant by."""
        self.limits["login_by_account"] = most(attempts, seconds)

    async def counts(self) -> dict[tuple[str, str], int]:
        records = await self.connection.fetch("SELECT path, outcome, count FROM clerk_migration.login_counts")
        return {(record["path"], record["outcome"]): record["count"] for record in records}


@contextlib.asynccontextmanager
async def new_world(made: type[W], postgres: Server, emulator: Emulator, folder: Path) -> AsyncIterator[W]:
    """A database and an emulator with nobody in them. Its BFFs are killed at the end."""
    url = postgres.create_database()
    connection = await asyncpg.connect(url)
    world = made(url, connection, emulator, folder)
    yield world
    for bff in world.running:
        bff.kill()
    await connection.close()


@pytest.fixture
async def world(postgres: Server, emulator: Emulator, tmp_path: Path) -> AsyncIterator[World]:
    async with new_world(World, postgres, emulator, tmp_path) as world:
        yield world


def code_now() -> str:
    return pyotp.TOTP(SECRET).now()


def wrong_code() -> str:
    return "000000" if code_now() != "000000" else "111111"
