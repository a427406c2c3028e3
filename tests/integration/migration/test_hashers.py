"""Whatever hasher a digest is of: it goes over by the import, and its password signs in, and no other does."""

import pytest

from tests.digests import COGNITO, EXAMPLES, MALFORMED
from tests.integration.migration.conftest import Open, World
from toolkit.clerk import FrontendClient, IncorrectPassword
from toolkit.database import Connection
from toolkit.migration.ledger import Ledger
from toolkit.migration.links import Sent
from toolkit.migration.plan import REASONS


async def signs_in(world: World, email: str, password: str) -> bool:
    """Whether Clerk's Frontend API signs them in with the password, on a device that it doesn't know."""
    world.emulator.advance(11)  # past the end user's limit of sign-ins
    async with FrontendClient(world.environment.clerk) as clerk:
        try:
            sign_in = await clerk.device(None, address=None).create_sign_in(email, password)
        except IncorrectPassword:
            return False
        return sign_in.status == "complete"


async def test_digests_of_every_hasher_go_over_and_sign_in(source_of: Open) -> None:
    """Invariant 4: the password that was, is."""
    world = await source_of("mixed")
    world.emulator.settings(cognito_passwords={"ada": COGNITO.password})
    people = {f"user{n}@example.com": example for n, example in enumerate((*EXAMPLES, COGNITO))}
    await world.connection.executemany(
        "INSERT INTO members (email, digest, hasher) VALUES ($1, $2, $3)",
        [(email, example.digest, example.hasher) for email, example in people.items()],
    )
    found = await world.preflight()
    assert not found.blocked
    assert {kind.hasher for kind in found.survey.digests} == {example.hasher for example in people.values()}

    assert (await world.run()).tally.as_json()["states"] == {"linked": len(people)}

    for email, example in people.items():
        assert await signs_in(world, email, example.password), example
        assert not await signs_in(world, email, example.password + "x"), example


async def test_digests_of_another_form_cost_no_request(source_of: Open) -> None:
    world = await source_of("mixed")
    await world.connection.executemany(
        "INSERT INTO members (email, hasher, digest) VALUES ($1, $2, $3)",
        [(f"user{n}@example.com", *malformed) for n, malformed in enumerate(MALFORMED)],
    )
    found = (await world.preflight()).survey
    assert found.reasons == {REASONS["digest_malformed"]: len(MALFORMED)}
    await world.run()
    assert world.requests() == 0


async def add_to_django(connection: Connection, email: str, password: str) -> None:
    await connection.execute(
        "INSERT INTO auth_user (username, email, password, last_login) VALUES ($1, $1, $2, now())",
        email,
        password,
    )


async def test_a_django_project_moves_with_all_its_hashers(source_of: Open) -> None:
    world = await source_of("django")
    theirs = [
        (example, {"argon2id": "argon2", "bcrypt": "bcrypt$"}.get(example.hasher, ""))
        for example in EXAMPLES
        if example.hasher in ("argon2id", "bcrypt", "bcrypt_sha256_django", "pbkdf2_sha256_django")
    ]
    people = {f"user{n}@example.com": example for n, (example, _) in enumerate(theirs)}
    for email, (example, prefix) in zip(people, theirs, strict=True):
        await add_to_django(world.connection, email, prefix + example.digest)
    await add_to_django(world.connection, "unusable@example.com", "!A6bXQzPq0nJ4RkWzv0o6c8mZb1Yd2eFgHiJkLmNo")
    await add_to_django(world.connection, "old@example.com", "md5$salt$0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f")

    states = (await world.run()).tally.as_json()["states"]

    assert states == {"linked": len(people) + 1, "refused": 1}
    assert await world.connection.fetchval("SELECT count(clerk_id) FROM auth_user") == len(people) + 1
    for email, example in people.items():
        assert await signs_in(world, email, example.password), example
        assert not await signs_in(world, email, example.password + "x"), example


@pytest.mark.parametrize("prefix", ["", "argon2", "bcrypt$"])
async def test_a_django_password_that_changes_while_its_user_is_imported_wins(
    source_of: Open, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """Invariant 4, with the digest compared as Django writes it."""
    world = await source_of("django")
    hasher = {"": "pbkdf2_sha256_django", "argon2": "argon2id", "bcrypt$": "bcrypt"}[prefix]
    old = next(example for example in EXAMPLES if example.hasher == "bcrypt_sha256_django")
    new = [example for example in EXAMPLES if example.hasher == hasher][-1]
    await add_to_django(world.connection, "ada@example.com", old.digest)
    link, changes = Ledger.link, iter([prefix + new.digest])

    async def change_then_link(ledger: Ledger, sent: Sent) -> bool:
        for changed in changes:
            await world.connection.execute("UPDATE auth_user SET password = $1", changed)
        return await link(ledger, sent)

    monkeypatch.setattr(Ledger, "link", change_then_link)
    assert (await world.run()).tally.as_json()["states"] == {"linked": 1}
    assert await signs_in(world, "ada@example.com", new.password)
    assert not await signs_in(world, "ada@example.com", old.password)
