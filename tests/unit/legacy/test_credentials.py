"""AX's own check of authenticator codes."""

import pyotp
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bff.legacy.credentials import Credentials, hash_digest, totp_step
from bff.refusals import AuthenticationUnavailable

KEY, NONCE, SECRET = bytes(range(32)), b"n" * 12, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CIPHER = AESGCM(KEY).encrypt(NONCE, SECRET.encode(), None)
CREDENTIALS = Credentials("digest", second_factor=True, totp_cipher=CIPHER, totp_nonce=NONCE)
NOW = 1_700_000_010


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_is_taken_a_step_early_or_late(
    monkeypatch: pytest.MonkeyPatch, steps: int, taken: bool
) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    step = NOW // 30 + steps
    code = pyotp.TOTP(SECRET).at(step * 30)
    assert totp_step(CREDENTIALS, code, [KEY]) == (step if taken else None)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "é" * 6, "١٢٣٤٥٦"])
def test_what_is_no_code_is_wrong(code: str) -> None:
    assert totp_step(CREDENTIALS, code, [KEY]) is None


@pytest.mark.parametrize(
    ("cipher", "keys"),
    [(None, [KEY]), (b"garbage" * 5, [KEY]), (CIPHER, [bytes(32), b"k" * 32]), (CIPHER, [])],
)
def test_a_secret_that_does_not_open_lets_nobody_in(cipher: bytes | None, keys: list[bytes]) -> None:
    """Invariant 2."""
    broken = Credentials("digest", second_factor=True, totp_cipher=cipher, totp_nonce=NONCE)
    with pytest.raises(AuthenticationUnavailable):
        totp_step(broken, pyotp.TOTP(SECRET).now(), keys)


def test_a_secret_under_the_older_key_opens() -> None:
    code = pyotp.TOTP(SECRET).now()
    assert totp_step(CREDENTIALS, code, [b"k" * 32, KEY]) is not None


def test_credentials_show_nothing_secret() -> None:
    """Invariant 8."""
    assert "digest=" not in repr(CREDENTIALS)
    assert "cipher" not in repr(CREDENTIALS)
    assert hash_digest("digest") != hash_digest("another")
