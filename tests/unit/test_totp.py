"""TOTP secrets come out of AX's cipher as Clerk takes them, or not at all."""

import base64

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


URI = "otpauth://totp/AX:ada%40example.com?issuer=AX&secret=JBSWY3DPEHPK3PXP"
LARAVEL = base64.b64encode(b'{"iv":"aXY=","value":"dmFsdWU=","mac":"6d6163","tag":""}')


@pytest.mark.parametrize(
    "uri",
    [
        URI,
        f"{URI}&algorithm=SHA1&digits=6&period=30",
        f"{URI}&Algorithm=sha-1",
        f"{URI}&algorithm=HmacSHA1&image=https://example.com/logo.png",
        f" {URI} ".replace("otpauth", "OTPAuth").replace("JBSW", "jbsw"),
    ],
)
def test_a_uri_of_clerks_form_has_the_secret(uri: str) -> None:
    assert totp.read(uri) == "JBSWY3DPEHPK3PXP"
    assert totp.decrypt(encrypted(uri.encode()), NONCE, [KEY]).secret == "JBSWY3DPEHPK3PXP"


@pytest.mark.parametrize(
    ("stored", "fault"),
    [
        (f"{URI}&digits=8", totp.OtherDigits),
        ("otpauth://totp/?digits=7", totp.OtherDigits),
        (f"{URI}&period=60", totp.OtherPeriod),
        (f"{URI}&algorithm=SHA256", totp.OtherAlgorithm),
        (f"{URI}&algorithm=SHA512", totp.OtherAlgorithm),
        (URI.replace("totp", "hotp", 1) + "&counter=3", totp.CounterBased),
        (LARAVEL.decode(), totp.EncryptedByLaravel),
        ("otpauth://totp/AX?issuer=AX", totp.TotpMalformed),
        ("otpauth://[", totp.TotpMalformed),
    ],
)
def test_a_secret_of_another_form_is_told_by_what_differs(stored: str, fault: type[totp.TotpUnfit]) -> None:
    """Invariant 2: Clerk would compute other codes from it, and its user would be locked out."""
    with pytest.raises(fault):
        totp.read(stored)
    with pytest.raises(fault):
        totp.decrypt(encrypted(stored.encode()), NONCE, [KEY])


def test_a_payload_of_laravels_is_told_without_a_key() -> None:
    with pytest.raises(totp.EncryptedByLaravel):
        totp.decrypt(LARAVEL, None, [])


@pytest.mark.parametrize("secret", ["eyjpdii6", "Nzc3"])
def test_a_secret_that_only_looks_like_a_payload_is_one(secret: str) -> None:
    assert totp.read(secret) == secret.upper()


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
