"""Refusals over HTTP: problem documents (RFC 9457) with a stable `code`."""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

import orjson
from aiohttp import web

from bff import refusals
from bff.refusals import Refusal

CONTENT_TYPE = "application/problem+json"
DEFAULT_RETRY_AFTER = 2.0
"""Seconds that a 503 tells which has none of its own."""


STATUSES: Mapping[type[Refusal], int] = {
    refusals.RequestInvalid: 400,
    refusals.CookiesAmbiguous: 400,
    refusals.CredentialsInvalid: 401,
    refusals.CodeInvalid: 401,
    refusals.ChallengeExpired: 401,
    refusals.SessionRequired: 401,
    refusals.OriginMismatch: 403,
    refusals.ReauthenticationRequired: 403,
    refusals.NotFound: 404,
    refusals.MethodNotAllowed: 405,
    refusals.EmailTaken: 409,
    refusals.MethodUnavailable: 409,
    refusals.MethodEnrolled: 409,
    refusals.SignupEnded: 410,
    refusals.RequestTooLarge: 413,
    refusals.MediaTypeUnsupported: 415,
    refusals.FieldsInvalid: 422,
    refusals.TooManyAttempts: 429,
    refusals.InternalError: 500,
    refusals.AuthenticationUnavailable: 503,
    refusals.DatabaseUnavailable: 503,
}
"""Every refusal that an answer may tell, and its status; one that is missing has its parent's."""

_OF_SERVER: Mapping[int, type[Refusal]] = {
    404: refusals.NotFound,
    405: refusals.MethodNotAllowed,
    413: refusals.RequestTooLarge,
    415: refusals.MediaTypeUnsupported,
}


def problem(refusal: Refusal, request_id: str, *, allow: str | None = None) -> web.Response:
    """A refusal as an answer; `allow` lists the methods that the path does take."""
    status = next(STATUSES[kind] for kind in type(refusal).__mro__ if kind in STATUSES)
    content: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": refusal.code,
        "detail": refusal.detail,
        "request_id": request_id,
    }
    if isinstance(refusal, refusals.FieldsInvalid | refusals.RequestInvalid) and refusal.errors:
        content["errors"] = refusal.errors
    if isinstance(refusal, refusals.ReauthenticationRequired):
        content["methods"] = refusal.methods
    headers = {}
    if allow is not None:
        headers["Allow"] = allow
    retry_after = refusal.retry_after
    if retry_after is None and status == 503:
        retry_after = DEFAULT_RETRY_AFTER
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, ceil(retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(body=orjson.dumps(content), status=status, content_type=CONTENT_TYPE, headers=headers)


def of_server(error: web.HTTPException, request_id: str) -> web.Response:
    """What aiohttp itself refuses, as a problem."""
    otherwise = refusals.RequestInvalid if error.status < 500 else refusals.InternalError
    return problem(_OF_SERVER.get(error.status, otherwise)(), request_id, allow=error.headers.get("Allow"))
