"""How a login or a signup goes on, and how that is answered over HTTP."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from aiohttp import web

from bff import cookies
from bff.addresses import Address, Network, client_address
from bff.api import answer
from bff.challenges import Challenge, Delivery
from bff.sessions import Minted
from bff.views import (
    ChallengeView,
    CompleteView,
    NewPasswordView,
    SecondFactorView,
    SessionView,
    UserView,
    VerificationView,
    WayView,
)

MOST_USER_AGENT = 512
"""Characters of it that are kept."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request comes from."""

    address: Address | None
    user_agent: str | None
    device: str | None = field(default=None, repr=False)
    """The id that the device was given."""


@dataclass(frozen=True, slots=True)
class Complete:
    """Logged in."""

    minted: Minted
    delivery: Delivery
    device: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Challenged:
    """The password was right, and a second step is needed."""

    challenge_id: str = field(repr=False)
    expires_at: datetime
    challenge: Challenge
    sent_to: str | None
    """Where a code went already, masked."""
    device: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewPasswordNeeded:
    """The password was right, and must be replaced before anybody is let in."""


@dataclass(frozen=True, slots=True)
class Verifying:
    """Nobody is let in before the address is verified; a code was sent there."""

    signup_id: UUID
    sent_to: str
    """Masked."""
    resend_after: int
    """Seconds until another code may be asked for."""
    delivery: Delivery = "cookie"
    device: str | None = field(default=None, repr=False)


Outcome = Complete | Challenged | NewPasswordNeeded | Verifying


@dataclass(frozen=True)
class Responder:
    """Reads who sends a request, and answers with an outcome."""

    trusted_proxies: tuple[Network, ...]
    secure: bool

    def visitor(self, request: web.Request, device: str | None = None) -> Visitor:
        """Where a request comes from."""
        user_agent = request.headers.get("User-Agent")
        return Visitor(
            client_address(request, self.trusted_proxies),
            user_agent[:MOST_USER_AGENT].encode(errors="replace").decode() if user_agent else None,
            device or request.cookies.get(cookies.DEVICE),
        )

    def respond(self, outcome: Outcome, status: int = 200) -> web.StreamResponse:
        """Answer, with the cookies or tokens that go with it."""
        match outcome:
            case Complete(minted, delivery, device):
                bearer = delivery == "bearer"
                response = answer(
                    CompleteView(
                        user=UserView.of(minted.session.user),
                        session=SessionView.of(minted.session),
                        token=minted.token if bearer else None,
                        device=device if bearer else None,
                    ),
                    status,
                )
                if not bearer:
                    cookies.set_session(response, minted, secure=self.secure)
                    cookies.set_device(response, device, secure=self.secure)
            case Challenged(challenge_id, expires_at, challenge, sent_to, device):
                bearer = challenge.delivery == "bearer"
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
            case Verifying(signup_id, sent_to, resend_after, delivery, device):
                bearer = delivery == "bearer"
                response = answer(
                    VerificationView(
                        signup_id=signup_id,
                        sent_to=sent_to,
                        resend_after=resend_after,
                        device=device if bearer else None,
                    ),
                    status,
                )
                if not bearer:
                    cookies.set_device(response, device, secure=self.secure)
            case NewPasswordNeeded():
                response = answer(NewPasswordView())
        return response
