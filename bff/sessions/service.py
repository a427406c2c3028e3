"""AX's sessions, as AX mints them: 256 random bits of which only the hash is stored.

Checking one asks Postgres once and never Clerk (invariant 6).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import asyncpg

from bff.accounts import Account
from bff.tokens import Cipher, Sealed, hash_token, new_token
from bff.visitor import Visitor
from toolkit.database import Connection, queries
from toolkit.playbook.bff import SessionSettings

_BY_TOKEN: str = queries.session_by_token.sql
"""This query runs with every request, so it is handed to asyncpg itself: aiosql's wrapping costs time."""
SLIDE_AFTER = timedelta(minutes=1)
"""A session's use is written down this often at most."""

Delivery = Literal["cookie", "bearer"]
"""How a session is handed over: as a cookie, or as a token in the answer."""


@dataclass(frozen=True, slots=True)
class User:
    """Who is signed in."""

    id: UUID
    email: str
    email_verified: bool
    first_name: str | None
    last_name: str | None
    clerk_id: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """A live session and its user."""

    id: UUID
    user: User
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    clerk_session_id: str | None
    proved_at: datetime | None
    """When its holder last proved password and second factor; None for a session from before the move."""


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A live session in the list of a user's."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class ClerkSession:
    """The session in Clerk that stands behind one of AX's, and the client token that reaches it."""

    id: str
    client_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Minted:
    """A new session, and the token that only its holder knows."""

    session: Session
    token: str = field(repr=False)
    longest_until: datetime
    """When it ends at the latest."""


@dataclass(frozen=True, slots=True)
class Complete:
    """Somebody is signed in: the session, and how it is to be handed over."""

    minted: Minted
    delivery: Delivery
    device: str | None = field(default=None, repr=False)
    """The device's new id, if Clerk knows the device from now on."""


class Sessions:
    """Mints, finds and ends sessions."""

    def __init__(self, settings: SessionSettings, cipher: Cipher) -> None:
        self._idle = timedelta(days=settings.idle_days)
        self._longest = timedelta(days=settings.longest_days)
        self._cipher = cipher

    async def mint(
        self, connection: Connection, account: Account, visitor: Visitor, clerk: ClerkSession | None = None
    ) -> Minted | None:
        """A session for a user who has proven who they are; None when the user is disabled or was moved meanwhile."""
        token = new_token()
        sealed = self._cipher.seal(clerk.client_token) if clerk else Sealed(None, None)
        record = await queries.mint_session(
            connection,
            user_id=account.id,
            clerk_id=account.clerk_id,
            token_hash=hash_token(token),
            address=visitor.address,
            user_agent=visitor.user_agent,
            idle=self._idle,
            longest=self._longest,
            clerk_session_id=clerk.id if clerk else None,
            client_token_cipher=sealed.cipher,
            client_token_nonce=sealed.nonce,
        )
        return Minted(_session(record), token, record["max_expires_at"]) if record else None

    async def find(self, connection: Connection, token: str) -> Session | None:
        """The live session with this token; its expiry slides."""
        record = await connection.fetchrow(_BY_TOKEN, hash_token(token))
        if record is None:
            return None
        session = _session(record)
        if datetime.now(UTC) - session.last_used_at > SLIDE_AFTER:
            await queries.slide_session(connection, session_id=session.id, idle=self._idle)
        return session

    async def of_user(self, connection: Connection, user_id: UUID) -> list[ListedSession]:
        """The user's live sessions, the last used first."""
        return [
            ListedSession(**record) async for record in queries.sessions_of_user(connection, user_id=user_id)
        ]

    async def revoke(
        self, connection: Connection, session_id: UUID, user_id: UUID
    ) -> tuple[bool, ClerkSession | None]:
        """End one of the user's sessions: whether it lived, and what stands behind it in Clerk."""
        record = await queries.revoke_session(connection, session_id=session_id, user_id=user_id)
        if record is None:
            return False, None
        return True, self._behind(record)

    async def revoke_others(
        self, connection: Connection, user_id: UUID, session_id: UUID | None
    ) -> list[ClerkSession]:
        """End all sessions of the user but this one, for None all; those in Clerk that stand behind them come back."""
        ended = [
            self._behind(record)
            async for record in queries.revoke_other_sessions(
                connection, session_id=session_id, user_id=user_id
            )
        ]
        return [behind for behind in ended if behind is not None]

    async def forget_proofs(self, connection: Connection, session: Session) -> None:
        """Have all the user's sessions but this one prove again who holds them."""
        await queries.forget_proofs(connection, session_id=session.id, user_id=session.user.id)

    async def renew(
        self, connection: Connection, session: Session, account: Account, clerk: ClerkSession | None
    ) -> tuple[bool, ClerkSession | None]:
        """Note that the session's holder has just proven who they are, and what stands behind it in Clerk from now on.

        Returns whether that holds (it does not when the user was moved or disabled meanwhile), and what stood behind it before.
        """
        sealed = self._cipher.seal(clerk.client_token) if clerk else Sealed(None, None)
        record = await queries.renew_session(
            connection,
            session_id=session.id,
            user_id=account.id,
            clerk_id=account.clerk_id,
            clerk_session_id=clerk.id if clerk else None,
            token_cipher=sealed.cipher,
            token_nonce=sealed.nonce,
        )
        return (True, self._behind(record)) if record else (False, None)

    async def behind(self, connection: Connection, session: Session) -> ClerkSession | None:
        """The session in Clerk that stands behind one of AX's; None for none, or one that can't be reached any more."""
        record = await queries.clerk_session_of(connection, session_id=session.id)
        return self._behind(record) if record else None

    async def lives(self, connection: Connection, session: Session) -> bool:
        """Whether nobody has ended the session since it was found."""
        return await queries.clerk_session_of(connection, session_id=session.id) is not None

    async def keep_client_token(self, connection: Connection, session: Session, clerk: ClerkSession) -> None:
        """Note the newest client token of the session in Clerk."""
        sealed = self._cipher.seal(clerk.client_token)
        await queries.keep_client_token(
            connection,
            session_id=session.id,
            clerk_session_id=clerk.id,
            token_cipher=sealed.cipher,
            token_nonce=sealed.nonce,
        )

    def _behind(self, record: Mapping[str, Any]) -> ClerkSession | None:
        token = self._cipher.open(Sealed(record["token_cipher"], record["token_nonce"]))
        if record["clerk_session_id"] is None or token is None:
            return None
        return ClerkSession(record["clerk_session_id"], token)


def _session(record: Mapping[str, Any] | asyncpg.Record) -> Session:
    return Session(
        record["id"],
        user_of(record),
        record["created_at"],
        record["last_used_at"],
        record["expires_at"],
        record["clerk_session_id"],
        record["proved_at"],
    )


def user_of(record: Mapping[str, Any] | asyncpg.Record) -> User:
    """The user in a row of `session_by_token` or `user_by_api_key`."""
    return User(
        record["user_id"],
        record["email"],
        record["email_verified"],
        record["first_name"],
        record["last_name"],
        record["clerk_id"],
    )
