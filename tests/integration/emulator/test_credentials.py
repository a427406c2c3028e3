"""Digests, TOTP codes and backup codes are checked for real."""

import asyncio
import base64
import hmac
import time

import bcrypt
import pyotp
import pytest
from argon2.low_level import Type, hash_secret

from tests.digests import COGNITO
from tests.emulator import Emulator
from tests.integration.emulator.conftest import ARGON2I, ARGON2ID, PASSWORD, SECRET, Api


def bcrypt_digest(password: str, prefix: bytes = b"2b", cost: int = 4) -> str:
    return (
        bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).replace(b"$2b$", b"$" + prefix + b"$").decode()
    )


DIGESTS = {
    "argon2id": ("argon2id", ARGON2ID.hash(PASSWORD)),
    "argon2i": ("argon2i", ARGON2I.hash(PASSWORD)),
    "argon2id of old": (
        "argon2id",
        hash_secret(PASSWORD.encode(), b"somesalt", 1, 8, 1, 16, Type.ID, version=16).decode(),
    ),
    "bcrypt 2a": ("bcrypt", bcrypt_digest(PASSWORD, b"2a")),
    "bcrypt 2b": ("bcrypt", bcrypt_digest(PASSWORD)),
    "bcrypt 2y": ("bcrypt", bcrypt_digest(PASSWORD, b"2y")),
}


async def verifies(api: Api, user_id: str, password: str) -> bool:
    reply = await api.call("POST", f"/v1/users/{user_id}/verify_password", {"password": password})
    if reply.status == 200:
        assert reply.content == {"verified": True}
        return True
    assert reply.refusal == (422, "incorrect_password", None)
    return False


@pytest.mark.parametrize("name", DIGESTS)
async def test_a_digest_takes_its_password_and_no_other(api: Api, name: str) -> None:
    hasher, digest = DIGESTS[name]
    user = await api.created(password_digest=digest, password_hasher=hasher)
    assert user["password_enabled"]
    assert await verifies(api, user["id"], PASSWORD)
    assert not await verifies(api, user["id"], PASSWORD + " ")
    assert not await verifies(api, user["id"], PASSWORD.upper())


async def test_cognito_is_asked_about_a_user_of_cognitos(api: Api, emulator: Emulator) -> None:
    user = await api.created(password_digest=COGNITO.digest, password_hasher=COGNITO.hasher)
    assert not await verifies(api, user["id"], COGNITO.password)
    emulator.settings(cognito_passwords={"ada": COGNITO.password})
    assert await verifies(api, user["id"], COGNITO.password)
    assert not await verifies(api, user["id"], "another password")


async def test_a_plain_password_is_taken_and_can_be_changed(api: Api) -> None:
    user = await api.created(password=PASSWORD)
    assert await verifies(api, user["id"], PASSWORD)
    await api.call("PATCH", f"/v1/users/{user['id']}", {"password": "another password"})
    assert not await verifies(api, user["id"], PASSWORD)
    assert await verifies(api, user["id"], "another password")


async def test_bcrypt_sees_seventy_two_bytes(api: Api) -> None:
    user = await api.created(password_digest=bcrypt_digest("x" * 72), password_hasher="bcrypt")
    assert await verifies(api, user["id"], "x" * 80)


async def test_a_digest_with_stray_bits_is_nobodys_password(api: Api) -> None:
    user = await api.created(password_digest="$2b$04$" + "a" * 53, password_hasher="bcrypt")
    assert not await verifies(api, user["id"], PASSWORD)


async def test_an_answer_holds_no_credential(api: Api) -> None:
    user = await api.created(totp_secret=SECRET, backup_codes=["backup-code-1"])
    shown = str((await api.call("GET", f"/v1/users/{user['id']}")).content)
    for secret in ("$argon2", SECRET, "backup-code-1"):
        assert secret not in shown


def totp_at(secret: str, moment: float) -> str:
    """A code by RFC 6238, from nothing but the standard library. pyotp refuses secrets of 80 bits."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    digest = hmac.digest(key, int(moment // 30).to_bytes(8, "big"), "sha1")
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


async def code_type(api: Api, user_id: str, code: str) -> str | None:
    reply = await api.call("POST", f"/v1/users/{user_id}/verify_totp", {"code": code})
    if reply.status == 200:
        return str(reply.content["code_type"])
    assert reply.refusal == (422, "totp_incorrect_code", None)
    return None


@pytest.mark.parametrize("secret", [SECRET, "jbswy3dpehpk3pxp", "JBSWY3DPEHPK3PXPJB"])
async def test_a_totp_code_works_once(api: Api, secret: str) -> None:
    user = (await api.created(totp_secret=secret))["id"]
    now = time.time()
    assert await code_type(api, user, totp_at(secret, now - 3000)) is None
    assert await code_type(api, user, totp_at(secret, now)) == "totp"
    assert await code_type(api, user, totp_at(secret, now)) is None
    assert await code_type(api, user, totp_at(secret, now - 30)) is None  # older than the one that was used
    assert await code_type(api, user, totp_at(secret, now + 30)) == "totp"


@pytest.mark.parametrize("code", ["", "12345", "１２３４５６", "not a code"])
async def test_what_is_no_code_is_refused(api: Api, code: str) -> None:
    user = (await api.created(totp_secret=SECRET, backup_codes=["backup-code-1"]))["id"]
    reply = await api.call("POST", f"/v1/users/{user}/verify_totp", {"code": code})
    assert reply.refusal[:2] == (422, "totp_incorrect_code" if code else "form_param_missing")


async def test_another_secret_makes_other_codes(api: Api) -> None:
    user = (await api.created(totp_secret=SECRET))["id"]
    assert await code_type(api, user, totp_at(SECRET, time.time())) == "totp"
    other = pyotp.random_base32()
    await api.call("PATCH", f"/v1/users/{user}", {"totp_secret": other})
    assert await code_type(api, user, totp_at(SECRET, time.time() + 30)) is None
    assert await code_type(api, user, totp_at(other, time.time())) == "totp"


async def test_backup_codes_work_once_each_plain_or_hashed(api: Api) -> None:
    codes = ["plain-code", bcrypt_digest("hashed-code")]
    user = (await api.created(totp_secret=SECRET, backup_codes=codes))["id"]
    for code in ("hashed-code", "plain-code"):
        assert await code_type(api, user, code) == "backup_code"
        assert await code_type(api, user, code) is None
    assert await code_type(api, user, codes[1]) is None
    shown = (await api.call("GET", f"/v1/users/{user}")).content
    assert (shown["backup_code_enabled"], shown["totp_enabled"]) == (False, True)


async def test_of_many_at_once_one_uses_a_code(api: Api) -> None:
    slow = bcrypt_digest("hashed-code", cost=8)  # gives the others time to come between
    user = (await api.created(totp_secret=SECRET, backup_codes=[slow]))["id"]
    for code, kind in (("hashed-code", "backup_code"), (totp_at(SECRET, time.time()), "totp")):
        used = await asyncio.gather(*(code_type(api, user, code) for _ in range(20)))
        assert sorted(used, key=str) == [None] * 19 + [kind]
