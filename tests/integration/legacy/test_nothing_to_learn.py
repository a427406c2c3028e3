"""While Argon2 is busy nobody learns who is on legacy, and nobody is shut out by strangers (invariant 9)."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bff.database import Database
from bff.legacy.argon2_pool import _verify
from bff.legacy.feature import _usual_digest
from tests.integration.bff.conftest import INVITE, PASSWORD, Bff, Reply
from tests.integration.legacy.conftest import CHEAP, LegacyWorld
from tests.waiting import until
from toolkit.database import ANYBODYS


def verify_when_let(digest: str, password: str) -> bool:
    """In place of the pool's own, in its processes: what is typed can be the name of a file that holds the slot."""
    while password.startswith("/") and Path(password).exists():
        time.sleep(0.02)
    return _verify(digest, password)


BUSY = {
    "bff.legacy.argon2_pool._verify": verify_when_let,
    "bff.legacy.passwords.WAITING_PER_SLOT": 1,
}


async def waiting(bff: Bff) -> float:
    metrics = (await bff.call("GET", "/metrics")).content
    return float(metrics.partition("\nbff_legacy_verifications ")[2].split()[0])


async def test_a_full_queue_looks_alike(world: LegacyWorld) -> None:
    world.login["legacy_slots"] = 1
    await world.legacy()
    await world.migrated()
    bff = await world.bff(constants=BUSY)
    people = ("clerk@example.com", "legacy@example.com", "nobody@example.com")
    hold = world.folder / "hold"
    hold.touch()
    strangers = []
    for number in range(2):
        strangers.append(
            asyncio.create_task(bff.login("legacy@example.com", str(hold), address=f"198.51.100.{number}"))
        )

        async def so_many(number: int = number) -> bool:
            return await waiting(bff) == number + 1

        await until(so_many)
    crowded = [(await bff.login(email, "wrong")).told for email in people]
    assert crowded == [crowded[0]] * 3
    assert (crowded[0][0], crowded[0][1]["code"]) == (503, "authentication_unavailable")
    assert (await bff.login("legacy@example.com")).status == 503
    assert (await bff.login("clerk@example.com")).status == 200
    hold.unlink()
    assert [reply.status for reply in await asyncio.gather(*strangers)] == [401, 401]
    wrong = [(await bff.login(email, "wrong")).told for email in people]
    assert wrong == [wrong[0]] * 3
    assert wrong[0][0] == 401
    assert (await bff.login("legacy@example.com")).status == 200


async def test_a_stranger_who_tries_often_is_not_waited_for(world: LegacyWorld) -> None:
    world.login["legacy_slots"] = 1
    await world.legacy()
    await world.legacy("owner@example.com")
    bff = await world.bff(constants={**BUSY, "bff.legacy.passwords.WAITING_PER_SLOT": 3})
    hold = world.folder / "hold"
    hold.touch()
    strangers = [
        asyncio.create_task(bff.login("legacy@example.com", str(hold), address="198.51.100.1"))
        for _ in range(4)
    ]

    async def all_wait() -> bool:
        return await waiting(bff) == len(strangers)

    await until(all_wait)
    owner = asyncio.create_task(bff.login("owner@example.com", PASSWORD))
    async with asyncio.timeout(30):
        turned_away = (await asyncio.wait(strangers, return_when=asyncio.FIRST_COMPLETED))[0]
    assert [task.result().status for task in turned_away] == [503], "the owner has the place of their last"
    hold.unlink()
    assert (await owner).status == 200
    assert sorted([(await task).status for task in strangers]) == [401, 401, 401, 503]


ODD = {
    "a megabyte": (b'"' + b"x" * 2**20 + b'"', 413),
    "more than a password may have": (b'"' + b"x" * 1025 + b'"', 400),
    "NUL": (b'"nul \\u0000 byte"', 400),
    "a raw NUL": (b'"nul \x00 byte"', 400),
    "a lone surrogate": (b'"half \\ud800 of a pair"', 400),
    "a lone surrogate in UTF-8": (b'"half \xed\xa0\x80 of a pair"', 400),
    "as long as a password may be": (json.dumps("\U0001f511" * 1024).encode(), 401),
    "a newline": (b'"new\\nline"', 401),
}


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_password_is_refused_alike(world: LegacyWorld, odd: str) -> None:
    await world.legacy("older@example.com")
    await world.migrated("clerk@example.com")
    bff = await world.bff()
    password, status = ODD[odd]
    # As long as each other: a fault in JSON is told with its place.
    people = ("clerk@example.com", "older@example.com", "other@example.com")

    async def post(path: str, field: bytes, **others: str) -> tuple[int, dict[str, Any]]:
        start = json.dumps(others)[:-1].encode() + (b", " if others else b"")
        async with aiohttp.request(
            "POST",
            bff.url + path,
            data=start + b'"' + field + b'": ' + password + b"}",
            headers={"Content-Type": "application/json"},
        ) as answer:
            return Reply(answer.status, await answer.json(), answer.headers).told

    told = [await post("/auth/login", b"password", email=email) for email in people]
    assert told == [told[0]] * 3
    assert told[0][0] == status
    await world.switch("signup", "clerk")
    await world.invite(uses=9)
    told = [await post("/auth/signup", b"password", email=email, invite=INVITE) for email in people]
    assert [status for status, _ in told] == [told[0][0]] * 3
    if status != 401:
        assert told == [told[0]] * 3
        assert told[0][0] == status
        assert (await post("/auth/password/reset/complete", b"new_password", reset_id="none"))[0] == status


async def test_nobody_costs_argon2_once_most_users_are_in_clerk(world: LegacyWorld) -> None:
    await world.legacy()
    await world.row("moved@example.com", clerk_id="user_1", hashed_password=CHEAP.hash(PASSWORD))
    async with Database(world.url, 2, ANYBODYS) as database:
        assert await _usual_digest(database) is not None
        await world.row("another@example.com", clerk_id="user_2")
        assert await _usual_digest(database) is None
