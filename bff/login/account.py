"""The user that a login is about, as the users table has it."""

import hashlib
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from bff import emails
from toolkit.database import Connection, queries


@dataclass(frozen=True, slots=True)
class Account:
    """A row of `users`."""

    id: UUID
    email: str
    email_verified: bool
    clerk_id: str | None
    """Set: Clerk checks the login, and nothing else does (invariant 3)."""
    digest: str | None = field(repr=False)
    second_factor: bool
    totp_cipher: bytes | None = field(repr=False)
    totp_nonce: bytes | None = field(repr=False)
    disabled: bool

    @property
    def digest_hash(self) -> bytes | None:
        """SHA-256 of the digest: tells whether it is still the same, and nothing else."""
        return None if self.digest is None else hashlib.sha256(self.digest.encode()).digest()


class Legacy(Protocol):
    """What the login asks of AX's own check; `bff.legacy` has it as long as there is one."""

    async def password_matches(self, digest: str | None, password: str) -> bool:
        """Whether the password is the digest's; without a digest it costs the same, and is false."""
        ...

    def totp_step(self, account: Account, code: str, *, after: int | None) -> int | None:
        """The step of the user's authenticator code, newer than `after`; None when it is not the user's."""
        ...


async def by_email(connection: Connection, email: str) -> Account | None:
    """The user with this address; only users of Clerk are found in whatever case and form it is typed."""
    record = await queries.account_by_email(connection, email=email)
    if record is None and (normal := emails.normal(email)) != email:
        record = await queries.account_by_email(connection, email=normal)
    return Account(**record) if record else None


async def by_id(connection: Connection, user_id: UUID) -> Account | None:
    """The user with this id."""
    record = await queries.account_by_id(connection, user_id=user_id)
    return Account(**record) if record else None
