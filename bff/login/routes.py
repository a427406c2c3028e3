"""Logging in, over HTTP."""

from dataclasses import dataclass
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from bff.api import Body, Endpoint, answer, read
from bff.challenges import Delivery, Method
from bff.login.service import LoginService
from bff.outcomes import Responder
from bff.views import CompleteView, NewPasswordView, SecondFactorView, VerificationView, WayView

Text = Annotated[str, StringConstraints(min_length=1, max_length=320, pattern=r"^[^\x00]+$")]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]


class LoginBody(Body):
    """A password to try."""

    email: Text
    password: Secret = Field(repr=False)
    delivery: Delivery = "cookie"
    """How the session is handed over: as a cookie, or as a token in the answer."""
    device: Secret | None = Field(default=None, repr=False)
    """The device's id from an earlier login, for clients without cookies."""


class PrepareBody(Body):
    """A code to send."""

    challenge_id: Secret = Field(repr=False)
    method: Method
    to: Text | None = None


class FinishBody(Body):
    """A code to try."""

    challenge_id: Secret = Field(repr=False)
    method: Method
    code: Code = Field(repr=False)
    device: Secret | None = Field(default=None, repr=False)


@dataclass(frozen=True)
class LoginRoutes:
    """Endpoints of the login."""

    service: LoginService
    responder: Responder

    def endpoints(self) -> list[Endpoint]:
        """What there is."""
        refusals = (
            "too_many_attempts",
            "authentication_unavailable",
            "origin_mismatch",
            "media_type_unsupported",
        )
        results = CompleteView | SecondFactorView | VerificationView | NewPasswordView
        return [
            Endpoint(
                "POST",
                "/auth/login",
                self.login,
                "Log in with email and password",
                {200: results},
                LoginBody,
                ("credentials_invalid", *refusals),
            ),
            Endpoint(
                "POST",
                "/auth/login/second-factor/prepare",
                self.prepare,
                "Have a code sent",
                {200: WayView},
                PrepareBody,
                ("challenge_expired", *refusals),
            ),
            Endpoint(
                "POST",
                "/auth/login/second-factor",
                self.finish,
                "Finish a login with a code",
                {200: results},
                FinishBody,
                ("code_invalid", "challenge_expired", *refusals),
            ),
        ]

    async def login(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/login."""
        body = await read(request, LoginBody)
        visitor = self.responder.visitor(request, body.device)
        return self.responder.respond(
            await self.service.login(body.email, body.password, body.delivery, visitor)
        )

    async def prepare(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/login/second-factor/prepare."""
        body = await read(request, PrepareBody)
        visitor = self.responder.visitor(request)
        way = await self.service.prepare(body.challenge_id, body.method, body.to, visitor)
        return answer(WayView(method=way.method, to=way.to))

    async def finish(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/login/second-factor."""
        body = await read(request, FinishBody)
        visitor = self.responder.visitor(request, body.device)
        return self.responder.respond(
            await self.service.finish(body.challenge_id, body.method, body.code, visitor)
        )
