"""Re-authentication, over HTTP."""

from dataclasses import dataclass
from typing import Literal

from aiohttp import web
from pydantic import Field

from bff import refusals
from bff.http.api import Answer, Body, Endpoint, answer, read
from bff.http.edge import Edge
from bff.http.fields import Secret
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
from bff.reauthentication.service import Outcome, Reauthentication
from bff.sessions.identity import Identity
from bff.sessions.service import Delivery


class ReauthenticateBody(Body):
    """The password, once more."""

    password: Secret = Field(repr=False)
    delivery: Delivery = "cookie"
    """How the device's new id is handed over."""
    device: Secret | None = Field(default=None, repr=False)


class ProvenView(Answer):
    """The session counts as proven for the next ten minutes. `device` is there for the delivery `bearer` alone."""

    status: Literal["complete"] = "complete"
    device: str | None = None


@dataclass(frozen=True)
class ReauthenticationRoutes:
    """Endpoints of the re-authentication."""

    service: Reauthentication
    identity: Identity
    edge: Edge

    def endpoints(self) -> list[Endpoint]:
        always = (refusals.TooManyAttempts, refusals.AuthenticationUnavailable)
        results = ProvenView | SecondFactorView | NewPasswordView
        return [
            Endpoint(
                "POST",
                "/auth/reauthenticate",
                self.begin,
                "Confirm with the password that it is you",
                {200: results},
                ReauthenticateBody,
                (refusals.FieldsInvalid, *always),
                signed_in=True,
            ),
            Endpoint(
                "POST",
                "/auth/reauthenticate/second-factor/prepare",
                self.send_code,
                "Have a code sent",
                {200: MethodView},
                PrepareBody,
                (refusals.ChallengeExpired, *always),
                signed_in=True,
            ),
            Endpoint(
                "POST",
                "/auth/reauthenticate/second-factor",
                self.finish,
                "Confirm with a code that it is you",
                {200: results},
                FinishBody,
                (refusals.CodeInvalid, refusals.ChallengeExpired, *always),
                signed_in=True,
            ),
        ]

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/reauthenticate."""
        session = await self.identity.session(request)
        body = await read(request, ReauthenticateBody)
        visitor = self.edge.visitor(request, body.device)
        outcome = await self.service.begin(session, body.password, body.delivery, visitor)
        return self._answer(outcome)

    async def send_code(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/reauthenticate/second-factor/prepare."""
        session = await self.identity.session(request)
        body = await read(request, PrepareBody)
        visitor = self.edge.visitor(request)
        sent = await self.service.send_code(session, body.challenge_id, body.method, body.to, visitor)
        return answer(MethodView.of(sent))

    async def finish(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/reauthenticate/second-factor."""
        session = await self.identity.session(request)
        body = await read(request, FinishBody)
        visitor = self.edge.visitor(request, body.device)
        outcome = await self.service.finish(session, body.challenge_id, body.method, body.code, visitor)
        return self._answer(outcome)

    def _answer(self, outcome: Outcome) -> web.StreamResponse:
        if isinstance(outcome, Challenged):
            return ask_for_step(self.edge, outcome)
        if isinstance(outcome, ResetBegun):
            return ask_for_new_password(outcome)
        bearer = outcome.delivery == "bearer"
        response = answer(ProvenView(device=outcome.device if bearer else None))
        if not bearer:
            self.edge.give_device(response, outcome.device)
        return response
