"""Whether answers tell who is asked about, in words, headers or time (invariant 9).

A *flow* is what somebody tries with an address, a step after the other; a *kind* is what kind of address it is. All kinds
go through a flow many times, in turns and in random order, so that whatever else the machine does meets them alike.
"""

import asyncio
import itertools
import math
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.integration.bff.conftest import INVITE, PASSWORD, Bff, Reply, World, most
from toolkit.playbook.limits import LimitName

Steps = AsyncIterator[tuple[str, Reply, float]]
"""A flow's steps: name, answer and the seconds that it took."""
Flow = Callable[[Bff, str], Steps]

_RANDOM = {"request_id", "signup_id", "reset_id", "device", "expires_at", "id"}
_RANDOM_HEADERS = {"date", "x-request-id"}
_numbers = itertools.count()


@dataclass
class Found:
    """What the answers to one step of a flow were, of each kind of address."""

    words: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def alike(self) -> bool:
        """Whether status, body and headers are the same for all kinds."""
        return len(set(map(frozenset, self.words.values()))) == 1

    @property
    def p(self) -> float:
        """How likely, at most, the times of any two kinds would differ so much by chance, by either test."""
        pairs = itertools.combinations(self.seconds.values(), 2)
        found = [test(one, other) for one, other in pairs for test in (rank_test, shape_test)]
        return min(1.0, min(found) * len(found))


async def compare(
    flow: Flow, bff: Bff, kinds: Mapping[str, Callable[[], str]], times: int, at_once: int = 8
) -> Mapping[str, Found]:
    """Go through a flow so many times with each kind of address; what was found, by step."""
    found: dict[str, Found] = defaultdict(Found)
    room = asyncio.Semaphore(at_once)

    async def go(kind: str, address: str) -> None:
        async with room:
            async for step, reply, seconds in flow(bff, address):
                found[step].words[kind].add(_words(reply))
                found[step].seconds[kind].append(seconds)

    turns = []
    for _ in range(times):
        turn = [(kind, address()) for kind, address in kinds.items()]
        random.shuffle(turn)
        turns += turn
    await asyncio.gather(*(go(kind, address) for kind, address in turns))
    return found


async def wrong_password(bff: Bff, email: str) -> Steps:
    yield await _timed("login", bff, "/auth/login", {"email": email, "password": "wrong"})


async def wrong_factor(bff: Bff, email: str) -> Steps:
    challenge = (await bff.login(email, address=_address())).content["challenge"]["id"]
    body = {"challenge_id": challenge, "method": "totp", "code": "x"}
    for number in range(2):
        yield await _timed(f"second factor {number + 1}", bff, "/auth/login/second-factor", body)


async def signup(bff: Bff, email: str) -> Steps:
    begun = await _timed(
        "signup", bff, "/auth/signup", {"invite": INVITE, "email": email, "password": "Another-password-1"}
    )
    yield begun
    path = f"/auth/signup/{begun[1].content['signup_id']}"
    for number in range(4):
        yield await _timed(f"signup, code {number + 1}", bff, f"{path}/verify", {"code": "000000"})
    yield await _timed("signup, send again", bff, f"{path}/resend")
    yield await _timed(
        "signup, log in", bff, "/auth/login", {"email": email, "password": "Another-password-1"}
    )
    yield await _timed("signup, abandon", bff, path, method="DELETE")


async def reset(bff: Bff, email: str) -> Steps:
    begun = await _timed("reset", bff, "/auth/password/reset", {"email": email})
    yield begun
    reset_id = begun[1].content["reset_id"]
    for number in range(2):
        body = {"reset_id": reset_id, "code": "000000"}
        yield await _timed(f"reset, code {number + 1}", bff, "/auth/password/reset/verify", body)
    yield await _timed("reset, send again", bff, "/auth/password/reset/send", {"reset_id": reset_id})


def lift_limits(world: World) -> None:
    """Let everything be tried as often as it takes, but for what is limited to look alike."""
    names: tuple[LimitName, ...] = (
        "sign_in_by_address",
        "login_by_account",
        "code_by_user",
        "clerk_failure_by_user",
        "clerk_reset_failure_by_address",
        "clerk_reset_failure_by_user",
        "clerk_any_failure_by_user",
        "signup_by_address",
        "signup_by_email",
        "signup_login_by_email",
        "signup_code_by_address",
        "reset_by_account",
        "reset_code_by_user",
    )
    for name in names:
        world.limits[name] = most(1_000_000)
    world.emulator.settings(lockout_attempts=1_000_000)


def nobody() -> str:
    """An address that nobody has. All begin with the letter that answers show."""
    return f"p.nobody{next(_numbers)}@example.com"


async def keep_busy(bff: Bff, email: str) -> None:
    """Log in again and again from elsewhere, so that Argon2 always has something to do."""
    while True:
        await bff.login(email, PASSWORD, address="192.0.2.1")


def rank_test(one: Sequence[float], other: Sequence[float]) -> float:
    """The p of Mann and Whitney's test, by its normal approximation: whether one tends to be greater."""
    n, m = len(one), len(other)
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    u = sum(rank for rank, (_, whose) in enumerate(ranked, 1) if whose == 0) - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))


def shape_test(one: Sequence[float], other: Sequence[float]) -> float:
    """The p of Kolmogorov and Smirnov's test, by its bound: whether they are spread in another way."""
    n, m = len(one), len(other)
    ahead = farthest = 0.0
    for _, step in sorted([(value, 1 / n) for value in one] + [(value, -1 / m) for value in other]):
        ahead += step
        farthest = max(farthest, abs(ahead))
    return min(1.0, 2 * math.exp(-2 * farthest**2 * n * m / (n + m)))


async def _timed(
    step: str, bff: Bff, path: str, body: object = None, method: str = "POST"
) -> tuple[str, Reply, float]:
    begun = time.perf_counter()
    reply = await bff.call(method, path, body, address=_address())
    return step, reply, time.perf_counter() - begun


def _address() -> str:
    """Somebody else each time."""
    return f"2001:db8:{next(_numbers):x}::1"


def _words(reply: Reply) -> str:
    """All that can be learned from an answer but its time."""
    headers = sorted(
        (name.lower(), "a cookie" if name.lower() == "set-cookie" else value)
        for name, value in reply.headers.items()
        if name.lower() not in _RANDOM_HEADERS
    )
    content = reply.content
    if isinstance(content, dict):
        content = {name: "random" if name in _RANDOM else value for name, value in content.items()}
    return repr((reply.status, headers, content))
