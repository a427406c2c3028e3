"""Clerk's errors as refusals of our own. What only one flow understands, that flow takes before it comes here."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog

from bff.refusals import (
    AuthenticationUnavailable,
    CodeInvalid,
    CredentialsInvalid,
    FieldError,
    FieldsInvalid,
    Refusal,
    Unexplained,
)
from toolkit.clerk import (
    AuthenticationInvalid,
    ClerkAnswerUnexpected,
    ClerkApiError,
    ClerkError,
    ClerkRateLimited,
    ClerkUnavailable,
    FeatureNotAvailable,
    IdentifierNotFound,
    IncorrectCode,
    IncorrectPassword,
    IncorrectTotp,
    NoPasswordSet,
    ParameterInvalid,
    PasswordRejected,
    SignUpNotAllowed,
    StrategyInvalid,
    UserBanned,
    UserLocked,
    VerificationFailed,
)

RETRY_AFTER = 5.0
"""Seconds after which what Clerk did not answer may be tried again."""

_OUTCOMES: Mapping[type[ClerkApiError], str] = {
    IncorrectPassword: "wrong_password",
    IdentifierNotFound: "not_in_clerk",
    NoPasswordSet: "no_password",
    StrategyInvalid: "no_password",
    UserLocked: "locked",
    UserBanned: "banned",
}
"""What Clerk refuses a sign-in for, and how it is counted; from outside all look alike (invariant 9)."""
_FIELDS = {
    "email_address": "email",
    "password": "password",
    "first_name": "first_name",
    "last_name": "last_name",
}
"""The fields of a signup's form, by the names of Clerk's parameters."""

_log = structlog.get_logger("bff")


def refusal(error: ClerkError) -> Refusal:
    """The refusal for somebody whose password or code Clerk did not take."""
    if isinstance(error, IncorrectCode | IncorrectTotp | VerificationFailed):
        return CodeInvalid()
    for kind, outcome in _OUTCOMES.items():
        if isinstance(error, kind):
            return CredentialsInvalid(outcome)
    return unavailable(error)


@contextmanager
def signup_code_refused() -> Iterator[None]:
    """Around calls to Clerk for the code of a signup: raises refusals, CodeInvalid whatever Clerk refuses one person for."""
    try:
        yield
    except ClerkError as error:
        told = refusal(error)
        if isinstance(told, CredentialsInvalid):  # locked, say
            raise CodeInvalid from None
        if isinstance(told, Unexplained) and isinstance(error, ClerkApiError):
            raise CodeInvalid from None
        raise told from None


def signup_refusal(error: ClerkError) -> Refusal:
    """The refusal for somebody whose signup Clerk did not take."""
    if isinstance(error, SignUpNotAllowed):
        return FieldsInvalid(FieldError("email", "not_allowed", "This address cannot be used here."))
    if isinstance(error, PasswordRejected | ParameterInvalid):
        faults = [
            FieldError(_FIELDS[entry.param], entry.code, entry.long_message or entry.message)
            for entry in error.errors
            if entry.param in _FIELDS
        ]
        if faults:
            return FieldsInvalid(*faults)
    return unavailable(error)


@contextmanager
def new_password_refused(field: str) -> Iterator[None]:
    """Around calls that set a new password: one that Clerk does not take raises FieldsInvalid, in Clerk's words."""
    try:
        yield
    except (PasswordRejected, ParameterInvalid) as error:
        raise FieldsInvalid(
            *(FieldError(field, entry.code, entry.long_message or entry.message) for entry in error.errors)
        ) from None


def unavailable(error: ClerkError) -> AuthenticationUnavailable:
    """The refusal when Clerk is out or set up wrongly, or answers something that nothing here provides for; logged."""
    if _is_for_all(error):
        _log.warning("clerk refused", error=str(error), trace_id=error.trace_id)
        retry_after = error.retry_after if isinstance(error, ClerkUnavailable) else None
        asked = error.maybe_applied or not isinstance(error, ClerkUnavailable)
        return AuthenticationUnavailable(retry_after=retry_after or RETRY_AFTER, asked=asked)
    _log.error("clerk refused one person for no reason that is known here", error=str(error))
    retry_after = error.retry_after if isinstance(error, ClerkRateLimited) else RETRY_AFTER
    return Unexplained(retry_after=retry_after, asked=not isinstance(error, ClerkRateLimited))


def _is_for_all(error: ClerkError) -> bool:
    """Whether anybody would be answered this; otherwise it may be about one person."""
    if isinstance(error, ClerkApiError):
        return error.listed and isinstance(error, AuthenticationInvalid | FeatureNotAvailable)
    return isinstance(error, ClerkUnavailable) and not isinstance(error, ClerkAnswerUnexpected)


@contextmanager
def answered() -> Iterator[None]:
    """Around calls to Clerk in which nothing is tried: whatever it refuses there, nobody's password or code was wrong."""
    try:
        yield
    except ClerkError as error:
        raise unavailable(error) from None


@contextmanager
def refused(*but: type[ClerkError]) -> Iterator[None]:
    """Around calls to Clerk: raises refusals, `but` for errors that the caller understands itself."""
    try:
        yield
    except but:
        raise
    except ClerkError as error:
        raise refusal(error) from None
