"""Logins that wait for a second step. They live in Postgres, so that any replica finishes what another began."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from bff.tokens import ClientTokenCipher, Sealed, hash_token, new_token
from toolkit.database import Connection, queries

LIFETIME = timedelta(minutes=10)
ATTEMPTS = 5

Path = Literal["clerk", "legacy"]
Kind = Literal["second_factor", "client_trust"]
Delivery = Literal["cookie", "bearer"]
Method = Literal["totp", "backup_code", "sms", "email"]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to finish a challenge."""

    method: Method
    to: str | None = None
    """Where a code goes, masked; None for codes that the user has."""
    clerk_id: str | None = None
    """Clerk's id of the phone number or email address."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A login whose password was right."""

    user_id: UUID
    system: Path
    kind: Kind
    delivery: Delivery
    ways: tuple[Way, ...]
    sign_in_id: str | None = None
    client_token: str | None = field(default=None, repr=False)
    digest_hash: bytes | None = field(default=None, repr=False)
    """SHA-256 of the legacy digest that the password was checked against."""

    def way(self, method: Method, to: str | None = None) -> Way | None:
        """The way by that method, and to that place when there are several."""
        return next((way for way in self.ways if way.method == method and to in (None, way.to)), None)


_WAYS = TypeAdapter(tuple[Way, ...])


class Challenges:
    """Opens and finishes challenges. Their ids are tokens: only the browser knows them."""

    def __init__(self, cipher: ClientTokenCipher) -> None:
        self._cipher = cipher

    async def open(self, connection: Connection, challenge: Challenge) -> tuple[str, datetime]:
        """Keep a challenge; its id, and when it ends."""
        challenge_id = new_token()
        sealed = self._cipher.seal(challenge.client_token)
        expires_at: datetime = await queries.open_challenge(
            connection,
            id_hash=hash_token(challenge_id),
            user_id=str(challenge.user_id),
            system=challenge.system,
            kind=challenge.kind,
            delivery=challenge.delivery,
            methods=_WAYS.dump_json(challenge.ways).decode(),
            clerk_sign_in_id=challenge.sign_in_id,
            client_token_cipher=sealed.cipher,
            client_token_nonce=sealed.nonce,
            digest_hash=challenge.digest_hash,
            lifetime=LIFETIME,
        )
        return challenge_id, expires_at

    async def get(self, connection: Connection, challenge_id: str) -> Challenge | None:
        """A challenge that can still be finished."""
        record = await queries.get_challenge(connection, id_hash=hash_token(challenge_id), most=ATTEMPTS)
        return self._challenge(record) if record else None

    async def attempt(self, connection: Connection, challenge_id: str) -> Challenge | None:
        """As `get`, and one attempt less is left: to be called before the code is looked at."""
        record = await queries.attempt_challenge(connection, id_hash=hash_token(challenge_id), most=ATTEMPTS)
        return self._challenge(record) if record else None

    async def give_back(self, connection: Connection, challenge_id: str) -> None:
        """An attempt that nobody looked at, as Clerk was out."""
        await queries.give_back_attempt(connection, id_hash=hash_token(challenge_id))

    async def keep_client_token(self, connection: Connection, challenge_id: str, token: str | None) -> None:
        """Clerk gave another client token meanwhile."""
        sealed = self._cipher.seal(token)
        if sealed.cipher is not None:
            await queries.keep_client_token(
                connection, id_hash=hash_token(challenge_id), cipher=sealed.cipher, nonce=sealed.nonce
            )

    async def use(self, connection: Connection, challenge_id: str, totp_step: int | None = None) -> bool:
        """Finish a challenge: true for one caller, and once."""
        used = await queries.use_challenge(connection, id_hash=hash_token(challenge_id), totp_step=totp_step)
        return bool(used)

    def _challenge(self, record: Any) -> Challenge:
        return Challenge(
            user_id=UUID(record["user_id"]),
            system=record["system"],
            kind=record["kind"],
            delivery=record["delivery"],
            ways=_WAYS.validate_python(orjson.loads(record["methods"])),
            sign_in_id=record["clerk_sign_in_id"],
            client_token=self._cipher.open(Sealed(record["cipher"], record["nonce"])),
            digest_hash=record["digest_hash"],
        )
