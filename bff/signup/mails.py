"""The mails of a signup: how many an address may get, and what the BFF itself writes to the owner of a taken one."""

from uuid import UUID

from bff.emails import masked
from bff.limits import Limits
from bff.mail.mailer import Mailer
from bff.mail.mails import Mail
from bff.signup.outcomes import Verifying
from bff.visitor import Visitor
from toolkit.clerk.addresses import normal_address
from toolkit.database import Connection, queries


class Mails:
    """Counts the mails of a signup, those that Clerk sends and those that the BFF sends in their place."""

    def __init__(self, limits: Limits, mailer: Mailer) -> None:
        self._limits = limits
        self._mailer = mailer

    async def spend_first(self, signup_id: UUID, email: str) -> None:
        """Count the first, once it is sure that there is one: whoever is refused before must use up nothing of what the
        address's owner may do. Raises TooManyAttempts.
        """
        await self._limits.spend(("signup_by_email", normal_address(email)))
        await self._limits.spend(("signup_pause_by_signup", signup_id))

    async def spend_resend(self, signup_id: UUID) -> None:
        """Count another, the pause first: whoever asks too early must not use up the few that there are.

        Raises TooManyAttempts.
        """
        await self._limits.spend(("signup_pause_by_signup", signup_id))
        await self._limits.spend(("signup_send_by_signup", signup_id))

    def sent(self, signup_id: UUID, email: str) -> Verifying:
        """What is told of a code that was sent, or of one that a decoy did not get."""
        pause = self._limits["signup_pause_by_signup"].seconds
        return Verifying(signup_id, masked(email), round(pause))

    async def tell_owner(self, connection: Connection, email: str, visitor: Visitor) -> None:
        """Have the owner of a taken address told, and nobody else, that there is an account.

        At the address of their row: what was typed may be the same to Clerk, and the mailbox of somebody else. Where no row
        has it, another user in Clerk has: then whoever has the mailbox must hear why no code comes.
        """
        owners = [
            record["email"] async for record in queries.owners_of(connection, normal=normal_address(email))
        ]
        for owner in owners or [email]:
            await self._mailer.add(connection, Mail("address_taken", owner, visitor))
