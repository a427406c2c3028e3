"""Passwords, over HTTP."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aiohttp import web
from pydantic import Field

from bff import refusals
from bff.http.api import Answer, Body, Endpoint, answer, no_content, read
from bff.http.edge import Edge
from bff.http.fields import Code, Secret, Text
from bff.login.routes import tell
from bff.password.service import PasswordService
from bff.password.systems import Character
from bff.proof.answers import ResetView, SecondFactorView
from bff.proof.resets import ResetBegun, Resets
from bff.proof.systems import ResetMethod
from bff.sessions.answers import CompleteView
from bff.sessions.identity import Identity
from bff.sessions.service import Delivery
from bff.signup.answers import VerificationView


class RulesView(Answer):
    """What a new password must be like."""

    min_length: int
    max_length: int | None
    """In characters, as `min_length`."""
    max_bytes: int
    """In UTF-8."""
    requires: tuple[Character, ...]
    """Kinds of characters of which there must be one."""
    min_strength: int | None
    """Of zxcvbn's score, from 0 to 4; null where it is not looked at."""


class CodeRightView(Answer):
    """The code was right: a new password may be set."""

    status: Literal["needs_new_password"] = "needs_new_password"
    expires_at: datetime


class BegunAnewView(ResetView):
    """The account's passwords are kept elsewhere since: a new code was sent."""

    status: Literal["needs_code"] = "needs_code"
    sent_to: str | None
    """Where the code went, masked; null when it could not be sent yet."""


class ChangeBody(Body):
    """A password to change."""

    current_password: Secret = Field(repr=False)
    new_password: Secret = Field(repr=False)
    sign_out_others: bool = True


class ResetBody(Body):
    """Whose password is to be reset, and where the code is to go if they have that."""

    email: Text
    method: ResetMethod = "email"


class ResetIdBody(Body):
    """A reset."""

    reset_id: Secret = Field(repr=False)


class CodeBody(ResetIdBody):
    """A reset's code to try."""

    code: Code = Field(repr=False)


class NewPasswordBody(ResetIdBody):
    """The new password."""

    new_password: Secret = Field(repr=False)
    delivery: Delivery = "cookie"
    device: Secret | None = Field(default=None, repr=False)
    """The device's id from an earlier login, for clients without cookies."""


@dataclass(frozen=True)
class PasswordRoutes:
    """Endpoints of passwords."""

    service: PasswordService
    resets: Resets
    identity: Identity
    edge: Edge

    def endpoints(self) -> list[Endpoint]:
        always = (refusals.TooManyAttempts, refusals.AuthenticationUnavailable)
        return [
            Endpoint(
                "GET",
                "/auth/password/rules",
                self.rules,
                "What a new password must be like",
                {200: RulesView},
                refusals=(refusals.AuthenticationUnavailable,),
            ),
            Endpoint(
                "POST",
                "/auth/password/change",
                self.change,
                "Change one's password",
                {204: None},
                ChangeBody,
                (refusals.ReauthenticationRequired, refusals.FieldsInvalid, *always),
                signed_in=True,
            ),
            Endpoint(
                "POST",
                "/auth/password/reset",
                self.begin,
                "Have a code sent to whoever has forgotten their password",
                {202: ResetView},
                ResetBody,
                always,
            ),
            Endpoint(
                "POST",
                "/auth/password/reset/send",
                self.send_again,
                "Have another code sent",
                {204: None},
                ResetIdBody,
                (refusals.ChallengeExpired, *always),
            ),
            Endpoint(
                "POST",
                "/auth/password/reset/verify",
                self.verify,
                "Try the code of a reset",
                {200: CodeRightView},
                CodeBody,
                (refusals.CodeInvalid, refusals.ChallengeExpired, *always),
            ),
            Endpoint(
                "POST",
                "/auth/password/reset/complete",
                self.complete,
                "Set the new password, and log in",
                {200: CompleteView | SecondFactorView | VerificationView | BegunAnewView},
                NewPasswordBody,
                (refusals.FieldsInvalid, refusals.ChallengeExpired, *always),
            ),
        ]

    async def rules(self, request: web.Request) -> web.StreamResponse:
        """GET /auth/password/rules."""
        rules = await self.service.rules()
        return answer(
            RulesView(
                min_length=rules.min_length,
                max_length=rules.max_length,
                max_bytes=rules.max_bytes,
                requires=rules.requires,
                min_strength=rules.min_strength,
            )
        )

    async def change(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/password/change."""
        session = await self.identity.session(request)
        body = await read(request, ChangeBody)
        await self.service.change(
            session,
            body.current_password,
            body.new_password,
            self.edge.visitor(request),
            sign_out_others=body.sign_out_others,
        )
        return no_content()

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/password/reset."""
        body = await read(request, ResetBody)
        begun = await self.resets.begin(body.email, body.method, self.edge.visitor(request))
        return answer(
            ResetView(reset_id=begun.reset_id, expires_at=begun.expires_at, resend_after=begun.resend_after),
            202,
        )

    async def send_again(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/password/reset/send."""
        body = await read(request, ResetIdBody)
        await self.resets.send_again(body.reset_id, self.edge.visitor(request))
        return no_content()

    async def verify(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/password/reset/verify."""
        body = await read(request, CodeBody)
        expires_at = await self.resets.verify(body.reset_id, body.code, self.edge.visitor(request))
        return answer(CodeRightView(expires_at=expires_at))

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/password/reset/complete."""
        body = await read(request, NewPasswordBody)
        visitor = self.edge.visitor(request, body.device)
        outcome = await self.service.complete(body.reset_id, body.new_password, body.delivery, visitor)
        if isinstance(outcome, ResetBegun):
            return answer(
                BegunAnewView(
                    reset_id=outcome.reset_id,
                    expires_at=outcome.expires_at,
                    resend_after=outcome.resend_after,
                    sent_to=outcome.sent_to,
                )
            )
        return tell(self.edge, outcome)
