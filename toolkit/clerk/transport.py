"""HTTP requests to Clerk: sent, repeated where that is safe, and turned into answers or errors.

A call waits for room in flight, then for its turn under the rate limit, and is sent. After a 429, or when no
connection could be made, it is always safe to send it again; after a 5xx, a broken connection or no answer in time only
if the call is idempotent. Between attempts it waits as long as Clerk asks, or else longer each time, with jitter; the
constants below say how often and how long at most.

Nothing secret is logged or kept in an exception. The log has a request's method and its path without the ids, the
answer's status, the time it took and Clerk's trace id.
"""

import asyncio
import email.utils
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal, Self, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import orjson
import structlog
from pydantic import TypeAdapter, ValidationError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_before_delay,
    wait_exception,
)
from yarl import URL

from toolkit.clerk.concurrency import InFlightLimit
from toolkit.clerk.errors import (
    ClerkAnswerUnexpected,
    ClerkError,
    ClerkRateLimited,
    ClerkUnavailable,
    ErrorBody,
    ResourceLocked,
    api_error,
)
from toolkit.clerk.rate import RateLimiter

USER_AGENT = f"postgres-to-clerk/{version('postgres-to-clerk')}"
DEADLINE = 60.0
"""Seconds for a call with all its attempts, from the first one's start."""
ATTEMPT = 30.0
"""Seconds for one attempt."""
CONNECT = 5.0
"""Seconds for a connection to be made."""
ATTEMPTS = 7
ATTEMPTS_WHILE_SOMEBODY_WAITS = 2
ATTEMPTS_BEFORE_FIRST_ANSWER = 3
"""As long as nothing was ever answered, the address is probably wrong, and waiting is no use."""
LONGEST_RETRY_AFTER = 3600.0
"""Seconds that Clerk is believed to want to be left alone at most."""
FIRST_DELAY, LONGEST_DELAY = 0.5, 8.0
"""Seconds between attempts, at most: doubled each time."""
DEFAULT_RETRY_AFTER = 1.0
"""Seconds to wait after a 429 that does not say how long."""
AHEAD = 16
"""Calls that may wait to be sent before `ready` holds back further ones."""
AHEAD_SECONDS = 0.5
"""Nor may more wait than are sent within this time, since a stop has to wait for them as well."""
DNS_CACHE = 300
"""Seconds that an address of Clerk's is remembered."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Query = Sequence[tuple[str, str]]
T = TypeVar("T")

_log = structlog.get_logger("clerk")


@dataclass(slots=True)
class Call:
    """A call as it goes through its attempts."""

    method: Method
    path: str
    url: URL
    body: bytes | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    idempotent: bool
    secrets: tuple[str, ...] = field(repr=False)
    answered: Callable[[Mapping[str, str]], None] | None = None
    attempts: int = 0
    maybe_applied: bool = False
    """An attempt was sent and its fate is not known."""


class Transport:
    """One pooled HTTP session to one of Clerk's APIs; an async context manager.

    `url` is the API's address without `/v1`, `variable` the name of the setting that it comes from, for
    messages; `headers` go with every request; `secrets` are what no error may repeat; `deadline` is in seconds.

    With a limiter and room in flight it is for bulk work, which is patient. Without them it is for a person who waits:
    a call is sent at once, and once more at most, if that is safe. A 429 is then about that person, so it is raised and
    not waited for.
    """

    def __init__(
        self,
        url: str,
        *,
        variable: str,
        headers: Mapping[str, str],
        limiter: RateLimiter | None = None,
        in_flight: InFlightLimit | None = None,
        secrets: Sequence[str] = (),
        deadline: float = DEADLINE,
    ) -> None:
        self.limiter = limiter
        self.in_flight = in_flight
        self._url = url
        self._variable = variable
        self._headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **headers}
        self._secrets = tuple(secrets)
        self._deadline = deadline
        self._session: aiohttp.ClientSession | None = None
        self._heard = False
        self._waiting = 0
        self._sent_one = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=DNS_CACHE),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=min(ATTEMPT, self._deadline), connect=CONNECT),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: Method,
        path: str,
        answer: TypeAdapter[T],
        *,
        ids: Mapping[str, str] | None = None,
        query: Query = (),
        body: Mapping[str, object] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
        secrets: Sequence[str | None] = (),
        answered: Callable[[Mapping[str, str]], None] | None = None,
    ) -> T:
        """Send a request and return what `answer` makes of the answer.

        `path` is below `/v1`, with the names of `ids` in braces; what is sent is JSON (`body`) or a `form`.
        `idempotent` says that sending it twice does no more than sending it once; all but POST always are. `secrets`
        are the values in what is sent that must not come back in an error. `answered` is told the headers of every
        answer. Raises ClerkUnavailable, ClerkRateLimited or ClerkApiError, with `attempts` and
        `maybe_applied` set.
        """
        call = Call(
            method=method,
            path=path,
            url=self._build_url(path, ids or {}, query),
            body=_encode(body, form),
            headers={**_content_type(body, form), **(headers or {})},
            idempotent=idempotent or method != "POST",
            secrets=tuple(secret for secret in secrets if secret),
            answered=answered,
        )
        try:
            return await self._finish(call, answer)
        except ClerkError as error:
            error.attempts = call.attempts
            error.maybe_applied = call.maybe_applied
            raise

    async def ready(self) -> None:
        """Wait until few calls wait to be sent.

        A caller that awaits this before each call never has many more pending than are in flight.
        """
        await asyncio.sleep(0)  # calls that were begun just now get in line first
        rate = self.limiter.rate if self.limiter is not None else None
        ahead = AHEAD if rate is None else min(AHEAD, max(1, round(rate * AHEAD_SECONDS)))
        while self._waiting >= ahead:
            self._sent_one.clear()
            await self._sent_one.wait()

    def _build_url(self, path: str, ids: Mapping[str, str], query: Query) -> URL:
        for name, value in ids.items():
            if not value.strip("."):  # it would name another path
                raise ValueError(f"{value!r} is not a {name}")
        filled = path.format_map({name: quote(value, safe="") for name, value in ids.items()})
        url = f"{self._url}/v1{filled}"
        return URL(f"{url}?{urlencode(query)}" if query else url, encoded=True)

    async def _finish(self, call: Call, answer: TypeAdapter[T]) -> T:
        async with self._turn():
            try:
                async with asyncio.timeout(self._deadline):
                    return await self._retrying(call)(self._attempt, call, answer)
            except TimeoutError:
                pass
            call.maybe_applied = True
            raise self._unavailable(f"had not answered {call.method} {call.path} after {self._deadline:g} s")

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Hold room in flight, once it is the call's turn under the rate limit."""
        async with AsyncExitStack() as held:
            self._waiting += 1
            try:
                if self.in_flight is not None:
                    await held.enter_async_context(self.in_flight)
                if self.limiter is not None:
                    await self.limiter.acquire()
            finally:
                self._waiting -= 1
                self._sent_one.set()
            yield

    def _retrying(self, call: Call) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(
                lambda error: _may_repeat(call, error, patient=self.limiter is not None)
            ),
            stop=self._has_tried_enough,
            wait=wait_exception(lambda error: _delay(call, error)),
            reraise=True,
        )

    def _has_tried_enough(self, state: RetryCallState) -> bool:
        attempts = ATTEMPTS if self._heard else ATTEMPTS_BEFORE_FIRST_ANSWER
        if self.limiter is None:
            attempts = ATTEMPTS_WHILE_SOMEBODY_WAITS
        return state.attempt_number >= attempts or stop_before_delay(self._deadline)(state)

    async def _attempt(self, call: Call, answer: TypeAdapter[T]) -> T:
        if call.attempts and self.limiter is not None:
            await self.limiter.acquire()
        call.attempts += 1
        status, headers, body = await self._send(call)
        if 200 <= status < 300:
            try:
                return answer.validate_json(body, strict=True)
            except ValidationError as error:
                fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
            call.maybe_applied = True
            where = ".".join(map(str, fault["loc"]))
            raise self._unexpected(call, status, headers, f"{where and where + ': '}{fault['type']}")
        raise self._failure(call, status, headers, body)

    async def _send(self, call: Call) -> tuple[int, Mapping[str, str], bytes]:
        """One exchange. Raises ClerkUnavailable when there is no whole answer."""
        if self._session is None:
            raise RuntimeError("use the client as an async context manager")
        started = time.perf_counter()
        try:
            async with self._session.request(
                call.method,
                call.url,
                data=call.body,
                headers=call.headers,
                allow_redirects=False,
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            fault = error
        else:
            took = time.perf_counter() - started
            self._heard = True
            if call.answered is not None:
                call.answered(response.headers)
            self._note(call, response.status, took, _trace_id(response.headers))
            return response.status, response.headers, body
        # Outside of the handler, so that no exception of aiohttp's, with the request in it, hangs on to ours.
        self._note(call, None, time.perf_counter() - started, None)
        if not isinstance(fault, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            call.maybe_applied = True
        raise self._unavailable(f"{_describe(fault)} ({call.method} {call.path})")

    def _note(self, call: Call, status: int | None, took: float, trace_id: str | None) -> None:
        if self.in_flight is not None:
            if status is None or status >= 500 or status == 429:
                self.in_flight.overloaded()
            else:
                self.in_flight.answered(took)
        _log.debug(
            "clerk request",
            method=call.method,
            path=f"/v1{call.path}",
            status=status,
            ms=round(took * 1000, 1),
            attempt=call.attempts,
            trace_id=trace_id,
        )

    def _failure(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> ClerkError:
        """The exception for an answer that is not a success."""
        retry_after = _retry_after(headers)
        if status == 429:
            retry_after = DEFAULT_RETRY_AFTER if retry_after is None else retry_after
            if self.limiter is not None:
                self.limiter.refuse(retry_after)
            return ClerkRateLimited(retry_after, trace_id=_trace_id(headers))
        if status >= 500:
            call.maybe_applied = True
            return self._unavailable(
                f"answered {status} to {call.method} {call.path}",
                trace_id=_trace_id(headers),
                retry_after=retry_after,
            )
        if status < 400:
            return self._unexpected(call, status, headers, "it is a redirect")
        try:
            error_body = ErrorBody.model_validate_json(body)
        except ValidationError:
            return self._unexpected(call, status, headers, "it does not hold an error of Clerk's")
        error_body.clerk_trace_id = error_body.clerk_trace_id or _trace_id(headers)
        return api_error(status, error_body, (*call.secrets, *self._secrets))

    def _unavailable(
        self, what: str, *, trace_id: str | None = None, retry_after: float | None = None
    ) -> ClerkUnavailable:
        return ClerkUnavailable(
            f"Clerk at {self._url} {what}. Check the network and {self._variable}, and https://status.clerk.com, "
            "then try again.",
            trace_id=trace_id,
            retry_after=retry_after,
        )

    def _unexpected(
        self, call: Call, status: int, headers: Mapping[str, str], why: str
    ) -> ClerkAnswerUnexpected:
        kind = headers.get("Content-Type", "no content type").partition(";")[0]
        return ClerkAnswerUnexpected(
            f"The answer of {self._url} to {call.method} {call.path} is not one of Clerk's: {status}, {kind}, {why}. "
            f"Check {self._variable}, and whether a proxy or a firewall is in between.",
            trace_id=_trace_id(headers),
        )


def _encode(body: Mapping[str, object] | None, form: Mapping[str, str] | None) -> bytes | None:
    if form is not None:
        return urlencode(form).encode()
    return None if body is None else orjson.dumps(body)


def _content_type(body: Mapping[str, object] | None, form: Mapping[str, str] | None) -> dict[str, str]:
    if form is not None:
        return {"Content-Type": "application/x-www-form-urlencoded"}
    return {} if body is None else {"Content-Type": "application/json"}


def _may_repeat(call: Call, error: BaseException, *, patient: bool) -> bool:
    if isinstance(error, ClerkRateLimited | ResourceLocked):
        return patient
    if isinstance(error, ClerkUnavailable) and not isinstance(error, ClerkAnswerUnexpected):
        return call.idempotent or not call.maybe_applied
    return False


def _delay(call: Call, error: BaseException) -> float:
    """Seconds until the next attempt."""
    backoff = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (call.attempts - 1))
    jitter = random.uniform(0.1, 1.0) * backoff  # noqa: S311 - spreads load, guards nothing
    if isinstance(error, ClerkRateLimited | ClerkUnavailable) and error.retry_after is not None:
        return error.retry_after + jitter / 4
    return jitter


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks to wait, in either of its forms (RFC 9110, section 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(LONGEST_RETRY_AFTER, float(text))
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(LONGEST_RETRY_AFTER, max(0.0, seconds))


def _trace_id(headers: Mapping[str, str]) -> str | None:
    return headers.get("X-Clerk-Trace-Id") or headers.get("CF-Ray")


def _describe(error: Exception) -> str:
    """What went wrong with a connection, as the end of "Clerk at … "."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return f"could not be connected to within {CONNECT:g} s"
        case TimeoutError():
            return "did not answer in time"
        case aiohttp.ClientConnectorCertificateError():
            return "has no valid certificate"
        case aiohttp.ClientConnectorDNSError():
            return "cannot be found: the name does not resolve"
        case aiohttp.ClientConnectorError():
            return f"cannot be connected to ({error.os_error.strerror or type(error.os_error).__name__})"
        case _:
            return "broke the connection"
