"""Proofs that wait for a further step. They live in Postgres, so that any replica finishes what another began.

A challenge carries what it is for: one that was begun to log in finishes no re-authentication, and the reverse.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from bff.proof.systems import Kind, Method, MethodName, State, SystemName
from bff.sessions.service import Delivery
from bff.tokens import Cipher, Sealed, hash_token, new_token
from toolkit.database import Connection, queries

LIFETIME = timedelta(minutes=10)
RESET_CODE_LIFETIME = timedelta(minutes=15)
"""Of a reset that waits for its code."""
ATTEMPTS = 5

Purpose = Literal["login", "reauthentication", "reset", "enrol"]

NOTHING = State({})
"""What a system remembers that was not asked yet."""

_METHODS = TypeAdapter(tuple[Method, ...])
_STATE = TypeAdapter(State)


@dataclass(frozen=True, slots=True)
class Aim:
    """What a proof is for."""

    purpose: Purpose
    session_id: UUID | None = None
    """The session that it belongs to; None for a login or a reset, of those who are not signed in."""

    def __post_init__(self) -> None:
        if (self.session_id is None) != (self.purpose in ("login", "reset")):
            raise ValueError(f"{self.purpose} and a session do not go together as they must")


LOGIN = Aim("login")
RESET = Aim("reset")

Waiting = Kind | Literal["reset_code", "new_password"]
"""What a proof waits for: a second step, or in a reset the code that was sent, and then the new password."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A proof that waits for something. A reset for an address that nobody has is one, too, of a user who is not there."""

    user_id: UUID
    system: SystemName
    aim: Aim
    kind: Waiting
    methods: tuple[Method, ...]
    state: State
    delivery: Delivery = "cookie"
    """How the session is to be handed over that a login ends in."""

    def method(self, name: MethodName, to: str | None = None) -> Method | None:
        """The method with that name, and to that place when there are several."""
        return next(
            (method for method in self.methods if method.name == name and to in (None, method.to)), None
        )


class Challenges:
    """Opens and finishes challenges. Their ids are tokens: only the browser knows them."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    async def open(self, connection: Connection, challenge: Challenge) -> tuple[str, datetime]:
        """Keep a challenge; its id, and when it ends."""
        challenge_id = new_token()
        sealed = self._seal(challenge.state)
        expires_at: datetime = await queries.open_challenge(
            connection,
            id_hash=hash_token(challenge_id),
            user_id=str(challenge.user_id),
            system=challenge.system,
            purpose=challenge.aim.purpose,
            session_id=challenge.aim.session_id,
            kind=challenge.kind,
            delivery=challenge.delivery,
            methods=_METHODS.dump_json(challenge.methods).decode(),
            state_cipher=sealed.cipher,
            state_nonce=sealed.nonce,
            lifetime=RESET_CODE_LIFETIME if challenge.kind == "reset_code" else LIFETIME,
        )
        return challenge_id, expires_at

    async def get(self, connection: Connection, challenge_id: str, aim: Aim) -> Challenge | None:
        """A challenge with this aim that can still be finished."""
        record = await queries.get_challenge(connection, **_key(challenge_id, aim), most=ATTEMPTS)
        return self._challenge(record, aim) if record else None

    async def attempt(self, connection: Connection, challenge_id: str, aim: Aim) -> Challenge | None:
        """As `get`, and one attempt less is left: to be called before the code is looked at."""
        record = await queries.attempt_challenge(connection, **_key(challenge_id, aim), most=ATTEMPTS)
        return self._challenge(record, aim) if record else None

    async def give_back(self, connection: Connection, challenge_id: str) -> None:
        """Return an attempt whose code nobody looked at."""
        await queries.give_back_attempt(connection, id_hash=hash_token(challenge_id))

    async def keep_state(self, connection: Connection, challenge_id: str, state: State) -> None:
        """Note what the system has to remember from now on."""
        sealed = self._seal(state)
        await queries.keep_challenge_state(
            connection,
            id_hash=hash_token(challenge_id),
            state_cipher=sealed.cipher,
            state_nonce=sealed.nonce,
        )

    async def advance(
        self, connection: Connection, challenge_id: str, kind: Waiting, state: State
    ) -> datetime | None:
        """Let a challenge wait for something else from now on; when it ends then, None when it is over already."""
        sealed = self._seal(state)
        expires_at: datetime | None = await queries.advance_challenge(
            connection,
            id_hash=hash_token(challenge_id),
            kind=kind,
            state_cipher=sealed.cipher,
            state_nonce=sealed.nonce,
            lifetime=LIFETIME,
        )
        return expires_at

    async def move(self, connection: Connection, challenge_id: str, system: SystemName) -> None:
        """Let another system go on with a challenge, which knows nothing of it yet."""
        sealed = self._seal(NOTHING)
        await queries.move_challenge(
            connection,
            id_hash=hash_token(challenge_id),
            system=system,
            state_cipher=sealed.cipher,
            state_nonce=sealed.nonce,
        )

    async def use(self, connection: Connection, challenge_id: str) -> bool:
        """Finish a challenge: true for one caller, and once."""
        return bool(await queries.use_challenge(connection, id_hash=hash_token(challenge_id)))

    def _seal(self, state: State) -> Sealed:
        return self._cipher.seal(_STATE.dump_json(state).decode())

    def _challenge(self, record: Any, aim: Aim) -> Challenge | None:
        """None when another key sealed the state, or another version of the BFF wrote it: the proof must begin anew."""
        state = self._cipher.open(Sealed(record["state_cipher"], record["state_nonce"]))
        if state is None:
            return None
        try:
            return Challenge(
                user_id=UUID(record["user_id"]),
                system=record["system"],
                aim=aim,
                kind=record["kind"],
                methods=_METHODS.validate_json(record["methods"]),
                state=_STATE.validate_json(state),
                delivery=record["delivery"],
            )
        except ValidationError:  # its text would quote the state
            return None


def _key(challenge_id: str, aim: Aim) -> dict[str, Any]:
    return {
        "id_hash": hash_token(challenge_id),
        "purpose": aim.purpose,
        "session_id": aim.session_id,
    }
