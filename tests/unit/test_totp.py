"""TOTP secrets come out of AX's cipher as Clerk takes them, or not at all."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from toolkit import totp

KEY, OLDER, NONCE = b"k" * 32, b"o" * 32, b"n" * 12


def encrypted(text: bytes, key: bytes = KEY) -> bytes:
    return AESGCM(key).encrypt(NONCE, text, None)


def test_a_secret_is_decrypted() -> None:
    opened = totp.decrypt(encrypted(b"JBSWY3DPEHPK3PXP"), NONCE, [KEY, OLDER])
    assert opened == totp.Opened("JBSWY3DPEHPK3PXP", by_older_key=False)


def test_a_secret_that_the_first_key_does_not_open_is_tried_with_the_older() -> None:
    opened = totp.decrypt(encrypted(b"JBSWY3DPEHPK3PXP", OLDER), NONCE, [KEY, OLDER])
    assert opened == totp.Opened("JBSWY3DPEHPK3PXP", by_older_key=True)


def test_blanks_case_and_padding_are_normalized() -> None:
    assert totp.normalize("jbsw y3dp ehpk 3pxp mfrgg===") == "JBSWY3DPEHPK3PXPMFRGG"


@pytest.mark.parametrize(
    ("cipher", "nonce", "keys"),
    [
        (encrypted(b"JBSWY3DPEHPK3PXP"), NONCE, [b"x" * 32, OLDER]),
        (encrypted(b"JBSWY3DPEHPK3PXP"), NONCE, []),
        (encrypted(b"JBSWY3DPEHPK3PXP"), b"m" * 12, [KEY]),
        (encrypted(b"JBSWY3DPEHPK3PXP"), None, [KEY]),
        (b"short", NONCE, [KEY]),
        (b"\xe9" * 40, NONCE, [KEY]),
    ],
)
def test_what_does_not_open_is_undecryptable(cipher: bytes, nonce: bytes | None, keys: list[bytes]) -> None:
    with pytest.raises(totp.TotpUndecryptable):
        totp.decrypt(cipher, nonce, keys)


@pytest.mark.parametrize("secret", [b"", b"not base32!", b"01890189", b"\xff\xfe", b"A"])
def test_what_is_not_base32_is_malformed(secret: bytes) -> None:
    with pytest.raises(totp.TotpMalformed):
        totp.decrypt(encrypted(secret), NONCE, [KEY])
