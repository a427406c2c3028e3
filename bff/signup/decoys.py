"""Decoys: signups for addresses that are taken. They lead nowhere and look as if they did (invariant 9), from their
answers to the use of the invite, which comes back when they are over. The address's owner is told, by mail.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Never

from bff.clerk_errors import RETRY_AFTER, refused, signup_code_refused
from bff.database import Database
from bff.refusals import AuthenticationUnavailable, CodeInvalid
from bff.signup.clerk import ClerkSignup
from bff.signup.mails import Mails
from bff.signup.person import Person
from bff.signup.storage import AtAddress, Begun, Decoy, Storage, become_decoy
from bff.visitor import Visitor
from toolkit.clerk.addresses import normal_address


class Decoys:
    """Makes decoys and answers for them. Clerk is asked wherever it is for others, so that both fail alike."""

    def __init__(self, database: Database, storage: Storage, clerk: ClerkSignup, mails: Mails) -> None:
        self._database = database
        self._storage = storage
        self._clerk = clerk
        self._mails = mails

    async def have_judged(self, signup: Begun, person: Person, visitor: Visitor) -> None:
        """Have Clerk judge everything but the address, and count it, as it would for anybody; keep nothing of it.

        Raises ClerkError.
        """
        domain = person.email.rpartition("@")[2]
        stand_in = replace(person, email=f"{secrets.token_hex(12)}@{domain}")
        clerk_id = await self._clerk.create(stand_in, signup.id, signup.user_id)
        if clerk_id is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        session = await self._clerk.sign_in(clerk_id, visitor)
        await self._clerk.ready_to_send(session, stand_in.email, visitor)
        await self._clerk.remove(clerk_id)  # takes about what sending a code does

    async def make(self, signup: Begun, person: Person, visitor: Visitor) -> None:
        """Let a signup lead nowhere from here, and tell the owner. Raises TooManyAttempts or SignupEnded."""
        await self._mails.spend_first(signup.id, person.email)
        password_hash = await asyncio.to_thread(_hash, person.password, person.email)
        async with self._database.transaction() as connection:
            await become_decoy(connection, signup.id, password_hash)
            await self._mails.tell_owner(connection, person.email, visitor)

    async def probe(self, visitor: Visitor) -> None:
        """Ask Clerk for something. Raises what others are refused for while it is out."""
        with signup_code_refused():
            await self._clerk.probe(visitor)

    async def probe_login(self, visitor: Visitor, *, asked_clerk: bool) -> None:
        """As `probe`, for a login that leads to a verification: Clerk counts it, once, as it does for others."""
        with refused():
            if asked_clerk:
                await self._clerk.probe(visitor)
            else:
                await self._clerk.probe_sign_in(visitor)

    async def try_code(self, visitor: Visitor) -> Never:
        """No code is right. Raises CodeInvalid, or as `probe` does."""
        await self.probe(visitor)
        raise CodeInvalid

    async def resend(self, decoy: Decoy, visitor: Visitor) -> None:
        """Tell the owner once more, in place of a code. Raises as `probe` does."""
        await self.probe(visitor)
        async with self._database.connection() as connection:
            await self._mails.tell_owner(connection, decoy.email, visitor)

    async def find(self, signups: Sequence[AtAddress], password: str) -> Decoy | None:
        """The decoy of one address that was begun with this password; None for none."""
        decoys = [(signup, signup.password_hash) for signup in signups if signup.password_hash is not None]
        if not decoys:
            return None
        hashed = await asyncio.to_thread(_hash, password, decoys[0][0].email)
        for signup, password_hash in decoys:
            if secrets.compare_digest(hashed, password_hash):
                return Decoy(signup.id, signup.email)
        return None


def _hash(password: str, email: str) -> bytes:
    """What scrypt makes of a password, alike for all that were typed for an address: a login has it computed once."""
    salt = hashlib.sha256(normal_address(email).encode()).digest()
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=1 << 14, r=8, p=1)
