"""Signing up, over HTTP."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from aiohttp import web
from pydantic import EmailStr, Field, StringConstraints

from bff.api import Body, Endpoint, read
from bff.challenges import Delivery
from bff.login.routes import Code, Secret
from bff.outcomes import Responder
from bff.problems import Problem
from bff.signup.clerk import Person
from bff.signup.service import SignupService
from bff.views import CompleteView, VerificationView

Email = Annotated[EmailStr, StringConstraints(max_length=320)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100, pattern=r"^[^\x00]*$")]


class SignupBody(Body):
    """Somebody who signs up."""

    invite: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)] = Field(
        repr=False
    )
    email: Email
    password: Secret = Field(repr=False)
    first_name: Name | None = None
    last_name: Name | None = None
    delivery: Delivery = "cookie"
    """How the session is to be handed over: as a cookie, or as a token in the answer."""


class VerifyBody(Body):
    """The code that was sent to the address."""

    code: Code = Field(repr=False)
    device: Secret | None = Field(default=None, repr=False)


@dataclass(frozen=True)
class SignupRoutes:
    """Endpoints of the signup."""

    service: SignupService
    responder: Responder

    def endpoints(self) -> list[Endpoint]:
        """What there is."""
        refusals = ("too_many_attempts", "authentication_unavailable", "origin_mismatch")
        return [
            Endpoint(
                "POST",
                "/auth/signup",
                self.sign_up,
                "Sign up with an invite",
                {201: CompleteView | VerificationView},
                SignupBody,
                ("fields_invalid", "email_taken", "signup_ended", "media_type_unsupported", *refusals),
            ),
            Endpoint(
                "POST",
                "/auth/signup/{signup_id}/verify",
                self.verify,
                "Finish a signup with the code that was sent",
                {200: CompleteView},
                VerifyBody,
                ("code_invalid", "signup_ended", "media_type_unsupported", *refusals),
            ),
            Endpoint(
                "POST",
                "/auth/signup/{signup_id}/resend",
                self.resend,
                "Have another code sent",
                {200: VerificationView},
                None,
                ("signup_ended", *refusals),
            ),
            Endpoint(
                "DELETE",
                "/auth/signup/{signup_id}",
                self.abandon,
                "Undo a signup whose address is not verified yet",
                {204: None},
                problems=("signup_ended", "authentication_unavailable", "origin_mismatch"),
            ),
        ]

    async def sign_up(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/signup."""
        body = await read(request, SignupBody)
        person = Person(body.email, body.password, body.first_name or None, body.last_name or None)
        visitor = self.responder.visitor(request)
        outcome = await self.service.sign_up(body.invite, person, body.delivery, visitor)
        return self.responder.respond(outcome, 201)

    async def verify(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/signup/{signup_id}/verify."""
        body = await read(request, VerifyBody)
        visitor = self.responder.visitor(request, body.device)
        return self.responder.respond(await self.service.verify(_id(request), body.code, visitor))

    async def resend(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/signup/{signup_id}/resend."""
        return self.responder.respond(
            await self.service.resend(_id(request), self.responder.visitor(request))
        )

    async def abandon(self, request: web.Request) -> web.StreamResponse:
        """DELETE /auth/signup/{signup_id}."""
        await self.service.abandon(_id(request))
        return web.Response(status=204)


def _id(request: web.Request) -> UUID:
    try:
        return UUID(request.match_info["signup_id"])
    except ValueError:
        raise Problem("signup_ended") from None
