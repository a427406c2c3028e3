"""The canary: a proof, before anybody moves, that one password goes over and works.

A stand-in with the digest and the second factor of a row goes into Clerk, Clerk checks the password, it signs in as the
BFF would have it, and is removed again. The account itself is neither in Clerk nor changed.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyotp

from toolkit.clerk import (
    AuthenticationInvalid,
    BackendClient,
    ClerkApiError,
    FrontendClient,
    IdentifierExists,
    User,
    UserQuotaExceeded,
)
from toolkit.database import Connection, queries
from toolkit.environment import Environment
from toolkit.errors import NeedsPerson, UsageError
from toolkit.migration import findings
from toolkit.migration.diagnosis import diagnose
from toolkit.migration.digests import Kind
from toolkit.migration.findings import HELD, Finding
from toolkit.migration.instance import policy_of, read_settings
from toolkit.migration.plan import Create, Skip, plan
from toolkit.migration.selection import Selection, open_source
from toolkit.migration.source import SourceUser
from toolkit.standins import StandIn, standing_in


class AccountUnfit(NeedsPerson):
    """A canary with this account would prove nothing."""


class CanaryDidNotHold(NeedsPerson):
    """The last canary found that its password would not work in Clerk."""


class NoSecondFactor(UsageError):
    """A code was to be tried, and the account has no second factor."""


@dataclass(frozen=True, slots=True)
class Account:
    """The row whose password is tried."""

    user: SourceUser
    create: Create
    digest: str = field(repr=False)
    kind: Kind
    instance: str
    """The id of the Clerk instance that the stand-in goes to."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed who knows it."""

    password: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    """Of the account's authenticator; None when it is computed from the row's TOTP secret."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of a canary."""

    finding: Finding
    kind: Kind
    second_factor: bool
    left: str | None
    """Why the stand-in may still be in Clerk; None when it is removed."""


async def look_up(environment: Environment, email: str, *, with_code: bool) -> Account:
    """The account that has this address, on legacy.

    Raises EmailUnknown, AccountUnfit when the import would not send it or it has no password, NoSecondFactor, and what
    `Source.open` raises.
    """
    async with open_source(environment, Selection(emails=(email,))) as (_, source):
        await source.find_duplicates()
        users = [user async for batch in source.batches() for user in batch]
    if not users:
        raise AccountUnfit(f"{email} is in Clerk already. Take an account that is not.")
    decided = plan(users[0], policy_of(environment, await read_settings(environment.clerk)))
    if isinstance(decided, Skip):
        reason = decided.reason
        raise AccountUnfit(
            f"{email} would not go over ({reason.code}): {reason.meaning}. To do: {reason.remedy}; or take another account."
        )
    if decided.digest is None or users[0].password_digest is None:
        raise AccountUnfit(f"{email} has no password. Take an account that has one.")
    if with_code and decided.totp_secret is None:
        raise NoSecondFactor(
            f"{email} has no second factor. Leave out --code, or take an account that has one."
        )
    async with BackendClient(environment.clerk) as clerk:
        instance = await clerk.get_instance()
    return Account(users[0], decided, users[0].password_digest, decided.digest, instance.id)


async def prove(environment: Environment, account: Account, typed: Typed) -> Proof:
    """Try the password of an account with a stand-in. Raises ClerkError, DatabaseUnreachable and the like."""
    async with (
        environment.connect() as connection,
        BackendClient(environment.clerk) as clerk,
        FrontendClient(environment.clerk) as frontend,
    ):
        origin = await queries.origin(connection)
        async with standing_in(connection, clerk, account.user.external_id, origin) as stand_in:
            address = stand_in.address(development=environment.clerk.instance_type == "development")
            finding = await _Canary(clerk, frontend, account, typed, stand_in, address).fly()
            await queries.note_canary(
                connection, canary=stand_in.external_id, event="ended", user_id=None, finding=finding.code
            )
    return Proof(finding, account.kind, account.create.factor is not None, stand_in.left)


async def require_none_refused(connection: Connection) -> bool:
    """Let nobody go over after a canary that did not hold, until one does; whether there was one. Raises CanaryDidNotHold."""
    finding = await queries.last_finding(connection)
    if finding not in (None, HELD.code):
        raise CanaryDidNotHold(
            f"The last canary did not hold ({finding}): passwords may not work in Clerk, so nobody is sent. Find out why, and "
            "run `python -m toolkit canary` until it holds."
        )
    return finding is not None


@dataclass(frozen=True)
class _Canary:
    """One canary under way."""

    clerk: BackendClient
    frontend: FrontendClient
    account: Account
    typed: Typed
    stand_in: StandIn
    address: str

    async def fly(self) -> Finding:
        """Everything that a login will need, in the order in which it can fail."""
        return (
            await self._create()
            or await self._check_password()
            or await self._check_code()
            or await self._sign_in()
            or HELD
        )

    async def _create(self) -> Finding | None:
        create = self.account.create
        try:
            made = await self._send()
        except IdentifierExists as error:
            found = await self.clerk.find_user_by_external_id(self.stand_in.external_id)
            if found is None:
                return findings.not_taken(str(error))
            made = found  # the answer to an earlier attempt was lost
        except (AuthenticationInvalid, UserQuotaExceeded):
            raise
        except ClerkApiError as error:
            return findings.not_taken(str(error))
        self.stand_in.clerk_id = made.id
        if create.factor is not None and not (made.two_factor_enabled and made.totp_enabled):
            return findings.SECOND_FACTOR_NOT_TAKEN
        if create.backup_codes and not made.backup_code_enabled:
            return findings.SECOND_FACTOR_NOT_TAKEN
        return None

    async def _send(self) -> User:
        """As the import sends the row, but for address, external ID and metadata, and with no code by mail to come."""
        user, create = self.account.user, self.account.create
        return await self.clerk.create_user(
            external_id=self.stand_in.external_id,
            email_address=self.address,
            email_status="verified" if user.email_verified else "reserved",
            first_name=user.first_name,
            last_name=user.last_name,
            password_digest=self.account.digest,
            password_hasher=user.password_hasher,
            totp_secret=create.totp_secret,
            backup_codes=create.backup_codes or None,
            created_at=user.created_at,
            private_metadata=self.stand_in.metadata,
            bypass_client_trust=True,
            skip_legal_checks=True,
        )

    async def _check_password(self) -> Finding | None:
        if await self._is_password(self.typed.password):
            return None
        return await diagnose(
            self.account.digest, self.account.kind.hasher, self.typed.password, self._is_password
        )

    async def _is_password(self, password: str) -> bool:
        return await self.clerk.verify_password(self._clerk_id, password)

    async def _check_code(self) -> Finding | None:
        code = self.typed.code
        if code is None or await self.clerk.verify_totp(self._clerk_id, code):
            return None
        return findings.CODE_WRONG

    async def _sign_in(self) -> Finding | None:
        device = self.frontend.device(None, address=None)
        secret = self.account.create.totp_secret
        try:
            sign_in = await device.create_sign_in(self.address, self.typed.password)
            if sign_in.status == "complete" and secret is not None:
                return findings.SECOND_FACTOR_NOT_ASKED
            if sign_in.status == "needs_second_factor" and secret is not None:
                sign_in = await device.attempt_second_factor(sign_in.id, "totp", self._next_code(secret))
        except ClerkApiError as error:
            return findings.sign_in_refused(str(error))
        if sign_in.status != "complete" or sign_in.user_id != self._clerk_id:
            return findings.sign_in_refused(f"The sign-in ended as {sign_in.status}.")
        return None

    def _next_code(self, secret: str) -> str:
        """A code that was not used yet: each is good once, and Clerk takes that of the next 30 seconds, too."""
        used = self.typed.code is not None
        return pyotp.TOTP(secret).at(datetime.now(UTC), counter_offset=int(used))

    @property
    def _clerk_id(self) -> str:
        assert self.stand_in.clerk_id is not None, "it is created first"
        return self.stand_in.clerk_id
