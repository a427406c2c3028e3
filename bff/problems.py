"""Answers that are errors: problem documents (RFC 9457) with a stable `code`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil

import orjson
from aiohttp import web

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its status, and what it says unless there is more to say."""

    status: int
    detail: str


KINDS: Mapping[str, Kind] = {
    "request_invalid": Kind(400, "The request is not what this endpoint takes."),
    "fields_invalid": Kind(422, "Some of what was given cannot be taken; `errors` says what."),
    "signup_ended": Kind(410, "This signup is over. Log in, or sign up again."),
    "email_taken": Kind(409, "There is an account with this address already."),
    "credentials_invalid": Kind(401, "Email or password is wrong."),
    "code_invalid": Kind(401, "The code is wrong, has expired, or was used before."),
    "challenge_expired": Kind(
        401, "This login was not finished in time, or with too many wrong codes. Begin again."
    ),
    "session_required": Kind(401, "Log in first."),
    "origin_mismatch": Kind(403, "The request comes from a page of another site."),
    "not_found": Kind(404, "There is nothing here."),
    "method_not_allowed": Kind(405, "This cannot be done here."),
    "request_too_large": Kind(413, "The request is too large."),
    "media_type_unsupported": Kind(415, "The body must be JSON (Content-Type: application/json)."),
    "too_many_attempts": Kind(429, "Too many attempts. Wait a little, then try again."),
    "internal_error": Kind(500, "This should not have happened. It was noted; try again."),
    "authentication_unavailable": Kind(
        503, "Authentication is not available at the moment. Try again shortly."
    ),
    "database_unavailable": Kind(503, "The service is not available at the moment. Try again shortly."),
}
"""Every code that an answer may carry."""
_BY_STATUS = {
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "media_type_unsupported",
}
DEFAULT_RETRY_AFTER = 2.0
"""Seconds, for a 503 that knows no better."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with a field of the request's body."""

    field: str
    code: str
    detail: str


class Problem(Exception):
    """An answer that is an error; `code` is a key of KINDS, `retry_after` in seconds."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        kind = KINDS[code]
        super().__init__(code)
        self.code = code
        self.status = kind.status
        self.detail = detail or kind.detail
        self.retry_after = DEFAULT_RETRY_AFTER if retry_after is None and self.status == 503 else retry_after
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def response(self, request_id: str) -> web.Response:
        """The problem as an HTTP answer."""
        content: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "request_id": request_id,
        }
        if self.errors:
            content["errors"] = self.errors
        headers = {**self.headers, "Cache-Control": "no-store"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, ceil(self.retry_after)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return web.Response(
            body=orjson.dumps(content), status=self.status, content_type=CONTENT_TYPE, headers=headers
        )


def of_http(error: web.HTTPException) -> Problem:
    """What aiohttp itself refuses, as a problem."""
    code = _BY_STATUS.get(error.status, "request_invalid" if error.status < 500 else "internal_error")
    allow = error.headers.get("Allow")
    return Problem(code, headers={"Allow": allow} if allow else None)
