"""Signing up as AX does: an invite, a row with the password's digest, and a session at once."""

from bff import accounts
from bff.database import Database
from bff.legacy.passwords import Passwords
from bff.legacy.rules import require_fit
from bff.refusals import EmailTaken, InternalError
from bff.sessions.service import Minted, Sessions
from bff.signup import invites
from bff.signup.person import Person
from bff.visitor import Visitor
from toolkit.clerk.addresses import normal_address
from toolkit.database import queries


class LegacySignup:
    """Makes users whose password AX keeps. A row, its invite's use and its session come in one transaction."""

    def __init__(self, database: Database, sessions: Sessions, passwords: Passwords) -> None:
        self._database = database
        self._sessions = sessions
        self._passwords = passwords

    async def sign_up(self, invite: str, person: Person, visitor: Visitor) -> Minted:
        """Make a user and a session. Raises FieldsInvalid or EmailTaken."""
        require_fit(person.password, "password")
        digest = await self._passwords.digest(person.password, visitor.network)
        async with self._database.transaction() as connection:
            await invites.take(connection, invite)
            user_id = await queries.insert_legacy_user(
                connection,
                email=person.email,
                normal=normal_address(person.email),
                digest=digest,
                first_name=person.first_name,
                last_name=person.last_name,
            )
            if user_id is None:
                raise EmailTaken
            account = await accounts.by_id(connection, user_id)
            if account is None:
                raise InternalError
            minted = await self._sessions.mint(connection, account, visitor)
            if minted is None:
                raise InternalError
        return minted
