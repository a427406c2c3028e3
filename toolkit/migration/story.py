"""One user's whole story: the row, what imports did, Clerk's side, sessions and what was done to the account.

For whoever answers that user's mail. Nothing secret is in it (invariant 8).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import asyncpg

from toolkit.clerk import BackendClient, ResourceNotFound, User
from toolkit.clerk.addresses import normal_address
from toolkit.database import Connection, queries
from toolkit.environment import Environment
from toolkit.errors import ToolkitError, UsageError
from toolkit.migration import digests
from toolkit.migration.instance import policy_of, read_settings
from toolkit.migration.plan import Policy, Skip, plan
from toolkit.migration.reading import Reading
from toolkit.migration.source import SourceUser

T = TypeVar("T")
EVENTS = 100
"""Security events that are told at most, the newest first."""
_ELSEWHERE = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InsufficientPrivilegeError,
)
"""What Postgres says where there is no BFF of AX's, or where this role may not look at its tables."""


class UserUnknown(UsageError):
    """Nobody has this id or address, and no import has ever seen it."""


class UserAmbiguous(UsageError):
    """Several users have this address, as Clerk compares addresses."""


@dataclass(frozen=True, slots=True)
class Row:
    """The user as the source view has them."""

    email: str | None
    email_verified: bool
    first_name: str | None
    last_name: str | None
    created_at: datetime | None
    disabled: bool
    digest: str | None
    """Its hasher and parameters; None without a password."""
    second_factor: bool
    backup_codes: int
    clerk_id: str | None
    stays_because: str | None
    """Why the next import would leave the user where they are, a reason's code; None if it would not, or has no need to."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the ledger says of the user."""

    state: str
    code: str | None
    attempts: int
    run: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one run did with the user."""

    run: int
    by: str
    """Who ran it."""
    at: datetime
    state: str
    code: str | None
    clerk_id: str | None


@dataclass(frozen=True, slots=True)
class ClerkSide:
    """The Clerk user that the row names, or that has its id as the external ID."""

    id: str
    linked: bool
    """The row names this Clerk user."""
    emails: tuple[str, ...]
    """Each with what Clerk says of it: verified, reserved, unverified."""
    password: bool
    totp: bool
    backup_codes: bool
    phones: int
    banned: bool
    locked: bool
    created_at: datetime
    last_sign_in_at: datetime | None
    password_last_updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Logins:
    """The user's sessions with the BFF, by the system that made them."""

    live: int
    clerk: int
    legacy: int
    last_login_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """Something that was done to the account."""

    kind: str
    at: datetime
    address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of a user."""

    user_id: str
    row: Row | None
    """None for a user whose row is gone."""
    ledger: Ledger | None
    being_sent: bool
    """An import has noted that it was about to send the user, and has not linked them."""
    attempts: list[Attempt]
    clerk: ClerkSide | None
    """None when Clerk has nobody, or could not be asked."""
    clerk_problem: str | None
    logins: Logins | None
    """None where no BFF serves this table."""
    events: list[SecurityEvent] | None
    """The newest first; None where no BFF serves this table."""


async def read_story(environment: Environment, key: str) -> Story:
    """The story of the user with this id or address. Raises UserUnknown, UserAmbiguous, and what `Reading.of` raises."""
    policy, asked = await _policy(environment)
    async with environment.connect() as connection:
        user = await _find(connection, key)
        user_id = user.external_id if user else key
        attempts = [
            Attempt(
                record["run_id"],
                record["operator"],
                record["at"],
                record["state"],
                record["error_code"],
                record["clerk_id"],
            )
            async for record in queries.history_of_user(connection, user_id=user_id)
        ]
        if user is None and not attempts:
            raise UserUnknown(
                f"Nobody has the id or the address {key!r}, and no import has seen it. Check it; case does not matter "
                "in an address."
            )
        noted = await queries.ledger_of_user(connection, user_id=user_id)
        being_sent = [r async for r in queries.noted_among(connection, user_ids=[user_id])]
        logins = await _unless_elsewhere(lambda: _logins(connection, user_id))
        events = await _unless_elsewhere(lambda: _events(connection, user_id))
    clerk, problem = await _clerk_side(environment, user_id, user.clerk_id if user else None)
    return Story(
        user_id=user_id,
        row=None if user is None else _row(user, policy),
        ledger=noted
        and Ledger(
            noted["state"], noted["error_code"], noted["attempts"], noted["run_id"], noted["updated_at"]
        ),
        being_sent=bool(being_sent),
        attempts=attempts,
        clerk=clerk,
        clerk_problem=asked or problem,
        logins=logins,
        events=events,
    )


async def _policy(environment: Environment) -> tuple[Policy, str | None]:
    """What decides about the user, and why Clerk could not be asked for its part of it."""
    try:
        return policy_of(environment, await read_settings(environment.clerk)), None
    except ToolkitError as error:
        settings = environment.playbook.import_
        return Policy(disabled_users=settings.disabled_users, totp_keys=environment.totp_keys), str(error)


async def _find(connection: Connection, key: str) -> SourceUser | None:
    query = (await Reading.of(connection, None)).queries_for("true")
    found = [SourceUser.from_record(r) async for r in query.user_by_id(connection, user_id=key)]
    if not found:
        found = [
            SourceUser.from_record(r)
            async for r in query.users_by_address(connection, normal=normal_address(key))
        ]
    if len(found) > 1:
        ids = ", ".join(user.external_id for user in found)
        raise UserAmbiguous(f"Several users have the address {key!r}. Name one by id: {ids}.")
    return found[0] if found else None


def _row(user: SourceUser, policy: Policy) -> Row:
    decided = None if user.clerk_id else plan(user, policy)
    return Row(
        email=user.email,
        email_verified=user.email_verified,
        first_name=user.first_name,
        last_name=user.last_name,
        created_at=user.created_at,
        disabled=user.disabled,
        digest=_describe(user.password_digest, user.password_hasher),
        second_factor=user.second_factor,
        backup_codes=len(user.backup_codes or ()),
        clerk_id=user.clerk_id,
        stays_because=decided.reason.code if isinstance(decided, Skip) else None,
    )


def _describe(digest: str | None, hasher: str | None) -> str | None:
    if digest is None:
        return None
    try:
        return str(digests.kind_of(digest, hasher))
    except digests.HasherUnsupported:
        return f"{hasher or 'unknown'}, which Clerk does not take"
    except digests.DigestMalformed:
        return f"{hasher}, but not of its form"


async def _logins(connection: Connection, user_id: str) -> Logins:
    return Logins(**await queries.logins_of_user(connection, user_id=user_id))


async def _events(connection: Connection, user_id: str) -> list[SecurityEvent]:
    return [
        SecurityEvent(**record)
        async for record in queries.security_events_of_user(connection, user_id=user_id, most=EVENTS)
    ]


async def _unless_elsewhere(read: Callable[[], Awaitable[T]]) -> T | None:
    try:
        return await read()
    except _ELSEWHERE:
        return None


async def _clerk_side(
    environment: Environment, user_id: str, clerk_id: str | None
) -> tuple[ClerkSide | None, str | None]:
    try:
        async with BackendClient(environment.clerk, rate=None) as clerk:
            found = await _find_in_clerk(clerk, user_id, clerk_id)
    except ToolkitError as error:
        return None, str(error)
    if found is None:
        gone = f"The row names the Clerk user {clerk_id}, and Clerk has no such user." if clerk_id else None
        return None, gone
    return _told(found, clerk_id), None


async def _find_in_clerk(clerk: BackendClient, user_id: str, clerk_id: str | None) -> User | None:
    if clerk_id is None:
        return await clerk.find_user_by_external_id(user_id)
    try:
        return await clerk.get_user(clerk_id)
    except ResourceNotFound:
        return None


def _told(user: User, clerk_id: str | None) -> ClerkSide:
    return ClerkSide(
        id=user.id,
        linked=user.id == clerk_id,
        emails=tuple(
            f"{email.email_address} "
            f"({'verified' if email.verified else 'reserved' if email.reserved else 'unverified'})"
            for email in user.email_addresses
        ),
        password=user.password_enabled,
        totp=user.totp_enabled,
        backup_codes=user.backup_code_enabled,
        phones=len(user.phone_numbers),
        banned=user.banned,
        locked=user.locked,
        created_at=datetime.fromtimestamp(user.created_at / 1000, UTC),
        last_sign_in_at=_moment(user.last_sign_in_at),
        password_last_updated_at=_moment(user.password_last_updated_at),
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
