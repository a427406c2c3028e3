"""The mails of a signup: how many an address may get, and what the BFF itself writes to the owner of a taken one."""

from uuid import UUID

from bff.limits import Limits
from bff.mail import Mailer, masked
from bff.signup.outcomes import Verifying
from toolkit.clerk.addresses import normal_address


class Mails:
    """Counts the mails of a signup, those that Clerk sends and those that the BFF sends in their place."""

    def __init__(self, limits: Limits, mailer: Mailer, public_url: str | None) -> None:
        self._limits = limits
        self._mailer = mailer
        self._public_url = public_url

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

    def tell_owner(self, email: str) -> None:
        """Tell the owner of a taken address, and nobody else, that there is an account."""
        where = f" at {self._public_url}" if self._public_url else ""
        self._mailer.send(
            email,
            "You have an account already",
            "Somebody, probably you, tried to sign up with this address. There is an account with it already: "
            f"log in{where} instead. If you do not know your password, ask for a new one there.\n\n"
            "If it was not you, there is nothing to do.\n",
        )
