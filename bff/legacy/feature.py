"""Legacy, mounted: AX's system for proofs, passwords, second factors and signup. It serves nothing itself."""

from functools import partial

from prometheus_client import Gauge

from bff.database import Database
from bff.legacy.mfa import LegacyFactors
from bff.legacy.password_system import LegacyPasswords
from bff.legacy.passwords import Passwords
from bff.legacy.rehashing import Rehashing
from bff.legacy.resets import LegacyResets
from bff.legacy.signup import LegacySignup
from bff.legacy.system import LegacySystem
from bff.mfa.feature import LEGACY_FACTORS
from bff.parts import Parts
from bff.password.feature import LEGACY_PASSWORDS
from bff.proof.feature import LEGACY_RESETS, LEGACY_SYSTEM
from bff.sessions.service import Sessions
from bff.signup.feature import LEGACY_SIGNUP
from bff.tidying import keep_forgetting
from toolkit.database import queries


def mount(parts: Parts) -> None:
    """Hand AX's own checks to those who use them."""

    async def usual_digest() -> str | None:
        return await _usual_digest(parts.database)

    passwords = Passwords(usual_digest, parts.settings.login.legacy_slots)
    rehashing = Rehashing(parts.database, passwords)
    parts.app[LEGACY_SYSTEM] = LegacySystem(parts.database, passwords, rehashing, parts.environment.totp_keys)
    parts.app[LEGACY_FACTORS] = LegacyFactors(parts.database, parts.environment.totp_keys)
    parts.app[LEGACY_PASSWORDS] = LegacyPasswords(parts.database, passwords)
    parts.app[LEGACY_RESETS] = LegacyResets(parts.database, parts.cipher, passwords, parts.mailer)
    sessions = Sessions(parts.settings.session, parts.cipher)
    parts.app[LEGACY_SIGNUP] = LegacySignup(parts.database, sessions, passwords)
    busy = Gauge(
        "bff_legacy_verifications",
        "Argon2 verifications under way or waiting.",
        registry=parts.metrics.registry,
    )
    busy.set_function(lambda: passwords.pending)

    async def close() -> None:
        await rehashing.close()
        passwords.close()

    parts.at_end(close)
    parts.run(partial(keep_forgetting, parts.database, queries.forget_expired_reset_codes))


async def _usual_digest(database: Database) -> str | None:
    async with database.connection() as connection:
        most_are_legacy = await queries.most_are_legacy(connection)
        digest: str | None = await queries.typical_digest(connection) if most_are_legacy else None
    return digest
