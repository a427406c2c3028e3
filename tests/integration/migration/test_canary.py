"""A canary proves one password in Clerk before anybody moves, and tells why it would not work there."""

import asyncio
import base64
import hashlib
import json
import signal
import subprocess
import sys
import unicodedata
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyotp
import pytest
import yaml

from tests.integration.migration.conftest import CHEAP, SECRET, Open, World, with_totp
from tests.integration.migration.test_cli import PLAYBOOK, SURROUNDINGS, run
from tests.waiting import until
from toolkit.clerk import BackendClient
from toolkit.migration.canary import (
    AccountUnfit,
    CanaryDidNotHold,
    NoSecondFactor,
    Proof,
    Typed,
    look_up,
    prove,
)
from toolkit.migration.importer import look_ahead
from toolkit.migration.selection import EmailUnknown, Selection
from toolkit.standins import remove_left

ADA = "ada@example.com"
PASSWORD = "correct horse"


@pytest.fixture
def playbook(tmp_path: Path) -> str:
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(PLAYBOOK))
    return str(path)


def start(world: World, *arguments: str, text: str = "") -> "subprocess.Popen[str]":
    """Start `python -m toolkit …` with this to read from standard input."""
    process = subprocess.Popen(
        [sys.executable, "-m", "toolkit", *arguments],
        env={**SURROUNDINGS, **world.variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.close()
    process.stdin = None
    return process


async def pipe(world: World, *arguments: str, text: str = f"{PASSWORD}\n") -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    process = start(world, *arguments, text=text)
    out, err = await asyncio.to_thread(process.communicate, timeout=120)
    assert "Traceback" not in out + err, out + err
    return process.returncode, out, err


async def fly(world: World, password: str = PASSWORD, code: str | None = None) -> Proof:
    account = await look_up(world.environment, ADA, with_code=code is not None)
    return await prove(world.environment, account, Typed(password, code))


async def finding(world: World, password: str = PASSWORD, code: str | None = None) -> str:
    return (await fly(world, password, code)).finding.code


async def events(world: World) -> list[tuple[str, str | None]]:
    records = await world.connection.fetch("SELECT event, finding FROM clerk_migration.canaries ORDER BY id")
    return [(record["event"], record["finding"]) for record in records]


async def test_a_password_that_works_in_clerk_holds_and_nothing_is_left(world: World) -> None:
    await world.add(ADA, PASSWORD)
    before = await world.connection.fetch("SELECT * FROM users")
    assert await finding(world) == "held"
    assert world.requests() == 1
    assert world.requests("POST /v1/client/sign_ins") == 1
    assert world.emulator.stats()["users"] == 0
    assert await world.connection.fetch("SELECT * FROM users") == before
    assert await events(world) == [("begun", None), ("ended", "held"), ("removed", None)]
    assert (await world.run()).tally.as_json()["states"] == {"linked": 1}


async def test_no_mail_goes_out_though_clerk_does_not_know_the_device(world: World) -> None:
    world.emulator.settings(client_trust=True)
    await world.add(ADA, PASSWORD)
    assert await finding(world) == "held"
    assert world.emulator.control("GET", "outbox") == []


async def test_the_second_factor_is_proven_with_a_code_or_without(world: World) -> None:
    """Invariant 2."""
    await world.add(ADA, PASSWORD, **with_totp())
    now = world.emulator.now()
    assert await finding(world) == "held"
    assert await finding(world, code=pyotp.TOTP(SECRET).at(now)) == "held"
    assert await finding(world, code=pyotp.TOTP(SECRET).at(now - 3600)) == "code_wrong"
    assert world.emulator.stats()["users"] == 0


async def test_a_table_that_is_peppered_stops_at_the_canary(world: World, playbook: str) -> None:
    """Without one, everybody would go over, and nobody could log in."""
    peppered = hashlib.sha256(f"{PASSWORD}pepper".encode()).hexdigest()
    await world.add(ADA, hashed_password=CHEAP.hash(peppered))
    await world.add_many(3)
    code, out, err = await pipe(
        world, "canary", "--env", playbook, "--email", ADA, "--password-stdin", "--yes"
    )
    assert (code, "wrong_or_peppered" in out, "pepper" in out) == (3, True, True), out + err
    code, out, err = run("import", "--yes", "--env", playbook, variables=world.variables)
    assert code == 3
    assert "The last canary did not hold (wrong_or_peppered)" in err
    assert "Everybody went over" not in out
    assert world.emulator.stats()["users"] == 0


async def test_after_a_canary_that_holds_again_people_go_over(world: World) -> None:
    await world.add(ADA, PASSWORD)
    assert await finding(world, "a typo") == "wrong_or_peppered"
    with pytest.raises(CanaryDidNotHold):
        await world.run()
    assert await finding(world) == "held"
    assert (await look_ahead(world.environment, Selection())).is_proven
    assert (await world.run()).tally.as_json()["states"] == {"linked": 1}


NAME = unicodedata.normalize("NFD", "Zoë's ﬁsh")


@pytest.mark.parametrize(
    ("typed", "hashed", "how"),
    [
        (" correct horse ", "correct horse", "without the blanks around it"),
        (NAME, unicodedata.normalize("NFC", NAME), "normalised to NFC"),
        (NAME, unicodedata.normalize("NFKC", NAME), "normalised to NFKC"),
        ("Correct Horse", "correct horse", "in small letters"),
        (PASSWORD, hashlib.sha256(PASSWORD.encode()).hexdigest(), "its SHA-256 in hexadecimal"),
        (
            PASSWORD,
            base64.b64encode(hashlib.sha512(PASSWORD.encode()).digest()).decode(),
            "its SHA-512 in base64",
        ),
    ],
)
async def test_what_an_application_does_with_passwords_before_it_hashes_them_is_told(
    world: World, typed: str, hashed: str, how: str
) -> None:
    await world.add(ADA, hashed)
    proof = await fly(world, typed)
    assert not proof.finding.holds
    assert how in proof.finding.meaning
    assert world.requests("POST /v1/users/{user_id}/verify_password") == 1, "the row's own check told it"


def django_digest(salt: str, password: str) -> str:
    checksum = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 1000)
    return f"pbkdf2_sha256$1000${salt}${base64.b64encode(checksum).decode()}"


BCRYPT_OF_SHA256 = "$2b$04$abcdefghijklmnopqrstuuIvyWZlBcE3WoQXKqRnwrLYJ6nenE0Bq"


@pytest.mark.parametrize(
    ("hasher", "digest", "typed", "code", "told"),
    [
        (
            "pbkdf2_sha256",
            django_digest("seasalt12345", PASSWORD),
            PASSWORD,
            "hasher_wrong",
            "one of pbkdf2_sha256_django",
        ),
        ("bcrypt", BCRYPT_OF_SHA256, PASSWORD, "password_hashed_before", "its SHA-256 in hexadecimal"),
        (
            "bcrypt_sha256_django",
            f"bcrypt_sha256${BCRYPT_OF_SHA256}",
            f"{PASSWORD} ",
            "password_altered",
            "blanks",
        ),
        ("bcrypt", BCRYPT_OF_SHA256, "Correct Horse?", "wrong_or_peppered", "can't be told from here"),
    ],
)
async def test_a_wrong_hasher_is_told_and_clerk_is_asked_what_cannot_be_tried_here(
    source_of: Open, hasher: str, digest: str, typed: str, code: str, told: str
) -> None:
    world = await source_of("mixed")
    await world.connection.execute(
        "INSERT INTO members (email, digest, hasher) VALUES ($1, $2, $3)", ADA, digest, hasher
    )
    proof = await fly(world, typed)
    assert proof.finding.code == code
    assert told in proof.finding.meaning
    assert world.requests("POST /v1/users/{user_id}/verify_password") <= 9, "Clerk may lock it after ten"


async def test_that_clerk_computes_a_hasher_in_another_way_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(clerk: BackendClient, user_id: str, password: str) -> bool:
        return False

    monkeypatch.setattr(BackendClient, "verify_password", refuse)
    await world.add(ADA, PASSWORD)
    assert await finding(world) == "clerk_differs"


async def test_what_clerk_does_not_take_is_told_in_its_words(world: World) -> None:
    await world.add(ADA, PASSWORD, first_name="A" * 300)
    proof = await fly(world)
    assert proof.finding.code == "not_taken"
    assert "first_name" in proof.finding.meaning
    assert world.emulator.stats()["users"] == 0


async def test_a_password_that_may_not_sign_in_is_told(world: World) -> None:
    world.emulator.settings(reject_pwned_at_sign_in=True, pwned_passwords=[PASSWORD])
    await world.add(ADA, PASSWORD)
    assert await finding(world) == "sign_in_refused"
    assert world.emulator.stats()["users"] == 0


async def test_an_account_that_would_prove_nothing_is_refused(world: World) -> None:
    with pytest.raises(EmailUnknown):
        await fly(world)
    user_id = await world.add(ADA, None)
    with pytest.raises(AccountUnfit, match="has no password"):
        await fly(world)
    await world.connection.execute("UPDATE users SET hashed_password = $1", CHEAP.hash(PASSWORD))
    with pytest.raises(NoSecondFactor):
        await fly(world, code="123456")
    await world.connection.execute("UPDATE users SET enabled_2fa = true")
    with pytest.raises(AccountUnfit, match="second_factor_missing"):
        await fly(world)
    await world.connection.execute("UPDATE users SET enabled_2fa = false")
    await world.run()
    assert await world.clerk_id(user_id) is not None
    with pytest.raises(AccountUnfit, match="in Clerk already"):
        await fly(world)
    assert await events(world) == []


async def test_a_stand_in_whose_create_was_not_answered_is_found_and_removed(world: World) -> None:
    """Invariant 7."""
    await world.add(ADA, PASSWORD)
    world.emulator.add_fault({"match": {"method": "POST", "path": "/v1/users"}, "drop": "after"})
    assert await finding(world) == "held"
    assert world.emulator.stats()["users"] == 0


async def test_a_stand_in_that_clerk_keeps_is_told_and_swept(world: World) -> None:
    await world.add(ADA, PASSWORD)
    world.emulator.add_fault(
        {"match": {"method": "DELETE", "path": "/v1/users/*"}, "times": 50, "status": 422}
    )
    proof = await fly(world)
    assert (proof.finding.holds, proof.left is not None) == (True, True)
    assert world.emulator.stats()["users"] == 1
    world.emulator.clear_faults()
    async with world.clerk() as clerk:
        assert await remove_left(world.connection, clerk) == 0, "its canary might still go on"
        assert world.emulator.stats()["users"] == 1
        assert await remove_left(world.connection, clerk, timedelta(0)) == 1
        assert await remove_left(world.connection, clerk, timedelta(0)) == 0
    assert world.emulator.stats()["users"] == 0
    assert (await events(world))[-1] == ("removed", None)


async def test_a_sweep_removes_nothing_but_stand_ins_of_its_database(world: World) -> None:
    await world.connection.execute(
        "INSERT INTO clerk_migration.canaries (canary, event, user_id) VALUES ('canary-1', 'begun', '1')"
    )
    async with world.clerk() as clerk:
        await clerk.create_user(external_id="canary-1", email_address=ADA, password="somebody's own")
        assert await remove_left(world.connection, clerk, timedelta(0)) == 0
    assert world.emulator.stats()["users"] == 1


def has_users(world: World) -> bool:
    return bool(world.emulator.stats()["users"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_it_still_removes_its_stand_in(
    world: World, playbook: str, number: signal.Signals
) -> None:
    await world.add(ADA, PASSWORD)
    world.emulator.add_fault({"match": {"path": "/v1/users/*/verify_password"}, "latency_ms": 60_000})
    arguments = ("canary", "--env", playbook, "--email", ADA, "--password-stdin", "--yes")
    process = start(world, *arguments, text=f"{PASSWORD}\n")
    await until(partial(has_users, world))
    process.send_signal(number)
    _, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False), err
    assert not has_users(world)
    assert await events(world) == [("begun", None), ("removed", None)]


async def test_the_command_asks_proves_and_speaks_json(world: World, playbook: str) -> None:
    """Invariants 8 and 11."""
    await world.add(ADA, PASSWORD, **with_totp())
    arguments = ("canary", "--env", playbook, "--email", ADA)
    for missing in ((), ("--password-stdin",)):
        code, _, err = await pipe(world, *arguments, *missing)
        assert code == 2, err
    assert (await pipe(world, *arguments, "--password-stdin", "--yes", text="\n"))[0] == 2
    assert world.requests() == 0

    code, out, err = await pipe(world, *arguments, "--password-stdin", "--yes", "--json")
    told: dict[str, Any] = json.loads(out)
    assert (code, told["holds"], told["hasher"], told["second_factor"]) == (0, True, "argon2id", True)
    code, out, err = await pipe(
        world, *arguments, "--password-stdin", "--code", "--yes", text=f"{PASSWORD}\n000000\n"
    )
    assert (code, "code_wrong" in out) == (3, True), err
    assert PASSWORD not in out + err


async def test_it_is_a_part_of_preflight(world: World, playbook: str) -> None:
    await world.add(ADA, PASSWORD)
    arguments = ("preflight", "--env", playbook, "--canary", ADA, "--password-stdin", "--yes")
    code, out, err = await pipe(world, *arguments)
    assert (code, "The canary holds" in out, "Nothing is in the way" in out) == (0, True, True), out + err
    code, out, _ = await pipe(world, *arguments, "--json", text="another\n")
    assert code == 3
    told = json.loads(out)
    assert (told["blocked"], told["canary"]["code"]) == (True, "wrong_or_peppered")
    assert told["misfits"][0].startswith("The last canary did not hold")
    code, out, _ = await pipe(world, *arguments, text="another\n")
    assert (code, "Nothing is in the way" in out) == (3, False)
