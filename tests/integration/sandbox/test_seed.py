"""What a seed puts into AX's tables, and what it tells the tester."""

import base64
import hashlib
import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.integration.sandbox.conftest import empty, query, toolkit_here
from toolkit.paths import ROOT
from toolkit.sandbox.seed import AlreadySeeded, seed
from toolkit.sandbox.state import Sandbox, SandboxStopped


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rows(sandbox: Sandbox) -> list[tuple[object, ...]]:
    return query(sandbox, "SELECT * FROM users ORDER BY id")


def test_the_list_of_users_is_true_to_the_table(sandbox: Sandbox) -> None:
    seed(300, 5)
    listed = {user["id"]: user for user in lines(sandbox.users_file)}
    stored = query(
        sandbox,
        "SELECT id::text, email, hashed_password, enabled_2fa, totp_cipher, nonce FROM users ORDER BY id",
    )
    assert len(stored) == len(listed) == 300
    key = AESGCM(base64.b64decode(sandbox.variables["AX_TOTP_KEY"]))
    for user_id, email, digest, second_factor, cipher, nonce in stored:
        user = listed[str(user_id)]
        assert list(user) == ["id", "email", "password", "totp_secret", "kind"]
        assert user["email"] == email
        if user["kind"] != "malformed_digest":
            assert PasswordHasher().verify(str(digest), user["password"])
        if user["totp_secret"]:
            assert second_factor
            assert isinstance(nonce, bytes)
            assert isinstance(cipher, bytes)
            assert key.decrypt(nonce, cipher, None).decode() == user["totp_secret"]
        else:
            assert not second_factor or user["kind"].endswith("_totp")
    assert Counter(user["kind"] for user in listed.values())["email_case_twin"] == 2


def test_the_secrets_fit_their_hashes(sandbox: Sandbox) -> None:
    seed(300, 5)
    secrets = lines(sandbox.secrets_file)
    keys = query(sandbox, "SELECT key_hash, revoked_at IS NOT NULL FROM api_keys")
    invites = query(sandbox, "SELECT code_hash, uses_left, expires_at < now() FROM invites")
    assert Counter(keys) == Counter(
        (hashlib.sha256(s["key"].encode()).digest(), s["revoked"]) for s in secrets if s["type"] == "api_key"
    )
    assert Counter(invites) == Counter(
        (hashlib.sha256(s["code"].encode()).digest(), s["uses_left"], s["expired"])
        for s in secrets
        if s["type"] == "invite"
    )
    assert keys
    assert sum(bool(uses_left) and not expired for _, uses_left, expired in invites) > 10
    for path in (sandbox.users_file, sandbox.secrets_file):
        assert path.stat().st_mode & 0o077 == 0


def test_the_same_seed_fills_the_same_tables(sandbox: Sandbox) -> None:
    first = []
    for _ in range(2):
        empty(sandbox)
        seed(100, 5)
        first.append((rows(sandbox), sandbox.users_file.read_bytes(), sandbox.secrets_file.read_bytes()))
    assert first[0] == first[1]


def test_a_second_seed_is_refused_and_changes_nothing(sandbox: Sandbox) -> None:
    seed(30, 5)
    before = (rows(sandbox), sandbox.users_file.read_bytes())
    with pytest.raises(AlreadySeeded, match=r"has 30 users already.*sandbox reset"):
        seed(30, 6)
    assert (rows(sandbox), sandbox.users_file.read_bytes()) == before


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_seed_that_ends_in_the_middle_leaves_nothing(sandbox: Sandbox, end: signal.Signals) -> None:
    """Invariant 7."""
    command = [sys.executable, "-m", "toolkit", "sandbox", "seed", "--users", "100000"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # a shell's background jobs ignore it
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == "10,000 of 100,000 users\n"
        process.send_signal(end)
        assert process.wait(60) != 0
        assert "Traceback" not in process.stderr.read()
    assert rows(sandbox) == []
    assert not sandbox.users_file.exists()
    seed(30, 5)
    assert len(rows(sandbox)) == len(lines(sandbox.users_file)) == 30


def test_a_seed_on_the_command_line(sandbox: Sandbox) -> None:
    ran = toolkit_here("seed", "--users", "7", "--seed", "3")
    assert (ran.code, str(sandbox.users_file) in ran.out) == (0, True), ran.err
    assert len(rows(sandbox)) == 7
    assert not any(user["password"] in ran.out + ran.err for user in lines(sandbox.users_file))
    assert toolkit_here("seed", "--users", "0").code == 2


def test_without_a_running_sandbox_there_is_nothing_to_seed(folder: Path) -> None:
    with pytest.raises(SandboxStopped):
        seed(10, 1)
