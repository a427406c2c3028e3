"""The running instance: what every handler works on."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from toolkit.sandbox.emulator.faults import Fault
from toolkit.sandbox.emulator.settings import Settings
from toolkit.sandbox.emulator.signing_key import SigningKey, make_pem
from toolkit.sandbox.emulator.store import Store, clock_ahead_ms, now_ms, set_clock
from toolkit.sandbox.emulator.traffic import Exchange

MOST_MESSAGES = 10_000
"""Messages that the outbox keeps."""


@dataclass(frozen=True)
class Call:
    """A request, as handlers see it."""

    ids: Mapping[str, str]
    """The parts of the path that are ids, by name."""
    query: list[tuple[str, str]]
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    """The IP address of whoever is connected."""


class Instance:
    """An emulated Clerk instance."""

    def __init__(
        self, store: Store, initial: Settings, secret_key: str, publishable_key: str, url: str
    ) -> None:
        self.store = store
        self.url = url
        """Where both APIs are; its tokens name it as their issuer."""
        self.secret_key = secret_key
        self.publishable_key = publishable_key
        self._initial = initial
        kept = store.get_thing("settings", "settings")
        self.settings = Settings.model_validate(kept) if kept else initial
        clock = store.get_thing("clock", "clock")
        set_clock(int(str(clock["ahead_ms"])) if clock else 0)
        self.requests: Counter[tuple[str, int]] = Counter()
        self.faults: list[Fault] = []
        self.outbox: list[dict[str, object]] = []
        self.traffic: deque[Exchange] = deque(maxlen=self.settings.traffic)
        self.starts: deque[float] = deque()
        """When each request of the last ten seconds came that the rate limit let through."""
        self.visits: dict[tuple[str, str], list[float]] = {}
        """The same for the Frontend API, by IP address and kind of request."""
        self.in_flight = 0
        """Requests that have come and are not answered."""
        self.delays: set[asyncio.Task[None]] = set()
        """The latency that some of them wait for."""

    @property
    def environment_type(self) -> str:
        """The kind of the instance, which follows from its key."""
        return "production" if self.secret_key.startswith("sk_live_") else "development"

    @cached_property
    def signing_key(self) -> SigningKey:
        """The key that signs its tokens; made once, and kept with the state."""
        kept = self.store.get_thing("signing_key", "signing_key")
        if kept is None:
            kept = {"pem": make_pem()}
            self.store.put_thing("signing_key", "signing_key", None, kept)
        return SigningKey(self.id, str(kept["pem"]))

    @property
    def id(self) -> str:
        """The instance's id; follows from its key, so that it stays the same."""
        return "ins_" + random.Random(self.secret_key).randbytes(12).hex()  # noqa: S311 - names, guards nothing

    @staticmethod
    def monotonic() -> float:
        """Seconds that never go back, and are put forward with the clock."""
        return time.monotonic() + clock_ahead_ms() / 1000

    def send(self, channel: str, to: str, purpose: str, code: str) -> None:
        """Put a message into the outbox."""
        self.keep({"to": to, "channel": channel, "purpose": purpose, "code": code})

    def keep(self, message: dict[str, object]) -> None:
        """Put any message into the outbox."""
        self.outbox.append({**message, "created_at": now_ms()})
        del self.outbox[:-MOST_MESSAGES]

    def change_settings(self, settings: Settings) -> None:
        """Take other settings, and keep them."""
        self.settings = settings
        self.store.put_thing("settings", "settings", None, settings.model_dump())
        self.traffic = deque(self.traffic, maxlen=settings.traffic)

    def put_clock(self, ahead_ms: int) -> None:
        """Put the clock forward, and keep it so."""
        set_clock(ahead_ms)
        self.store.put_thing("clock", "clock", None, {"ahead_ms": ahead_ms})

    def reset(self) -> None:
        """Forget everything, also requests that wait; settings and clock are those of the start again."""
        for delay in self.delays:
            delay.cancel()
        self.store.clear()
        set_clock(0)
        self.change_settings(self._initial)
        self.requests.clear()
        self.faults.clear()
        self.outbox.clear()
        self.traffic.clear()
        self.starts.clear()
        self.visits.clear()


@dataclass(frozen=True)
class Answer:
    """What a handler answers: a status and a JSON value."""

    content: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
