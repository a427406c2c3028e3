"""Passwords of users who are in Clerk: its Frontend API, spoken in the session that stands behind AX's."""

from bff.clerk_errors import answered, new_password_refused, refused
from bff.clerk_settings import ClerkSettings
from bff.events import Note
from bff.password.systems import Character, Rules
from bff.proof.lockout import Lockout
from bff.proof.service import Claim
from bff.proof.systems import SystemName
from bff.refusals import (
    CredentialsInvalid,
    ReauthenticationRequired,
    not_the_password,
)
from bff.sessions.clerk import ClerkDevices
from bff.sessions.service import Session
from bff.visitor import Visitor
from toolkit.clerk import ClientInvalid, ReverificationRequired

MOST_BYTES = 72
"""What Clerk takes at most, whatever the instance says."""


class ClerkPasswords:
    """Without a client (Clerk is not configured) everybody is refused."""

    name: SystemName = "clerk"

    def __init__(self, settings: ClerkSettings, devices: ClerkDevices, lockout: Lockout) -> None:
        self._settings = settings
        self._devices = devices
        self._lockout = lockout

    async def rules(self) -> Rules:
        """The instance's own."""
        with answered():
            settings = (await self._settings.get()).user_settings.password_settings
        required: dict[Character, bool] = {
            "lowercase": settings.require_lowercase,
            "uppercase": settings.require_uppercase,
            "number": settings.require_numbers,
            "special": settings.require_special_char,
        }
        return Rules(
            settings.min_length,
            settings.max_length or None,
            MOST_BYTES,
            tuple(kind for kind, wanted in required.items() if wanted),
            settings.min_zxcvbn_strength or None,
        )

    async def change(
        self,
        session: Session,
        claim: Claim,
        current: str,
        new: str,
        visitor: Visitor,
        note: Note,
        *,
        sign_out_others: bool,
    ) -> None:
        """Have Clerk change the password. Raises as `PasswordSystem.change` does."""
        account = claim.account
        if account is None:
            raise ReauthenticationRequired
        try:
            async with self._lockout.guarding(account, claim.trust, visitor):
                await self._change(session, current, new, visitor, sign_out_others=sign_out_others)
        except CredentialsInvalid:
            raise not_the_password("current_password") from None
        await self._lockout.forget(account, visitor)

    async def _change(
        self, session: Session, current: str, new: str, visitor: Visitor, *, sign_out_others: bool
    ) -> None:
        async with self._devices.behind(session, visitor) as (device, clerk_id):
            try:
                with refused(ReverificationRequired, ClientInvalid), new_password_refused("new_password"):
                    await device.change_password(
                        clerk_id, current, new, sign_out_of_other_sessions=sign_out_others
                    )
            except (ReverificationRequired, ClientInvalid):  # too long ago; or the session in Clerk is over
                raise ReauthenticationRequired from None
