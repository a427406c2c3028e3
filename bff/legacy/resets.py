"""Resets of passwords that AX keeps: a code by mail, of which `password_reset_codes` keeps an HMAC, one live code a user."""

import secrets
from uuid import UUID

from bff.accounts import Account
from bff.database import Database
from bff.emails import masked
from bff.events import Note
from bff.legacy.passwords import Passwords
from bff.legacy.rules import require_fit
from bff.legacy.system import result_of
from bff.mail.mailer import Mailer
from bff.mail.mails import Mail
from bff.proof.challenges import RESET_CODE_LIFETIME
from bff.proof.systems import (
    Changed,
    CodeSent,
    Gone,
    Proved,
    ResetMethod,
    State,
    StepNeeded,
    SystemName,
    Trust,
)
from bff.refusals import CodeInvalid, CredentialsInvalid, MethodUnavailable
from bff.tokens import Cipher
from bff.visitor import Visitor
from toolkit.database import Connection, queries

LIFETIME = RESET_CODE_LIFETIME
"""Of a code until it comes back, and then of the right to set a password."""
DIGITS = 6

_CODE_ID = "code_id"
"""The fact that a state holds: the row of the code that was sent, and then of the one that came back."""


class LegacyResets:
    """Everything is done only while the user is AX's: a code that was sent before the move opens nothing after it."""

    name: SystemName = "legacy"

    def __init__(self, database: Database, cipher: Cipher, passwords: Passwords, mailer: Mailer) -> None:
        self._database = database
        self._cipher = cipher
        self._passwords = passwords
        self._mailer = mailer

    async def send_code(self, account: Account, method: ResetMethod, visitor: Visitor) -> CodeSent:
        """Mail a code. Raises as `ResetSystem.send_code` does."""
        if method != "email":
            raise MethodUnavailable
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
        async with self._database.transaction() as connection:
            await _hold(connection, account)
            await queries.forget_live_reset_codes(connection, user_id=account.id, lifetime=LIFETIME)
            code_id: UUID = await queries.add_reset_code(
                connection,
                user_id=account.id,
                code_hash=self._cipher.hash_code(account.id, code),
                lifetime=LIFETIME,
            )
            mail = Mail("password_reset_code", account.email, visitor, code=code, lifetime=LIFETIME)
            await self._mailer.add(connection, mail)
        return CodeSent(State({_CODE_ID: str(code_id)}), masked(account.email))

    async def check_code(
        self, account: Account, state: State, code: str, trust: Trust, visitor: Visitor
    ) -> State:
        """Check a code, which works once. Raises as `ResetSystem.check_code` does.

        It is the user's newest, whichever of their resets had it sent: a stranger who begins another one, or tries codes in
        it, takes nothing from the owner's.
        """
        async with self._database.connection() as connection:
            live = await queries.live_reset_code(connection, user_id=account.id)
        given = self._cipher.hash_code(account.id, code)
        if live is None or not secrets.compare_digest(live["code_hash"], given):
            raise CodeInvalid
        async with self._database.transaction() as connection:
            await _hold(connection, account)
            if not await queries.use_reset_code(connection, code_id=live["id"]):
                raise CodeInvalid
        return State({_CODE_ID: str(live["id"])})

    async def set_password(
        self, account: Account, state: State, password: str, visitor: Visitor, note: Note
    ) -> Proved | StepNeeded:
        """Set the new password. Raises as `ResetSystem.set_password` does."""
        require_fit(password, "new_password")
        digest = await self._passwords.digest(password, visitor.network)
        async with self._database.transaction() as connection:
            await _hold(connection, account)
            if not await queries.reset_is_proven(
                connection, code_id=UUID(state.facts[_CODE_ID]), lifetime=LIFETIME
            ):
                raise Gone
            await queries.forget_reset_codes(connection, user_id=account.id)
            second_factor = await queries.set_digest(connection, user_id=account.id, digest=digest)
            await note(connection)
        return result_of(account, digest, second_factor=second_factor)

    async def version(self, account: Account) -> str:
        """Nothing: a new password comes with its note."""
        return ""


async def _hold(connection: Connection, account: Account) -> None:
    """Keep the user AX's until the transaction ends. Raises Changed, or CredentialsInvalid with `legacy_login` off."""
    if await queries.switch(connection, name="legacy_login") != "on":
        raise CredentialsInvalid("legacy_off")
    if not await queries.hold_legacy_user(connection, user_id=account.id):
        raise Changed
