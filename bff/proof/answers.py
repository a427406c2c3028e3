"""Steps of a proof as the API shows them."""

from datetime import datetime
from typing import Literal

from aiohttp import web

from bff.http.api import Answer, answer
from bff.http.edge import Edge
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


class NewPasswordView(Answer):
    """The password was right, and must be replaced: to be done by resetting it."""

    status: Literal["needs_new_password"] = "needs_new_password"
    next: Literal["/auth/password/reset"] = "/auth/password/reset"


def ask_for_step(edge: Edge, challenged: Challenged) -> web.Response:
    """Answer that a second step is needed."""
    challenge = challenged.challenge
    bearer = challenge.delivery == "bearer"
    response = answer(
        SecondFactorView(
            status="needs_client_trust" if challenge.kind == "client_trust" else "needs_second_factor",
            challenge=ChallengeView(
                id=challenged.challenge_id,
                kind=challenge.kind,
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


def ask_for_new_password() -> web.Response:
    """Answer that the password is to be replaced."""
    return answer(NewPasswordView())
