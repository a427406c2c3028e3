"""Changes of passwords that AX keeps."""

from bff.clerk_errors import RETRY_AFTER
from bff.database import Database
from bff.events import Note
from bff.legacy import credentials
from bff.legacy.credentials import Credentials
from bff.legacy.passwords import Passwords
from bff.legacy.rules import RULES, require_fit
from bff.password.systems import Rules
from bff.proof.service import Claim
from bff.proof.systems import SystemName
from bff.refusals import (
    AuthenticationUnavailable,
    FieldError,
    FieldsInvalid,
    ReauthenticationRequired,
    not_the_password,
)
from bff.sessions.service import Session
from bff.visitor import Visitor
from toolkit.database import queries

ROUNDS = 3
"""How often a change is begun anew because the digest changed under it: it is hashed anew just now, say."""


class LegacyPasswords:
    """A new digest comes only in the place of the one that the current password was checked against, and only while the
    user is AX's: so an import that is under way sends it, or the change is refused (invariant 4)."""

    name: SystemName = "legacy"

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def rules(self) -> Rules:
        """Those of AX."""
        return RULES

    async def change(
        self,
        session: Session,
        claim: Claim,
        current: str,
        new: str,
        visitor: Visitor,
        note: Note,
        *,
        sign_out_others: bool,
    ) -> None:
        """Change the password. Raises as `PasswordSystem.change` does."""
        require_fit(new, "new_password")
        if new == current:
            raise FieldsInvalid(
                FieldError("new_password", "same_as_current", "This is your current password.")
            )
        for _ in range(ROUNDS):
            digest = (await self._find(session)).digest
            if digest is None or not await self._passwords.matches(digest, current, visitor.network):
                raise not_the_password("current_password")
            if await self._replace(session, digest, await self._passwords.digest(new, visitor.network), note):
                return
        raise AuthenticationUnavailable(retry_after=RETRY_AFTER, asked=False)

    async def _find(self, session: Session) -> Credentials:
        """The user's credentials. Raises ReauthenticationRequired when AX does not check them any more."""
        async with self._database.connection() as connection:
            found = None
            if await queries.switch(connection, name="legacy_login") == "on":
                found = await credentials.find(connection, session.user.id)
        if found is None:
            raise ReauthenticationRequired
        return found

    async def _replace(self, session: Session, before: str, after: str, note: Note) -> bool:
        """Put a digest in another's place, and end resets that are under way; false when the other is not there any more."""
        user_id = session.user.id
        async with self._database.transaction() as connection:
            replaced: bool | None = await queries.replace_digest(
                connection, user_id=user_id, before=before, after=after
            )
            if replaced:
                await queries.forget_reset_codes(connection, user_id=user_id)
                await note(connection)
        return bool(replaced)
