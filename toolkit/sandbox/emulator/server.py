"""The emulator as an HTTP server: routes, and what happens around every request."""

import asyncio
import math
import random
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from toolkit.sandbox.emulator import control, errors, faults
from toolkit.sandbox.emulator.backend.routes import BACKEND
from toolkit.sandbox.emulator.control import INSTANCE
from toolkit.sandbox.emulator.domains import get_proxy_health
from toolkit.sandbox.emulator.environment import get_environment
from toolkit.sandbox.emulator.errors import Refusal
from toolkit.sandbox.emulator.faults import Fault
from toolkit.sandbox.emulator.frontend.routes import FRONTEND
from toolkit.sandbox.emulator.instance import Answer, Call, Instance
from toolkit.sandbox.emulator.settings import REQUESTS
from toolkit.sandbox.emulator.traffic import Exchange, is_frontend

Handler = Callable[[Instance, Call], Awaitable[Answer]]
Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]
Check = Callable[[Instance, web.Request], None]

BODY_BYTES = 1 << 20
VERSIONS = frozenset({"2021-02-05", "2024-10-01", "2025-04-10", "2025-11-10", "2026-05-12"})
"""https://clerk.com/docs/guides/development/upgrading/versioning"""
UNLIMITED = "/v1/jwks"
"""The one path that Clerk documents no limit for."""
WINDOW = 10.0
"""Seconds over which requests are counted."""


def application(instance: Instance) -> web.Application:
    """The whole server."""
    app = web.Application(client_max_size=BODY_BYTES)
    app[INSTANCE] = instance
    app.add_routes(control.routes())
    for (method, path), handler in BACKEND.items():
        app.router.add_route(method, path, _serve(handler, f"{method} {path}", _check_backend))
    unknown = _serve(_no_such_path, "unknown", _check_nothing)
    frontend: dict[str, dict[str, Serve]] = defaultdict(dict)
    for (method, path), handler in {
        ("GET", "/v1/environment"): get_environment,
        ("GET", "/v1/proxy-health"): get_proxy_health,
        **FRONTEND,
    }.items():
        frontend[path][method] = _serve(handler, f"{method} {path}", _check_nothing)
    for path, methods in frontend.items():
        # clerk-js puts a slash at the end where it makes something: POST /v1/me/phone_numbers/
        for as_sent in (path, f"{path}/"):
            app.router.add_route("*", as_sent, _serve_meant(methods, unknown))
    app.router.add_route("*", "/{path:.*}", unknown)
    return app


def _serve_meant(methods: Mapping[str, Serve], unknown: Serve) -> Serve:
    """Serve a path of the Frontend API by the method that is meant."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return await methods.get(_meant(request)[0], unknown)(request)

    return serve


def _meant(request: web.Request) -> tuple[str, str]:
    """Method and path that are meant: clerk-js sends PATCH and DELETE as POST, the method being in the query."""
    if not is_frontend(request.path):
        return request.method, request.path
    method = request.query.get("_method", "POST").upper() if request.method == "POST" else request.method
    return method, request.path.removesuffix("/")


async def _no_such_path(instance: Instance, call: Call) -> Answer:
    raise errors.not_found()


def _serve(handler: Handler, operation: str, check: Check) -> Serve:
    """The handler with all that is around it: faults, latency, limits, the record of the exchange."""

    async def serve(request: web.Request) -> web.StreamResponse:
        instance = request.app[INSTANCE]
        instance.in_flight += 1
        try:
            return await answer(instance, request)
        finally:
            instance.in_flight -= 1

    async def answer(instance: Instance, request: web.Request) -> web.StreamResponse:
        body = await _read_body(request)
        fault = faults.take(instance.faults, *_meant(request)) if instance.faults else None
        if fault is not None and fault.drop == "before":
            return await _drop(instance, request, fault)
        if fault is not None and fault.body is not None:
            await _delay(instance, fault)
            return web.Response(text=fault.body, status=fault.status or 200, content_type=fault.content_type)
        refusal = _admit(instance, request, fault, check)
        await _delay(instance, fault)
        answered = await _perform(handler, instance, request, body) if refusal is None else refusal
        if fault is not None and fault.drop == "after":
            return await _drop(instance, request, fault)
        return _respond(instance, request, operation, body or b"", answered)

    return serve


async def _read_body(request: web.Request) -> bytes | None:
    """The body; None when it exceeds BODY_BYTES."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None


def _admit(instance: Instance, request: web.Request, fault: Fault | None, check: Check) -> Answer | None:
    """The refusal of a request that is not to be performed at all."""
    try:
        _refuse_by_fault(fault)
        check(instance, request)
    except Refusal as refusal:
        return _refuse(refusal)
    return None


async def _perform(handler: Handler, instance: Instance, request: web.Request, body: bytes | None) -> Answer:
    """Let the handler answer, and wait until what it changed is written."""
    try:
        if body is None:
            raise errors.body_too_large(BODY_BYTES)
        query = parse_qsl(request.query_string, keep_blank_values=True)
        answer = await handler(
            instance, Call(request.match_info, query, body, request.headers, request.remote or "")
        )
    except Refusal as refusal:
        answer = _refuse(refusal)  # what failed may be counted, too
    await instance.store.written()
    return answer


def _respond(
    instance: Instance, request: web.Request, operation: str, body: bytes, answer: Answer
) -> web.Response:
    """Send the answer, count it, and record the exchange."""
    response = orjson.dumps(answer.content)
    instance.requests[operation, answer.status] += 1
    instance.traffic.append(
        Exchange(
            *_meant(request),
            request.query_string,
            request.content_type if body else "",
            body,
            answer.status,
            response,
        )
    )
    return web.Response(
        body=response, status=answer.status, content_type="application/json", headers=answer.headers
    )


def _refuse(refusal: Refusal) -> Answer:
    return Answer(refusal.content(secrets.token_hex(16)), refusal.status, refusal.headers)


def _refuse_by_fault(fault: Fault | None) -> None:
    if fault is None or fault.status is None:
        return
    code, message = faults.describe(fault.status)
    headers = {"Retry-After": "1"} if fault.status in (429, 503) else {}
    raise Refusal(fault.status, code, message, message, headers=headers)


async def _delay(instance: Instance, fault: Fault | None) -> None:
    settings = instance.settings
    milliseconds = settings.latency_ms + (fault.latency_ms if fault is not None else 0)
    if settings.latency_jitter_ms:
        milliseconds += random.uniform(0, settings.latency_jitter_ms)  # noqa: S311 - latency, guards nothing
    if milliseconds:
        delay = asyncio.create_task(asyncio.sleep(milliseconds / 1000))
        instance.delays.add(delay)
        try:
            await delay
        finally:
            instance.delays.remove(delay)


async def _drop(instance: Instance, request: web.Request, fault: Fault) -> web.StreamResponse:
    """Close the connection in place of an answer."""
    await _delay(instance, fault)
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _check_nothing(instance: Instance, request: web.Request) -> None:
    """The Frontend API has no key, and its handlers count requests by what they do."""


def _check_backend(instance: Instance, request: web.Request) -> None:
    """The secret key, the API version, and the rate limit. Raises Refusal."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise errors.header_invalid()
    if not secrets.compare_digest(key.encode(), instance.secret_key.encode()):
        raise errors.key_invalid()
    version = request.headers.get("Clerk-API-Version")
    if version is not None and version not in VERSIONS:
        raise errors.version_invalid(f"there is no version {version}")
    most = None if request.path == UNLIMITED else REQUESTS[instance.settings.rate_limit]
    if most is None:
        return
    starts, now = instance.starts, instance.monotonic()
    while starts and starts[0] <= now - WINDOW:
        starts.popleft()
    if len(starts) >= most:
        raise errors.too_many_requests(max(1, math.ceil(starts[-most] + WINDOW - now)))
    starts.append(now)
