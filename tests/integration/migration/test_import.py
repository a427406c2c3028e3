"""The import against a real Postgres and the emulator."""

import asyncio
from datetime import UTC, datetime

import pyotp
import pytest

from tests.integration.migration.conftest import CHEAP, CHEAP_ARGON2I, SECRET, World, with_totp
from tests.waiting import until
from toolkit.clerk import AuthenticationInvalid, UserQuotaExceeded
from toolkit.migration.controls import Stop
from toolkit.migration.importer import ImportStopped
from toolkit.migration.plan import State
from toolkit.migration.run import AlreadyRunning, OtherInstance


async def test_a_user_arrives_with_password_address_and_history(world: World) -> None:
    """Invariant 1."""
    user_id = await world.add("Ada+x@Example.com", "her password", first_name="Ada", last_name="Lovelace")
    ended = await world.run()
    user = await world.clerk_user(user_id)
    assert user is not None
    assert await world.clerk_id(user_id) == user.id
    assert user.external_id == user_id
    assert (user.first_name, user.last_name) == ("Ada", "Lovelace")
    assert [e.verified for e in user.email_addresses] == [True]
    assert datetime.fromtimestamp(user.created_at / 1000, UTC) == datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert user.private_metadata == {
        "migration_environment": "test",
        "migration_database": str(await world.connection.fetchval("SELECT id FROM clerk_migration.origin")),
        "migration_run": ended.run_id,
    }
    assert await world.password_works(user_id, "her password")
    assert not await world.password_works(user_id, "another")
    assert await world.ledger(user_id) == ("linked", None)


async def test_an_ordinary_user_costs_one_request(world: World) -> None:
    await world.add_many(40)
    await world.run()
    assert world.requests() == 40
    about_users = [operation for operation in world.emulator.stats()["requests"] if "user" in operation]
    assert about_users == ["POST /v1/users"]


async def test_the_second_factor_arrives(world: World) -> None:
    """Invariant 2."""
    user_id = await world.add(**with_totp())
    await world.run()
    user = await world.clerk_user(user_id)
    assert user is not None
    assert user.totp_enabled
    async with world.clerk() as clerk:
        assert await clerk.verify_totp(user.id, pyotp.TOTP(SECRET).now())


async def test_argon2i_arrives(world: World) -> None:
    user_id = await world.add(hashed_password=CHEAP_ARGON2I.hash("her password"))
    await world.run()
    assert await world.password_works(user_id, "her password")


async def test_an_unverified_address_stays_unverified(world: World) -> None:
    user_id = await world.add(email_verified_at=None)
    await world.run()
    user = await world.clerk_user(user_id)
    assert user is not None
    assert [e.verified for e in user.email_addresses] == [False]


@pytest.mark.parametrize(("policy", "banned"), [("ban", True), ("hold", None)])
async def test_a_disabled_user_goes_over_banned_or_stays(
    world: World, policy: str, banned: bool | None
) -> None:
    world.settings["disabled_users"] = policy
    user_id = await world.add(disabled_at=datetime.now(UTC))
    ended = await world.run()
    user = await world.clerk_user(user_id)
    assert (user and user.banned) is banned
    assert not ended.tally.needs_person


async def test_broken_rows_cost_no_request_and_are_named(world: World) -> None:
    broken = {
        await world.add("no address"): ("refused", "email_invalid"),
        await world.add("a@example.com", hashed_password="$argon2id$broken"): ("refused", "digest_malformed"),
        await world.add("b@example.com", hashed_password="md5:abc"): ("refused", "hasher_unsupported"),
        await world.add("twin@example.com"): ("refused", "email_duplicate"),
        await world.add("Twin@Example.com"): ("refused", "email_duplicate"),
        await world.add("istanbul@example.com"): ("refused", "email_duplicate"),
        await world.add("İstanbul@example.com"): ("refused", "email_duplicate"),
        await world.add("mail@bücher.de"): ("refused", "email_duplicate"),
        await world.add("mail@xn--bcher-kva.de"): ("refused", "email_duplicate"),
        await world.add("c@example.com", enabled_2fa=True): ("held", "second_factor_missing"),
        await world.add("d@example.com", **with_totp() | {"nonce": b"x" * 12}): (
            "held",
            "second_factor_undecryptable",
        ),
        await world.add("e@example.com", **with_totp("0189")): ("held", "second_factor_malformed"),
    }
    ended = await world.run()
    assert {user_id: await world.ledger(user_id) for user_id in broken} == broken
    assert world.requests() == 0
    assert ended.tally.needs_person


async def test_addresses_that_only_look_like_one_another_go_over(world: World) -> None:
    for email in ("vera@example.com", "era@example.com", "zoë@example.com", "zoe@example.com"):
        await world.add(email)
    assert (await world.run()).tally.states[State.LINKED] == 4


async def test_running_again_touches_nothing_that_is_done(world: World) -> None:
    """Invariant 7."""
    await world.add_many(10)
    await world.run()
    world.emulator.faults()  # nothing set; the second run must not even try
    again = await world.run()
    assert world.requests() == 10
    assert again.tally.users == 0
    attempts = await world.connection.fetch("SELECT DISTINCT attempts FROM clerk_migration.import_ledger")
    assert [record["attempts"] for record in attempts] == [1]


async def test_a_lost_answer_makes_no_second_user(world: World) -> None:
    """Invariant 7."""
    ids = await world.add_many(5)
    world.emulator.add_fault({"match": {"method": "POST", "path": "/v1/users"}, "times": 2, "drop": "after"})
    ended = await world.run()
    assert ended.tally.states == {State.LINKED: 5}
    assert world.emulator.stats()["users"] == 5
    assert None not in [await world.clerk_id(user_id) for user_id in ids]


async def test_faults_that_pass_are_waited_out(world: World) -> None:
    await world.add_many(6)
    for fault in ({"status": 503}, {"status": 429}, {"drop": "before"}):
        world.emulator.add_fault({"match": {"method": "POST", "path": "/v1/users"}, "times": 1, **fault})
    ended = await world.run()
    assert ended.tally.states == {State.LINKED: 6}
    assert world.emulator.stats()["users"] == 6


async def in_flight(world: World) -> None:
    """Wait until Clerk has created somebody."""
    await until(lambda: world.emulator.stats()["users"] > 0)


class Changed:
    """An import whose row changes after Clerk has created the user and before the link."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def run(self, statement: str, *arguments: object) -> None:
        """Hold the row so that the link must wait, change it, let go."""
        async with self.world.connection.transaction():
            await self.world.connection.execute("SELECT 1 FROM users FOR UPDATE")
            importing = asyncio.create_task(self.world.run())
            await in_flight(self.world)
            await asyncio.sleep(0.2)
            await self.world.connection.execute(statement, *arguments)
        await importing


async def test_the_newest_password_wins(world: World) -> None:
    """Invariant 4: changed after Clerk was told, before the link."""
    user_id = await world.add(password="old password")
    await Changed(world).run("UPDATE users SET hashed_password = $1", CHEAP.hash("new password"))
    assert await world.clerk_id(user_id)
    assert await world.password_works(user_id, "new password")
    assert not await world.password_works(user_id, "old password")


async def test_a_password_changed_between_two_runs_wins(world: World) -> None:
    """Invariants 4 and 7: created by a run that was killed, changed since."""
    user_id = await world.add(password="new password")
    async with world.clerk() as clerk:
        await clerk.create_user(
            external_id=user_id,
            email_address="ada@example.com",
            password_digest=CHEAP.hash("old password"),
            password_hasher="argon2id",
        )
    await world.run()
    assert await world.clerk_id(user_id)
    assert await world.password_works(user_id, "new password")
    assert not await world.password_works(user_id, "old password")


async def test_a_second_factor_enrolled_meanwhile_is_not_lost(world: World) -> None:
    """Invariant 2."""
    user_id = await world.add()
    columns = with_totp()
    await Changed(world).run(
        "UPDATE users SET enabled_2fa = true, totp_cipher = $1, nonce = $2",
        columns["totp_cipher"],
        columns["nonce"],
    )
    user = await world.clerk_user(user_id)
    assert user is not None
    assert await world.clerk_id(user_id) == user.id
    assert user.totp_enabled


async def test_a_second_factor_that_can_no_longer_be_carried_withdraws_the_user(world: World) -> None:
    """Invariant 2: not linked, and not left in Clerk with a password alone."""
    user_id = await world.add()
    await Changed(world).run("UPDATE users SET enabled_2fa = true")
    assert await world.clerk_id(user_id) is None
    assert await world.clerk_user(user_id) is None
    assert await world.ledger(user_id) == ("held", "second_factor_missing")


async def test_a_second_factor_removed_meanwhile_is_off(world: World) -> None:
    user_id = await world.add(**with_totp())
    await Changed(world).run("UPDATE users SET enabled_2fa = false, totp_cipher = NULL, nonce = NULL")
    user = await world.clerk_user(user_id)
    assert user is not None
    assert await world.clerk_id(user_id) == user.id
    assert not user.totp_enabled


async def test_a_user_disabled_meanwhile_is_banned(world: World) -> None:
    user_id = await world.add()
    await Changed(world).run("UPDATE users SET disabled_at = now()")
    user = await world.clerk_user(user_id)
    assert user is not None
    assert await world.clerk_id(user_id) == user.id
    assert user.banned


async def test_an_address_changed_meanwhile_is_the_one_in_clerk(world: World) -> None:
    user_id = await world.add()
    await Changed(world).run("UPDATE users SET email = 'new@example.com', email_verified_at = NULL")
    user = await world.clerk_user(user_id)
    assert user is not None
    assert await world.clerk_id(user_id) == user.id
    assert [(e.email_address, e.verified, e.reserved) for e in user.email_addresses] == [
        ("new@example.com", False, True)
    ]


async def test_an_address_verified_meanwhile_is_verified_in_clerk(world: World) -> None:
    user_id = await world.add(email_verified_at=None)
    await Changed(world).run("UPDATE users SET email_verified_at = now()")
    user = await world.clerk_user(user_id)
    assert user is not None
    assert await world.clerk_id(user_id) == user.id
    assert [e.verified for e in user.email_addresses] == [True]


async def test_a_user_linked_by_somebody_else_meanwhile_stays_as_they_are(world: World) -> None:
    """Invariant 1: a lazy import at login may be quicker."""
    user_id = await world.add()
    async with world.connection.transaction():
        await world.connection.execute("SELECT 1 FROM users FOR UPDATE")
        importing = asyncio.create_task(world.run())
        await in_flight(world)
        user = await world.clerk_user(user_id)
        assert user is not None
        await world.connection.execute("UPDATE users SET clerk_id = $1", user.id)
    ended = await importing
    assert ended.tally.states == {State.LINKED: 1}
    assert await world.clerk_id(user_id) == user.id
    assert await world.clerk_user(user_id) == user
    assert await world.password_works(user_id, "correct horse")


async def test_a_user_deleted_meanwhile_leaves_no_clerk_user(world: World) -> None:
    user_id = await world.add()
    await Changed(world).run("DELETE FROM users")
    assert await world.clerk_user(user_id) is None


async def test_somebody_elses_address_is_a_conflict(world: World) -> None:
    """Invariant 10: a stranger's Clerk user is never linked."""
    user_id = await world.add("ada@example.com")
    async with world.clerk() as clerk:
        await clerk.create_user(email_address="ADA@example.com", password="a stranger's password")
    await world.run()
    assert await world.clerk_id(user_id) is None
    assert await world.ledger(user_id) == ("conflict", "email_taken")


async def test_somebody_elses_external_id_is_a_conflict(world: World) -> None:
    """Invariants 1 and 10: ids may be the same in two databases; nobody's password is overwritten."""
    user_id = await world.add("ada@example.com")
    async with world.clerk() as clerk:
        stranger = await clerk.create_user(
            external_id=user_id, email_address="stranger@example.com", password="a stranger's password"
        )
        await world.run()
        assert await clerk.verify_password(stranger.id, "a stranger's password")
    assert await world.clerk_id(user_id) is None
    assert await world.ledger(user_id) == ("conflict", "external_id_taken")


async def brought_but_not_linked(world: World, user_id: str) -> None:
    """As a run leaves a user that is killed between Clerk's answer and the link."""
    await world.run()
    await world.connection.execute("UPDATE users SET clerk_id = NULL WHERE id::text = $1", user_id)
    await world.connection.execute("DELETE FROM clerk_migration.import_ledger")
    await world.connection.execute(
        "INSERT INTO clerk_migration.sending SELECT $1, max(id) FROM clerk_migration.runs", user_id
    )


async def test_a_password_cleared_between_two_runs_works_no_more(world: World) -> None:
    """Invariants 4 and 7."""
    user_id = await world.add(first_name="Ada")
    await brought_but_not_linked(world, user_id)
    await world.connection.execute("UPDATE users SET hashed_password = NULL, first_name = NULL")
    await world.run()
    user = await world.clerk_user(user_id)
    assert user is not None
    assert await world.clerk_id(user_id) == user.id
    assert (user.password_enabled, user.first_name) == (False, None)


async def test_a_second_factor_that_a_killed_run_did_not_carry_leaves_nobody_in_clerk(world: World) -> None:
    """Invariant 2: reachable by password alone, if the user stayed there."""
    user_id = await world.add()
    await brought_but_not_linked(world, user_id)
    await world.connection.execute("UPDATE users SET enabled_2fa = true")
    await world.run()
    assert await world.ledger(user_id) == ("held", "second_factor_missing")
    assert await world.clerk_user(user_id) is None


async def test_an_address_changed_between_two_runs_is_the_one_in_clerk(world: World) -> None:
    """Invariant 7: brought over by a run that was killed before the link."""
    user_id = await world.add("old@example.com")
    await world.run()
    await world.connection.execute("UPDATE users SET clerk_id = NULL, email = 'new@example.com'")
    await world.run()
    user = await world.clerk_user(user_id)
    assert user is not None
    assert await world.clerk_id(user_id) == user.id
    assert [e.email_address for e in user.email_addresses] == ["new@example.com"]


async def test_a_clerk_user_linked_to_another_row_is_a_conflict_for_that_row_alone(world: World) -> None:
    """Invariant 1."""
    user_id = await world.add("ada@example.com")
    others = await world.add_many(20)
    async with world.clerk() as clerk:
        theirs = await clerk.create_user(
            external_id=user_id, email_address="ada@example.com", password="some password"
        )
    wrong = await world.add("wrong@example.com", clerk_id=theirs.id)
    await world.run()
    assert await world.ledger(user_id) == ("conflict", "clerk_id_taken")
    assert await world.clerk_id(wrong) == theirs.id
    assert None not in [await world.clerk_id(other) for other in others]


async def test_an_instance_without_authenticator_applications_holds_second_factors(world: World) -> None:
    """Invariant 2."""
    held, plain = await world.add(**with_totp()), await world.add("plain@example.com")
    world.emulator.settings(authenticator_app=False)
    await world.run()
    assert await world.ledger(held) == ("held", "second_factor_not_offered")
    assert await world.clerk_user(held) is None
    assert await world.clerk_id(plain)


async def test_a_wrong_key_ends_the_import_before_anything_is_done(world: World) -> None:
    await world.add_many(3)
    world.emulator.secret_key, right = "sk_test_" + "x" * 40, world.emulator.secret_key
    try:
        with pytest.raises(AuthenticationInvalid):
            await world.run()
    finally:
        world.emulator.secret_key = right
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.runs") == 0


async def test_a_full_instance_ends_the_import(world: World) -> None:
    await world.add_many(30)
    world.emulator.settings(user_quota=10)
    with pytest.raises(UserQuotaExceeded):
        await world.run()
    assert await world.connection.fetchval("SELECT count(clerk_id) FROM users") == 10
    outcome = await world.connection.fetchval("SELECT outcome FROM clerk_migration.runs")
    assert outcome == "failed"


async def test_clerk_out_stops_the_import_and_it_goes_on_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 7."""
    monkeypatch.setattr("toolkit.migration.importer.Importer.OUTAGES", 3)
    monkeypatch.setattr("toolkit.clerk.transport.FIRST_DELAY", 0.01)
    await world.add_many(10)
    world.emulator.add_fault({"match": {"method": "POST", "path": "/v1/users"}, "times": 1000, "status": 503})
    with pytest.raises(ImportStopped):
        await world.run()
    world.emulator.clear_faults()
    await world.run()
    assert await world.connection.fetchval("SELECT count(clerk_id) FROM users") == 10


async def test_stopping_finishes_what_is_in_flight(world: World) -> None:
    """Invariant 7: nobody is left in Clerk without a link."""
    await world.add_many(300)
    world.emulator.settings(latency_ms=100)
    stop = Stop()
    importing = asyncio.create_task(world.run(rate=100, stop=stop))
    await in_flight(world)
    stop()
    ended = await importing
    linked = await world.connection.fetchval("SELECT count(clerk_id) FROM users")
    assert ended.outcome == "interrupted"
    assert 0 < linked < 300
    assert world.emulator.stats()["users"] == linked
    assert world.requests("GET /v1/users") == 0, "those that were not sent are not looked for"
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.sending") == 0


async def test_one_import_at_a_time(world: World) -> None:
    await world.add_many(30)
    importing = asyncio.create_task(world.run(rate=20))
    await in_flight(world)
    with pytest.raises(AlreadyRunning):
        await world.run()
    await importing


async def test_a_database_belongs_to_one_clerk_instance(world: World) -> None:
    """Invariant 1."""
    await world.add_many(2)
    await world.run()
    await world.connection.execute("ALTER TABLE clerk_migration.runs DISABLE TRIGGER USER")
    await world.connection.execute(
        "UPDATE clerk_migration.runs SET options = jsonb_set(options, '{instance}', '\"ins_other\"')"
    )
    with pytest.raises(OtherInstance):
        await world.run()


async def test_an_address_that_only_clerk_calls_verified_is_a_conflict(world: World) -> None:
    """Whoever took somebody else's address at signup would own it in Clerk."""
    user_id = await world.add("ada@example.com", email_verified_at=None)
    async with world.clerk() as clerk:
        await clerk.create_user(
            external_id=user_id, email_address="ada@example.com", password="some password"
        )
    assert [why.code for why in (await world.preflight()).survey.reasons] == ["email_wrongly_verified"]
    ended = await world.run()
    assert await world.clerk_id(user_id) is None
    assert await world.password_works(user_id, "some password"), "not written over"
    assert await world.ledger(user_id) == ("conflict", "email_wrongly_verified")
    assert ended.tally.needs_person
