"""Signing up, over HTTP."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web
from pydantic import Field

from bff import refusals
from bff.http.api import Body, Endpoint, no_content, read
from bff.http.edge import Edge
from bff.http.fields import Code, Email, InviteCode, Name, Secret
from bff.refusals import SignupEnded
from bff.sessions.answers import CompleteView, hand_over
from bff.sessions.service import Complete, Delivery
from bff.signup.answers import VerificationView, ask_for_verification
from bff.signup.person import Person
from bff.signup.service import SignupService


class SignupBody(Body):
    """Somebody who signs up."""

    invite: InviteCode = Field(repr=False)
    email: Email
    password: Secret = Field(repr=False)
    first_name: Name | None = None
    last_name: Name | None = None
    delivery: Delivery = "cookie"


class VerifyBody(Body):
    """The code that was sent to the address."""

    code: Code = Field(repr=False)
    device: Secret | None = Field(default=None, repr=False)


@dataclass(frozen=True)
class SignupRoutes:
    """Endpoints of the signup."""

    service: SignupService
    edge: Edge

    def endpoints(self) -> list[Endpoint]:
        always = (refusals.TooManyAttempts, refusals.AuthenticationUnavailable)
        return [
            Endpoint(
                "POST",
                "/auth/signup",
                self.sign_up,
                "Sign up with an invite",
                {201: CompleteView | VerificationView},
                SignupBody,
                (refusals.FieldsInvalid, refusals.EmailTaken, SignupEnded, *always),
            ),
            Endpoint(
                "POST",
                "/auth/signup/{signup_id}/verify",
                self.verify,
                "Finish a signup with the code that was sent",
                {200: CompleteView},
                VerifyBody,
                (refusals.CodeInvalid, SignupEnded, *always),
            ),
            Endpoint(
                "POST",
                "/auth/signup/{signup_id}/resend",
                self.resend,
                "Have another code sent",
                {200: VerificationView},
                None,
                (SignupEnded, *always),
            ),
            Endpoint(
                "DELETE",
                "/auth/signup/{signup_id}",
                self.abandon,
                "Undo a signup whose address is not verified yet",
                {204: None},
                refusals=(SignupEnded, refusals.AuthenticationUnavailable),
            ),
        ]

    async def sign_up(self, request: web.Request) -> web.StreamResponse:
        body = await read(request, SignupBody)
        person = Person(body.email, body.password, body.first_name or None, body.last_name or None)
        visitor = self.edge.visitor(request)
        outcome = await self.service.sign_up(body.invite, person, body.delivery, visitor)
        if isinstance(outcome, Complete):
            return hand_over(self.edge, outcome, 201)
        return ask_for_verification(self.edge, outcome, 201)

    async def verify(self, request: web.Request) -> web.StreamResponse:
        body = await read(request, VerifyBody)
        visitor = self.edge.visitor(request, body.device)
        return hand_over(self.edge, await self.service.verify(_id(request), body.code, visitor))

    async def resend(self, request: web.Request) -> web.StreamResponse:
        verifying = await self.service.resend(_id(request), self.edge.visitor(request))
        return ask_for_verification(self.edge, verifying)

    async def abandon(self, request: web.Request) -> web.StreamResponse:
        await self.service.abandon(_id(request))
        return no_content()


def _id(request: web.Request) -> UUID:
    try:
        return UUID(request.match_info["signup_id"])
    except ValueError:
        raise SignupEnded from None
