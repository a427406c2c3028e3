"""`python -m toolkit user`: one user's whole story."""

import json
from typing import Any

import pytest

from tests.integration.migration.conftest import SECRET, World, with_totp
from tests.integration.migration.test_cli import playbook as playbook
from tests.integration.migration.test_cli import run
from toolkit.migration.story import read_story
from toolkit.who import who


def told(world: World, playbook: str, key: str, **variables: str) -> dict[str, Any]:
    code, out, err = run("user", key, "--env", playbook, "--json", variables={**world.variables, **variables})
    assert code == 0, err
    story: dict[str, Any] = json.loads(out)
    return story


async def log_in(world: World, user_id: str) -> None:
    """As the BFF leaves it: a session that Clerk stands behind, and one that is over."""
    session = (
        "INSERT INTO sessions (user_id, token_hash, clerk_session_id, expires_at, max_expires_at) "
        "VALUES ($1::text::uuid, sha256($2), $3, now() + $4::int * interval '1 hour', now())"
    )
    await world.connection.execute(session, user_id, b"1", "sess_1", 1)
    await world.connection.execute(session, user_id, b"2", None, -1)
    await world.connection.execute(
        "INSERT INTO clerk_migration.security_events (user_id, kind, ip_address, user_agent) "
        "VALUES ($1::text::uuid, 'totp_added', '192.0.2.7', 'Firefox')",
        user_id,
    )


async def test_it_tells_all_that_is_known(world: World, playbook: str) -> None:
    user_id = await world.add("Ada@Example.com", first_name="Ada", **with_totp())
    first = await world.run(emails=("ada@example.com",))
    await log_in(world, user_id)
    story = told(world, playbook, "ada@example.COM")
    assert story == told(world, playbook, user_id)
    assert story["user_id"] == user_id
    clerk_id = await world.clerk_id(user_id)
    row = story["row"]
    assert (row["email"], row["first_name"], row["clerk_id"]) == ("Ada@Example.com", "Ada", clerk_id)
    assert (row["digest"], row["second_factor"]) == ("argon2id m=8,t=1,p=1", True)
    assert story["ledger"] | {"state": "linked", "code": None, "attempts": 1} == story["ledger"]
    (attempt,) = story["attempts"]
    assert attempt | {"run": first.run_id, "by": who(), "state": "linked", "clerk_id": clerk_id} == attempt
    clerk = story["clerk"]
    assert (clerk["id"], clerk["linked"], clerk["totp"], clerk["banned"]) == (clerk_id, True, True, False)
    assert clerk["emails"] == ["ada@example.com (verified)"]
    assert {name: story["logins"][name] for name in ("live", "clerk", "legacy")} == {
        "live": 1,
        "clerk": 1,
        "legacy": 1,
    }
    (event,) = story["events"]
    assert event | {"kind": "totp_added", "address": "192.0.2.7", "user_agent": "Firefox"} == event
    assert story["clerk_problem"] is None


async def test_no_secret_is_in_it(world: World, playbook: str) -> None:
    """Invariant 8."""
    user_id = await world.add(**with_totp())
    await world.run()
    digest = await world.connection.fetchval("SELECT hashed_password FROM users")
    for arguments in (("--json",), ()):
        _, out, _ = run("user", user_id, "--env", playbook, *arguments, variables=world.variables)
        assert "argon2id m=8,t=1,p=1" in out
        for secret in (digest, digest.rpartition("$")[2], SECRET, world.emulator.secret_key):
            assert secret not in out


async def test_it_says_why_the_user_stays_and_what_to_do(world: World, playbook: str) -> None:
    user_id = await world.add(enabled_2fa=True)
    await world.run()
    story = told(world, playbook, user_id)
    assert story["row"]["stays_because"] == story["ledger"]["code"] == "second_factor_missing"
    assert story["clerk"] is None
    code, out, _ = run("user", user_id, "--env", playbook, variables=world.variables)
    assert code == 0
    assert "To do: restore the secret, or have the user enrol again." in " ".join(out.split())


async def test_it_does_without_clerk_and_says_why(world: World, playbook: str) -> None:
    user_id = await world.add()
    story = told(world, playbook, user_id, CLERK_API_URL="http://127.0.0.1:1")
    assert (story["row"]["email"], story["clerk"]) == ("ada@example.com", None)
    assert "127.0.0.1:1" in story["clerk_problem"]


async def test_a_link_to_nobody_is_told(world: World, playbook: str) -> None:
    user_id = await world.add(clerk_id="user_gone")
    assert "user_gone, and Clerk has no such user" in told(world, playbook, user_id)["clerk_problem"]


async def test_a_user_whose_row_is_gone_has_a_story(world: World, playbook: str) -> None:
    user_id = await world.add()
    await world.run()
    await world.connection.execute("DELETE FROM users")
    story = told(world, playbook, user_id)
    assert (story["row"], story["attempts"][0]["state"]) == (None, "linked")
    assert story["clerk"]["linked"] is False


async def test_who_is_unknown_or_not_one_is_said(world: World, playbook: str) -> None:
    code, _, err = run("user", "eve@example.com", "--env", playbook, variables=world.variables)
    assert (code, "Nobody has the id or the address 'eve@example.com'" in err) == (2, True)
    ids = [await world.add("ada@example.com"), await world.add("ADA@example.com")]
    code, _, err = run("user", "ada@example.com", "--env", playbook, variables=world.variables)
    assert (code, all(user_id in err for user_id in ids)) == (2, True)
    assert told(world, playbook, ids[0])["row"]["stays_because"] == "email_duplicate"


@pytest.mark.parametrize(
    "statement",
    ["ALTER TABLE sessions RENAME TO elsewhere", "ALTER TABLE sessions RENAME user_id TO account_no"],
)
async def test_a_table_that_no_bff_serves_has_no_sessions(world: World, statement: str) -> None:
    user_id = await world.add()
    await world.connection.execute(statement)
    story = await read_story(world.environment, user_id)
    assert (story.logins, story.events) == (None, [])


async def test_what_the_database_says_cannot_steer_the_terminal(world: World, playbook: str) -> None:
    user_id = await world.add(first_name="\x1b]0;owned\x07 [red]Ada\x9b2J")
    _, out, _ = run("user", user_id, "--env", playbook, variables=world.variables)
    assert "\\x1b]0;owned\\x07 [red]Ada\\x9b2J" in out
    assert not {"\x1b", "\x07", "\x9b"} & set(out)
