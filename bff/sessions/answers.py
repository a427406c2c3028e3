"""Users and sessions as the API shows them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from aiohttp import web

from bff.http.api import Answer, answer
from bff.http.edge import Edge
from bff.sessions.service import Complete, ListedSession, Session, User


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


class SessionListView(Answer):
    """A user's sessions, the last used first."""

    sessions: tuple[ListedSessionView, ...]

    @classmethod
    def of(cls, sessions: list[ListedSession], current: Session) -> "SessionListView":
        """What is shown of a user's sessions, to the holder of one of them."""
        return cls(
            sessions=tuple(
                ListedSessionView(
                    id=session.id,
                    created_at=session.created_at,
                    expires_at=session.expires_at,
                    last_used_at=session.last_used_at,
                    address=session.address,
                    user_agent=session.user_agent,
                    current=session.id == current.id,
                )
                for session in sessions
            )
        )


class CompleteView(Answer):
    """Logged in. `token` and `device` are there for the delivery `bearer` alone."""

    status: Literal["complete"] = "complete"
    user: UserView
    session: SessionView
    token: str | None = None
    device: str | None = None


def hand_over(edge: Edge, complete: Complete, status: int = 200) -> web.Response:
    """Answer with a new session, in cookies or in the body."""
    minted = complete.minted
    bearer = complete.delivery == "bearer"
    response = answer(
        CompleteView(
            user=UserView.of(minted.session.user),
            session=SessionView.of(minted.session),
            token=minted.token if bearer else None,
            device=complete.device if bearer else None,
        ),
        status,
    )
    if not bearer:
        edge.give_session(response, minted.token, minted.longest_until)
        edge.give_device(response, complete.device)
    return response
