"""Hashers that Clerk imports digests of: each reads a digest, and checks passwords against it.

The forms are those of Clerk's reference of `createUser` (https://clerk.com/docs/reference/backend/user/create-user).
What that leaves open is in docs/emulator.md. Those of bcrypt and phpass are not here: they need packages of the sandbox's.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping

from argon2 import extract_parameters
from argon2.exceptions import Argon2Error
from argon2.low_level import Type, verify_secret
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

_SCRYPT_MEMORY = 2**31 - 1
"""Bytes that scrypt may take: the most that OpenSSL can be told."""

Check = Callable[[str], bool]
"""Whether a password is the digest's. Slow on purpose."""
Reader = Callable[[str], Check]
"""Makes a check of a digest. Raises ValueError when it is not of the hasher's form."""


def _argon2(kind: Type) -> Reader:
    def read(digest: str) -> Check:
        parameters = extract_parameters(digest)
        salt, checksum = digest.split("$")[-2:]
        if not (
            parameters.type is kind
            and parameters.version in (16, 19)
            and parameters.time_cost >= 1
            and parameters.memory_cost >= 8 * parameters.parallelism >= 8
            and len(_phc_base64(salt)) >= 8
            and len(_phc_base64(checksum)) >= 4
        ):
            raise ValueError

        def check(password: str) -> bool:
            try:
                return verify_secret(digest.encode(), password.encode(), kind)
            except Argon2Error:
                return False

        return check

    return read


def _plain(algorithm: str) -> Reader:
    size = hashlib.new(algorithm).digest_size
    return lambda digest: _hashed(algorithm, b"", _hex(digest, size))


def _salted(algorithm: str) -> Reader:
    size = hashlib.new(algorithm).digest_size

    def read(digest: str) -> Check:
        salt, checksum = parts(r"([^$]+)\$([^$]+)", digest)
        return _hashed(algorithm, salt.encode(), _hex(checksum, size))

    return read


def _hashed(algorithm: str, salt: bytes, checksum: bytes) -> Check:
    return lambda password: hmac.compare_digest(
        hashlib.new(algorithm, salt + password.encode()).digest(), checksum
    )


def _hmac_sha256_utf16_b64(digest: str) -> Check:
    checksum, key = map(_base64, parts(r"hmac_sha256_utf16_b64\$([^$]+)\$([^$]+)", digest))
    if len(checksum) != hashlib.sha256().digest_size:
        raise ValueError
    return lambda password: hmac.compare_digest(
        hmac.digest(key, password.encode("utf-16-le"), "sha256"), checksum
    )


def _ldap_ssha(digest: str) -> Check:
    decoded = _base64(parts(r"\{SSHA\}(.+)", digest)[0])
    checksum, salt = decoded[:20], decoded[20:]
    if not salt:
        raise ValueError
    return lambda password: hmac.compare_digest(
        hashlib.sha1(password.encode() + salt, usedforsecurity=False).digest(), checksum
    )


def _pbkdf2_sha1(digest: str) -> Check:
    iterations, salt, checksum, length = parts(
        r"pbkdf2_sha1\$(\d+)\$([^$]+)\$([^$]+)(?:\$([1-9]\d{0,3}))?", digest
    )
    try:
        salt_bytes = _hex(salt)
    except ValueError:
        salt_bytes = salt.encode()
    return _pbkdf2("sha1", iterations, salt_bytes, _hex(checksum, int(length or 32)))


def _pbkdf2_sha256(digest: str) -> Check:
    iterations, salt, checksum = parts(r"pbkdf2_sha256\$(\d+)\$([^$]+)\$([^$]+)", digest)
    return _pbkdf2("sha256", iterations, _base64(salt), _base64(checksum))


def _pbkdf2_sha256_django(digest: str) -> Check:
    iterations, salt, checksum = parts(r"pbkdf2_sha256\$(\d+)\$([^$]+)\$([^$]+)", digest)
    if len(_base64(checksum)) != hashlib.sha256().digest_size:
        raise ValueError
    return _pbkdf2("sha256", iterations, salt.encode(), _base64(checksum))


def _pbkdf2_sha512(digest: str) -> Check:
    iterations, salt, checksum = parts(r"pbkdf2_sha512\$(\d+)\$([^$]+)\$([^$]+)", digest)
    return _pbkdf2("sha512", iterations, salt.encode(), _hex(checksum))


def _pbkdf2_sha512_hex(digest: str) -> Check:
    iterations, salt, checksum = parts(r"pbkdf2_sha512_hex\$(\d+)\$([^$]+)\$([^$]+)", digest)
    return _pbkdf2("sha512", iterations, _hex(salt), _hex(checksum))


def _pbkdf2(algorithm: str, iterations: str, salt: bytes, checksum: bytes) -> Check:
    count = _number(iterations)
    return lambda password: hmac.compare_digest(
        hashlib.pbkdf2_hmac(algorithm, password.encode(), salt, count, len(checksum)), checksum
    )


def _scrypt_firebase(digest: str) -> Check:
    """The signer key, encrypted with what scrypt derives (https://github.com/firebase/scrypt)."""
    *encoded, separator, rounds, memory = parts(
        r"([^$]+)\$([^$]+)\$([^$]+)\$([^$]*)\$([1-8])\$([1-9]|1[0-4])", digest
    )
    checksum, salt, signer_key = map(_base64, encoded)
    if len(checksum) != len(signer_key):
        raise ValueError
    derive = _scrypt(salt + _base64(separator), 2 ** int(memory), int(rounds), 1)

    def check(password: str) -> bool:
        encryptor = Cipher(AES(derive(password)[:32]), CTR(bytes(16))).encryptor()
        return hmac.compare_digest(encryptor.update(signer_key) + encryptor.finalize(), checksum)

    return check


def _scrypt_werkzeug(digest: str) -> Check:
    """As Werkzeug writes it, or with the `$` before it that Clerk's reference shows."""
    *costs, salt, checksum = parts(r"\$?scrypt:(\d+):(\d+):(\d+)\$([^$]+)\$([^$]+)", digest)
    expected = _hex(checksum, 64)
    derive = _scrypt(salt.encode(), *map(_number, costs))
    return lambda password: hmac.compare_digest(derive(password), expected)


def _scrypt(salt: bytes, cost: int, block_size: int, parallelism: int) -> Callable[[str], bytes]:
    if cost < 2 or cost & (cost - 1) or 128 * block_size * (cost + parallelism + 2) > _SCRYPT_MEMORY:
        raise ValueError
    return lambda password: hashlib.scrypt(
        password.encode(), salt=salt, n=cost, r=block_size, p=parallelism, maxmem=_SCRYPT_MEMORY, dklen=64
    )


def _sha512_symfony(digest: str) -> Check:
    """Symfony's MessageDigestPasswordHasher: the password and its salt in braces, and each round over the last."""
    iterations, salt, encoded = parts(r"sha512_symfony\$(\d+)\$([^${}]*)\$([^$]+)", digest)
    count, checksum = _number(iterations), _base64(encoded)
    if len(checksum) != hashlib.sha512().digest_size:
        raise ValueError

    def check(password: str) -> bool:
        salted = f"{password}{{{salt}}}".encode() if salt else password.encode()
        computed = hashlib.sha512(salted).digest()
        for _ in range(count - 1):
            computed = hashlib.sha512(computed + salted).digest()
        return hmac.compare_digest(computed, checksum)

    return check


def parts(form: str, digest: str) -> list[str]:
    """The groups of the form; an optional one that is absent is empty. Raises ValueError for another form."""
    match = re.fullmatch(form, digest, re.ASCII | re.DOTALL)
    if match is None:
        raise ValueError
    return list(match.groups(default=""))


def _number(text: str) -> int:
    """A number from 1 to what OpenSSL counts to."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ValueError
    return int(text)


def _hex(text: str, size: int | None = None) -> bytes:
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", text) or size not in (None, len(text) // 2):
        raise ValueError
    return bytes.fromhex(text)


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _phc_base64(part: str) -> bytes:
    """Base64 without padding and stray bits, as Argon2's reference code takes it."""
    decoded = base64.b64decode(part + "=" * (-len(part) % 4), validate=True)
    if base64.b64encode(decoded).decode().rstrip("=") != part:
        raise ValueError
    return decoded


READERS: Mapping[str, Reader] = {
    "argon2i": _argon2(Type.I),
    "argon2id": _argon2(Type.ID),
    "hmac_sha256_utf16_b64": _hmac_sha256_utf16_b64,
    "ldap_ssha": _ldap_ssha,
    "md5": _plain("md5"),
    "md5_salted": _salted("md5"),
    "pbkdf2_sha1": _pbkdf2_sha1,
    "pbkdf2_sha256": _pbkdf2_sha256,
    "pbkdf2_sha256_django": _pbkdf2_sha256_django,
    "pbkdf2_sha512": _pbkdf2_sha512,
    "pbkdf2_sha512_hex": _pbkdf2_sha512_hex,
    "scrypt_firebase": _scrypt_firebase,
    "scrypt_werkzeug": _scrypt_werkzeug,
    "sha256": _plain("sha256"),
    "sha256_salted": _salted("sha256"),
    "sha512_symfony": _sha512_symfony,
}
"""By Clerk's names."""
