"""A request of the Frontend API: whose device it is, what it sent, and how it is answered."""

import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import jwt
import orjson

from toolkit.sandbox.emulator import errors
from toolkit.sandbox.emulator.errors import Refusal
from toolkit.sandbox.emulator.instance import Answer, Call, Instance
from toolkit.sandbox.emulator.sessions import lives
from toolkit.sandbox.emulator.store import new_id, now_ms

WINDOW = 10.0
"""Seconds over which requests of an address are counted."""
MOST = {"create_sign_in": 5, "attempt": 3, "verification": 3}
"""Requests of an address in WINDOW (https://clerk.com/docs/guides/how-clerk-works/system-limits)."""

FORM = "application/x-www-form-urlencoded"

Record = dict[str, object]


@dataclass
class ClientRecord:
    """A device. A new one is stored only once something happens on it."""

    id: str
    created_at: int
    updated_at: int
    sign_in: Record | None = None
    session_ids: list[str] = field(default_factory=list)
    last_active_session_id: str | None = None
    last_strategy: str | None = None
    known_users: list[str] = field(default_factory=list)
    """Users who signed in on it before, whom client trust does not ask for a code again."""
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
        """The client's live sessions."""
        if self.client is None:
            return []
        found = (
            self.instance.store.get_thing("session", session_id) for session_id in self.client.session_ids
        )
        return [session for session in found if session is not None and lives(session)]

    def keep(self) -> None:
        """Write the client, with another rotation of its token."""
        client = self.make_client()
        client.rotation += 1
        client.updated_at = now_ms()
        self.instance.store.put_thing("client", client.id, None, client)

    def refresh(self) -> None:
        """Read the client again, after something that took time: another request may have changed it."""
        if self.client is not None:
            self.client = load_client(self.instance, self.client.id) or self.client

    def token_header(self) -> dict[str, str]:
        """The header with the client's token; empty for a client that was not stored."""
        if self.client is None or not self.client.rotation:
            return {}
        claims = {"id": self.client.id, "rotating_token": self.client.rotation}
        return {"Authorization": self.instance.signing_key.sign(claims)}


Work = Callable[[Visit], Awaitable[object]]


def served(
    work: Work, show_client: Callable[[Visit], object]
) -> Callable[[Instance, Call], Awaitable[Answer]]:
    """Make a handler that finds the client, has `work` answer, and wraps the answer up with the client as it is then."""

    async def handle(instance: Instance, call: Call) -> Answer:
        visit = _receive(instance, call)
        try:
            response = await work(visit)
        except Refusal as refusal:
            refusal.client = show_client(visit)
            refusal.headers.update(visit.token_header())
            raise
        return Answer({"response": response, "client": show_client(visit)}, headers=visit.token_header())

    return handle


def bare(work: Work) -> Callable[[Instance, Call], Awaitable[Answer]]:
    """As `served`, for operations whose answer is not wrapped up."""

    async def handle(instance: Instance, call: Call) -> Answer:
        return Answer(await work(_receive(instance, call)))

    return handle


def spend(instance: Instance, call: Call, kind: str) -> None:
    """Count a request of an address. Raises Refusal when there were too many in the window."""
    if instance.settings.rate_limit == "off":
        return
    visits, now, counted = instance.visits, instance.monotonic(), (_address_of(call), kind)
    starts = [start for start in visits.pop(counted, ()) if start > now - WINDOW]
    refused = len(starts) >= MOST[kind]
    visits[counted] = starts if refused else [*starts, now]
    _forget_old(visits, now - WINDOW)
    if refused:
        raise errors.too_many_requests(max(1, math.ceil(starts[0] + WINDOW - now)))


def _forget_old(visits: dict[tuple[str, str], list[float]], since: float) -> None:
    """Forget the addresses that have not come since; the latest are at the end."""
    while (oldest := next(iter(visits))) and visits[oldest][-1] <= since:
        del visits[oldest]


def is_native(instance: Instance, call: Call) -> bool:
    """Whether a native application asks. Raises Refusal when the instance does not serve any."""
    native = dict(call.query).get("_is_native") in ("1", "true")
    if native and not instance.settings.native_api:
        raise errors.native_api_disabled()
    return native


def _receive(instance: Instance, call: Call) -> Visit:
    """Raises Refusal unless a native application asks, and a proxy has the key."""
    check_proxy(instance, call)
    if call.body and not call.headers.get("Content-Type", "").startswith(FORM):
        raise errors.content_type_unsupported(call.headers.get("Content-Type", ""), FORM)
    form = dict(parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True))
    native = is_native(instance, call)
    if not native and instance.environment_type == "development":
        raise errors.browser_unauthenticated()
    return Visit(instance, call, _find_client(instance, call) if native else None, form)


def check_proxy(instance: Instance, call: Call) -> None:
    """https://clerk.com/docs/guides/dashboard/dns-domains/proxy-fapi. Raises Refusal."""
    if "Clerk-Proxy-Url" not in call.headers:
        return
    key = call.headers.get("Clerk-Secret-Key")
    if not key:
        raise errors.proxy_key_missing()
    if not secrets.compare_digest(key.encode(), instance.secret_key.encode()):
        raise errors.proxy_key_invalid()


def _address_of(call: Call) -> str:
    """Whose limits count: the end user's where a proxy tells it, else the peer's."""
    forwarded = call.headers.get("X-Forwarded-For", "").partition(",")[0].strip()
    return forwarded if forwarded and "Clerk-Proxy-Url" in call.headers else call.address


def _find_client(instance: Instance, call: Call) -> ClientRecord | None:
    token = call.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if not token:
        return None
    if "Origin" in call.headers:
        raise errors.headers_conflict()
    try:
        claims = instance.signing_key.verify(token)
    except jwt.InvalidTokenError:
        raise errors.client_not_found() from None
    client = load_client(instance, str(claims.get("id")))
    if client is None:
        raise errors.client_not_found()
    return client


def load_client(instance: Instance, client_id: str) -> ClientRecord | None:
    """The client as it is kept; None when there is none, or it ended."""
    kept = instance.store.get_thing("client", client_id)
    return None if kept is None else ClientRecord(**orjson.loads(orjson.dumps(kept)))
