"""What happens when somebody changes their password, or sets a new one because they forgot it.

Either is written down as a security event, told to the owner by mail, and ends other sessions: it is how people shut out
whoever knows the password from before.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from bff.accounts import Account
from bff.changes import Change, Changes, change_of
from bff.database import Database
from bff.limits import Limits
from bff.login.service import LoginService, Outcome
from bff.mail.mails import ChangeKind
from bff.password.systems import PasswordSystem, Rules, strictest
from bff.proof.resets import ProvenReset, ResetBegun, Resets
from bff.proof.service import ProofService, system_of
from bff.proof.systems import Changed, Gone, Proved, StepNeeded, SystemName
from bff.reauthentication.recent import require_recent_proof
from bff.refusals import (
    AuthenticationUnavailable,
    ChallengeExpired,
    CredentialsInvalid,
    ReauthenticationRequired,
    Refusal,
    looking_up,
)
from bff.sessions.service import Delivery, Session, Sessions
from bff.signup.proven import ProvenSignups
from bff.visitor import Visitor

KINDS: Collection[ChangeKind] = ("password_changed", "password_reset")
"""The changes that are made here."""


class _Moved(Refusal):
    """The account has gone over to another system since the code came back."""


class PasswordService:
    """Sets new passwords. `systems` are Clerk's and, as long as there is one, AX's own."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        proof: ProofService,
        resets: Resets,
        signups: ProvenSignups,
        login: LoginService,
        changes: Changes,
        limits: Limits,
        systems: Mapping[SystemName, PasswordSystem],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._proof = proof
        self._resets = resets
        self._signups = signups
        self._login = login
        self._changes = changes
        self._limits = limits
        self._systems = systems

    async def rules(self) -> Rules:
        """What a new password must be like, whoever asks. Raises AuthenticationUnavailable."""
        return strictest(*[await system.rules() for system in self._systems.values()])

    async def change(
        self, session: Session, current: str, new: str, visitor: Visitor, *, sign_out_others: bool
    ) -> None:
        """Put a new password in place of the current one. Raises Refusal."""
        require_recent_proof(session)
        await self._limits.spend(
            ("reauthentication_by_session", session.id), ("code_by_address", visitor.network)
        )
        claim = await self._proof.claim_of(session.user.id, visitor)
        system = self._systems.get(claim.system)
        if claim.account is None or system is None:
            raise ReauthenticationRequired
        version = await self._resets.version(claim.account)
        await self._forget_proofs(session)
        change = change_of(
            session, "password_changed", visitor, subject=version, sign_out_others=sign_out_others
        )
        async with self._changes.making(change) as making:
            try:
                await system.change(
                    session, claim, current, new, visitor, making.note, sign_out_others=sign_out_others
                )
            except AuthenticationUnavailable as lost:
                if not lost.asked:
                    raise
                with looking_up(lost):
                    done = await self.happened(claim.account, change)
                if not done:
                    raise

    async def complete(
        self, reset_id: str, password: str, delivery: Delivery, visitor: Visitor
    ) -> Outcome | ResetBegun:
        """Set the new password of a reset whose code came back, and let its owner in.

        For an account that has gone over to another system meanwhile, the reset begins anew there. Raises Refusal.
        """
        reset = await self._resets.proven(reset_id)
        await self._limits.spend(("reset_password_by_reset", reset_id))
        try:
            result = await self._set(reset, reset_id, password, visitor)
        except _Moved:
            account = (await self._proof.claim_of(reset.account.id, visitor)).account
            if account is None:
                raise ChallengeExpired from None
            await self._resets.end(reset_id)
            return await self._resets.begin_for(account, visitor)
        account = (await self._proof.claim_of(reset.account.id, visitor)).account
        if account is None or system_of(account) != result.system:
            raise ChallengeExpired
        return await self._login.enter(replace(result, account=account), delivery, visitor)

    async def happened(self, account: Account, change: Change) -> bool:
        """Whether the account has another password than before a change. Raises AuthenticationUnavailable.

        One that comes with its note has not been made, as long as anybody asks.
        """
        return change.subject != "" and await self._resets.version(account) != change.subject

    async def _set(
        self, reset: ProvenReset, reset_id: str, password: str, visitor: Visitor
    ) -> Proved | StepNeeded:
        """Have the system set the new password, and shut out everybody else. Raises _Moved, or another Refusal."""
        account = reset.account
        if reset.system is None:
            raise _Moved
        signup_id = await self._signups.find(account)
        if signup_id is not None:
            if reset.method != "email":  # it is the mailbox that ends a signup
                raise ChallengeExpired
            await self._signups.shut_out(account, signup_id)
        version = await reset.system.version(account)
        change = Change(account.id, None, "password_reset", visitor, version, sign_out_others=True)
        async with self._changes.making(change) as making:
            try:
                result = await reset.system.set_password(account, reset.state, password, visitor, making.note)
            except Changed:
                raise _Moved from None
            except (Gone, CredentialsInvalid):
                raise ChallengeExpired from None
        await self._resets.completed(reset_id)
        if signup_id is not None:
            await self._signups.end(account, signup_id)
        return result

    async def _forget_proofs(self, session: Session) -> None:
        """Before there is another password: who proved the one from before, in another session, has then proven nothing."""
        async with self._database.connection() as connection:
            await self._sessions.forget_proofs(connection, session)
