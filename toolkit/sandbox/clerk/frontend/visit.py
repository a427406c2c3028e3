"""A request of the Frontend API: whose device it is, what it sent, and how it is answered."""

import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import jwt
import orjson

from toolkit.sandbox.clerk import errors
from toolkit.sandbox.clerk.instance import Answer, Call, Instance
from toolkit.sandbox.clerk.store import new_id, now_ms

WINDOW = 10.0
"""Seconds over which requests of an address are counted."""
MOST = {"create_sign_in": 5, "attempt": 3}
"""Requests of an address in WINDOW (https://clerk.com/docs/guides/how-clerk-works/system-limits)."""

Record = dict[str, object]


@dataclass
class ClientRecord:
    """A device. One that was only just made is kept when something happens on it."""

    id: str
    created_at: int
    updated_at: int
    sign_in: Record | None = None
    session_ids: list[str] = field(default_factory=list)
    last_active_session_id: str | None = None
    last_strategy: str | None = None
    known_users: list[str] = field(default_factory=list)
    """Who signed in on it before: client trust asks those no more."""
    rotation: int = 0


@dataclass
class Visit:
    """A request on a device."""

    instance: Instance
    call: Call
    client: ClientRecord | None
    form: Mapping[str, str]

    def text(self, name: str) -> str:
        """A field that must be there."""
        value = self.form.get(name)
        if not value:
            raise errors.missing(name)
        return value

    def make_client(self) -> ClientRecord:
        """The device's client, made if there is none."""
        if self.client is None:
            now = now_ms()
            self.client = ClientRecord(new_id("client"), now, now)
        return self.client

    def sessions(self) -> list[Record]:
        """The client's sessions that live, with their expiry looked at."""
        if self.client is None:
            return []
        found = (
            self.instance.store.get_thing("session", session_id) for session_id in self.client.session_ids
        )
        return [session for session in found if session is not None and session["status"] == "active"]

    def keep(self) -> None:
        """Write the client, with another rotation of its token."""
        client = self.make_client()
        client.rotation += 1
        client.updated_at = now_ms()
        self.instance.store.put_thing("client", client.id, None, client)

    def token(self) -> str | None:
        """The client's token."""
        if self.client is None:
            return None
        return self.instance.signing_key.sign({"id": self.client.id, "rotating_token": self.client.rotation})


Work = Callable[[Visit], Awaitable[object]]


def served(
    work: Work, show_client: Callable[[Visit], object]
) -> Callable[[Instance, Call], Awaitable[Answer]]:
    """A handler: finds the client, lets the work answer, and wraps it up with the client as it is then."""

    async def handle(instance: Instance, call: Call) -> Answer:
        form = dict(parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True))
        visit = Visit(instance, call, _find_client(instance, call), form)
        response = await work(visit)
        token = visit.token()
        return Answer(
            {"response": response, "client": show_client(visit)},
            headers={"Authorization": token} if token else {},
        )

    return handle


def bare(work: Work) -> Callable[[Instance, Call], Awaitable[Answer]]:
    """As `served`, for operations whose answer is not wrapped up."""

    async def handle(instance: Instance, call: Call) -> Answer:
        visit = Visit(instance, call, _find_client(instance, call), {})
        return Answer(await work(visit))

    return handle


def address_of(instance: Instance, call: Call) -> str:
    """Whose limits count: the end user's where a proxy with the secret key tells, else the peer's. Raises Refusal."""
    forwarded = call.headers.get("X-Forwarded-For")
    if not forwarded or "Clerk-Proxy-Url" not in call.headers:
        return call.address
    if not secrets.compare_digest(
        call.headers.get("Clerk-Secret-Key", "").encode(), instance.secret_key.encode()
    ):
        raise errors.key_invalid()
    return forwarded.partition(",")[0].strip()


def spend(instance: Instance, call: Call, kind: str) -> None:
    """Count a request of an address. Raises Refusal when there were too many in the window."""
    address = address_of(instance, call)
    if instance.settings.rate_limit == "off":
        return
    starts, now = instance.visits.setdefault((address, kind), []), instance.monotonic()
    starts[:] = [start for start in starts if start > now - WINDOW]
    if len(starts) >= MOST[kind]:
        raise errors.too_many_requests(max(1, math.ceil(starts[0] + WINDOW - now)))
    starts.append(now)


def _find_client(instance: Instance, call: Call) -> ClientRecord | None:
    token = call.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if not token:
        return None
    try:
        claims = instance.signing_key.verify(token)
    except jwt.InvalidTokenError:
        raise errors.client_not_found() from None
    kept = instance.store.get_thing("client", str(claims.get("id")))
    if kept is None:
        raise errors.client_not_found()
    return ClientRecord(**orjson.loads(orjson.dumps(kept)))
