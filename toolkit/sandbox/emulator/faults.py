"""Faults on request: what `POST /_sandbox/faults` takes."""

from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Match(BaseModel):
    """Which requests a fault is for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = "*"
    """A glob over the path, without the query."""
    method: str | None = None
    """Any method when it is missing."""

    def fits(self, method: str, path: str) -> bool:
        """Whether a request is meant."""
        return (self.method is None or self.method.upper() == method) and fnmatchcase(path, self.path)


class Fault(BaseModel):
    """Something that goes wrong, a number of times."""

    model_config = ConfigDict(extra="forbid")

    match: Match = Match()
    times: int = Field(default=1, ge=1)
    latency_ms: float = Field(default=0, ge=0, le=600_000)
    """More time before the answer, in milliseconds."""
    status: int | None = Field(default=None, ge=200, le=599)
    """Answer this instead of doing it."""
    drop: Literal["before", "after"] | None = None
    """Close the connection without an answer, before or after the effect."""
    body: str | None = None
    """Answer this text, with `status` (200 if there is none), instead of doing it: another server's page."""
    content_type: str = "text/html"

    @model_validator(mode="after")
    def _does_something(self) -> "Fault":
        if not (self.latency_ms or self.status or self.drop or self.body is not None):
            raise ValueError("says nothing to go wrong: give status, latency_ms, drop or body")
        if self.body is None and self.status is not None and self.status < 400:
            raise ValueError("status: only a body of its own goes with a status below 400")
        return self


_ANSWERS: dict[int, tuple[str, str]] = {
    400: ("request_body_invalid", "Request body invalid"),
    401: ("clerk_key_invalid", "The provided Clerk Secret Key is invalid."),
    402: ("unsupported_subscription_plan_features", "Unsupported plan features"),
    403: ("authorization_invalid", "Unauthorized request"),
    404: ("resource_not_found", "not found"),
    409: ("resource_locked", "resource busy"),
    422: ("form_param_value_invalid", "is invalid"),
    429: ("too_many_requests", "Too many requests"),
}


def describe(status: int) -> tuple[str, str]:
    """Code and message that go with a status."""
    return _ANSWERS.get(status, ("internal_clerk_error", "Oops, an unexpected error occurred"))


def take(faults: list[Fault], method: str, path: str) -> Fault | None:
    """The first fault that is meant for a request; it is used up by one."""
    for fault in faults:
        if fault.match.fits(method, path):
            fault.times -= 1
            if fault.times == 0:
                faults.remove(fault)
            return fault
    return None
