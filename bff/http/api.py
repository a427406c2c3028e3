"""Endpoints: what each takes and answers, declared once, for the server and for /openapi.json alike."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from bff.refusals import FieldError, MediaTypeUnsupported, Refusal, RequestInvalid

M = TypeVar("M", bound=BaseModel)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_SECONDS = 10.0
"""Seconds for a body to arrive in."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Body(BaseModel):
    """A request's body; what it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Endpoint:
    """One operation. `refusals` are those that it may answer with, beside those that all may."""

    method: str
    path: str
    handler: Handler
    summary: str
    answers: dict[int, Any]
    """Status to the type of the body; None for no body."""
    body: type[BaseModel] | None = None
    refusals: Sequence[type[Refusal]] = ()
    signed_in: bool = False
    """Needs a session (or, for /me, an API key)."""

    @property
    def changes_something(self) -> bool:
        """Whether a page of another site must not be able to send it."""
        return self.method not in SAFE_METHODS


async def read(request: web.Request, model: type[M]) -> M:
    """The request's JSON body. Raises RequestInvalid, naming what is wrong and no value."""
    if request.content_type != "application/json":
        raise MediaTypeUnsupported
    try:
        async with asyncio.timeout(BODY_SECONDS):
            content = await request.read()
    except (TimeoutError, ConnectionResetError, web.RequestPayloadError):
        raise RequestInvalid("The body did not come as it was announced.") from None
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        faults = [
            FieldError(".".join(map(str, fault["loc"])) or "the body", str(fault["type"]), str(fault["msg"]))
            for fault in error.errors(include_input=False, include_url=False)
        ]
        told = "; ".join(f"{fault.field}: {fault.detail}" for fault in faults)
        raise RequestInvalid(told, errors=faults) from None


def answer(content: BaseModel, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=content.model_dump_json().encode(), status=status, content_type="application/json"
    )


def no_content() -> web.Response:
    """An answer without a body."""
    return web.Response(status=204)
