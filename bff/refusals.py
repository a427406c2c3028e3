"""Why somebody is refused. Services raise these; `bff/http/problems.py` says what each is over HTTP.

Refusal
├── RequestInvalid
│   ├── MediaTypeUnsupported
│   ├── RequestTooLarge
│   ├── CookiesAmbiguous
│   └── MethodNotAllowed
├── FieldsInvalid
├── OriginMismatch
├── NotFound
├── SessionRequired
├── CredentialsInvalid
├── CodeInvalid
├── ChallengeExpired
├── SignupEnded
├── EmailTaken
├── TooManyAttempts
└── Unavailable
    ├── AuthenticationUnavailable
    │   ├── Crowded
    │   └── Unexplained
    ├── DatabaseUnavailable
    └── InternalError
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with a field of the request's body."""

    field: str
    code: str
    detail: str


class Refusal(Exception):
    """A subclass's docstring is what the person is told, unless `detail` says it better; `code` is its name for programs.

    `retry_after` is in seconds. `outcome` is what a login counts it as (clerk_migration.login_counts); None: not at all.
    """

    code: ClassVar[str]
    outcome: str | None = None

    def __init__(self, detail: str | None = None, *, retry_after: float | None = None) -> None:
        self.detail = detail or inspect.cleandoc(type(self).__doc__ or "")
        self.retry_after = retry_after
        super().__init__(self.detail)


class RequestInvalid(Refusal):
    """The request is not what this endpoint takes."""

    code = "request_invalid"

    def __init__(self, detail: str | None = None, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)


class MediaTypeUnsupported(RequestInvalid):
    """The body must be JSON (Content-Type: application/json)."""

    code = "media_type_unsupported"


class RequestTooLarge(RequestInvalid):
    """The request is too large."""

    code = "request_too_large"


class CookiesAmbiguous(RequestInvalid):
    """Your browser holds two cookies of one name for this site, and one of them may be somebody else's. Clear this site's cookies, then try again."""

    code = "cookies_ambiguous"


class MethodNotAllowed(RequestInvalid):
    """This cannot be done here."""

    code = "method_not_allowed"


class FieldsInvalid(Refusal):
    """Some of what was given cannot be taken; `errors` says what."""

    code = "fields_invalid"

    def __init__(self, *errors: FieldError) -> None:
        super().__init__()
        self.errors = errors


def not_the_password(field: str) -> FieldsInvalid:
    """The refusal for somebody who is logged in and typed something else than their password into a field."""
    return FieldsInvalid(FieldError(field, "incorrect", "This is not your password."))


class OriginMismatch(Refusal):
    """The request comes from a page of another site."""

    code = "origin_mismatch"


class NotFound(Refusal):
    """There is nothing here."""

    code = "not_found"


class SessionRequired(Refusal):
    """Log in first."""

    code = "session_required"


class ReauthenticationRequired(Refusal):
    """Confirm first that it is you: `methods` says by what."""

    code = "reauthentication_required"
    methods = ("password",)
    """What a re-authentication begins with; a second factor is asked for after it."""


class MethodUnavailable(Refusal):
    """This method is not on offer for this account."""

    code = "method_unavailable"


class MethodEnrolled(Refusal):
    """There is one already. Remove it first."""

    code = "method_enrolled"


class CredentialsInvalid(Refusal):
    """Email or password is wrong."""

    code = "credentials_invalid"

    def __init__(self, outcome: str | None) -> None:
        super().__init__()
        self.outcome = outcome


class CodeInvalid(Refusal):
    """The code is wrong, has expired, or was used before."""

    code = "code_invalid"

    def __init__(self, outcome: str | None = "wrong_code") -> None:
        super().__init__()
        self.outcome = outcome


class ChallengeExpired(Refusal):
    """This was not finished in time, or with too many wrong codes. Begin again."""

    code = "challenge_expired"


class SignupEnded(Refusal):
    """This signup is over. Log in, or sign up again."""

    code = "signup_ended"


class EmailTaken(Refusal):
    """There is an account with this address already."""

    code = "email_taken"


class TooManyAttempts(Refusal):
    """Too many attempts. Wait a little, then try again."""

    code = "too_many_attempts"

    outcome = "limited"
    asked = False
    """Nobody looked at what was tried, so it may be tried again."""


class Unavailable(Refusal):
    """The service is not available at the moment. Try again shortly."""


class AuthenticationUnavailable(Unavailable):
    """Authentication is not available at the moment. Try again shortly."""

    code = "authentication_unavailable"

    outcome = "unavailable"

    def __init__(self, *, retry_after: float | None = None, asked: bool = True) -> None:
        super().__init__(retry_after=retry_after)
        self.asked = asked
        """False when the system certainly did not look at what was tried, so that it may be tried again."""


class Crowded(AuthenticationUnavailable):
    """Authentication is not available at the moment. Try again shortly."""

    outcome = "crowded"

    def __init__(self) -> None:
        super().__init__(asked=False)


class Unexplained(AuthenticationUnavailable):
    """Authentication is not available at the moment. Try again shortly."""

    outcome = "unexplained"
    """Clerk refused one person's request for no reason that is known here: over a limit, though within our own, or an answer
    that nothing provides for. To those who are signed in it is an outage. Whoever is not must not be told (bff/veil.py).
    """


class DatabaseUnavailable(Unavailable):
    """The service is not available at the moment. Try again shortly."""

    code = "database_unavailable"


class InternalError(Unavailable):
    """This should not have happened. It was noted; try again."""

    code = "internal_error"


@contextmanager
def looking_up(lost: AuthenticationUnavailable) -> Iterator[None]:
    """Around finding out what a system did whose answer was lost: if that can't be told now, what was lost is raised.

    A look-up that was refused says nothing about what the system was asked before.
    """
    try:
        yield
    except Refusal:
        raise lost from None
