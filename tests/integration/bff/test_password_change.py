"""Changing one's password, and the rules for new ones."""

import asyncio

import pytest

from tests.door import Door
from tests.integration.bff.conftest import PASSWORD, Bff, Reply, World, most
from tests.waiting import until

NEW = "another long password"
EMAIL = "clerk@example.com"


async def change(bff: Bff, token: str, current: str = PASSWORD, new: str = NEW, **more: object) -> Reply:
    body = {"current_password": current, "new_password": new, **more}
    return await bff.call("POST", "/auth/password/change", body, token=token)


def told(reply: Reply) -> list[tuple[str, str]]:
    """Field and code of what is wrong."""
    assert reply.code == "fields_invalid", reply
    return [(fault["field"], fault["code"]) for fault in reply.content["errors"]]


async def active_sessions(world: World, clerk_id: str) -> int:
    async with world.clerk() as clerk:
        return len(await clerk.list_sessions(clerk_id, status="active"))


async def kinds(bff: Bff, token: str) -> set[str]:
    """What the owner is shown to have been done."""
    events = (await bff.call("GET", "/auth/events", token=token)).content["events"]
    return {event["kind"] for event in events}


async def test_a_password_is_changed_and_everybody_else_is_out(world: World) -> None:
    clerk_id = await world.migrated()
    bff = await world.bff()
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    assert (await change(bff, mine)).status == 204
    assert (await bff.login(EMAIL, NEW)).status == 200
    assert (await bff.login(EMAIL, PASSWORD)).code == "credentials_invalid"
    assert await bff.signed_in(mine)
    assert not await bff.signed_in(other)
    assert await kinds(bff, mine) == {"password_changed", "other_sessions_ended"}
    (mail,) = await world.mail(EMAIL, "mail")
    assert "password" in mail["subject"].lower()

    async def mine_and_the_new_one() -> bool:
        return await active_sessions(world, clerk_id) == 2

    await until(mine_and_the_new_one)


@pytest.mark.parametrize("sign_out_others", [True, False])
async def test_nobody_finishes_a_login_that_the_old_password_began(
    world: World, sign_out_others: bool
) -> None:
    await world.migrated(totp=True)
    bff = await world.bff()
    token = await world.token(bff, EMAIL)
    begun = (await bff.login(EMAIL)).content["challenge"]["id"]
    assert (await change(bff, token, sign_out_others=sign_out_others)).status == 204
    assert (await bff.finish(begun, await world.fresh_code())).code == "challenge_expired"


async def test_this_session_stays_and_stays_proven(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    assert (await change(bff, token)).status == 204
    assert (await bff.call("GET", "/auth/mfa", token=token)).status == 200, "its session in Clerk lives"
    assert (await bff.call("POST", "/auth/mfa/totp", token=token)).status == 201, "it is proven lately"


async def test_other_sessions_stay_if_that_is_wanted_but_prove_themselves_anew(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    assert (await change(bff, mine, sign_out_others=False)).status == 204
    assert await bff.signed_in(other)
    assert (await change(bff, other, NEW, PASSWORD)).code == "reauthentication_required"
    assert await kinds(bff, mine) == {"password_changed"}


async def test_it_needs_recent_proof(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    await world.age_proofs()
    assert (await change(bff, token)).code == "reauthentication_required"
    assert (
        await bff.call("POST", "/auth/password/change", {"current_password": "a", "new_password": "b"})
    ).code == ("session_required")


async def test_clerk_has_the_last_word_on_what_is_recent(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    await asyncio.to_thread(world.emulator.control, "POST", "clock", {"advance_seconds": 11 * 60})
    assert (await change(bff, token)).code == "reauthentication_required"


@pytest.mark.parametrize(
    ("current", "new", "fault"),
    [
        pytest.param("wrong", NEW, ("current_password", "incorrect"), id="wrong"),
        pytest.param(PASSWORD, "short", ("new_password", "form_password_length_too_short"), id="short"),
        pytest.param(PASSWORD, "x" * 73, ("new_password", "form_password_size_in_bytes_exceeded"), id="long"),
        pytest.param(PASSWORD, "iloveyou", ("new_password", "form_password_pwned"), id="pwned"),
        pytest.param(PASSWORD, PASSWORD, ("new_password", "form_new_password_matches_current"), id="reused"),
    ],
)
async def test_what_clerk_does_not_take_is_told_by_field(
    world: World, current: str, new: str, fault: tuple[str, str]
) -> None:
    await world.migrated()
    bff = await world.bff()
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    refused = await change(bff, mine, current, new)
    assert told(refused) == [fault]
    assert refused.content["errors"][0]["detail"]
    assert await bff.signed_in(other), "nothing happened"
    assert await kinds(bff, mine) == set()
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.changes") == 0


async def test_wrong_current_passwords_count_where_those_of_a_re_authentication_do(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    await world.migrated()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    for _ in range(7):  # what somebody with a session may try before Clerk would lock
        assert told(await change(bff, token, "wrong")) == [("current_password", "incorrect")]
    asked = world.emulator.stats()["requests"]["POST /v1/me/change_password"]
    assert told(await change(bff, token)) == [("current_password", "incorrect")], "nobody is asked any more"
    assert world.emulator.stats()["requests"]["POST /v1/me/change_password"] == asked
    assert (await bff.reauthenticate(token)).code == "fields_invalid"


async def test_new_passwords_that_are_not_taken_do_not_count(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    await world.migrated()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    for _ in range(8):
        await change(bff, token, new="short")
    assert (await change(bff, token)).status == 204


async def test_whoever_took_a_session_does_not_get_to_try_passwords(world: World) -> None:
    world.limits["reauthentication_by_session"] = most(2, 1_000_000)
    await world.migrated()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    codes = [(await change(bff, token, "wrong")).code for _ in range(3)]
    assert codes == ["fields_invalid", "fields_invalid", "too_many_attempts"]


async def test_with_clerk_out_nothing_changes(world: World) -> None:
    """Invariant 3."""
    await world.migrated()
    bff = await world.bff()
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    world.emulator.add_fault({"times": 100, "status": 503})
    assert (await change(bff, mine)).code == "authentication_unavailable"
    world.emulator.clear_faults()
    assert await bff.signed_in(other)


async def test_an_answer_that_is_lost_is_looked_up(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    world.emulator.add_fault({"match": {"path": "/v1/me/change_password"}, "drop": "after"})
    assert (await change(bff, mine)).status == 204
    assert not await bff.signed_in(other)
    assert "password_changed" in await kinds(bff, mine)


@pytest.mark.parametrize("drop", ["before", "after"])
async def test_what_became_of_a_change_that_nobody_finished_is_found_out(world: World, drop: str) -> None:
    """Invariant 7: so it is for a BFF that was killed in the middle, too."""
    await world.migrated()
    bff = await world.bff()
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    match = {"path": "/v1/me/change_password"}
    world.emulator.add_fault({"match": match, "times": 100, "drop": drop, "latency_ms": 500})
    changing = asyncio.create_task(change(bff, mine))
    await until(lambda: not world.emulator.is_idle())
    world.emulator.add_fault({"match": {"path": "/v1/users/*"}, "times": 100, "status": 503})
    assert (await changing).code == "authentication_unavailable"
    assert await bff.signed_in(other)
    world.emulator.clear_faults()
    await world.settle_changes()
    assert await bff.signed_in(other) is (drop == "before")
    assert await bff.signed_in(mine)
    assert ("password_changed" in await kinds(bff, mine)) is (drop == "after")


@pytest.mark.parametrize("refused", ["429", "connection"])
async def test_a_lost_answer_stays_lost_if_it_cannot_be_looked_up(world: World, refused: str) -> None:
    """Invariant 7: Clerk was asked for the change, whatever it is to be asked afterwards."""
    await world.migrated()
    async with Door(world.emulator.port) as door:
        bff = await world.bff(CLERK_API_URL=door.url, CLERK_FRONTEND_API_URL=world.emulator.url)
        mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
        match = {"path": "/v1/me/change_password"}
        world.emulator.add_fault({"match": match, "drop": "after", "latency_ms": 500})
        changing = asyncio.create_task(change(bff, mine))
        await until(lambda: not world.emulator.is_idle() and not world.emulator.faults())
        if refused == "429":
            world.emulator.add_fault({"match": {"path": "/v1/users/*"}, "times": 100, "status": 429})
        else:
            await door.shut()
        assert (await changing).code == "authentication_unavailable"
        assert await bff.signed_in(other)
    bff.stop()
    world.emulator.clear_faults()
    bff = await world.bff()
    await world.settle_changes()
    assert not await bff.signed_in(other)
    assert "password_changed" in await kinds(bff, mine)


async def test_a_change_that_takes_too_long_is_found_out(world: World) -> None:
    """The answer comes while nobody waits for it any more."""
    await world.migrated()
    bff = await world.bff({"bff.changes.ANSWER_SECONDS": 0.3})
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    world.emulator.add_fault({"match": {"path": "/v1/me/change_password"}, "latency_ms": 1000})
    assert (await change(bff, mine)).code == "authentication_unavailable"
    await until(world.emulator.is_idle)
    await world.settle_changes()
    assert not await bff.signed_in(other)
    assert await kinds(bff, mine) == {"password_changed", "other_sessions_ended"}


async def test_a_change_is_told_that_a_look_came_before(world: World) -> None:
    """Somebody looked, and it was not done yet: it does not happen silently for that."""
    await world.migrated()
    bff = await world.bff({"bff.changes.SECONDS": 0.05})
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    match = {"path": "/v1/me/change_password"}
    world.emulator.add_fault({"match": match, "latency_ms": 1200})
    changing = asyncio.create_task(change(bff, mine))

    async def shelved() -> bool:
        await world.connection.execute("UPDATE clerk_migration.changes SET look_at = now() WHERE NOT lost")
        return bool(await world.connection.fetchval("SELECT shelved_at FROM clerk_migration.changes"))

    await until(shelved)
    assert (await changing).status == 204
    assert not await bff.signed_in(other)
    events = await world.connection.fetch("SELECT kind FROM clerk_migration.security_events")
    assert sorted(event["kind"] for event in events) == ["other_sessions_ended", "password_changed"]
    assert len(await world.mail(EMAIL, "mail")) == 1
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.changes") == 0


async def test_a_session_from_before_the_move_is_proven_first(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    await world.connection.execute("UPDATE sessions SET clerk_session_id = NULL")
    assert (await change(bff, token)).code == "reauthentication_required"
    await bff.reauthenticate(token)
    assert (await change(bff, token)).status == 204


async def test_the_rules_are_the_instances(world: World) -> None:
    bff = await world.bff()
    rules = await bff.call("GET", "/auth/password/rules")
    assert rules.content == {
        "min_length": 8,
        "max_length": None,
        "max_bytes": 72,
        "requires": [],
        "min_strength": None,
    }


async def test_rules_that_the_instance_has_beside_lengths(world: World) -> None:
    await asyncio.to_thread(
        world.emulator.settings,
        password_min_length=12,
        password_max_length=64,
        password_requires=["uppercase", "numbers"],
        password_strength=3,
    )
    bff = await world.bff()
    assert (await bff.call("GET", "/auth/password/rules")).content == {
        "min_length": 12,
        "max_length": 64,
        "max_bytes": 72,
        "requires": ["uppercase", "number"],
        "min_strength": 3,
    }


async def test_without_clerk_nobody_knows_the_rules(world: World) -> None:
    await world.switch("legacy_login", "off")
    bff = await world.bff(CLERK_SECRET_KEY=None)
    assert (await bff.call("GET", "/auth/password/rules")).code == "authentication_unavailable"


async def test_a_login_that_passed_just_before_a_change_begins_anew(world: World) -> None:
    """Clerk let it in by the old password, and before it mints, the change is written down."""
    await world.migrated()
    bff = await world.bff()
    async with world.connection.transaction():
        user_id = await world.connection.fetchval("SELECT id FROM users FOR NO KEY UPDATE")
        under_way = asyncio.create_task(bff.login(EMAIL, PASSWORD))
        await until(lambda: sign_ins(world) == 1)
        await world.connection.execute(
            "INSERT INTO clerk_migration.security_events (user_id, kind, at) VALUES ($1, 'password_changed', clock_timestamp())",
            user_id,
        )
        assert not under_way.done()
    assert (await under_way).status == 200
    assert sign_ins(world) == 2


def sign_ins(world: World) -> int:
    return sum(world.emulator.stats()["requests"].get("POST /v1/client/sign_ins", {}).values())


async def test_whoever_got_in_elsewhere_with_the_old_password_is_a_stranger_there(world: World) -> None:
    """Else nine guesses on a thief's device would shut the owner out on their own."""
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    world.limit_logins(1000)
    await world.migrated()
    bff = await world.bff()
    thief = (await bff.login(EMAIL, delivery="bearer")).content["device"]
    owner = (await bff.login(EMAIL, delivery="bearer")).content
    body = {"current_password": PASSWORD, "new_password": NEW}
    headers = {"Cookie": f"__Host-ax_device={owner['device']}", "Origin": bff.url}
    done = await bff.call("POST", "/auth/password/change", body, token=owner["token"], **headers)
    assert done.status == 204
    for number in range(9):
        reply = await bff.login(EMAIL, "wrong", device=thief, address=f"203.0.113.{number}")
        assert reply.code == "credentials_invalid"
    at_home = await bff.login(EMAIL, NEW, delivery="bearer", device=owner["device"])
    assert at_home.content["status"] == "complete"
