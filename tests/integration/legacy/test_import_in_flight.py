"""A password that changes while its user is being imported, in every order: the newest one works (invariant 4)."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast
from uuid import UUID, uuid4

import pytest
from argon2 import PasswordHasher, extract_parameters

from bff.accounts import Account
from bff.database import Database
from bff.legacy import digests
from bff.legacy.password_system import LegacyPasswords
from bff.legacy.passwords import Passwords
from bff.legacy.rehashing import Rehashing
from bff.legacy.resets import LegacyResets
from bff.mail.mailer import Mailer
from bff.mail.mails import Mail
from bff.proof.service import Claim
from bff.proof.systems import Changed, Proved, State
from bff.refusals import ReauthenticationRequired
from bff.sessions.service import Session, User
from bff.tokens import Cipher
from bff.visitor import Visitor
from tests.integration.bff.conftest import PASSWORD, Bff
from tests.integration.bff.test_password_change import NEW, change
from tests.integration.legacy.conftest import CHEAP, LegacyWorld
from tests.integration.migration.conftest import World as Migration
from tests.integration.migration.test_races import WAITING
from tests.interleaving import Schedule, play_all, put_gates
from toolkit.database import ANYBODYS, Connection
from toolkit.migration.controls import Stop
from toolkit.migration.importer import Importer, import_users
from toolkit.migration.ledger import Ledger
from toolkit.migration.observer import Begun, Observer
from toolkit.migration.selection import Selection

WEAK = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1)
NOBODY = Visitor(None, None)


async def nothing(connection: Connection) -> None:
    """Writes nothing down."""


@dataclass
class Outbox:
    """Keeps the codes of mails."""

    codes: list[str] = field(default_factory=list)

    async def add(self, connection: object, mail: Mail) -> None:
        assert mail.code is not None
        self.codes.append(mail.code)


@dataclass
class Entering(Observer):
    """Has an import enter the schedule once it has begun."""

    schedule: Schedule

    def begun(self, run: Begun) -> None:
        self.schedule.enter("import")


@dataclass
class Case:
    """A user on legacy whose password is PASSWORD, and what may happen to it."""

    world: LegacyWorld
    bff: Bff
    database: Database
    passwords: Passwords
    email: str
    weak: str
    user_id: UUID

    @property
    def account(self) -> Account:
        return Account(
            self.user_id,
            self.email,
            email_verified=False,
            clerk_id=None,
            disabled=False,
            seen_at=datetime.now(UTC),
        )

    async def imported(self, schedule: Schedule) -> None:
        """The import, from where it reads the row."""
        migration = Migration(self.world.url, self.world.connection, self.world.emulator)
        await import_users(
            migration.environment,
            Selection(emails=(self.email,), limit=1),
            rate=float("inf"),
            stop=Stop(),
            observer=Entering(schedule),
        )

    async def changed(self, schedule: Schedule) -> None:
        """A change of the password to NEW."""
        schedule.enter("change")
        now = datetime.now(UTC)
        user = User(self.user_id, self.email, True, None, None, None)
        await LegacyPasswords(self.database, self.passwords).change(
            Session(uuid4(), user, now, now, now, None, now),
            Claim(self.account, self.email, None),
            PASSWORD,
            NEW,
            NOBODY,
            nothing,
            sign_out_others=True,
        )

    async def proven_reset(self) -> Callable[[Schedule], Awaitable[object]]:
        """The last step of a reset to NEW, whose code came back."""
        outbox = Outbox()
        resets = LegacyResets(self.database, Cipher(bytes(32)), self.passwords, cast("Mailer", outbox))
        sent = await resets.send_code(self.account, "email", NOBODY)
        state: State = await resets.check_code(self.account, sent.state, outbox.codes[0], "none", NOBODY)

        async def reset(schedule: Schedule) -> object:
            schedule.enter("reset")
            return await resets.set_password(self.account, state, NEW, NOBODY, nothing)

        return reset

    async def hashed_anew(self, schedule: Schedule) -> None:
        """The weak digest is made a strong one, since somebody just logged in."""
        schedule.enter("rehash")
        rehashing = Rehashing(self.database, self.passwords)
        await rehashing.hash_anew(self.user_id, self.weak, PASSWORD, os.urandom(16))

    async def system(self, password: str) -> str | None:
        """Who lets somebody in by a password; None for nobody."""
        reply = await self.bff.login(self.email, password)
        return str(reply.content["user"]["authentication"]) if reply.status == 200 else None

    async def is_moved(self) -> bool:
        return bool(
            await self.world.connection.fetchval(
                "SELECT clerk_id IS NOT NULL FROM users WHERE id = $1", self.user_id
            )
        )

    async def only_works(self, password: str, other: str) -> None:
        """One password logs in, where the user is by now, and the other does not."""
        assert await self.system(other) is None
        assert await self.system(password) == ("clerk" if await self.is_moved() else "legacy")


class Cases:
    """Makes cases, and plays them in every order."""

    def __init__(self, world: LegacyWorld, bff: Bff, database: Database, passwords: Passwords) -> None:
        self._world = world
        self._bff = bff
        self._database = database
        self._passwords = passwords
        self._count = 0

    async def new(self) -> Case:
        self._count += 1
        email, weak = f"user{self._count}@example.com", WEAK.hash(PASSWORD)
        user_id = UUID(await self._world.legacy(email, hashed_password=weak))
        return Case(self._world, self._bff, self._database, self._passwords, email, weak, user_id)

    async def play_all(self, play: Callable[[Schedule], Awaitable[None]], most: int | None = None) -> int:
        return await play_all(play, self._blocked, most)

    async def _blocked(self) -> bool:
        return bool(await self._world.connection.fetchval(WAITING))


@pytest.fixture
async def cases(world: LegacyWorld, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cases]:
    async def nobodys() -> None:
        return None

    monkeypatch.setattr(digests, "POLICY", extract_parameters(CHEAP.hash("")))
    monkeypatch.setattr(Importer, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(Ledger, "SECONDS", 0.0)
    world.limit_logins(100_000)
    bff = await world.bff()
    passwords = Passwords(nobodys, slots=1)
    put_gates(monkeypatch)
    async with Database(world.url, 4, ANYBODYS) as database:
        yield Cases(world, bff, database, passwords)
    passwords.close()


async def test_a_change_that_meets_an_import(cases: Cases) -> None:
    """One that comes too late is refused, and goes on with Clerk."""
    ends: set[str] = set()

    async def play(schedule: Schedule) -> None:
        case = await cases.new()
        results = await schedule.play(
            {"import": lambda: case.imported(schedule), "change": lambda: case.changed(schedule)}
        )
        assert results["import"] is None
        if isinstance(results["change"], ReauthenticationRequired):
            ends.add("refused")
            assert await case.is_moved()
            await case.only_works(PASSWORD, NEW)
            assert (await change(case.bff, await case.bff.token(case.email))).status == 204
        else:
            assert results["change"] is None
            ends.add("moved" if await case.is_moved() else "stays")
        await case.only_works(NEW, PASSWORD)

    assert await cases.play_all(play) > 50
    assert ends == {"refused", "moved", "stays"}


async def test_a_reset_that_meets_an_import(cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes too late sets nothing: it begins anew in Clerk. Some of the orders: all take minutes."""
    monkeypatch.setattr(Importer, "PAUSES", (0.0, 0.0))
    ends: set[str] = set()

    async def play(schedule: Schedule) -> None:
        case = await cases.new()
        reset = await case.proven_reset()
        results = await schedule.play(
            {"import": lambda: case.imported(schedule), "reset": lambda: reset(schedule)}
        )
        assert results["import"] is None
        if isinstance(results["reset"], Changed):
            ends.add("refused")
            assert await case.is_moved()
            await case.only_works(PASSWORD, NEW)
        else:
            assert isinstance(results["reset"], Proved)
            ends.add("moved" if await case.is_moved() else "stays")
            await case.only_works(NEW, PASSWORD)

    assert await cases.play_all(play, most=60) >= 60
    assert ends == {"refused", "moved", "stays"}


async def test_a_digest_that_is_hashed_anew_meets_an_import(cases: Cases) -> None:
    """The user goes over all the same, with the digest that the row has."""

    async def play(schedule: Schedule) -> None:
        case = await cases.new()
        results = await schedule.play(
            {"import": lambda: case.imported(schedule), "rehash": lambda: case.hashed_anew(schedule)}
        )
        assert results == {"import": None, "rehash": None}
        assert await case.is_moved()
        await case.only_works(PASSWORD, NEW)

    assert await cases.play_all(play) > 5


async def test_a_digest_that_is_hashed_anew_meets_a_change(cases: Cases) -> None:
    """The old password does not come back."""

    async def play(schedule: Schedule) -> None:
        case = await cases.new()
        results = await schedule.play(
            {"change": lambda: case.changed(schedule), "rehash": lambda: case.hashed_anew(schedule)}
        )
        assert results == {"change": None, "rehash": None}
        await case.only_works(NEW, PASSWORD)

    assert await cases.play_all(play) > 3
