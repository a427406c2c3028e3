"""Logging in, over HTTP."""

from dataclasses import dataclass

from aiohttp import web
from pydantic import Field

from bff import refusals
from bff.http.api import Body, Endpoint, answer, read
from bff.http.edge import Edge
from bff.http.fields import Secret, Text
from bff.login.service import LoginService, Outcome
from bff.proof.answers import (
    MethodView,
    NewPasswordView,
    SecondFactorView,
    ask_for_new_password,
    ask_for_step,
)
from bff.proof.bodies import FinishBody, PrepareBody
from bff.proof.resets import ResetBegun
from bff.proof.service import Challenged
from bff.sessions.answers import CompleteView, hand_over
from bff.sessions.service import Complete, Delivery
from bff.signup.answers import VerificationView, ask_for_verification
from bff.signup.outcomes import Verifying


class LoginBody(Body):
    """A password to try."""

    email: Text
    password: Secret = Field(repr=False)
    delivery: Delivery = "cookie"
    device: Secret | None = Field(default=None, repr=False)
    """The device's id from an earlier login, for clients without cookies."""


@dataclass(frozen=True)
class LoginRoutes:
    """Endpoints of the login."""

    service: LoginService
    edge: Edge

    def endpoints(self) -> list[Endpoint]:
        always = (refusals.TooManyAttempts, refusals.AuthenticationUnavailable)
        results = CompleteView | SecondFactorView | VerificationView | NewPasswordView
        return [
            Endpoint(
                "POST",
                "/auth/login",
                self.log_in,
                "Log in with email and password",
                {200: results},
                LoginBody,
                (refusals.CredentialsInvalid, *always),
            ),
            Endpoint(
                "POST",
                "/auth/login/second-factor/prepare",
                self.send_code,
                "Have a code sent",
                {200: MethodView},
                PrepareBody,
                (refusals.ChallengeExpired, *always),
            ),
            Endpoint(
                "POST",
                "/auth/login/second-factor",
                self.finish,
                "Finish a login with a code",
                {200: results},
                FinishBody,
                (refusals.CodeInvalid, refusals.ChallengeExpired, *always),
            ),
        ]

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/login."""
        body = await read(request, LoginBody)
        visitor = self.edge.visitor(request, body.device)
        return tell(self.edge, await self.service.log_in(body.email, body.password, body.delivery, visitor))

    async def send_code(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/login/second-factor/prepare."""
        body = await read(request, PrepareBody)
        visitor = self.edge.visitor(request)
        sent = await self.service.send_code(body.challenge_id, body.method, body.to, visitor)
        return answer(MethodView.of(sent))

    async def finish(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/login/second-factor."""
        body = await read(request, FinishBody)
        visitor = self.edge.visitor(request, body.device)
        return tell(self.edge, await self.service.finish(body.challenge_id, body.method, body.code, visitor))


def tell(edge: Edge, outcome: Outcome) -> web.StreamResponse:
    """Answer with what a login led to."""
    match outcome:
        case Complete():
            return hand_over(edge, outcome)
        case Challenged():
            return ask_for_step(edge, outcome)
        case Verifying():
            return ask_for_verification(edge, outcome)
        case ResetBegun():
            return ask_for_new_password(outcome)
