"""What AX keeps of a user's password and second factor."""

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pyotp

from bff.proof.systems import CODE_LIFETIME
from bff.refusals import AuthenticationUnavailable
from bff.tokens import hash_code
from toolkit import totp
from toolkit.database import Connection, queries
from toolkit.totp import TotpUnfit

STEP = 30
"""Seconds that an authenticator code stands for."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The legacy columns of a row of `users`."""

    digest: str | None = field(repr=False)
    second_factor: bool
    totp_cipher: bytes | None = field(repr=False)
    totp_nonce: bytes | None = field(repr=False)


async def find(connection: Connection, user_id: UUID) -> Credentials | None:
    """The credentials of a user whom AX checks; None for one who was moved to Clerk, disabled or deleted meanwhile."""
    record = await queries.legacy_credentials(connection, user_id=user_id)
    return Credentials(**record) if record else None


def hash_digest(digest: str) -> str:
    """SHA-256 of a digest, in hex: tells whether it is still the same, and nothing else."""
    return hashlib.sha256(digest.encode()).hexdigest()


def totp_step(credentials: Credentials, code: str, keys: Sequence[bytes]) -> int | None:
    """The 30-second step that the user's authenticator code stands for; None when it is not the user's code.

    Raises AuthenticationUnavailable when the secret does not open.
    """
    if credentials.totp_cipher is None:
        raise AuthenticationUnavailable
    try:
        opened = totp.decrypt(credentials.totp_cipher, credentials.totp_nonce, keys)
    except TotpUnfit as error:
        raise AuthenticationUnavailable from error
    return code_step(opened.secret, code)


def code_step(secret: str, code: str) -> int | None:
    """The 30-second step that a code of this secret stands for; None for any other. A step early or late is taken, as AX does."""
    now = int(time.time()) // STEP
    generator = pyotp.TOTP(secret)
    return next(
        (
            step
            for step in (now, now - 1, now + 1)
            if secrets.compare_digest(generator.at(step * STEP).encode(), code.encode())
        ),
        None,
    )


async def spend(connection: Connection, user_id: UUID, code: str, step: int) -> bool:
    """Use up a code, and all of older steps: true once. To be called with the user's row locked."""
    spent = await queries.spend_code(
        connection,
        user_id=user_id,
        code_hash=hash_code(user_id, code),
        step=step,
        lifetime=CODE_LIFETIME,
    )
    return bool(spent)
