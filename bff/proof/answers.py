"""Steps of a proof as the API shows them."""

from datetime import datetime
from typing import Literal

from aiohttp import web

from bff.http.api import Answer, answer
from bff.http.edge import Edge
from bff.proof.resets import ResetBegun
from bff.proof.service import Challenged
from bff.proof.systems import Kind, Method, MethodName


class MethodView(Answer):
    """A method that is on offer."""

    method: MethodName
    to: str | None
    """Where a code goes, masked; null for codes that the user has."""

    @classmethod
    def of(cls, method: Method) -> "MethodView":
        """What is shown of a method."""
        return cls(method=method.name, to=method.to)


class ChallengeView(Answer):
    """A proof that waits for a second step."""

    id: str
    kind: Kind
    expires_at: datetime
    methods: tuple[MethodView, ...]
    sent_to: str | None
    """Where a code was sent already, masked."""


class SecondFactorView(Answer):
    """The password was right, and a second step is needed."""

    status: Literal["needs_second_factor", "needs_client_trust"]
    challenge: ChallengeView
    device: str | None = None


class ResetView(Answer):
    """A password reset that waits for its code."""

    reset_id: str
    expires_at: datetime
    resend_after: int
    """Seconds until another code may be asked for."""


class NewPasswordView(ResetView):
    """The password was right, and must be replaced: by a reset, which has begun."""

    status: Literal["needs_new_password"] = "needs_new_password"
    sent_to: str | None
    """Where the code went, masked; null when it could not be sent yet."""


def ask_for_step(edge: Edge, challenged: Challenged) -> web.Response:
    """Answer that a second step is needed."""
    challenge = challenged.challenge
    bearer = challenge.delivery == "bearer"
    response = answer(
        SecondFactorView(
            status="needs_client_trust" if challenge.kind == "client_trust" else "needs_second_factor",
            challenge=ChallengeView(
                id=challenged.challenge_id,
                kind="client_trust" if challenge.kind == "client_trust" else "second_factor",
                expires_at=challenged.expires_at,
                methods=tuple(MethodView.of(method) for method in challenge.methods),
                sent_to=challenged.sent_to,
            ),
            device=challenged.device if bearer else None,
        )
    )
    if not bearer:
        edge.give_device(response, challenged.device)
    return response


def ask_for_new_password(begun: ResetBegun) -> web.Response:
    """Answer that the password is to be replaced."""
    return answer(
        NewPasswordView(
            reset_id=begun.reset_id,
            expires_at=begun.expires_at,
            resend_after=begun.resend_after,
            sent_to=begun.sent_to,
        )
    )
