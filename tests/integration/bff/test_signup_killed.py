"""A signup whose process is killed, at every place where it waits (invariants 5 and 7)."""

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.bff import killed
from tests.integration.bff.conftest import INVITE, PASSWORD, Reply, World
from tests.integration.bff.test_signup import NOTHING, nothing_is_left, stored, sweep
from tests.waiting import until

NEW = "new@example.com"


async def prepare(world: World) -> None:
    world.login["legacy_slots"] = 1
    await world.switch("signup", "clerk")
    await world.invite()


async def complete(world: World, *, verified: bool) -> None:
    """There is one person, known to Clerk and AX as the same, and the invite is used."""
    assert await world.people() == (1, 1)
    assert await world.uses_left() == 0
    row = await world.connection.fetchrow("SELECT * FROM users")
    assert row is not None
    async with world.clerk() as clerk:
        user = await clerk.get_user(row["clerk_id"])
    assert user.external_id == str(row["id"])
    assert [email.email_address for email in user.email_addresses] == [row["email"]] == [NEW]
    if verified:
        assert user.email_addresses[0].verified
        assert row["email_verified_at"] is not None


async def test_a_signup_killed_wherever_it_waits(world: World) -> None:
    await prepare(world)
    playbook, seen = world.playbook(), set()
    body = {"invite": INVITE, "email": NEW, "password": PASSWORD}
    for last in itertools.count(1):
        reply = await asyncio.to_thread(
            killed.call, playbook, world.variables, "POST", "/auth/signup", body, last
        )
        left = await stored(world)
        seen.add(left.get("state", "not begun"))
        await sweep(world)
        if await world.people() == (0, 0):
            await nothing_is_left(world)
        else:
            await complete(world, verified=False)
            await sweep(world, unverified=NOTHING)
            await nothing_is_left(world)
        assert (
            await world.connection.fetchval(
                "SELECT count(*) FROM clerk_migration.signups WHERE state <> 'undone'"
            )
            == 0
        )
        await world.connection.execute("DELETE FROM clerk_migration.signups")
        if reply is not None:
            assert reply["http_status"] == 201, reply
            break
    assert seen == {"not begun", "invite_taken", "row_created", "code_sent"}
    assert last > 20, "there are many places"


async def test_a_verification_killed_wherever_it_waits(world: World) -> None:
    await prepare(world)
    bff, playbook, ends = await world.bff(), world.playbook(), set()
    for last in itertools.count(1):
        begun = await bff.sign_up()
        signup_id = begun.content["signup_id"]
        code = (await world.mail(NEW, count=last))[-1]["code"]
        path = f"/auth/signup/{signup_id}/verify"
        reply = await asyncio.to_thread(
            killed.call, playbook, world.variables, "POST", path, {"code": code}, last
        )
        await sweep(world)
        await complete(world, verified=reply is not None)
        swept = await sweep(world, unverified=NOTHING)
        if await world.people() == (0, 0):
            ends.add("undone")
            await nothing_is_left(world)
        else:
            ends.add("finished" if swept.finished else "done")
            await complete(world, verified=True)
            async with world.clerk() as clerk:
                await clerk.delete_user((await stored(world))["clerk_id"])
            await world.connection.execute("DELETE FROM users; UPDATE invites SET uses_left = 1")
        await world.connection.execute("DELETE FROM clerk_migration.signups")
        if reply is not None:
            break
    assert ends == {"undone", "finished", "done"}


async def test_an_abandonment_killed_wherever_it_waits(world: World) -> None:
    await prepare(world)
    bff, playbook, states = await world.bff(), world.playbook(), set()
    for last in itertools.count(1):
        signup_id = (await bff.sign_up()).content["signup_id"]
        path = f"/auth/signup/{signup_id}"
        reply = await asyncio.to_thread(killed.call, playbook, world.variables, "DELETE", path, None, last)
        state = (await stored(world))["state"]
        states.add(state)
        await sweep(world)
        if state == "code_sent":
            await complete(world, verified=False)
            await sweep(world, unverified=NOTHING)
        await nothing_is_left(world)
        await world.connection.execute("DELETE FROM clerk_migration.signups")
        if reply is not None:
            assert reply == {"http_status": 204}
            break
    assert states == {"code_sent", "undoing", "undone"}


async def test_verified_and_abandoned_at_once_is_one_of_the_two(world: World) -> None:
    await prepare(world)
    world.emulator.settings(latency_ms=20)
    bffs = [await world.bff(), await world.bff()]
    for turn in range(8):
        signup_id = (await bffs[0].sign_up()).content["signup_id"]
        path = f"/auth/signup/{signup_id}"
        code = (await world.mail(NEW, count=turn + 1))[-1]["code"]

        async def abandon(path: str, seconds: float) -> Reply:
            await asyncio.sleep(seconds)
            return await bffs[1].call("DELETE", path)

        verified, abandoned = await asyncio.gather(
            bffs[0].verify(signup_id, code), abandon(path, turn * 0.01)
        )
        assert (verified.status == 200) != (abandoned.status == 204)
        await sweep(world)
        if verified.status == 200:
            await complete(world, verified=True)
            async with world.clerk() as clerk:
                await clerk.delete_user((await stored(world))["clerk_id"])
            await world.connection.execute("DELETE FROM users; UPDATE invites SET uses_left = 1")
        await nothing_is_left(world)
        await world.connection.execute("DELETE FROM clerk_migration.signups")


@dataclass(frozen=True)
class Attempt:
    """A signup in a process of its own, which is perhaps killed."""

    email: str
    invite: str
    password: str
    last: int


INVITES = {"AX-ONE": 1, "AX-TWO": 2}
NEVER = 10**9
ATTEMPTS = st.builds(
    Attempt,
    email=st.sampled_from(["a@example.com", "A@example.com", "b@example.com", "ax@example.com"]),
    invite=st.sampled_from(list(INVITES)),
    password=st.sampled_from([PASSWORD, PASSWORD, "short"]),
    last=st.one_of(st.just(NEVER), st.integers(1, 40)),
)
FAULTS = st.builds(
    lambda path, fault, times: {"match": {"path": path}, "times": times, **fault},
    st.sampled_from(["/v1/users", "/v1/users/*", "/v1/sign_in_tokens", "/v1/client/*", "/v1/me*"]),
    st.sampled_from([{"drop": "before"}, {"drop": "after"}, {"status": 503}, {"latency_ms": 300}]),
    st.integers(1, 3),
)


async def mix(world: World, attempts: list[Attempt], faults: list[dict[str, Any]]) -> None:
    """Run the attempts side by side, sweep, and compare Clerk, AX and the invites."""
    for fault in faults:
        await asyncio.to_thread(world.emulator.add_fault, fault)
    playbook = world.playbook()
    await asyncio.gather(
        *(
            asyncio.to_thread(
                killed.call,
                playbook,
                world.variables,
                "POST",
                "/auth/signup",
                {"invite": attempt.invite, "email": attempt.email, "password": attempt.password},
                attempt.last,
            )
            for attempt in attempts
        )
    )
    await asyncio.to_thread(world.emulator.clear_faults)
    await until(world.emulator.is_idle)
    await sweep(world)
    rows = await world.connection.fetch("SELECT id::text, clerk_id FROM users WHERE clerk_id IS NOT NULL")
    async with world.clerk() as clerk:
        users = [user async for user in clerk.iterate_users()]
    assert {(user.external_id, user.id) for user in users} == {tuple(row) for row in rows}
    records = await world.connection.fetch(
        "SELECT state, count(*) FROM clerk_migration.signups WHERE state <> 'undone' GROUP BY 1"
    )
    waiting = {record["state"]: record["count"] for record in records}
    assert waiting.keys() <= {"code_sent", "decoy"}
    assert waiting.get("code_sent", 0) == len(rows)
    left = [await world.uses_left(invite) for invite in INVITES]
    assert sum(left) + sum(waiting.values()) == sum(INVITES.values())
    await sweep(world, unverified=NOTHING)
    assert await world.people() == (0, 1), "ax@example.com alone"
    assert [await world.uses_left(invite) for invite in INVITES] == list(INVITES.values())


async def test_signups_side_by_side_with_faults_and_kills(world: World) -> None:
    world.login["legacy_slots"] = 1
    await world.switch("signup", "clerk")
    for invite, uses in INVITES.items():
        await world.invite(invite, uses)
    await world.row("ax@example.com")
    loop = asyncio.get_running_loop()

    @settings(max_examples=12, database=None)
    @given(attempts=st.lists(ATTEMPTS, min_size=2, max_size=5), faults=st.lists(FAULTS, max_size=2))
    def run(attempts: list[Attempt], faults: list[dict[str, Any]]) -> None:
        asyncio.run_coroutine_threadsafe(mix(world, attempts, faults), loop).result(280)

    await asyncio.to_thread(run)
