"""The steps of a signup with Clerk. Each is written down before the next; whatever fails, all of it is undone
(invariant 5). What a process leaves that dies in the middle, `toolkit.sweep` ends.
"""

from uuid import UUID

from bff import accounts
from bff.clerk_errors import signup_refusal
from bff.database import Database
from bff.devices import Devices
from bff.refusals import AuthenticationUnavailable, Refusal, SignupEnded
from bff.sessions.service import ClerkSession, Complete, Delivery, Sessions
from bff.signup.clerk import ClerkSignup
from bff.signup.decoys import Decoys
from bff.signup.mails import Mails
from bff.signup.person import Person
from bff.signup.storage import Begun, Storage, Waiting, verify
from bff.visitor import Visitor
from toolkit.clerk import ClerkApiError, ClerkError, ClerkRateLimited
from toolkit.sweep.signups import Signups, SignupUser


class Steps:
    """Takes a signup from its invite to the code that is sent, and from the code that is right to a session."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        clerk: ClerkSignup,
        signups: Signups,
        decoys: Decoys,
        mails: Mails,
        sessions: Sessions,
        devices: Devices,
    ) -> None:
        self._database = database
        self._storage = storage
        self._clerk = clerk
        self._signups = signups
        self._decoys = decoys
        self._mails = mails
        self._sessions = sessions
        self._devices = devices

    async def begin(self, invite: str, person: Person, delivery: Delivery, visitor: Visitor) -> UUID:
        """Invite, Clerk user, row and code, or nothing of it; the signup's id. Raises Refusal."""
        signup = await self._storage.begin(invite, person.email, delivery)
        try:
            await self._go_on(signup, person, visitor)
        except ClerkError as error:
            await self._signups.undo(signup.id, _reason(error), certain=not error.maybe_applied)
            raise signup_refusal(error) from None
        except Refusal as refusal:
            certain = not isinstance(
                refusal, AuthenticationUnavailable
            )  # else Clerk may still be at work on it
            await self._signups.undo(signup.id, refusal.code, certain=certain)
            raise
        except Exception as error:
            await self._signups.undo(signup.id, type(error).__name__, certain=False)
            raise
        return signup.id

    async def complete(self, signup: Waiting, session: ClerkSession, visitor: Visitor) -> Complete:
        """The address is verified, and there is a session: in one transaction. Raises SignupEnded."""
        async with self._database.transaction() as connection:
            if not await verify(connection, signup.id):
                raise SignupEnded
            account = await accounts.by_id(connection, signup.user_id)
            if account is None or account.clerk_id != signup.clerk_id:  # moved back, or linked anew
                raise SignupEnded
            minted = await self._sessions.mint(connection, account, visitor, session)
            if minted is None:
                raise SignupEnded
            device = await self._devices.keep(
                connection, visitor.device, signup.user_id, session.client_token, proved=True
            )
        return Complete(minted, signup.delivery, device)

    async def _go_on(self, signup: Begun, person: Person, visitor: Visitor) -> None:
        clerk_id = None if signup.taken else await self._clerk.create(person, signup.id, signup.user_id)
        if clerk_id is None:
            await self._decoys.have_judged(signup, person, visitor)
        elif await self._create_row(signup, clerk_id, person):
            await self._send_code(signup, clerk_id, person, visitor)
            return
        else:
            await self._clerk.remove(clerk_id)
        await self._decoys.make(signup, person, visitor)

    async def _create_row(self, signup: Begun, clerk_id: str, person: Person) -> bool:
        """AX's row; False when somebody was quicker and has the address."""
        try:
            return await self._storage.create_row(signup, clerk_id, person)
        except SignupEnded:  # a sweep undid it, and knows nothing of the user
            await self._signups.withdraw_late(signup.id, SignupUser(signup.user_id, clerk_id))
            raise

    async def _send_code(self, signup: Begun, clerk_id: str, person: Person, visitor: Visitor) -> None:
        await self._mails.spend_first(signup.id, person.email)
        sent = await self._clerk.send_code(clerk_id, person.email, visitor)
        await self._storage.code_sent(signup.id, sent)


def _reason(error: ClerkError) -> str:
    """Why a signup is undone, as its row tells."""
    if isinstance(error, ClerkApiError):
        return error.code
    return "clerk_rate_limited" if isinstance(error, ClerkRateLimited) else "clerk_unavailable"
