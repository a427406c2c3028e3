"""Changing a password that AX keeps."""

import pytest
from argon2 import PasswordHasher, extract_parameters

from tests.integration.bff.conftest import PASSWORD
from tests.integration.bff.test_password_change import NEW, change, kinds, told
from tests.integration.bff.test_password_reset import verify
from tests.integration.legacy.conftest import CHEAP, LegacyWorld
from tests.integration.legacy.test_password_reset import begin, code

EMAIL = "legacy@example.com"
WEAK = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1)


async def test_a_password_is_changed_and_everybody_else_is_out(world: LegacyWorld) -> None:
    await world.legacy(hashed_password=WEAK.hash(PASSWORD))
    bff = await world.bff()
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    assert (await change(bff, mine)).status == 204
    assert (await bff.login(EMAIL, NEW)).content["user"]["authentication"] == "legacy"
    assert (await bff.login(EMAIL, PASSWORD)).code == "credentials_invalid"
    assert await bff.signed_in(mine)
    assert not await bff.signed_in(other)
    assert await kinds(bff, mine) == {"password_changed", "other_sessions_ended"}
    (mail,) = await world.mail(EMAIL, "mail")
    assert "password" in mail["subject"].lower()
    digest = await world.connection.fetchval("SELECT hashed_password FROM users")
    assert extract_parameters(digest) == extract_parameters(CHEAP.hash(""))
    assert (await change(bff, mine, NEW, PASSWORD)).status == 204, "this session stays proven"


@pytest.mark.parametrize(
    ("current", "new", "fault"),
    [
        pytest.param("wrong", NEW, ("current_password", "incorrect"), id="wrong"),
        pytest.param(PASSWORD, "x" * 7, ("new_password", "too_short"), id="short"),
        pytest.param(PASSWORD, "ä" * 37, ("new_password", "too_long"), id="long"),
        pytest.param(PASSWORD, PASSWORD, ("new_password", "same_as_current"), id="reused"),
    ],
)
async def test_what_is_not_taken_is_told_by_field(
    world: LegacyWorld, current: str, new: str, fault: tuple[str, str]
) -> None:
    await world.legacy()
    bff = await world.bff()
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    assert told(await change(bff, mine, current, new)) == [fault]
    assert await bff.signed_in(other), "nothing happened"
    assert (await bff.login(EMAIL)).status == 200
    assert await kinds(bff, mine) == set()


async def test_it_needs_recent_proof(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    await world.age_proofs()
    assert (await change(bff, token)).code == "reauthentication_required"


async def test_whoever_was_moved_meanwhile_goes_on_with_clerk(world: LegacyWorld) -> None:
    """Invariant 3."""
    await world.legacy()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    await world.move(EMAIL)
    assert (await change(bff, token)).code == "reauthentication_required"
    await bff.reauthenticate(token)
    assert (await change(bff, token)).status == 204
    assert (await bff.login(EMAIL, NEW)).content["user"]["authentication"] == "clerk"
    assert (await bff.login(EMAIL)).code == "credentials_invalid"


@pytest.mark.parametrize("meanwhile", ["moved", "hashed anew"])
async def test_what_becomes_of_the_digest_is_not_taken_for_a_change(
    world: LegacyWorld, meanwhile: str
) -> None:
    """A BFF died over a change, which was not made; then the row is another all the same."""
    await world.legacy()
    bff = await world.bff()
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    async with world.nothing_written_down():
        assert (await change(bff, mine)).status >= 500
    if meanwhile == "moved":
        await world.move(EMAIL)
    else:
        await world.connection.execute("UPDATE users SET hashed_password = $1", CHEAP.hash(PASSWORD))
    await world.settle_changes()
    assert await bff.signed_in(other)
    assert await kinds(bff, mine) == set()
    assert (await bff.login(EMAIL, PASSWORD)).status == 200


async def test_a_change_that_takes_too_long_is_not_made(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff({"bff.changes.ANSWER_SECONDS": 0.0})
    mine, other = await bff.token(EMAIL), await bff.token(EMAIL)
    assert (await change(bff, mine)).code == "authentication_unavailable"
    await world.settle_changes()
    assert await bff.signed_in(other)
    assert await kinds(bff, mine) == set()
    assert [(await bff.login(EMAIL, password)).status for password in (NEW, PASSWORD)] == [401, 200]


@pytest.mark.parametrize("statement", ["hashed_password = NULL", "disabled_at = now()"])
async def test_whose_password_it_is_not_any_more_changes_nothing(world: LegacyWorld, statement: str) -> None:
    await world.legacy()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    await world.connection.execute(f"UPDATE users SET {statement}")  # noqa: S608
    assert (await change(bff, token)).code in ("fields_invalid", "session_required")
    assert (await bff.login(EMAIL, NEW)).status == 401


async def test_with_the_switch_off_nothing_changes(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    await world.switch("legacy_login", "off")
    assert (await change(bff, token)).code == "reauthentication_required"
    await world.switch("legacy_login", "on")
    assert (await bff.login(EMAIL)).status == 200


async def test_it_ends_the_code_of_a_reset_that_is_under_way(world: LegacyWorld) -> None:
    """Whoever began the reset must not learn more than that the code is wrong (invariant 9)."""
    await world.legacy()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    reset_id = await begin(bff)
    sent = await code(world)
    assert (await change(bff, token)).status == 204
    assert (await verify(bff, reset_id, sent)).code == "code_invalid"


async def test_the_rules_are_the_strictest(world: LegacyWorld) -> None:
    bff = await world.bff()
    rules: dict[str, object] = {
        "min_length": 8,
        "max_length": None,
        "max_bytes": 72,
        "requires": [],
        "min_strength": None,
    }
    assert (await bff.call("GET", "/auth/password/rules")).content == rules
    world.emulator.settings(password_min_length=6, password_max_length=100, password_requires=["numbers"])
    other = await world.bff()
    assert (await other.call("GET", "/auth/password/rules")).content == {
        **rules,
        "max_length": 100,
        "requires": ["number"],
    }
