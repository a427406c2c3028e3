"""What happens at a login, on both systems.

`users.clerk_id` decides who checks the password: Clerk if it is set, AX if not. Both end in the same session.
"""

import asyncio
import time
from dataclasses import replace
from typing import Protocol

import structlog

from bff import emails
from bff.addresses import Address
from bff.challenges import Challenge, Challenges, Delivery, Method, Path, Way
from bff.database import Database
from bff.devices import Devices
from bff.limits import Limits, by_address
from bff.login import account as accounts
from bff.login.account import Account, Legacy
from bff.login.clerk import ClerkLogin, ClerkOut, PasswordNeeded, Refused, SignedIn, SignInGone, StepNeeded
from bff.observability import Metrics
from bff.outcomes import Challenged, Complete, NewPasswordNeeded, Outcome, Verifying, Visitor
from bff.problems import Problem
from bff.sessions import ClerkSession, Sessions, Standing
from toolkit.database import Connection, queries
from toolkit.errors import ToolkitError
from toolkit.playbook.bff import LoginSettings
from toolkit.playbook.limits import Limit

ROUNDS = 3
"""How often a login is begun anew because the user changed under it (is moved to Clerk just now)."""

_log = structlog.get_logger("bff")


class Signups(Protocol):
    """What the login asks of signups."""

    async def resume(
        self, account: Account, session: ClerkSession | None, visitor: Visitor
    ) -> Verifying | None:
        """The signup that the user has to verify first; None for none. Raises Refused and Problem.

        `session` is Clerk's; None when it wants a code by mail before it makes one.
        """
        ...

    async def resume_nowhere(self, email: str, password: str, visitor: Visitor) -> Verifying | None:
        """The same for a signup that leads nowhere, of somebody who was refused; None for none. Raises Problem."""
        ...

    @property
    def answer_seconds(self) -> float:
        """No answer comes sooner that leads to the verification of an address."""
        ...


class _Changed(Exception):
    """The user does not stand any more as when the login began."""


class LoginService:
    """Logs users in. `legacy` is None once AX's own check is removed."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        challenges: Challenges,
        devices: Devices,
        limits: Limits,
        clerk: ClerkLogin,
        legacy: Legacy | None,
        signups: Signups,
        settings: LoginSettings,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._challenges = challenges
        self._devices = devices
        self._limits = limits
        self._clerk = clerk
        self._legacy = legacy
        self._signups = signups
        self._settings = settings
        self._metrics = metrics
        self._ending: set[asyncio.Task[None]] = set()

    async def login(self, email: str, password: str, delivery: Delivery, visitor: Visitor) -> Outcome:
        """Try a password. Raises Problem.

        However it is refused, the answer is the same and takes as long (invariant 9).
        """
        started = time.monotonic()
        async with self._database.connection() as connection:
            account = await accounts.by_email(connection, email)
            meant = await self._meant(connection, account, email, visitor)
        try:
            await self._spend("sign-in", visitor.address)
            await self._limits.spend(meant)
        except Problem:
            await self._count(_path(account), "limited")
            raise
        try:
            outcome = await self._login_as_it_stands(email, password, delivery, visitor)
        except Refused:
            verifying = await self._signups.resume_nowhere(email, password, visitor)
            if verifying is not None:
                await asyncio.sleep(max(0.0, started + self._signups.answer_seconds - time.monotonic()))
                return replace(verifying, delivery=delivery)
            await asyncio.sleep(max(0.0, started + self._settings.failure_seconds - time.monotonic()))
            raise Problem("credentials_invalid") from None
        except ClerkOut as error:
            raise Problem("authentication_unavailable", retry_after=error.retry_after) from None
        if isinstance(outcome, Verifying):
            await self._count("clerk", "unverified")
            await asyncio.sleep(max(0.0, started + self._signups.answer_seconds - time.monotonic()))
        return outcome

    async def _meant(
        self, connection: Connection, account: Account | None, email: str, visitor: Visitor
    ) -> dict[str, Limit]:
        """What a login counts for, beside the address that it comes from."""
        limit = self._settings.per_account
        if account is not None and await self._devices.client_token(connection, visitor.device, account.id):
            # who types somebody's address again and again does not shut its owner out there
            return {f"account {account.id} on {visitor.device}": limit}
        # by what was typed, too: whether there is an account must not change what is counted
        typed = await queries.lower(connection, text=emails.normal(email))
        return {f"email {typed}": limit} | ({f"account {account.id}": limit} if account else {})

    async def _login_as_it_stands(
        self, email: str, password: str, delivery: Delivery, visitor: Visitor
    ) -> Outcome:
        for _ in range(ROUNDS):
            try:
                return await self._login(email, password, delivery, visitor)
            except _Changed:
                continue
        raise ClerkOut

    async def prepare(self, challenge_id: str, method: Method, to: str | None, visitor: Visitor) -> Way:
        """Have a code sent; the way it goes. Raises Problem."""
        await self._spend("code", visitor.address)
        async with self._database.connection() as connection:
            challenge = await self._challenges.get(connection, challenge_id)
        if challenge is None:
            raise Problem("challenge_expired")
        await self._spend_code(challenge)
        way = challenge.way(method, to)
        if way is None or way.clerk_id is None or challenge.sign_in_id is None:
            raise Problem("request_invalid", f"No code can be sent by {method} for this login.")
        try:
            token = await self._clerk.prepare(
                challenge.sign_in_id, way, client_token=challenge.client_token, address=visitor.address
            )
        except (Refused, SignInGone):
            raise Problem("challenge_expired") from None
        except ClerkOut as error:
            raise Problem("authentication_unavailable", retry_after=error.retry_after) from None
        async with self._database.connection() as connection:
            await self._challenges.keep_client_token(connection, challenge_id, token)
        return way

    async def finish(self, challenge_id: str, method: Method, code: str, visitor: Visitor) -> Outcome:
        """Try a code. Raises Problem."""
        await self._spend("code", visitor.address)
        async with self._database.connection() as connection:
            challenge = await self._challenges.attempt(connection, challenge_id)
            account = await accounts.by_id(connection, challenge.user_id) if challenge else None
        if challenge is None or account is None:
            raise Problem("challenge_expired")
        await self._spend_code(challenge)
        if challenge.way(method) is None:
            raise Problem("request_invalid", f"This login cannot be finished by {method}.")
        try:
            if challenge.system == "clerk":
                outcome = await self._finish_with_clerk(
                    challenge_id, challenge, account, method, code, visitor
                )
                if isinstance(outcome, Verifying):
                    await self._count("clerk", "unverified")
                return outcome
            return await self._finish_with_legacy(challenge_id, challenge, account, code, visitor)
        except Refused as refused:
            await self._count(challenge.system, refused.outcome)
            raise Problem("code_invalid") from None
        except ClerkOut as error:
            await self._count(challenge.system, "unavailable")
            if not error.asked:
                await self._give_back(challenge_id)
            raise Problem("authentication_unavailable", retry_after=error.retry_after) from None
        except Problem as problem:
            if problem.code == "too_many_attempts":  # Clerk did not look at the code
                await self._give_back(challenge_id)
            raise
        except (_Changed, SignInGone):
            raise Problem("challenge_expired") from None

    async def _give_back(self, challenge_id: str) -> None:
        async with self._database.connection() as connection:
            await self._challenges.give_back(connection, challenge_id)

    def end_in_clerk(self, session: ClerkSession | None, address: Address | None) -> None:
        """End a session in Clerk without waiting for it."""
        if session is not None:
            task = asyncio.create_task(self._clerk.end(session, address))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Wait for what is still being ended in Clerk."""
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _login(self, email: str, password: str, delivery: Delivery, visitor: Visitor) -> Outcome:
        async with self._database.connection() as connection:
            account = await accounts.by_email(connection, email)
            client_token = None
            if account is not None and account.clerk_id is not None:
                client_token = await self._devices.client_token(connection, visitor.device, account.id)
        path = _path(account)
        try:
            if account is None or account.disabled:
                await self._match(None, password)
                raise Refused("unknown" if account is None else "disabled")
            if account.clerk_id is not None:
                return await self._login_with_clerk(account, password, delivery, visitor, client_token)
            if not await self._legacy_is_on():
                await self._match(None, password)
                raise Refused("legacy_off")
            return await self._login_with_legacy(account, password, delivery, visitor)
        except Refused as refused:
            await self._count(path, refused.outcome)
            raise
        except ClerkOut:
            await self._count(path, "unavailable")
            raise
        except Problem as problem:
            await self._count(path, "limited" if problem.code == "too_many_attempts" else "unavailable")
            raise

    async def _login_with_clerk(
        self,
        account: Account,
        password: str,
        delivery: Delivery,
        visitor: Visitor,
        client_token: str | None,
    ) -> Outcome:
        result = await self._clerk.sign_in(
            account.email,
            password,
            client_token=client_token,
            address=visitor.address,
            again=lambda: self._spend("sign-in", visitor.address),
        )
        if isinstance(result, PasswordNeeded):
            await self._count("clerk", "needs_new_password")
            return NewPasswordNeeded()
        if isinstance(result, SignedIn):
            return await self._complete_with_clerk(account, result, delivery, visitor)
        if result.kind == "client_trust" and not account.email_verified:
            verifying = await self._signups.resume(account, None, visitor)  # it is a code by mail as well
            if verifying is not None:
                async with self._database.transaction() as connection:
                    device = await self._devices.keep(
                        connection, visitor.device, account.id, result.client_token
                    )
                return replace(verifying, delivery=delivery, device=device)
        return await self._challenge_with_clerk(account, result, delivery, visitor)

    async def _challenge_with_clerk(
        self, account: Account, step: StepNeeded, delivery: Delivery, visitor: Visitor
    ) -> Challenged:
        challenge = Challenge(
            account.id, "clerk", step.kind, delivery, step.ways, step.sign_in_id, step.client_token
        )
        token, sent_to = step.client_token, None
        if step.ways[0].clerk_id is not None:  # as Clerk's own pages do
            token, sent_to = await self._send_at_once(challenge, step, visitor)
            challenge = replace(challenge, client_token=token)
        async with self._database.transaction() as connection:
            challenge_id, expires_at = await self._challenges.open(connection, challenge)
            device = await self._devices.keep(connection, visitor.device, account.id, token)
        await self._count("clerk", "challenged")
        return Challenged(challenge_id, expires_at, challenge, sent_to, device)

    async def _send_at_once(
        self, challenge: Challenge, step: StepNeeded, visitor: Visitor
    ) -> tuple[str, str | None]:
        """The client token, and where the code went; the login goes on if it could not be sent."""
        try:
            await self._spend_code(challenge)
            async with asyncio.timeout(0.4):  # what the password's check leaves of two seconds
                token = await self._clerk.prepare(
                    step.sign_in_id, step.ways[0], client_token=step.client_token, address=visitor.address
                )
        except (Refused, SignInGone, ClerkOut, Problem, TimeoutError):
            return step.client_token, None
        return token or step.client_token, step.ways[0].to

    async def _complete_with_clerk(
        self,
        account: Account,
        signed_in: SignedIn,
        delivery: Delivery,
        visitor: Visitor,
        challenge_id: str | None = None,
    ) -> Complete | Verifying:
        if signed_in.clerk_id != account.clerk_id:
            _log.error("another user in clerk", user_id=str(account.id), clerk_id=signed_in.clerk_id)
            self.end_in_clerk(signed_in.session, visitor.address)
            raise Refused("different_user")
        standing = Standing(account.id, account.clerk_id, None, second_factor_passed=True)
        try:
            verifying = None
            if not account.email_verified:
                verifying = await self._signups.resume(account, signed_in.session, visitor)
            async with self._database.transaction() as connection:
                if challenge_id is not None and not await self._challenges.use(connection, challenge_id):
                    raise _Changed
                if verifying is not None:
                    device = await self._devices.keep(
                        connection, visitor.device, account.id, signed_in.session.client_token
                    )
                    return replace(verifying, delivery=delivery, device=device)
                minted = await self._sessions.mint(
                    connection,
                    standing,
                    address=visitor.address,
                    user_agent=visitor.user_agent,
                    clerk=signed_in.session,
                )
                if minted is None:
                    raise _Changed
                device = await self._devices.keep(
                    connection, visitor.device, account.id, signed_in.session.client_token
                )
        except BaseException:
            self.end_in_clerk(signed_in.session, visitor.address)
            raise
        await self._count("clerk", "success")
        return Complete(minted, delivery, device)

    async def _finish_with_clerk(
        self,
        challenge_id: str,
        challenge: Challenge,
        account: Account,
        method: Method,
        code: str,
        visitor: Visitor,
    ) -> Outcome:
        if challenge.sign_in_id is None or account.clerk_id is None or account.disabled:
            raise _Changed
        result = await self._clerk.attempt(
            challenge.sign_in_id, method, code, client_token=challenge.client_token, address=visitor.address
        )
        if isinstance(result, PasswordNeeded):
            return NewPasswordNeeded()
        return await self._complete_with_clerk(account, result, challenge.delivery, visitor, challenge_id)

    async def _login_with_legacy(
        self, account: Account, password: str, delivery: Delivery, visitor: Visitor
    ) -> Outcome:
        if not await self._match(account.digest, password):
            raise Refused("wrong_password")
        if account.second_factor:
            challenge = Challenge(
                account.id,
                "legacy",
                "second_factor",
                delivery,
                (Way("totp"),),
                digest_hash=account.digest_hash,
            )
            async with self._database.connection() as connection:
                challenge_id, expires_at = await self._challenges.open(connection, challenge)
            await self._count("legacy", "challenged")
            return Challenged(challenge_id, expires_at, challenge, None)
        standing = Standing(account.id, None, account.digest_hash, second_factor_passed=False)
        async with self._database.connection() as connection:
            minted = await self._sessions.mint(
                connection, standing, address=visitor.address, user_agent=visitor.user_agent
            )
        if minted is None:
            raise _Changed
        await self._count("legacy", "success")
        return Complete(minted, delivery)

    async def _finish_with_legacy(
        self, challenge_id: str, challenge: Challenge, account: Account, code: str, visitor: Visitor
    ) -> Complete:
        if self._legacy is None or account.clerk_id is not None:
            raise _Changed  # the user is in Clerk by now: only Clerk may let anybody in
        if not await self._legacy_is_on():
            raise _Changed
        standing = Standing(account.id, None, challenge.digest_hash, second_factor_passed=True)
        async with self._database.transaction() as connection:
            await queries.lock_totp(connection, user_id=str(account.id))
            last = await queries.last_totp_step(connection, user_id=str(account.id))
            step = self._legacy.totp_step(account, code, after=last)
            if step is None:
                raise Refused("wrong_code")
            if not await self._challenges.use(connection, challenge_id, step):
                raise _Changed
            minted = await self._sessions.mint(
                connection, standing, address=visitor.address, user_agent=visitor.user_agent
            )
            if minted is None:
                raise _Changed
        await self._count("legacy", "success")
        return Complete(minted, challenge.delivery)

    async def _legacy_is_on(self) -> bool:
        async with self._database.connection() as connection:
            switch = await queries.switch(connection, name="legacy_login")
        return bool(switch == "on")

    async def _match(self, digest: str | None, password: str) -> bool:
        return self._legacy is not None and await self._legacy.password_matches(digest, password)

    async def _spend(self, what: str, address: Address | None) -> None:
        """By address before anything by account: who is over the one must not use up the other for its owner."""
        await self._limits.spend(by_address(what, address, self._settings.per_address))

    async def _spend_code(self, challenge: Challenge) -> None:
        try:
            await self._limits.spend({f"codes {challenge.user_id}": self._settings.codes_per_user})
        except Problem:
            await self._count(challenge.system, "limited")
            raise

    async def _count(self, path: str, outcome: str) -> None:
        self._metrics.logins.labels(path, outcome).inc()
        try:
            async with self._database.connection() as connection:
                await queries.count_login(connection, path=path, outcome=outcome)
        except ToolkitError as error:  # what was decided stands
            _log.warning("a login was not counted", path=path, outcome=outcome, error=str(error))


def _path(account: Account | None) -> Path:
    """The system that a login goes to."""
    return "clerk" if account is not None and account.clerk_id is not None else "legacy"
