"""Signups as they are stored (clerk_migration.signups): rows become dataclasses here, and Clerk's client tokens are
sealed and opened. Each step asks for the one before, so that of two that would change a signup one finds it ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from bff import emails
from bff.database import Database
from bff.refusals import SignupEnded
from bff.sessions.service import ClerkSession, Delivery
from bff.signup import invites
from bff.signup.clerk import CodeSent
from bff.signup.person import Person
from bff.tokens import Cipher, Sealed
from toolkit.clerk.addresses import normal_address
from toolkit.database import Connection, queries


@dataclass(frozen=True, slots=True)
class Begun:
    """A signup whose invite is taken."""

    id: UUID
    user_id: str
    """Of the user that it is to become: AX's id, and the external ID in Clerk."""
    taken: bool
    """AX has a user with the address already."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A signup that waits for its code."""

    id: UUID
    user_id: UUID
    clerk_id: str
    email: str
    delivery: Delivery
    sent: CodeSent = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decoy:
    """A signup for a taken address: it waits for a code that nobody was sent."""

    id: UUID
    email: str


@dataclass(frozen=True, slots=True)
class AtAddress:
    """A signup that waits for its code, or will, as a login that was refused is held against it."""

    id: UUID
    email: str
    password_hash: bytes | None = field(repr=False)
    """What was typed at the signup; None for one that is no decoy."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """The signup that a user has to verify before anything else."""

    id: UUID
    email: str
    over: bool
    """It is too late for that."""
    code_in_doubt: bool
    """A code was tried, and Clerk's answer to it is not known."""
    sent: CodeSent | None = field(repr=False)
    """None when it broke off before its code was sent."""


class Storage:
    """Reads signups and writes down their steps. After `unverified` one that waits for its code is over."""

    def __init__(self, database: Database, cipher: Cipher, unverified: timedelta) -> None:
        self._database = database
        self._cipher = cipher
        self._unverified = unverified

    async def begin(self, invite: str, email: str, delivery: Delivery) -> Begun:
        """Take one use of the invite, and write the signup down. Raises FieldsInvalid."""
        async with self._database.transaction() as connection:
            invite_id = await invites.take(connection, invite)
            record = await queries.begin_signup(
                connection, invite_id=str(invite_id), email=email, delivery=delivery
            )
            taken = await queries.email_is_taken(connection, normal=normal_address(email))
        return Begun(record["id"], record["user_id"], taken)

    async def create_row(self, signup: Begun, clerk_id: str, person: Person) -> bool:
        """AX's row; False when somebody was quicker and has the address. Raises SignupEnded."""
        async with self._database.connection() as connection:
            try:
                created = await queries.create_row(
                    connection,
                    signup_id=signup.id,
                    clerk_id=clerk_id,
                    first_name=person.first_name,
                    last_name=person.last_name,
                )
            except asyncpg.UniqueViolationError:
                return False
        if not created:
            raise SignupEnded
        return True

    async def code_sent(self, signup_id: UUID, sent: CodeSent) -> None:
        """Write down what a code that was sent is to be tried with. Raises SignupEnded."""
        sealed = self._cipher.seal(sent.session.client_token)
        async with self._database.connection() as connection:
            kept = await queries.code_sent(
                connection,
                signup_id=signup_id,
                email_address_id=sent.email_address_id,
                clerk_session_id=sent.session.id,
                token_cipher=sealed.cipher,
                token_nonce=sealed.nonce,
            )
        if not kept:
            raise SignupEnded

    async def waiting(self, signup_id: UUID) -> Waiting | Decoy:
        """The signup, if it waits for a code. Raises SignupEnded."""
        async with self._database.connection() as connection:
            record = await queries.signup(connection, signup_id=signup_id, unverified=self._unverified)
        if record is None:
            raise SignupEnded
        if record["state"] == "decoy":
            return Decoy(record["id"], record["email"])
        return Waiting(
            id=record["id"],
            user_id=UUID(record["user_id"]),
            clerk_id=record["clerk_id"],
            email=record["email"],
            delivery=record["delivery"],
            sent=self._sent(record),
        )

    async def of_user(self, user_id: UUID) -> Unverified | None:
        """The signup that this user has to verify; None for none."""
        async with self._database.connection() as connection:
            record = await queries.signup_of_user(
                connection, user_id=str(user_id), unverified=self._unverified
            )
        if record is None:
            return None
        return Unverified(
            id=record["id"],
            email=record["email"],
            over=record["over"],
            code_in_doubt=record["code_in_doubt"],
            sent=self._sent(record) if record["email_address_id"] is not None else None,
        )

    async def at_address(self, email: str) -> Sequence[AtAddress]:
        """All signups with this address that wait for their code, or will."""
        async with self._database.connection() as connection:
            return [
                AtAddress(record["id"], record["email"], record["password_hash"])
                async for record in queries.signups_at_address(
                    connection, normal=emails.typed(email), unverified=self._unverified
                )
            ]

    async def try_code(self, signup_id: UUID, code: str) -> bool:
        """Write down that a code is about to be tried; whether the same was before, and its answer lost.

        Raises SignupEnded.
        """
        async with self._database.connection() as connection:
            record = await queries.try_code(
                connection, signup_id=signup_id, code_hash=self._cipher.hash_code(signup_id, code)
            )
        if record is None:
            raise SignupEnded
        return bool(record["tried_before"])

    async def forget_code(self, signup_id: UUID, code: str) -> None:
        """Forget a code that was tried and is known to have proven nothing."""
        async with self._database.connection() as connection:
            await queries.forget_code(
                connection, signup_id=signup_id, code_hash=self._cipher.hash_code(signup_id, code)
            )

    def _sent(self, record: Mapping[str, Any]) -> CodeSent:
        token = self._cipher.open(Sealed(record["token_cipher"], record["token_nonce"]))
        return CodeSent(record["email_address_id"], ClerkSession(record["clerk_session_id"], token or ""))


async def become_decoy(connection: Connection, signup_id: UUID, password_hash: bytes) -> None:
    """Write down that the address has a user. Raises SignupEnded."""
    if not await queries.become_decoy(connection, signup_id=signup_id, password_hash=password_hash):
        raise SignupEnded


async def verify(connection: Connection, signup_id: UUID) -> bool:
    """Write down that the address is verified, which ends the signup; whether it had not ended before."""
    return bool(await queries.verify_signup(connection, signup_id=signup_id))
