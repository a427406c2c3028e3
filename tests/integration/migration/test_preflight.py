"""Preflight says what the import would do."""

import re
from datetime import UTC, datetime

import pytest

from tests.integration.migration.conftest import World, with_totp
from toolkit.clerk import NativeApiDisabled
from toolkit.migration import preflight
from toolkit.migration.run import OtherInstance, begin


async def test_users_are_counted(world: World) -> None:
    await world.add_many(5)
    await world.add("unverified@example.com", email_verified_at=None)
    await world.add("totp@example.com", **with_totp())
    await world.add("disabled@example.com", disabled_at=datetime.now(UTC))
    found = await world.preflight()
    survey = found.survey
    assert (found.count.total, found.count.linked, survey.importable) == (8, 0, 8)
    assert (survey.verified, survey.unverified, survey.second_factor, survey.disabled) == (7, 1, 1, 1)
    assert {str(kind): users for kind, users in survey.digests.items()} == {"argon2id m=8,t=1,p=1": 8}
    assert not found.blocked


async def test_it_foretells_what_the_import_does(world: World) -> None:
    await world.add_many(5)
    await world.add("broken")
    await world.add("twin@example.com")
    await world.add("TWIN@example.com")
    await world.add("held@example.com", enabled_2fa=True)
    taken = await world.add("taken@example.com")
    async with world.clerk() as clerk:
        await clerk.create_user(email_address="Taken@example.com", password="a stranger's password")
    found = await world.preflight()
    assert found.blocked
    foretold = world.staying
    await world.run()
    records = await world.connection.fetch(
        "SELECT user_id, state, error_code FROM clerk_migration.import_ledger WHERE state <> 'linked'"
    )
    assert foretold == {r["user_id"]: (r["state"], r["error_code"]) for r in records}
    assert foretold[taken] == ("conflict", "email_taken")
    assert found.survey.importable == await world.connection.fetchval("SELECT count(clerk_id) FROM users")


async def test_it_changes_nothing(world: World) -> None:
    await world.add_many(3)
    before = await world.connection.fetch("SELECT * FROM users ORDER BY id")
    await world.preflight()
    assert await world.connection.fetch("SELECT * FROM users ORDER BY id") == before
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.runs") == 0
    assert world.emulator.stats()["users"] == 0


async def test_instance_settings_that_do_not_fit_are_named(world: World) -> None:
    await world.add(**with_totp())
    world.emulator.settings(authenticator_app=False, password=False)
    found = await world.preflight()
    assert found.blocked
    told = " ".join(found.misfits)
    assert "Authenticator application" in told


async def test_who_may_sign_up_at_clerk_itself_is_told_and_in_nobodys_way(world: World) -> None:
    await world.add_many(1)
    world.emulator.settings(sign_up_mode="restricted")
    assert "Anybody may sign up" not in " ".join((await world.preflight()).cautions)
    world.emulator.settings(sign_up_mode="public")
    found = await world.preflight()
    assert "Anybody may sign up" in " ".join(found.cautions)
    assert not found.blocked


async def test_nothing_is_imported_to_where_nobody_could_be_signed_in(world: World) -> None:
    """The Native API is off: everybody who went over would be locked out."""
    await world.add_many(1)
    world.emulator.settings(native_api=False)
    for attempt in (world.preflight, world.run):
        with pytest.raises(NativeApiDisabled, match="Native applications"):
            await attempt()
    assert world.emulator.stats()["users"] == 0


async def test_the_time_is_told_at_the_rate(world: World) -> None:
    await world.add_many(30)
    found = await world.preflight()
    assert found.seconds is None
    found.rate = 10
    assert found.seconds == 3


async def test_linked_users_whom_clerk_has_no_more_are_told(world: World) -> None:
    await world.add_many(6)
    await world.run(limit=4)
    assert "any more" not in " ".join((await world.preflight()).cautions)
    gone = await world.connection.fetchval("SELECT min(id::text) FROM users WHERE clerk_id IS NOT NULL")
    clerk_id = await world.clerk_id(gone)
    assert clerk_id is not None
    async with world.clerk() as clerk:
        await clerk.delete_user(clerk_id)
    found = await world.preflight()
    [said] = [told for told in found.cautions if "any more" in told]
    assert said.startswith(
        f"Of 4 users who are linked, 4 were looked up, and 1 are not in Clerk any more ({gone}):"
    )
    assert not found.blocked


async def test_an_instance_that_has_none_of_the_linked_users_is_in_the_way(world: World) -> None:
    """The address of one database and the key of another instance."""
    await world.add_many(3)
    await world.connection.execute(
        "UPDATE users SET clerk_id = 'user_' || left(id::text, 8) WHERE email <> 'user1@example.com'"
    )
    found = await world.preflight()
    assert found.blocked
    [said] = found.misfits
    assert "it has none of them" in said


async def test_however_many_are_linked_a_few_are_looked_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "LOOKED_UP", 5)
    await world.add_many(20)
    await world.run()
    before = world.requests("GET /v1/users")
    await world.connection.execute("UPDATE users SET clerk_id = 'user_' || left(id::text, 8)")
    [said] = (await world.preflight()).misfits
    assert said.startswith("Of 20 users who are linked, 5 were looked up")
    assert world.requests("GET /v1/users") - before <= 2


async def test_where_the_import_would_refuse_to_run_preflight_says_so(world: World) -> None:
    """The database went to another instance before, and is a copy besides."""
    await world.add_many(2)
    assert (await world.preflight()).misfits == []
    await begin(world.connection, "test", {"instance": "ins_another"})
    [said] = (await world.preflight()).misfits
    assert "imported into the Clerk instance ins_another" in said
    with pytest.raises(OtherInstance, match=re.escape(said)):
        await world.run()
    await world.connection.execute("UPDATE clerk_migration.origin SET database = 'elsewhere'")
    [said] = (await world.preflight()).misfits
    assert said.startswith("This database is a copy of another one")
