"""Signups as the API shows them."""

from typing import Literal
from uuid import UUID

from aiohttp import web

from bff.http.api import Answer, answer
from bff.http.edge import Edge
from bff.signup.outcomes import Verifying


class VerificationView(Answer):
    """A code was sent to the email address and is to be typed in."""

    status: Literal["needs_email_verification"] = "needs_email_verification"
    signup_id: UUID
    sent_to: str
    """Where the code went, masked."""
    resend_after: int
    """Seconds until another one may be asked for."""
    device: str | None = None


def ask_for_verification(edge: Edge, verifying: Verifying, status: int = 200) -> web.Response:
    """Answer that a code is to be typed in."""
    bearer = verifying.delivery == "bearer"
    response = answer(
        VerificationView(
            signup_id=verifying.signup_id,
            sent_to=verifying.sent_to,
            resend_after=verifying.resend_after,
            device=verifying.device if bearer else None,
        ),
        status,
    )
    if not bearer:
        edge.give_device(response, verifying.device)
    return response
