"""What can go wrong between us and Clerk.

ToolkitError
├── UsageError
│   ├── ClerkNotConfigured          no key: the Clerk paths are off
│   └── ClerkConfigInvalid          a CLERK_… variable is malformed
└── ClerkError                      a call failed
    ├── ClerkUnavailable            no answer, an answer too late, or one with an error of Clerk's own (5xx)
    │   ├── ClerkAnswerUnexpected   an answer that Clerk's description does not know: another server, or a proxy's page
    │   └── ClerkCircuitOpen        Clerk was out just now, and is not asked
    ├── ClerkRateLimited            429, and still 429 after the retries
    └── ClerkApiError               Clerk understood and said no (4xx); subclasses below, by Clerk's code

Clerk's codes: https://clerk.com/docs/guides/development/errors/backend-api. A code without a class of its own is a
plain ClerkApiError. Texts of Clerk's are kept, with everything secret that was sent taken out of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import pydantic

from toolkit.errors import ToolkitError, UsageError

REDACTED = "[secret]"


class ClerkNotConfigured(UsageError):
    """A variable without which Clerk cannot be asked is not set; the message names it."""


class ClerkConfigInvalid(UsageError):
    """A variable is malformed; the message names it and says why, without its value where that is secret."""


class ClerkError(ToolkitError):
    """A call to Clerk failed."""

    def __init__(self, message: str, *, trace_id: str | None = None) -> None:
        super().__init__(f"{message} [Clerk trace id {trace_id}]" if trace_id else message)
        self.trace_id = trace_id
        """Clerk's name for the exchange, for its support."""
        self.attempts = 1
        """Requests that were sent for the call."""
        self.maybe_applied = False
        """Some request may have taken effect although its answer was lost."""


class ClerkUnavailable(ClerkError):
    """Clerk could not be reached, did not answer in time, or answered with an error of its own.

    `retry_after` is the number of seconds that Clerk asks to wait, if it does.
    """

    def __init__(
        self, message: str, *, trace_id: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, trace_id=trace_id)
        self.retry_after = retry_after


class ClerkAnswerUnexpected(ClerkUnavailable):
    """The answer is not one that Clerk gives; trying again would not help."""


class ClerkCircuitOpen(ClerkUnavailable):
    """Clerk was out several times in a row and is left alone for `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("Clerk was out just now and is left alone for a moment.", retry_after=retry_after)


class ClerkRateLimited(ClerkError):
    """Clerk answered 429 as long as the call was allowed to try; `retry_after` is in seconds."""

    def __init__(self, retry_after: float, *, trace_id: str | None = None) -> None:
        super().__init__(
            f"Clerk's rate limit is used up; it asks to wait {retry_after:g} s. Something else may be using the same "
            "secret key: lower the rate, or try again later.",
            trace_id=trace_id,
        )
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class ApiError:
    """One entry of Clerk's `errors`."""

    code: str
    message: str
    long_message: str
    param: str | None
    """The parameter it is about, in Clerk's words (`meta.param_name`)."""
    lockout_seconds: int | None = None
    """Until a locked user may try again (`meta.lockout_expires_in_seconds`)."""


class ClerkApiError(ClerkError):
    """Clerk refused the request (4xx)."""

    remedy: ClassVar[str] = ""

    def __init__(self, status: int, errors: tuple[ApiError, ...], *, trace_id: str | None = None) -> None:
        self.status = status
        self.errors = errors
        said = "; ".join(_say(error) for error in errors)
        super().__init__(
            f"Clerk answered {status}: {said}{self.remedy and ' ' + self.remedy}", trace_id=trace_id
        )

    @property
    def code(self) -> str:
        """Clerk's code; the first, when there are several."""
        return self.errors[0].code

    @property
    def listed(self) -> bool:
        """Whether BY_CODE has the code; otherwise the status alone told what the error is."""
        return self.code in BY_CODE

    @property
    def params(self) -> frozenset[str]:
        """The parameters that Clerk names, for example `email_address`."""
        return frozenset(error.param for error in self.errors if error.param)


class AuthenticationInvalid(ClerkApiError):
    """The secret key is not accepted (401)."""

    remedy = "Check CLERK_SECRET_KEY: Clerk's Dashboard shows the keys of each instance under API keys."


class ResourceNotFound(ClerkApiError):
    """There is nothing with that id (404)."""


class ResourceLocked(ClerkApiError):
    """Another request is changing the same thing (409); repeated like an outage, raised when that did not help."""


class IdentifierExists(ClerkApiError):
    """Another user has it; `params` tells which of email_address, external_id, username."""


class ParameterInvalid(ClerkApiError):
    """A value, or a parameter, is not what Clerk takes; `params` tells which."""


class PasswordDigestInvalid(ClerkApiError):
    """The digest is not of the hasher's form."""


class PasswordRejected(ClerkApiError):
    """The instance's password rules do not allow this password; `code` tells which rule."""


class PasswordPwned(PasswordRejected):
    """The password is in a list of known passwords; at a sign-in: it is the right one, and must be reset first."""


class IncorrectPassword(ClerkApiError):
    """It is not the user's password."""


class PasswordResetRequired(ClerkApiError):
    """The password may not be used any more (compromised, or to be replaced): it must be reset before signing in."""


class TicketInvalid(ClerkApiError):
    """The sign-in token was used, revoked, has expired, or never was one; `code` tells which."""


class IncorrectCode(ClerkApiError):
    """It is not the code, or it was used before."""


class VerificationFailed(ClerkApiError):
    """The code has expired, or there were too many wrong ones: another one must be sent, or the sign-in begun anew."""


class IdentifierNotFound(ClerkApiError):
    """No user has this address."""


class StrategyInvalid(ClerkApiError):
    """This strategy is not open to the user, or not at this point of the sign-in (a user without a password, say)."""


class SignInOver(ClerkApiError):
    """The sign-in can't be gone on with: it is complete, or was abandoned."""


class SessionExists(ClerkApiError):
    """Somebody is signed in on this client, and the instance takes one session a client."""


class ClientInvalid(ClerkApiError):
    """Clerk does not know the client token, or nobody is signed in with it."""


class ReverificationRequired(ClerkApiError):
    """The password or the second factor has to be proven again first."""


class IncorrectTotp(ClerkApiError):
    """It is not the authenticator's code, or it was used before."""


class FactorEnrolled(ClerkApiError):
    """The user has an authenticator already."""


class NoPasswordSet(ClerkApiError):
    """The user has no password."""


class InvalidTotpSecret(ClerkApiError):
    """The TOTP secret is not base32."""


class UserQuotaExceeded(ClerkApiError):
    """The instance takes no more users."""

    remedy = (
        "Development instances are capped; use a production instance or raise the limit in Clerk's Dashboard."
    )


class FeatureNotAvailable(ClerkApiError):
    """The instance's plan or settings do not include what was asked for (402, or 403 feature_not_enabled)."""


class NativeApiDisabled(FeatureNotAvailable):
    """The instance does not serve native applications, as which the Frontend API is asked here."""

    remedy = "It is under Native applications; without it nobody can be signed in from here."


class UserLocked(ClerkApiError):
    """The user is locked out after too many attempts."""

    @property
    def seconds(self) -> int | None:
        """Until the user may try again; None when Clerk does not say."""
        return self.errors[0].lockout_seconds


class UserBanned(ClerkApiError):
    """The user is banned, or deactivated."""


class SignUpNotAllowed(ClerkApiError):
    """The instance's restrictions (allowlist, blocklist) keep this identifier out."""

    remedy = "See Restrictions under User & authentication in Clerk's Dashboard."


BY_CODE: dict[str, type[ClerkApiError]] = {
    "clerk_key_invalid": AuthenticationInvalid,
    "could_not_authenticate_request": AuthenticationInvalid,
    "authentication_invalid": AuthenticationInvalid,
    "authorization_header_format_invalid": AuthenticationInvalid,
    "proxy_request_missing_secret_key": AuthenticationInvalid,
    "proxy_request_invalid_secret_key": AuthenticationInvalid,
    "resource_not_found": ResourceNotFound,
    "resource_locked": ResourceLocked,
    "form_identifier_exists": IdentifierExists,
    "form_already_exists": IdentifierExists,
    "form_param_missing": ParameterInvalid,
    "form_param_nil": ParameterInvalid,
    "form_param_unknown": ParameterInvalid,
    "form_param_duplicate": ParameterInvalid,
    "form_param_format_invalid": ParameterInvalid,
    "form_param_value_invalid": ParameterInvalid,
    "form_param_type_invalid": ParameterInvalid,
    "form_param_invalid_time": ParameterInvalid,
    "form_param_max_length_exceeded": ParameterInvalid,
    "form_param_min_length_exceeded": ParameterInvalid,
    "form_param_exceeds_allowed_size": ParameterInvalid,
    "form_param_array_length_mismatch": ParameterInvalid,
    "form_param_array_size_exceeded": ParameterInvalid,
    "form_conditional_param_missing": ParameterInvalid,
    "form_conditional_param_disallowed": ParameterInvalid,
    "form_data_missing": ParameterInvalid,
    "form_password_digest_invalid_code": PasswordDigestInvalid,
    "form_password_length_too_short": PasswordRejected,
    "form_password_length_too_long": PasswordRejected,
    "form_password_size_in_bytes_exceeded": PasswordRejected,
    "form_password_no_uppercase": PasswordRejected,
    "form_password_no_lowercase": PasswordRejected,
    "form_password_no_number": PasswordRejected,
    "form_password_no_special_char": PasswordRejected,
    "form_password_not_strong_enough": PasswordRejected,
    "form_password_matches_identifier": PasswordRejected,
    "form_password_pwned": PasswordPwned,
    "form_new_password_matches_current": PasswordRejected,
    "incorrect_password": IncorrectPassword,
    "form_password_incorrect": IncorrectPassword,
    "form_password_or_identifier_incorrect": IncorrectPassword,
    "form_password_validation_failed": IncorrectPassword,
    "form_password_compromised": PasswordResetRequired,
    "password_reset_required": PasswordResetRequired,
    "password_too_long_needs_reset": PasswordResetRequired,
    "ticket_invalid_code": TicketInvalid,
    "ticket_expired_code": TicketInvalid,
    "sign_in_token_already_used_code": TicketInvalid,
    "sign_in_token_revoked_code": TicketInvalid,
    "sign_in_token_cannot_be_used_code": TicketInvalid,
    "form_code_incorrect": IncorrectCode,
    "verification_expired": VerificationFailed,
    "verification_failed": VerificationFailed,
    "verification_missing": VerificationFailed,
    "verification_not_sent": VerificationFailed,
    "verification_already_verified": VerificationFailed,
    "session_reverification_missing": VerificationFailed,
    "invalid_action_for_session_reverification": VerificationFailed,
    "form_identifier_not_found": IdentifierNotFound,
    "strategy_for_user_invalid": StrategyInvalid,
    "verification_strategy_invalid": StrategyInvalid,
    "no_second_factors": StrategyInvalid,
    "totp_disabled": StrategyInvalid,
    "backup_codes_not_available": StrategyInvalid,
    "client_state_invalid": SignInOver,
    "sign_in_identification_or_user_deleted": SignInOver,
    "session_exists": SessionExists,
    "identifier_already_signed_in": SessionExists,
    "client_not_found": ClientInvalid,
    "signed_out": ClientInvalid,
    "cookie_invalid": ClientInvalid,
    "dev_browser_unauthenticated": ClientInvalid,
    "session_reverification_required": ReverificationRequired,
    "totp_already_enabled": FactorEnrolled,
    "totp_incorrect_code": IncorrectTotp,
    "totp_invalid_length": IncorrectTotp,
    "no_password_set": NoPasswordSet,
    "invalid_totp_secret_code": InvalidTotpSecret,
    "user_quota_exceeded": UserQuotaExceeded,
    "unsupported_subscription_plan_features": FeatureNotAvailable,
    "feature_not_enabled": FeatureNotAvailable,
    "native_api_disabled": NativeApiDisabled,
    "form_param_value_disabled": FeatureNotAvailable,
    "user_locked": UserLocked,
    "user_banned": UserBanned,
    "user_deactivated": UserBanned,
    "not_allowed_access": SignUpNotAllowed,
}
_BY_STATUS: dict[int, type[ClerkApiError]] = {
    401: AuthenticationInvalid,
    402: FeatureNotAvailable,
    404: ResourceNotFound,
}


class _Meta(pydantic.BaseModel):
    param_name: str | None = None
    lockout_expires_in_seconds: int | None = None


class _Entry(pydantic.BaseModel):
    code: str
    message: str = ""
    long_message: str = ""
    meta: _Meta = _Meta()


class ErrorBody(pydantic.BaseModel):
    """The body of an answer that is an error."""

    errors: list[_Entry] = pydantic.Field(min_length=1)
    clerk_trace_id: str | None = None


def api_error(status: int, body: ErrorBody, secrets: Iterable[str]) -> ClerkApiError:
    """The exception for an error answer, with `secrets` taken out of every text."""
    hide = sorted(filter(None, secrets), key=len, reverse=True)  # one may be part of another
    errors = tuple(
        ApiError(
            code=entry.code,
            message=_without(hide, entry.message),
            long_message=_without(hide, entry.long_message),
            param=entry.meta.param_name,
            lockout_seconds=entry.meta.lockout_expires_in_seconds,
        )
        for entry in body.errors
    )
    kinds = (BY_CODE[error.code] for error in errors if error.code in BY_CODE)
    kind = next(kinds, _BY_STATUS.get(status, ClerkApiError))
    return kind(status, errors, trace_id=body.clerk_trace_id)


def _say(error: ApiError) -> str:
    about = f" ({error.param})" if error.param else ""
    text = error.long_message or error.message
    return f"{error.code}{about}: {text}" if text else f"{error.code}{about}"


def _without(secrets: Iterable[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    return text
