"""Logging in, over HTTP."""

from dataclasses import dataclass
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from bff import cookies
from bff.addresses import Network, client_address
from bff.api import Body, Endpoint, answer, read
from bff.challenges import Method, Transport
from bff.login.service import Challenged, Complete, LoginService, NewPasswordNeeded, Outcome, Visitor
from bff.views import (
    ChallengeView,
    CompleteView,
    NewPasswordView,
    SecondFactorView,
    SessionView,
    UserView,
    WayView,
)

Text = Annotated[str, StringConstraints(min_length=1, max_length=320, pattern=r"^[^\x00]+$")]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]

MOST_USER_AGENT = 512
"""Characters of it that are kept."""


class LoginBody(Body):
    """A password to try."""

    email: Text
    password: Secret = Field(repr=False)
    transport: Transport = "cookie"
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
    trusted_proxies: tuple[Network, ...]
    secure: bool

    def endpoints(self) -> list[Endpoint]:
        """What there is."""
        refusals = (
            "too_many_attempts",
            "authentication_unavailable",
            "origin_mismatch",
            "media_type_unsupported",
        )
        results = CompleteView | SecondFactorView | NewPasswordView
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
        visitor = self._visitor(request, body.device)
        outcome = await self.service.login(body.email, body.password, body.transport, visitor)
        return self._respond(outcome, body.transport)

    async def prepare(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/login/second-factor/prepare."""
        body = await read(request, PrepareBody)
        way = await self.service.prepare(body.challenge_id, body.method, body.to, self._visitor(request))
        return answer(WayView(method=way.method, to=way.to))

    async def finish(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/login/second-factor."""
        body = await read(request, FinishBody)
        visitor = self._visitor(request, body.device)
        return self._respond(
            await self.service.finish(body.challenge_id, body.method, body.code, visitor), "cookie"
        )

    def _visitor(self, request: web.Request, device: str | None = None) -> Visitor:
        user_agent = request.headers.get("User-Agent")
        return Visitor(
            client_address(request, self.trusted_proxies),
            user_agent[:MOST_USER_AGENT].encode(errors="replace").decode() if user_agent else None,
            device or request.cookies.get(cookies.DEVICE),
        )

    def _respond(self, outcome: Outcome, transport: Transport) -> web.StreamResponse:
        match outcome:
            case Complete(minted, transport, device):
                bearer = transport == "bearer"
                response = answer(
                    CompleteView(
                        user=UserView.of(minted.session.user),
                        session=SessionView.of(minted.session),
                        token=minted.token if bearer else None,
                        device=device if bearer else None,
                    )
                )
                if not bearer:
                    cookies.set_session(response, minted, secure=self.secure)
                    cookies.set_device(response, device, secure=self.secure)
            case Challenged(challenge_id, expires_at, challenge, sent_to, device):
                bearer = challenge.transport == "bearer"
                response = answer(
                    SecondFactorView(
                        status="needs_client_trust"
                        if challenge.kind == "client_trust"
                        else "needs_second_factor",
                        challenge=ChallengeView(
                            id=challenge_id,
                            kind=challenge.kind,
                            expires_at=expires_at,
                            methods=tuple(WayView(method=way.method, to=way.to) for way in challenge.ways),
                            sent_to=sent_to,
                        ),
                        device=device if bearer else None,
                    )
                )
                if not bearer:
                    cookies.set_device(response, device, secure=self.secure)
            case NewPasswordNeeded():
                response = answer(NewPasswordView())
        return response
