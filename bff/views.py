"""What the API shows of users, sessions and challenges."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from bff.api import Answer
from bff.challenges import Kind, Method
from bff.sessions import Session, User


class UserView(Answer):
    """A user."""

    id: UUID
    email: str
    email_verified: bool
    first_name: str | None
    last_name: str | None
    authentication: Literal["clerk", "legacy"]
    """Which system checks the user's logins."""

    @classmethod
    def of(cls, user: User) -> "UserView":
        """What is shown of a user."""
        return cls(
            id=user.id,
            email=user.email,
            email_verified=user.email_verified,
            first_name=user.first_name,
            last_name=user.last_name,
            authentication="clerk" if user.clerk_id is not None else "legacy",
        )


class SessionView(Answer):
    """A session."""

    id: UUID
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, session: Session) -> "SessionView":
        """What is shown of a session."""
        return cls(id=session.id, created_at=session.created_at, expires_at=session.expires_at)


class SignedInView(Answer):
    """The session that a request comes with."""

    user: UserView
    session: SessionView


class ListedSessionView(SessionView):
    """A session in the list of a user's."""

    last_used_at: datetime
    address: str | None
    user_agent: str | None
    current: bool


class WayView(Answer):
    """A way to finish a challenge."""

    method: Method
    to: str | None
    """Where a code goes, masked; null for codes that the user has."""


class ChallengeView(Answer):
    """A login that waits for a second step."""

    id: str
    kind: Kind
    expires_at: datetime
    methods: tuple[WayView, ...]
    sent_to: str | None
    """Where a code was sent already, masked."""


class CompleteView(Answer):
    """Logged in. `token` and `device` are there for bearer delivery alone."""

    status: Literal["complete"] = "complete"
    user: UserView
    session: SessionView
    token: str | None = None
    device: str | None = None


class SecondFactorView(Answer):
    """The password was right, and a second factor is needed."""

    status: Literal["needs_second_factor", "needs_client_trust"]
    challenge: ChallengeView
    device: str | None = None


class NewPasswordView(Answer):
    """The password was right, and must be replaced: to be done by resetting it."""

    status: Literal["needs_new_password"] = "needs_new_password"
    next: Literal["/auth/password/reset"] = "/auth/password/reset"


class VerificationView(Answer):
    """A code was sent to the email address and is to be typed in."""

    status: Literal["needs_email_verification"] = "needs_email_verification"
    signup_id: UUID
    sent_to: str
    """Where the code went, masked."""
    resend_after: int
    """Seconds until another one may be asked for."""
    device: str | None = None


class SessionListView(Answer):
    """A user's sessions, the last used first."""

    sessions: tuple[ListedSessionView, ...]
