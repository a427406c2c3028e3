"""Invariant 2 as a machine: whatever happens to a user in whatever order, the password alone opens nothing that has a
second factor."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from typing import Any, ClassVar

import asyncpg
import pyotp
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.emulator import Emulator
from tests.integration.migration.conftest import CHEAP, TOTP_KEY, World, with_totp
from tests.postgres import Server
from toolkit.clerk import ClerkError, FrontendClient
from toolkit.migration.ledger import Ledger
from toolkit.migration.links import Sent

OTHER_FORM = "otpauth://totp/AX?secret={}&digits=8"
NUMBERS = itertools.count()


class Killed(BaseException):
    """The process is gone: nothing of the run goes on."""


class Change(StrEnum):
    """What happens to the user between what the import sends and the link that it then tries."""

    ENROL = "enrol"
    ENROL_OTHER = "enrol with codes that Clerk does not take"
    REMOVE = "remove"
    NEW_PASSWORD = "new password"
    SIGN_IN = "sign in"
    KILL = "kill"


class Failure(StrEnum):
    """What Clerk does not do, or does without an answer, once in an import."""

    LOST_CREATE = "POST /v1/users after"
    LOST_UPDATE = "PATCH /v1/users/* after"
    LOST_REMOVAL = "DELETE /v1/users/* after"
    REFUSED_CREATE = "POST /v1/users 403"
    REFUSED_UPDATE = "PATCH /v1/users/* 403"
    REFUSED_REMOVAL = "DELETE /v1/users/* 403"

    @property
    def fault(self) -> dict[str, Any]:
        """As the emulator takes it."""
        method, path, what = self.split(" ")
        effect = {"drop": "after"} if what == "after" else {"status": int(what)}
        return {"match": {"method": method, "path": path}, **effect}


class SecondFactor(RuleBasedStateMachine):
    """One user of AX, a row and at times a Clerk user. `secret` and `password` are what the application accepted last.

    A Clerk user opens an account of AX's when the row is linked to it (invariant 10). One that a killed or failed run
    left behind opens none, and the next run that ends has removed it or brought it up to date.
    """

    url: ClassVar[str]
    emulator: ClassVar[Emulator]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.secret: str | None = None
        self.linked = False
        self.ended = False
        """The last thing that happened was an import that came to its end."""
        self.changes: Iterator[list[Change]] = iter(())

    @initialize(enrolled=st.booleans())
    def sign_up(self, enrolled: bool) -> None:
        """The user, who has a second factor or none."""
        self.runner.run(self._sign_up(enrolled))

    @precondition(lambda self: self.linked)
    @rule(enrolled=st.booleans())
    def go_on_with_another(self, enrolled: bool) -> None:
        """There is no way back, and what can go wrong does so before the link."""
        self.runner.run(self.world.connection.close())
        self.runner.run(self._sign_up(enrolled))

    async def _sign_up(self, enrolled: bool) -> None:
        self.number = next(NUMBERS)
        self.email = f"user{self.number}@example.com"
        self.password = f"password {self.number}"
        self.secret, self.ended, self.linked = None, False, False
        self.world = World(self.url, await asyncpg.connect(self.url), self.emulator)
        await self.world.connection.execute(
            "TRUNCATE users, clerk_migration.sending, clerk_migration.import_ledger CASCADE"
        )
        self.id = await self.world.add(self.email, self.password)
        if enrolled:
            await self._enrol()

    @rule()
    def enrol(self) -> None:
        self.ended = False
        self.runner.run(self._enrol())

    @rule()
    def enrol_with_codes_that_clerk_does_not_take(self) -> None:
        self.ended = False
        self.runner.run(self._enrol(OTHER_FORM))

    @rule()
    def remove(self) -> None:
        self.ended = False
        self.runner.run(self._remove())

    @rule()
    def change_password(self) -> None:
        self.ended = False
        self.runner.run(self._change_password())

    @rule()
    def sign_in_at_clerk(self) -> None:
        """Somebody who knows the password goes to Clerk's own pages, where a Clerk user may be that no row knows of."""
        self.runner.run(self._sign_in())

    @precondition(lambda self: not self.linked)
    @rule(
        changes=st.lists(st.lists(st.sampled_from(Change), min_size=1, max_size=2), max_size=3),
        failure=st.none() | st.sampled_from(Failure),
    )
    def import_(self, changes: list[list[Change]], failure: Failure | None) -> None:
        """Import, while the application is at work before each link that is tried."""
        self.changes = iter(changes)
        if failure is not None:
            self.emulator.add_fault(failure.fault)
        self.ended = False
        with pytest.MonkeyPatch.context() as patch, suppress(Killed, ClerkError):
            patch.setattr(Ledger, "link", self._change_then_link())
            self.ended = self.runner.run(self.world.run()).leftovers is None
        self.emulator.clear_faults()

    def _change_then_link(self) -> Callable[[Ledger, Sent], Awaitable[bool]]:
        link = Ledger.link

        async def change_then_link(ledger: Ledger, sent: Sent) -> bool:
            await self._change()
            return await link(ledger, sent)

        return change_then_link

    async def _change(self) -> None:
        for change in next(self.changes, ()):
            match change:
                case Change.ENROL:
                    await self._enrol()
                case Change.ENROL_OTHER:
                    await self._enrol(OTHER_FORM)
                case Change.REMOVE:
                    await self._remove()
                case Change.NEW_PASSWORD:
                    await self._change_password()
                case Change.SIGN_IN:
                    await self._sign_in()
                case Change.KILL:
                    raise Killed

    @invariant()
    def the_password_alone_opens_what_has_no_second_factor_and_nothing_else(self) -> None:
        if hasattr(self, "world"):
            self.runner.run(self._check())

    async def _check(self) -> None:
        row = await self.world.connection.fetchrow(
            "SELECT clerk_id, enabled_2fa, totp_cipher, nonce FROM users WHERE id::text = $1", self.id
        )
        assert row is not None
        self.linked = row["clerk_id"] is not None
        if self.linked:
            await self._check_sign_in(row["clerk_id"])
        elif self.secret is not None:
            assert row["enabled_2fa"]
            opened = AESGCM(TOTP_KEY).decrypt(row["nonce"], row["totp_cipher"], None)
            assert opened.decode() == self.secret
        found = await self.world.clerk_user(self.id)
        if self.ended and found is not None and found.id != row["clerk_id"]:
            assert found.last_sign_in_at is not None, "only one that somebody signed in to stays"

    async def _check_sign_in(self, clerk_id: str) -> None:
        """The password of today is enough at Clerk alone, or with the authenticator of today."""
        async with FrontendClient(self.world.environment.clerk) as frontend:
            device = frontend.device(None, address=None)
            begun = await device.create_sign_in(self.email, self.password)
            if self.secret is None:
                assert begun.user_id == clerk_id
                return
            assert begun.status == "needs_second_factor"
            self.emulator.advance(30)  # a code works once
            code = pyotp.TOTP(self.secret).at(int(self.emulator.now()))
            done = await device.attempt_second_factor(begun.id, "totp", code)
            assert done.user_id == clerk_id

    async def _change_row(self, **columns: Any) -> bool:
        """What the application says while the user is on legacy; False when the user is in Clerk."""
        settings = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 2))
        done = await self.world.connection.execute(
            f"UPDATE users SET {settings} WHERE id::text = $1 AND clerk_id IS NULL",  # noqa: S608
            self.id,
            *columns.values(),
        )
        return bool(done == "UPDATE 1")

    async def _enrol(self, form: str = "{}") -> None:
        secret = pyotp.random_base32()
        if await self._change_row(**with_totp(form.format(secret))):
            self.secret = form.format(secret)
        else:
            async with self.world.clerk() as clerk:
                await clerk.update_user(await self._clerk_id(), totp_secret=secret)
            self.secret = secret

    async def _remove(self) -> None:
        self.secret = None
        if not await self._change_row(enabled_2fa=False, totp_cipher=None, nonce=None):
            async with self.world.clerk() as clerk:
                await clerk.disable_mfa(await self._clerk_id())

    async def _change_password(self) -> None:
        password = f"password {next(NUMBERS)} of {self.number}"
        if not await self._change_row(hashed_password=CHEAP.hash(password)):
            async with self.world.clerk() as clerk:
                await clerk.update_user(await self._clerk_id(), password=password, skip_password_checks=True)
        self.password = password

    async def _clerk_id(self) -> str:
        clerk_id = await self.world.clerk_id(self.id)
        assert clerk_id is not None
        return clerk_id

    async def _sign_in(self) -> None:
        async with FrontendClient(self.world.environment.clerk) as frontend:
            with suppress(ClerkError):
                await frontend.device(None, address=None).create_sign_in(self.email, self.password)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.runner.run(self.world.connection.close())
        self.runner.close()


def test_the_password_alone_never_opens_an_account_that_has_a_second_factor(
    postgres: Server, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariants 2 and 4, on both systems, over import, enrolment, removal, change of password, failure and kill."""

    class Machine(SecondFactor):
        pass

    Machine.url, Machine.emulator = postgres.create_database(), emulator
    monkeypatch.setattr(Ledger, "SECONDS", 0.0)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=80,
            stateful_step_count=10,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
