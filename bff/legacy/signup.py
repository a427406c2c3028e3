"""Signing up as AX does: an invite, a row with the password's digest, and a session at once."""

import hashlib

from bff.database import Database
from bff.legacy.login import LegacyLogin
from bff.outcomes import Visitor
from bff.problems import Problem
from bff.sessions import Minted, Sessions, Standing
from bff.signup.clerk import Person
from bff.signup.service import hash_invite, invalid, invite_invalid
from toolkit.database import queries

SHORTEST_PASSWORD = 8


class LegacySignup:
    """Makes users whose password AX keeps. A row, its invite's use and its session come in one transaction."""

    def __init__(self, database: Database, sessions: Sessions, login: LegacyLogin) -> None:
        self._database = database
        self._sessions = sessions
        self._login = login

    async def sign_up(self, invite: str, person: Person, visitor: Visitor) -> Minted:
        """Make a user and a session. Raises Problem (fields_invalid, email_taken)."""
        if len(person.password) < SHORTEST_PASSWORD:
            raise invalid("password", "too_short", f"At least {SHORTEST_PASSWORD} characters are needed.")
        digest = await self._login.digest(person.password)
        async with self._database.transaction() as connection:
            if await queries.take_invite(connection, code_hash=hash_invite(invite)) is None:
                raise invite_invalid()
            user_id = await queries.insert_legacy_user(
                connection,
                email=person.email,
                digest=digest,
                first_name=person.first_name,
                last_name=person.last_name,
            )
            if user_id is None:
                raise Problem("email_taken")
            digest_hash = hashlib.sha256(digest.encode()).digest()
            minted = await self._sessions.mint(
                connection,
                Standing(user_id, None, digest_hash, second_factor_passed=False),
                address=visitor.address,
                user_agent=visitor.user_agent,
            )
            if minted is None:
                raise Problem("internal_error")
        return minted
