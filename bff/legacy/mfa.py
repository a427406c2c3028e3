"""AX's own second factor, an authenticator: `setup_2fa`, `confirm_2fa` and `disable_2fa`, behind the same screens."""

import os
from collections.abc import Sequence

import pyotp
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bff.accounts import Account
from bff.database import Database
from bff.legacy import credentials
from bff.legacy.credentials import Credentials, code_step, spend
from bff.mfa.factors import BackupCodes, Enrolled, NewAuthenticator, NewPhone, Offered, Standing
from bff.proof.systems import State, SystemName
from bff.refusals import (
    AuthenticationUnavailable,
    CodeInvalid,
    MethodEnrolled,
    MethodUnavailable,
    NotFound,
    ReauthenticationRequired,
)
from bff.sessions.service import Session
from bff.visitor import Visitor
from toolkit.database import Connection, queries

ISSUER = "AX"
_PENDING = "pending"
"""The fact that the state of a new authenticator holds."""
_OFFERED = Offered(totp=True, backup_code=False, sms=False)


class LegacyFactors:
    """The first of `totp_keys` encrypts the secrets; without one nobody enrols."""

    name: SystemName = "legacy"

    def __init__(self, database: Database, totp_keys: Sequence[bytes]) -> None:
        self._database = database
        self._totp_keys = totp_keys

    async def enrolled(self, session: Session, visitor: Visitor) -> Enrolled:
        """What the user's row has."""
        found = await self._find(session)
        return Enrolled(totp=found.second_factor, backup_codes=False, phones=(), offered=_OFFERED)

    async def begin_totp(self, session: Session, visitor: Visitor) -> NewAuthenticator:
        """Make a secret, which the row gets with its first code. Raises as `Factors.begin_totp` does."""
        if (await self._find(session)).second_factor:
            raise MethodEnrolled
        secret = pyotp.random_base32()
        uri = pyotp.TOTP(secret, name=session.user.email, issuer=ISSUER).provisioning_uri()
        return NewAuthenticator(secret, uri, State({_PENDING: secret}))

    async def standing(self, account: Account) -> Standing:
        """What the user's row has. Raises AuthenticationUnavailable when the user was moved to Clerk just now."""
        async with self._database.connection() as connection:
            found = await credentials.find(connection, account.id)
        if found is None:
            raise AuthenticationUnavailable
        return Standing(totp=found.second_factor)

    async def finish_totp(
        self, session: Session, state: State, code: str, visitor: Visitor, *, again: bool
    ) -> BackupCodes:
        """Turn the second factor on, by its first code. Raises as `Factors.finish_totp` does."""
        if not self._totp_keys:
            raise AuthenticationUnavailable
        secret = state.facts[_PENDING]
        step = code_step(secret, code)
        if step is None:
            raise CodeInvalid
        if again and (await self._find(session)).second_factor:
            return None
        nonce = os.urandom(12)
        cipher = AESGCM(self._totp_keys[0]).encrypt(nonce, secret.encode(), None)
        async with self._database.transaction() as connection:
            on = await queries.turn_second_factor_on(
                connection, user_id=session.user.id, totp_cipher=cipher, totp_nonce=nonce
            )
            if not on:
                await self._row(connection, session)
                raise MethodEnrolled
            await spend(connection, session.user.id, code, step)
        return None

    async def remove_totp(self, session: Session, visitor: Visitor, *, again: bool) -> None:
        """Turn the second factor off. Raises as `Factors.remove_totp` does."""
        async with self._database.connection() as connection:
            off = await queries.turn_second_factor_off(connection, user_id=session.user.id)
            if not off:
                await self._row(connection, session)
        if not off and not again:
            raise NotFound("There is no such method on this account.")

    async def make_backup_codes(self, session: Session, visitor: Visitor) -> tuple[str, ...]:
        """AX has none."""
        raise MethodUnavailable

    async def begin_phone(self, session: Session, number: str, visitor: Visitor) -> NewPhone:
        """AX sends no text messages."""
        raise MethodUnavailable

    async def resend_phone(self, session: Session, state: State, visitor: Visitor) -> None:
        """AX sends no text messages."""
        raise MethodUnavailable

    async def finish_phone(
        self, session: Session, state: State, code: str, visitor: Visitor, *, again: bool
    ) -> BackupCodes:
        """AX sends no text messages."""
        raise MethodUnavailable

    async def make_phone_default(self, session: Session, phone_id: str, visitor: Visitor) -> None:
        """AX has no numbers."""
        raise MethodUnavailable

    async def remove_phone(self, session: Session, phone_id: str, visitor: Visitor, *, again: bool) -> None:
        """AX has no numbers."""
        raise MethodUnavailable

    async def _find(self, session: Session) -> Credentials:
        """The user's row. Raises ReauthenticationRequired when the user was moved to Clerk just now."""
        async with self._database.connection() as connection:
            return await self._row(connection, session)

    async def _row(self, connection: Connection, session: Session) -> Credentials:
        """As `_find` does, on this connection."""
        found = await credentials.find(connection, session.user.id)
        if found is None:
            raise ReauthenticationRequired
        return found
