"""AX as the system that checks passwords and codes."""

from collections.abc import Sequence

from bff.accounts import Account
from bff.database import Database
from bff.devices import Device
from bff.legacy import credentials
from bff.legacy.credentials import Credentials, hash_digest, spend, totp_step
from bff.legacy.passwords import Passwords
from bff.legacy.rehashing import Rehashing
from bff.proof.systems import (
    Changed,
    Gone,
    Method,
    MethodName,
    NewPasswordNeeded,
    Proved,
    State,
    StepNeeded,
    SystemName,
    Trust,
)
from bff.refusals import CodeInvalid, CredentialsInvalid
from bff.visitor import Visitor
from toolkit.database import Connection, queries

_DIGEST, _NEW_SALT, _CODE, _STEP = "digest", "new_salt", "code", "step"
"""The facts that a state holds: SHA-256 of the digest that the password was checked against, the salt of the digest that is
made in its place if it is weak, the code that was right, and the 30-second step that it stood for."""


class LegacySystem:
    """Checks users who are not in Clerk, as long as the switch `legacy_login` is on. `totp_keys` open the TOTP secrets."""

    name: SystemName = "legacy"

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        rehashing: Rehashing,
        totp_keys: Sequence[bytes],
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._rehashing = rehashing
        self._totp_keys = totp_keys

    async def check_password(
        self, account: Account, password: str, device: Device | None, trust: Trust, visitor: Visitor
    ) -> Proved | StepNeeded | NewPasswordNeeded:
        """Check a password against its digest. Raises as `System.check_password` does."""
        found = await self._find(account)
        if found is None:
            await self.pretend(password, visitor)
            raise CredentialsInvalid("legacy_off")
        if found.digest is None:
            await self.pretend(password, visitor)
            raise CredentialsInvalid("no_password")
        if not await self._passwords.matches(found.digest, password, visitor.network):
            raise CredentialsInvalid("wrong_password")
        new_salt = self._rehashing.begin(account.id, found.digest, password)
        return result_of(account, found.digest, new_salt, second_factor=found.second_factor)

    async def pretend(self, password: str, visitor: Visitor) -> None:
        """Compute a digest for nobody, as long as most users' passwords are checked by one."""
        await self._passwords.pretend(password, visitor.network)

    def crowded(self, visitor: Visitor) -> bool:
        """Whether too many wait for Argon2."""
        return self._passwords.crowded(visitor.network)

    async def send_code(self, state: State, method: Method, visitor: Visitor) -> State:
        """AX sends no codes. Raises Gone."""
        raise Gone

    async def check_code(
        self, account: Account, state: State, method: MethodName, code: str, visitor: Visitor
    ) -> Proved | NewPasswordNeeded:
        """Check a code of the user's authenticator. Raises as `System.check_code` does."""
        found = await self._find(account)
        if found is None:
            raise Changed
        step = totp_step(found, code, self._totp_keys)
        if step is None:
            raise CodeInvalid
        return Proved(account, self.name, State({**state.facts, _CODE: code, _STEP: str(step)}))

    async def settle(self, connection: Connection, proved: Proved) -> None:
        """Hold the row as it was when the password was checked, and spend the code. Raises Changed or CodeInvalid."""
        facts, user_id = proved.state.facts, proved.account.id
        if not await queries.hold_legacy_standing(
            connection,
            user_id=user_id,
            digest_hash=bytes.fromhex(facts[_DIGEST]),
            new_salt=facts.get(_NEW_SALT),
            second_factor_passed=_CODE in facts,
        ):
            raise Changed
        if _CODE in facts and not await spend(connection, user_id, facts[_CODE], int(facts[_STEP])):
            raise CodeInvalid

    async def _find(self, account: Account) -> Credentials | None:
        """The user's credentials; None with the switch off. Raises Changed."""
        async with self._database.connection() as connection:
            if await queries.switch(connection, name="legacy_login") != "on":
                return None
            found = await credentials.find(connection, account.id)
        if found is None:
            raise Changed
        return found


def result_of(
    account: Account, digest: str, new_salt: str | None = None, *, second_factor: bool
) -> Proved | StepNeeded:
    """What a password that is the digest's leads to. `new_salt` is of the digest that is being made in its place."""
    facts = {_DIGEST: hash_digest(digest)}
    state = State(facts if new_salt is None else {**facts, _NEW_SALT: new_salt})
    if second_factor:
        return StepNeeded(account, "legacy", "second_factor", (Method("totp"),), state)
    return Proved(account, "legacy", state)
