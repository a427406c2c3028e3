"""The emulator as an HTTP server: routes, and what happens around every request."""

import asyncio
import math
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from toolkit.sandbox.clerk import control, errors, faults, sessions, users
from toolkit.sandbox.clerk import email_addresses as emails
from toolkit.sandbox.clerk.control import INSTANCE
from toolkit.sandbox.clerk.environment import get_environment
from toolkit.sandbox.clerk.errors import Refusal
from toolkit.sandbox.clerk.faults import Fault
from toolkit.sandbox.clerk.frontend import me, sign_ins, verifications
from toolkit.sandbox.clerk.frontend import sessions as client_sessions
from toolkit.sandbox.clerk.frontend.resources import show_client
from toolkit.sandbox.clerk.frontend.visit import Work, bare, served
from toolkit.sandbox.clerk.instance import Answer, Call, Instance
from toolkit.sandbox.clerk.settings import REQUESTS
from toolkit.sandbox.clerk.traffic import Exchange

Handler = Callable[[Instance, Call], Awaitable[Answer]]
Check = Callable[[Instance, web.Request], None]

BODY_BYTES = 1 << 20
VERSIONS = frozenset({"2021-02-05", "2024-10-01", "2025-04-10", "2025-11-10", "2026-05-12"})
"""https://clerk.com/docs/guides/development/upgrading/versioning"""
UNLIMITED = "/v1/jwks"
"""The one path that Clerk documents no limit for."""
WINDOW = 10.0
"""Seconds over which requests are counted."""

BACKEND: Mapping[tuple[str, str], Handler] = {
    ("POST", "/v1/users"): users.create_user,
    ("GET", "/v1/users"): users.list_users,
    ("GET", "/v1/users/count"): users.count_users,
    ("GET", "/v1/users/{user_id}"): users.get_user,
    ("PATCH", "/v1/users/{user_id}"): users.update_user,
    ("DELETE", "/v1/users/{user_id}"): users.delete_user,
    ("PATCH", "/v1/users/{user_id}/metadata"): users.update_metadata,
    ("POST", "/v1/users/{user_id}/ban"): users.ban_user,
    ("POST", "/v1/users/{user_id}/unban"): users.unban_user,
    ("POST", "/v1/users/{user_id}/remove_password"): users.remove_password,
    ("POST", "/v1/users/{user_id}/lock"): users.lock_user,
    ("POST", "/v1/users/{user_id}/unlock"): users.unlock_user,
    ("POST", "/v1/users/{user_id}/verify_password"): users.verify_password,
    ("POST", "/v1/users/{user_id}/verify_totp"): users.verify_totp,
    ("DELETE", "/v1/users/{user_id}/mfa"): users.disable_mfa,
    ("DELETE", "/v1/users/{user_id}/totp"): users.delete_totp,
    ("DELETE", "/v1/users/{user_id}/backup_code"): users.delete_backup_codes,
    ("PUT", "/v1/users/{user_id}/email_address"): emails.replace_email_addresses,
    ("POST", "/v1/email_addresses"): emails.create_email_address,
    ("GET", "/v1/email_addresses/{email_address_id}"): emails.get_email_address,
    ("PATCH", "/v1/email_addresses/{email_address_id}"): emails.update_email_address,
    ("DELETE", "/v1/email_addresses/{email_address_id}"): emails.delete_email_address,
    ("POST", "/v1/sessions"): sessions.create_session,
    ("GET", "/v1/sessions"): sessions.list_sessions,
    ("GET", "/v1/sessions/{session_id}"): sessions.get_session,
    ("POST", "/v1/sessions/{session_id}/revoke"): sessions.revoke_session,
    ("POST", "/v1/sign_in_tokens"): sessions.create_sign_in_token,
    ("POST", "/v1/sign_in_tokens/{sign_in_token_id}/revoke"): sessions.revoke_sign_in_token,
}


FRONTEND: Mapping[tuple[str, str], Work] = {
    ("GET", "/v1/client"): client_sessions.get_client,
    ("DELETE", "/v1/client/sessions"): client_sessions.sign_out,
    ("GET", "/v1/client/sessions/{session_id}"): client_sessions.get_session,
    ("POST", "/v1/client/sessions/{session_id}/touch"): client_sessions.touch_session,
    ("POST", "/v1/client/sessions/{session_id}/end"): client_sessions.end_session,
    ("POST", "/v1/client/sessions/{session_id}/remove"): client_sessions.remove_session,
    ("POST", "/v1/client/sessions/{session_id}/verify"): verifications.begin,
    (
        "POST",
        "/v1/client/sessions/{session_id}/verify/prepare_first_factor",
    ): verifications.prepare_first_factor,
    (
        "POST",
        "/v1/client/sessions/{session_id}/verify/attempt_first_factor",
    ): verifications.attempt_first_factor,
    (
        "POST",
        "/v1/client/sessions/{session_id}/verify/prepare_second_factor",
    ): verifications.prepare_second_factor,
    (
        "POST",
        "/v1/client/sessions/{session_id}/verify/attempt_second_factor",
    ): verifications.attempt_second_factor,
    ("GET", "/v1/me"): me.get_me,
    ("PATCH", "/v1/me"): me.update_me,
    ("POST", "/v1/me/sessions/{session_id}/revoke"): me.revoke_session,
    ("POST", "/v1/me/change_password"): me.change_password,
    ("POST", "/v1/me/remove_password"): me.remove_password,
    ("POST", "/v1/me/email_addresses"): me.create_email_address,
    ("DELETE", "/v1/me/email_addresses/{email_id}"): me.delete_email_address,
    ("POST", "/v1/me/email_addresses/{email_id}/prepare_verification"): me.prepare_email_address,
    ("POST", "/v1/me/email_addresses/{email_id}/attempt_verification"): me.verify_email_address,
    ("POST", "/v1/me/phone_numbers"): me.create_phone_number,
    ("PATCH", "/v1/me/phone_numbers/{phone_number_id}"): me.update_phone_number,
    ("DELETE", "/v1/me/phone_numbers/{phone_number_id}"): me.delete_phone_number,
    ("POST", "/v1/me/phone_numbers/{phone_number_id}/prepare_verification"): me.prepare_phone_number,
    ("POST", "/v1/me/phone_numbers/{phone_number_id}/attempt_verification"): me.verify_phone_number,
    ("POST", "/v1/me/totp"): me.create_totp,
    ("POST", "/v1/me/totp/attempt_verification"): me.verify_totp,
    ("DELETE", "/v1/me/totp"): me.delete_totp,
    ("POST", "/v1/me/backup_codes"): me.create_backup_codes,
    ("POST", "/v1/client/sign_ins"): sign_ins.create_sign_in,
    ("GET", "/v1/client/sign_ins/{sign_in_id}"): sign_ins.get_sign_in,
    ("POST", "/v1/client/sign_ins/{sign_in_id}/prepare_first_factor"): sign_ins.prepare_first_factor,
    ("POST", "/v1/client/sign_ins/{sign_in_id}/attempt_first_factor"): sign_ins.attempt_first_factor,
    ("POST", "/v1/client/sign_ins/{sign_in_id}/prepare_second_factor"): sign_ins.prepare_second_factor,
    ("POST", "/v1/client/sign_ins/{sign_in_id}/attempt_second_factor"): sign_ins.attempt_second_factor,
    ("POST", "/v1/client/sign_ins/{sign_in_id}/reset_password"): sign_ins.reset_password,
}


BARE: Mapping[tuple[str, str], Work] = {
    ("GET", "/v1/me/sessions"): me.list_sessions,
    ("POST", "/v1/client/sessions/{session_id}/tokens"): client_sessions.create_token,
}
"""Operations of the Frontend API whose answers are not wrapped up with the client."""


async def get_instance(instance: Instance, call: Call) -> Answer:
    """GET /v1/instance."""
    return Answer(
        {
            "object": "instance",
            "id": instance.id,
            "environment_type": instance.environment_type,
            "allowed_origins": None,
            "workspace_id": None,
        }
    )


async def get_jwks(instance: Instance, call: Call) -> Answer:
    """GET /v1/jwks."""
    return Answer({"keys": [instance.signing_key.public_jwk]})


def application(instance: Instance) -> web.Application:
    """The whole server."""
    app = web.Application(client_max_size=BODY_BYTES)
    app[INSTANCE] = instance
    app.add_routes(control.routes())
    routes = {**BACKEND, ("GET", "/v1/instance"): get_instance, ("GET", "/v1/jwks"): get_jwks}
    for (method, path), handler in routes.items():
        app.router.add_route(method, path, _serve(handler, f"{method} {path}", _check_backend))
    app.router.add_route(
        "GET", "/v1/environment", _serve(get_environment, "GET /v1/environment", lambda *_: None)
    )
    for (method, path), work in FRONTEND.items():
        handler = served(work, show_client)
        app.router.add_route(method, path, _serve(handler, f"{method} {path}", lambda *_: None))
    for (method, path), work in BARE.items():
        app.router.add_route(method, path, _serve(bare(work), f"{method} {path}", lambda *_: None))
    app.router.add_route("*", "/{path:.*}", _serve(_no_such_path, "unknown", _check_backend))
    return app


async def _no_such_path(instance: Instance, call: Call) -> Answer:
    raise errors.not_found()


def _serve(
    handler: Handler, operation: str, check: Check
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler with all that is around it: faults, latency, limits, the record of the exchange."""

    async def serve(request: web.Request) -> web.StreamResponse:
        instance = request.app[INSTANCE]
        body = await _read_body(request)
        fault = faults.take(instance.faults, request.method, request.path) if instance.faults else None
        if fault is not None and fault.drop == "before":
            return await _drop(instance, request, fault)
        if fault is not None and fault.body is not None:
            await _delay(instance, fault)
            return web.Response(text=fault.body, status=fault.status or 200, content_type=fault.content_type)
        refusal = _admit(instance, request, fault, check)
        await _delay(instance, fault)
        answer = await _perform(handler, instance, request, body) if refusal is None else refusal
        if fault is not None and fault.drop == "after":
            return await _drop(instance, request, fault)
        return _respond(instance, request, operation, body or b"", answer)

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
            request.method,
            request.path,
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
        await asyncio.sleep(milliseconds / 1000)


async def _drop(instance: Instance, request: web.Request, fault: Fault) -> web.StreamResponse:
    """Close the connection in place of an answer."""
    await _delay(instance, fault)
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


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
    starts, now = instance.starts, asyncio.get_running_loop().time()
    while starts and starts[0] <= now - WINDOW:
        starts.popleft()
    if len(starts) >= most:
        raise errors.too_many_requests(max(1, math.ceil(starts[-most] + WINDOW - now)))
    starts.append(now)
