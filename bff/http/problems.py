"""Refusals over HTTP: problem documents (RFC 9457) with a stable `code`."""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import NamedTuple

import orjson
from aiohttp import web

from bff import refusals
from bff.refusals import Refusal

CONTENT_TYPE = "application/problem+json"
DEFAULT_RETRY_AFTER = 2.0
"""Seconds that a 503 tells which has none of its own."""


class Kind(NamedTuple):
    """What a refusal is over HTTP."""

    status: int
    code: str


KINDS: Mapping[type[Refusal], Kind] = {
    refusals.RequestInvalid: Kind(400, "request_invalid"),
    refusals.CredentialsInvalid: Kind(401, "credentials_invalid"),
    refusals.CodeInvalid: Kind(401, "code_invalid"),
    refusals.ChallengeExpired: Kind(401, "challenge_expired"),
    refusals.SessionRequired: Kind(401, "session_required"),
    refusals.OriginMismatch: Kind(403, "origin_mismatch"),
    refusals.NotFound: Kind(404, "not_found"),
    refusals.MethodNotAllowed: Kind(405, "method_not_allowed"),
    refusals.EmailTaken: Kind(409, "email_taken"),
    refusals.SignupEnded: Kind(410, "signup_ended"),
    refusals.RequestTooLarge: Kind(413, "request_too_large"),
    refusals.MediaTypeUnsupported: Kind(415, "media_type_unsupported"),
    refusals.FieldsInvalid: Kind(422, "fields_invalid"),
    refusals.TooManyAttempts: Kind(429, "too_many_attempts"),
    refusals.InternalError: Kind(500, "internal_error"),
    refusals.AuthenticationUnavailable: Kind(503, "authentication_unavailable"),
    refusals.DatabaseUnavailable: Kind(503, "database_unavailable"),
}
"""Every refusal that an answer may tell."""

_OF_SERVER: Mapping[int, type[Refusal]] = {
    404: refusals.NotFound,
    405: refusals.MethodNotAllowed,
    413: refusals.RequestTooLarge,
    415: refusals.MediaTypeUnsupported,
}


def problem(refusal: Refusal, request_id: str, *, allow: str | None = None) -> web.Response:
    """A refusal as an answer; `allow` lists the methods that the path does take."""
    status, code = KINDS[type(refusal)]
    content: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": refusal.detail,
        "request_id": request_id,
    }
    if isinstance(refusal, refusals.FieldsInvalid | refusals.RequestInvalid) and refusal.errors:
        content["errors"] = refusal.errors
    headers = {"Cache-Control": "no-store"}
    if allow is not None:
        headers["Allow"] = allow
    retry_after = refusal.retry_after or (DEFAULT_RETRY_AFTER if status == 503 else None)
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, ceil(retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(body=orjson.dumps(content), status=status, content_type=CONTENT_TYPE, headers=headers)


def of_server(error: web.HTTPException, request_id: str) -> web.Response:
    """What aiohttp itself refuses, as a problem."""
    otherwise = refusals.RequestInvalid if error.status < 500 else refusals.InternalError
    return problem(_OF_SERVER.get(error.status, otherwise)(), request_id, allow=error.headers.get("Allow"))
