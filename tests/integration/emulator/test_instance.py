"""What follows from the instance's keys, and that secrets stay where they belong."""

import stat
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from tests.emulator import Emulator
from tests.integration.emulator.conftest import DIGEST, PASSWORD, SECRET, Api
from toolkit.paths import ROOT


async def test_sign_in_tokens_are_signed_with_a_key_that_is_published(api: Api) -> None:
    user = await api.created()
    reply = await api.call("POST", "/v1/sign_in_tokens", {"user_id": user["id"], "expires_in_seconds": 60})
    (key,) = (await api.call("GET", "/v1/jwks")).content["keys"]
    claims = jwt.decode(reply.content["token"], jwt.PyJWK(key), algorithms=["RS256"])
    assert claims["exp"] - claims["iat"] == 60
    assert claims["sid"] == reply.content["id"]


async def test_the_key_set_is_under_no_limit(api: Api, emulator: Emulator) -> None:
    emulator.settings(rate_limit="development")
    replies = [await api.call("GET", "/v1/jwks") for _ in range(105)]
    assert {reply.status for reply in replies} == {200}


def test_the_signing_key_lasts(tmp_path: Path, traffic_file: Path) -> None:
    keys = []
    for _ in range(2):
        emulator = Emulator(traffic_file, "--state", str(tmp_path / "state.sqlite"))
        keys.append(emulator.get("/v1/jwks"))
        emulator.stop()
    assert keys[0] == keys[1]


@pytest.mark.parametrize(("key", "kind"), [("sk_live_mine", "production"), ("sk_test_mine", "development")])
def test_the_kind_of_instance_follows_from_the_key(traffic_file: Path, key: str, kind: str) -> None:
    emulator = Emulator(traffic_file, "--secret-key", key)
    assert emulator.get("/v1/instance")["environment_type"] == kind
    shown = emulator.get("/v1/environment?_is_native=1")["display_config"]
    assert shown["instance_environment_type"] == kind
    assert emulator.publishable_key.startswith(key.replace("sk_", "pk_").removesuffix("mine"))
    emulator.stop()


async def test_an_api_version_that_never_was(api: Api, emulator: Emulator) -> None:
    headers = {"Authorization": f"Bearer {emulator.secret_key}", "Clerk-API-Version": "1999-12-31"}
    reply = await api.call("GET", "/v1/users", headers=headers)
    assert reply.refusal == (400, "api_version_invalid", None)


@pytest.mark.parametrize("status", ["verified", "reserved", "unverified"])
async def test_one_address_replaces_all(api: Api, status: str) -> None:
    user = await api.created()
    body = {"email_address": "New@example.com", "identification_status": status}
    email = (await api.call("PUT", f"/v1/users/{user['id']}/email_address", body)).content
    assert email["email_address"] == "new@example.com"
    assert (email["reserved"], email["verification"] is not None) == (
        status == "reserved",
        status == "verified",
    )
    found = (await api.call("GET", f"/v1/users/{user['id']}")).content
    assert [address["id"] for address in found["email_addresses"]] == [email["id"]]
    assert found["primary_email_address_id"] == email["id"]
    await api.created()  # the old address is free again


async def test_the_traffic_holds_no_secret(api: Api, emulator: Emulator) -> None:
    """Invariant 8."""
    user = await api.created(totp_secret=SECRET, backup_codes=["a-spare-code"])
    await api.call("POST", f"/v1/users/{user['id']}/verify_password", {"password": PASSWORD})
    token = (await api.call("POST", "/v1/sign_in_tokens", {"user_id": user["id"]})).content["token"]
    told = emulator.traffic()
    assert '"password_hasher":"argon2id"' in told
    for secret in (DIGEST, SECRET, "a-spare-code", PASSWORD, token):
        assert secret not in told


def test_a_key_of_ones_own_is_not_told(tmp_path: Path) -> None:
    """Invariant 8: what it prints ends in the sandbox's log."""
    process = subprocess.Popen(
        [sys.executable, "-m", "toolkit.sandbox.emulator", "--secret-key", "sk_test_of_ones_own"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    process.terminate()
    rest, _ = process.communicate(timeout=60)
    assert "CLERK_FRONTEND_API_URL" in lines[-1]
    assert "sk_test_of_ones_own" not in "".join(lines) + rest


def test_only_its_owner_reads_the_state(tmp_path: Path, traffic_file: Path) -> None:
    """Invariant 8."""
    emulator = Emulator(traffic_file, "--state", str(tmp_path / "state.sqlite"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    emulator.stop()
    assert set(modes.values()) == {0o600}, modes
