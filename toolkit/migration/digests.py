"""Password digests: which ones Clerk takes, told before a request is spent on them, and what they cost.

The forms are those of Clerk's reference of `createUser` (https://clerk.com/docs/reference/backend/user/create-user); the
two it says nothing of, `ldap_ssha` and `md5_phpass`, are as OpenLDAP and phpass write them. Digests go over verbatim. No
digest ever appears in a message.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from argon2 import Parameters, extract_parameters

from toolkit.errors import ToolkitError

_BCRYPT_FORM = r"\$2[abxy]\$(?P<cost>0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}"
_BCRYPT = re.compile(_BCRYPT_FORM)
_PLAIN_CODE = re.compile(r"(?!.*[0-9A-Za-z]{32})[0-9A-Za-z][0-9A-Za-z ._-]{0,63}")

COSTLY_SECONDS, COSTLY_MEBIBYTES = 1, 256
"""From more than this on, a check of one password is costly."""


class DigestUnfit(ToolkitError):
    """Clerk would refuse this digest."""


class HasherUnsupported(DigestUnfit):
    """Clerk knows no such hasher."""


class DigestMalformed(DigestUnfit):
    """The digest is not of the form that its hasher makes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What digests are counted by: hasher and parameters, with what follows from them."""

    hasher: str
    parameters: str = ""
    """As in `m=65536,t=3,p=4`; empty for a hasher that has none."""
    is_weak: bool = False
    """Less than OWASP asks of a digest that is made today: whoever has the table finds many passwords."""
    seconds: float = 0
    """What a check of a password takes of a server's core, about."""
    mebibytes: float = 0
    """Memory that a check takes, as far as it matters."""

    @property
    def is_costly(self) -> bool:
        """A login would wait for it."""
        return self.seconds > COSTLY_SECONDS or self.mebibytes > COSTLY_MEBIBYTES

    def __str__(self) -> str:
        return f"{self.hasher} {self.parameters}".rstrip()


def is_backup_code(code: str) -> bool:
    """Whether Clerk takes it as a backup code: plain, or as bcrypt makes it of one.

    Clerk would take any other digest, or what is encrypted, for the code itself. 32 letters and digits on end are no
    code that somebody types, but an MD5.
    """
    return bool(_PLAIN_CODE.fullmatch(code) or _BCRYPT.fullmatch(code))


def kind_of(digest: str, hasher: str | None) -> Kind:
    """The kind of a digest that Clerk will take. Raises HasherUnsupported or DigestMalformed."""
    if hasher is None or hasher not in _FORMS:
        raise HasherUnsupported(f"hasher {hasher!r}")
    form = _FORMS[hasher]
    match = form.pattern.fullmatch(digest)
    try:
        if match is None:
            raise ValueError
        return form.kind(hasher, match)
    except ValueError as error:
        raise DigestMalformed(f"the digest is not of the form that {hasher} makes") from error


@dataclass(frozen=True, slots=True)
class _Form:
    pattern: re.Pattern[str]
    kind: Callable[[str, re.Match[str]], Kind]
    """Of a match of the pattern. Raises ValueError for what the pattern alone does not tell."""


def _form(pattern: str, kind: Callable[[str, re.Match[str]], Kind]) -> _Form:
    return _Form(re.compile(pattern, re.DOTALL), kind)


_NUMBER = "[1-9][0-9]{0,8}"
_HEX = "(?:[0-9A-Fa-f]{2})"
_BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)"
_BASE64_32, _BASE64_64 = "[A-Za-z0-9+/]{43}=", "[A-Za-z0-9+/]{86}=="
_PHPASS = r"\$P\$(?P<rounds>[5-9A-S])[./0-9A-Za-z]{30}"
_PHPASS_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# What less than is weak: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
_ARGON2_LEAST = ((47104, 1), (19456, 2), (12288, 3), (9216, 4), (7168, 5))
"""Memory (KiB) and passes, each pair as good as the others."""
_SCRYPT_LEAST = ((2**17, 1), (2**16, 2), (2**15, 3), (2**14, 5), (2**13, 10))
"""N and p with r=8, each pair as good as the others."""
_PBKDF2_LEAST = {"sha1": 1_300_000, "sha256": 600_000, "sha512": 210_000}
_BCRYPT_LEAST = 10

# Seconds of a core, measured on a server of 2024.
_ARGON2_MEBIBYTE = 0.0009
_SCRYPT_MEBIBYTE = 0.0018
_BCRYPT_ROUND = 48e-6
_PBKDF2_ROUND = {"sha1": 1.7e-7, "sha256": 1.8e-7, "sha512": 3.8e-7}
_MD5_ROUND, _SHA512_ROUND = 2e-7, 4.5e-7


def _argon2(hasher: str, match: re.Match[str]) -> Kind:
    """Of a PHC string, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`."""
    digest = match[0]
    parameters = extract_parameters(digest)
    _, variant, _, _, salt, checksum = digest.split("$")
    if variant != hasher or not _is_possible(parameters, _unpadded_base64(salt), _unpadded_base64(checksum)):
        raise ValueError
    memory, passes, lanes = parameters.memory_cost, parameters.time_cost, parameters.parallelism
    return Kind(
        hasher,
        f"m={memory},t={passes},p={lanes}",
        is_weak=not any(memory >= least and passes >= times for least, times in _ARGON2_LEAST),
        seconds=memory / 1024 * passes * _ARGON2_MEBIBYTE,
        mebibytes=memory / 1024,
    )


def _is_possible(parameters: Parameters, salt: bytes, checksum: bytes) -> bool:
    """RFC 9106 section 3.1: at least 8 bytes of salt (its limit for libraries), 4 of tag, 8 KiB of memory a lane."""
    lanes = parameters.parallelism
    return (
        parameters.version in (16, 19)
        and len(salt) >= 8
        and len(checksum) >= 4
        and lanes >= 1
        and parameters.time_cost >= 1
        and parameters.memory_cost >= 8 * lanes
    )


def _unpadded_base64(text: str) -> bytes:
    """Without stray bits either, as Argon2's reference code takes it."""
    decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    if base64.b64encode(decoded).decode().rstrip("=") != text:
        raise ValueError
    return decoded


def _bcrypt(hasher: str, match: re.Match[str]) -> Kind:
    cost = int(match["cost"])
    return Kind(hasher, f"cost={cost}", is_weak=cost < _BCRYPT_LEAST, seconds=2**cost * _BCRYPT_ROUND)


def _fast(hasher: str, match: re.Match[str]) -> Kind:
    """Of a hash that is made to be fast."""
    return Kind(hasher, is_weak=True)


def _ldap_ssha(hasher: str, match: re.Match[str]) -> Kind:
    if len(base64.b64decode(match["hash"])) <= 20:  # a SHA-1 and no salt behind it
        raise ValueError
    return _fast(hasher, match)


def _phpass(hasher: str, match: re.Match[str]) -> Kind:
    rounds = 2 ** _PHPASS_DIGITS.index(match["rounds"])
    return Kind(hasher, f"iterations={rounds}", is_weak=True, seconds=rounds * _MD5_ROUND)


def _sha512_symfony(hasher: str, match: re.Match[str]) -> Kind:
    rounds = int(match["iterations"])
    return Kind(hasher, f"iterations={rounds}", is_weak=True, seconds=rounds * _SHA512_ROUND)


def _pbkdf2(algorithm: str) -> Callable[[str, re.Match[str]], Kind]:
    def kind(hasher: str, match: re.Match[str]) -> Kind:
        rounds = int(match["iterations"])
        return Kind(
            hasher,
            f"iterations={rounds}",
            is_weak=rounds < _PBKDF2_LEAST[algorithm],
            seconds=rounds * _PBKDF2_ROUND[algorithm],
        )

    return kind


def _pbkdf2_sha1(hasher: str, match: re.Match[str]) -> Kind:
    """Clerk compares 32 bytes unless the digest says how many it has."""
    if len(match["hash"]) != 2 * int(match["length"] or 32):
        raise ValueError
    return _pbkdf2("sha1")(hasher, match)


def _scrypt_firebase(hasher: str, match: re.Match[str]) -> Kind:
    if len(base64.b64decode(match["hash"])) != len(base64.b64decode(match["key"])):
        raise ValueError  # the hash is the key, encrypted
    rounds, memory = int(match["rounds"]), int(match["memory"])
    return _scrypt(hasher, f"rounds={rounds},mem_cost={memory}", 2**memory, rounds, 1)


def _scrypt_werkzeug(hasher: str, match: re.Match[str]) -> Kind:
    cost, block_size, lanes = int(match["n"]), int(match["r"]), int(match["p"])
    if cost < 2 or cost & (cost - 1):  # RFC 7914: a power of two
        raise ValueError
    return _scrypt(hasher, f"N={cost},r={block_size},p={lanes}", cost, block_size, lanes)


def _scrypt(hasher: str, parameters: str, cost: int, block_size: int, lanes: int) -> Kind:
    mebibytes = cost * block_size / 8192
    return Kind(
        hasher,
        parameters,
        is_weak=not any(cost * block_size >= 8 * n and lanes >= p for n, p in _SCRYPT_LEAST),
        seconds=mebibytes * lanes * _SCRYPT_MEBIBYTE,
        mebibytes=mebibytes,
    )


def _cognito(hasher: str, match: re.Match[str]) -> Kind:
    """Says where in AWS Cognito the user is, whom Clerk asks for the password."""
    return Kind(hasher)


_FORMS: Mapping[str, _Form] = {
    "argon2i": _form(".+", _argon2),
    "argon2id": _form(".+", _argon2),
    "awscognito": _form("awscognito#[^#]+#[^#]+#.+", _cognito),
    "bcrypt": _form(_BCRYPT_FORM, _bcrypt),
    "bcrypt_peppered": _form(rf"{_BCRYPT_FORM}\$.+", _bcrypt),
    "bcrypt_sha256_django": _form(rf"bcrypt_sha256\${_BCRYPT_FORM}", _bcrypt),
    "hmac_sha256_utf16_b64": _form(rf"hmac_sha256_utf16_b64\${_BASE64_32}\${_BASE64}", _fast),
    "ldap_ssha": _form(rf"\{{SSHA\}}(?P<hash>{_BASE64})", _ldap_ssha),
    "md5": _form(f"{_HEX}{{16}}", _fast),
    "md5_phpass": _form(_PHPASS, _phpass),
    "md5_salted": _form(rf"[^$]+\${_HEX}{{16}}", _fast),
    "pbkdf2_sha1": _form(
        rf"pbkdf2_sha1\$(?P<iterations>{_NUMBER})\$[^$]+\$(?P<hash>{_HEX}+)(?:\$(?P<length>[1-9][0-9]{{0,3}}))?",
        _pbkdf2_sha1,
    ),
    "pbkdf2_sha256": _form(
        rf"pbkdf2_sha256\$(?P<iterations>{_NUMBER})\${_BASE64}\${_BASE64}", _pbkdf2("sha256")
    ),
    "pbkdf2_sha256_django": _form(
        rf"pbkdf2_sha256\$(?P<iterations>{_NUMBER})\$[^$]+\${_BASE64_32}", _pbkdf2("sha256")
    ),
    "pbkdf2_sha512": _form(rf"pbkdf2_sha512\$(?P<iterations>{_NUMBER})\$[^$]+\${_HEX}+", _pbkdf2("sha512")),
    "pbkdf2_sha512_hex": _form(
        rf"pbkdf2_sha512_hex\$(?P<iterations>{_NUMBER})\${_HEX}+\${_HEX}+", _pbkdf2("sha512")
    ),
    "phpass": _form(_PHPASS, _phpass),
    "scrypt_firebase": _form(
        rf"(?P<hash>{_BASE64})\${_BASE64}\$(?P<key>{_BASE64})\$(?:{_BASE64})?"
        r"\$(?P<rounds>[1-8])\$(?P<memory>[1-9]|1[0-4])",
        _scrypt_firebase,
    ),
    "scrypt_werkzeug": _form(
        rf"\$?scrypt:(?P<n>{_NUMBER}):(?P<r>{_NUMBER}):(?P<p>{_NUMBER})\$[^$]+\${_HEX}{{64}}",
        _scrypt_werkzeug,
    ),
    "sha256": _form(f"{_HEX}{{32}}", _fast),
    "sha256_salted": _form(rf"[^$]+\${_HEX}{{32}}", _fast),
    "sha512_symfony": _form(
        rf"sha512_symfony\$(?P<iterations>{_NUMBER})\$[^${{}}]*\${_BASE64_64}", _sha512_symfony
    ),
}
"""Every hasher that Clerk takes: those of its description, and five that only its own tools and older texts name."""
