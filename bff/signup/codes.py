"""Codes of signups: tried, and sent again."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from bff.clerk_errors import signup_code_refused
from bff.limits import Limits
from bff.refusals import CodeInvalid, SignupEnded, TooManyAttempts, Unexplained
from bff.sessions.service import ClerkSession
from bff.signup.clerk import ClerkSignup, CodeSent, NotAsMade
from bff.signup.storage import Storage, Waiting
from bff.visitor import Visitor
from toolkit.clerk import ClientInvalid, VerificationFailed
from toolkit.sweep.signups import Signups

T = TypeVar("T")


class Codes:
    """Has Clerk check codes and send others, for signups that wait for one."""

    def __init__(self, storage: Storage, clerk: ClerkSignup, signups: Signups, limits: Limits) -> None:
        self._storage = storage
        self._clerk = clerk
        self._signups = signups
        self._limits = limits

    async def try_code(self, signup: Waiting, code: str, visitor: Visitor) -> ClerkSession:
        """Have a code checked; the session in Clerk of whom it verified.

        Raises CodeInvalid, SignupEnded or AuthenticationUnavailable.
        """
        tried_before = await self._storage.try_code(signup.id, code)

        async def check(sent: CodeSent) -> ClerkSession:
            return await self._clerk.try_code(sent, code, signup.email, visitor, tried_before=tried_before)

        try:
            with signup_code_refused():
                return await self._in_its_session(signup, visitor, check)
        except NotAsMade:
            await self._signups.undo(signup.id, "not_as_made", certain=True)
            raise SignupEnded from None
        except CodeInvalid:
            await self._storage.forget_code(signup.id, code)
            raise
        except Unexplained as refused:
            if not refused.asked and not tried_before:  # Clerk did not look at it, now or before
                await self._storage.forget_code(signup.id, code)
            raise

    async def resend(self, signup: Waiting, visitor: Visitor) -> None:
        """Have another code sent. Raises CodeInvalid if Clerk sends none, SignupEnded or AuthenticationUnavailable."""

        async def send(sent: CodeSent) -> CodeSent:
            try:
                return await self._clerk.resend(sent, visitor)
            except VerificationFailed:  # the address is verified already
                raise SignupEnded from None

        with signup_code_refused():
            sent = await self._in_its_session(signup, visitor, send)
        await self._storage.code_sent(signup.id, sent)

    async def _in_its_session(
        self, signup: Waiting, visitor: Visitor, ask: Callable[[CodeSent], Awaitable[T]]
    ) -> T:
        """Ask Clerk in the signup's session, or in a new one if a login ended that: the code is the address's."""
        try:
            return await ask(signup.sent)
        except ClientInvalid:
            pass
        try:
            await self._limits.spend(("sign_in_by_address", visitor.network))
        except TooManyAttempts:  # which cannot happen to a decoy
            raise Unexplained(asked=False) from None
        session = await self._clerk.sign_in(signup.clerk_id, visitor)
        return await ask(replace(signup.sent, session=session))
