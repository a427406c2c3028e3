"""Clerk's refusals, with the codes and texts of its error catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Refusal(Exception):
    """An answer that says no; becomes `{"errors": […], "clerk_trace_id": …}`."""

    status: int
    code: str
    message: str
    long_message: str
    param: str | None = None
    names: tuple[str, ...] = ()
    """Parameters, where it is about several."""
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, object] = field(default_factory=dict)
    """Further fields of `meta`."""
    client: object = None
    """The client as it is after the refusal; the Frontend API answers with it."""

    def content(self, trace_id: str) -> dict[str, object]:
        """As the body of an answer."""
        beside = {} if self.client is None else {"meta": {"client": self.client}}
        return {"errors": [self.entry()], "clerk_trace_id": trace_id, **beside}

    def entry(self) -> dict[str, object]:
        """As an entry of `errors`."""
        meta: dict[str, object] = {"param_name": self.param} if self.param else {}
        if self.names:
            meta["names"] = self.names
        meta.update(self.more)
        return {
            "code": self.code,
            "message": self.message,
            "long_message": self.long_message,
            "meta": meta,
        }


def _same(status: int, code: str, text: str, param: str | None = None) -> Refusal:
    return Refusal(status, code, text, text, param)


def key_invalid() -> Refusal:
    """The secret key is not this instance's."""
    return _same(
        401,
        "clerk_key_invalid",
        "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
    )


def header_invalid() -> Refusal:
    """The Authorization header is missing or not a bearer token."""
    return Refusal(
        401,
        "authorization_header_format_invalid",
        "Invalid Authorization header format",
        "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'",
    )


def version_invalid(reason: str) -> Refusal:
    """Clerk has no such API version."""
    return Refusal(400, "api_version_invalid", "invalid API version", f"Invalid Clerk API version: {reason}")


def body_invalid() -> Refusal:
    """The body is not the JSON that the operation takes."""
    return Refusal(
        400,
        "request_body_invalid",
        "Request body invalid",
        "The request body is invalid. Please consult the API documentation for more information.",
    )


def body_too_large(limit: int) -> Refusal:
    """The body exceeds `limit` bytes."""
    return Refusal(
        413,
        "request_body_too_large",
        "Request body too large",
        f"The request body exceeds the maximum allowed size of {limit} bytes.",
    )


def too_many_requests(retry_after: int) -> Refusal:
    """The rate limit is used up for `retry_after` seconds."""
    return Refusal(
        429,
        "too_many_requests",
        "Too many requests",
        "Too many requests, retry later",
        headers={"Retry-After": str(retry_after)},
    )


def not_found(what: str = "Resource not found") -> Refusal:
    """Nothing has this id."""
    return Refusal(404, "resource_not_found", "not found", what)


def user_not_found(user_id: str) -> Refusal:
    """There is no user with this id."""
    return not_found(f"No user was found with id {user_id}")


def unknown(param: str) -> Refusal:
    """The operation, or the instance as it is set up, takes no such parameter."""
    return Refusal(
        422, "form_param_unknown", "is unknown", f"{param} is not a valid parameter for this request.", param
    )


def wrong_type(param: str, wanted: str) -> Refusal:
    """The parameter is of another type."""
    return Refusal(422, "form_param_type_invalid", "is invalid", f"`{param}` must be a `{wanted}`.", param)


def missing(param: str) -> Refusal:
    """The parameter is required."""
    return Refusal(422, "form_param_missing", "is missing", f"{param} must be included.", param)


def data_missing(names: Sequence[str]) -> Refusal:
    """The user lacks something that the instance wants of everybody."""
    told = " ".join(f'"{name}"' for name in names)
    return Refusal(
        422,
        "form_data_missing",
        "missing data",
        f"[{told}] data doesn't match user requirements set for this instance",
        names=tuple(names),
    )


def missing_beside(param: str, other: str) -> Refusal:
    """The parameter is required because the other is there."""
    return Refusal(
        422,
        "form_conditional_param_missing",
        "is missing",
        f"`{param}` is required when `{other}` is present.",
        param,
    )


def disallowed_beside(param: str, other: str) -> Refusal:
    """The parameter may not be there because the other is."""
    return Refusal(
        422,
        "form_conditional_param_disallowed",
        "is not allowed",
        f"`{param}` isn't allowed when `{other}` is present.",
        param,
    )


def duplicate_values(param: str) -> Refusal:
    """The list holds the same value twice."""
    return Refusal(
        422, "form_param_duplicate", "duplicate values", f"{param} contains duplicate values", param
    )


def value_invalid(param: str, value: object = None) -> Refusal:
    """The value is not one of those allowed."""
    told = (
        f"{value} does not match one of the allowed values for parameter {param}"
        if value
        else f"{param} is invalid"
    )
    return Refusal(422, "form_param_value_invalid", "is invalid", told, param)


def length_mismatch(param: str, other: str) -> Refusal:
    """Two lists run in parallel, and one is longer."""
    return Refusal(
        422,
        "form_param_array_length_mismatch",
        "length mismatch",
        f"{param} must contain exactly one item for each item in {other}.",
        param,
    )


def size_exceeded(param: str, most: int) -> Refusal:
    """The list is too long."""
    return Refusal(
        422,
        "form_param_array_size_exceeded",
        "exceeds maximum size",
        f"{param} should not exceed {most} items.",
        param,
    )


def too_long(param: str, most: int) -> Refusal:
    """The text is too long."""
    return Refusal(
        422,
        "form_param_max_length_exceeded",
        "exceeds maximum length",
        f"{param} should not exceed {most} characters.",
        param,
    )


def email_invalid(param: str) -> Refusal:
    """It is not an email address."""
    return Refusal(
        422, "form_param_format_invalid", "is invalid", f"{param} must be a valid email address.", param
    )


def time_invalid(param: str) -> Refusal:
    """It is not a time."""
    return Refusal(
        422,
        "form_param_invalid_time",
        "invalid format",
        f"{param} must contain a datetime specified in RFC3339 format (e.g. `2022-10-20T10:00:27.645Z`).",
        param,
    )


def exists(param: str) -> Refusal:
    """Another user has it."""
    return _same(
        422, "form_identifier_exists", f"That {param.replace('_', ' ')} is taken. Please try another.", param
    )


def digest_invalid() -> Refusal:
    """The digest is not of its hasher's form."""
    return _same(
        422,
        "form_password_digest_invalid_code",
        "The provided password_digest is not valid for the provided password_hasher.",
        "password_digest",
    )


def password_too_short(least: int, param: str) -> Refusal:
    """The password has too few characters."""
    return _same(
        422, "form_password_length_too_short", f"Passwords must be {least} characters or more.", param
    )


def password_too_long(most: int, param: str) -> Refusal:
    """The password has too many characters."""
    return _same(
        422, "form_password_length_too_long", f"Passwords must be less than {most + 1} characters.", param
    )


def password_lacks(kind: str, param: str) -> Refusal:
    """The password has no character of a kind that the instance wants."""
    code, what = {
        "special_char": ("form_password_no_special_char", "special character"),
        "numbers": ("form_password_no_number", "number"),
        "uppercase": ("form_password_no_uppercase", "uppercase character"),
        "lowercase": ("form_password_no_lowercase", "lowercase character"),
    }[kind]
    return _same(422, code, f"Passwords must contain at least one {what}.", param)


def password_weak(param: str) -> Refusal:
    """The password is too easy to guess."""
    return _same(422, "form_password_not_strong_enough", "Given password is not strong enough.", param)


def password_matches_identifier(param: str) -> Refusal:
    """The password is one of the user's addresses, numbers or names."""
    return _same(
        422,
        "form_password_matches_identifier",
        "Password cannot match your email address, phone number or username. For account safety, please use a "
        "different password.",
        param,
    )


def password_too_large(param: str) -> Refusal:
    """The password has too many bytes."""
    return _same(
        422,
        "form_password_size_in_bytes_exceeded",
        "Your password is too long. Please use a shorter one.",
        param,
    )


def password_pwned(param: str) -> Refusal:
    """The password is a known one."""
    return _same(
        422,
        "form_password_pwned",
        "Password has been found in an online data breach. For account safety, please use a different password.",
        param,
    )


def incorrect_password() -> Refusal:
    """It is not the user's password."""
    return Refusal(
        422,
        "incorrect_password",
        "incorrect password",
        "The provided password is not the one the user has set",
    )


def no_password_set() -> Refusal:
    """The user has no password."""
    return Refusal(
        400, "no_password_set", "no password set", "This user does not have a password set for their account"
    )


def totp_secret_invalid() -> Refusal:
    """The TOTP secret is not base32."""
    return Refusal(
        422,
        "invalid_totp_secret_code",
        "invalid TOTP secret",
        "The TOTP secret is invalid, please provide a valid one base32 encoded",
        "totp_secret",
    )


def totp_disabled() -> Refusal:
    """The user has no TOTP."""
    return Refusal(
        400, "totp_disabled", "TOTP is disabled", "This user does not have TOTP enabled in their account"
    )


def incorrect_totp() -> Refusal:
    """The code is not the right one, or was used."""
    return Refusal(422, "totp_incorrect_code", "incorrect TOTP", "The provided TOTP code is incorrect")


def quota_exceeded(most: int) -> Refusal:
    """The instance takes no more users."""
    return Refusal(
        403, "user_quota_exceeded", "user quota exceeded", f"You have reached your limit of {most} users."
    )


def last_identification() -> Refusal:
    """Without it the user could not be identified any more."""
    return Refusal(
        400,
        "identification_deletion_failed",
        "Deletion failed",
        "You cannot delete your last identification.",
    )


def plan_unsupported() -> Refusal:
    """The instance's plan does not include it."""
    return Refusal(
        402,
        "unsupported_subscription_plan_features",
        "Unsupported plan features",
        "Some features are not supported in your current plan. Upgrade your subscription to unlock them.",
    )


def cannot_revoke(status: str) -> Refusal:
    """The sign-in token is not pending any more."""
    return Refusal(
        400,
        "sign_in_token_cannot_be_revoked_code",
        "cannot revoke",
        f"Sign in token cannot be revoked because its status is {status}. Only pending tokens can be revoked.",
    )


def client_not_found() -> Refusal:
    """The client token is not one of a client."""
    return Refusal(
        400, "client_not_found", "No client found", "This request is expecting a client and did not find one"
    )


def client_state_invalid() -> Refusal:
    """The sign-in is at another step."""
    return Refusal(
        400,
        "client_state_invalid",
        "Invalid action",
        "We were unable to complete the action for this Client.",
    )


def signed_out() -> Refusal:
    """The session is over."""
    return Refusal(401, "signed_out", "Signed out", "You are signed out")


def session_exists() -> Refusal:
    """Somebody is signed in on this client."""
    return Refusal(400, "session_exists", "Session already exists", "You're already signed in.")


def identifier_not_found() -> Refusal:
    """Nobody has this address."""
    return _same(422, "form_identifier_not_found", "Couldn't find your account.", "identifier")


def password_incorrect() -> Refusal:
    """It is not the user's password."""
    return _same(
        422, "form_password_incorrect", "Password is incorrect. Try again, or use another method.", "password"
    )


def password_or_identifier_incorrect() -> Refusal:
    """It is not the password, or nobody has this address: which, is not told."""
    return _same(
        422,
        "form_password_or_identifier_incorrect",
        "Password or email address is incorrect. Try again, or use another method.",
        "password",
    )


def code_incorrect() -> Refusal:
    """It is not the code."""
    return Refusal(422, "form_code_incorrect", "is incorrect", "Incorrect code", "code")


def strategy_for_user_invalid() -> Refusal:
    """This strategy is not open to the user."""
    return Refusal(
        400,
        "strategy_for_user_invalid",
        "Invalid verification strategy",
        "The verification strategy is not valid for this account",
    )


def strategy_invalid() -> Refusal:
    """The sign-in does not take this strategy at this point."""
    return Refusal(
        400,
        "verification_strategy_invalid",
        "has invalid strategy",
        "The strategy is not valid for the current verification.",
    )


def verification_missing() -> Refusal:
    """No code was asked for."""
    return Refusal(
        400,
        "verification_missing",
        "is missing",
        "This strategy requires verification preparation before attempting to validate it.",
    )


def verification_expired() -> Refusal:
    """The code is too old."""
    return Refusal(
        400, "verification_expired", "expired", "This verification has expired. You must create a new one."
    )


def verification_failed() -> Refusal:
    """There were too many wrong codes."""
    return Refusal(
        400,
        "verification_failed",
        "failed",
        "Too many failed attempts. You have to try again with the same or another method.",
    )


def user_locked(seconds: int | None) -> Refusal:
    """The user is locked out."""
    text = "Your account is locked. For more information, please contact support."
    if seconds is not None:
        text = (
            f"Your account is locked. You will be able to try again in {-(-seconds // 60)} minutes. "
            "For more information, please contact support."
        )
    refusal = Refusal(403, "user_locked", "Account locked", text)
    if seconds is not None:
        refusal.more["lockout_expires_in_seconds"] = seconds
    return refusal


def user_banned() -> Refusal:
    """The user is banned."""
    return Refusal(
        403,
        "user_banned",
        "User banned",
        "You have been banned. If you think this was by mistake, please contact support.",
    )


def ticket_expired() -> Refusal:
    """The ticket is too old."""
    return Refusal(
        400,
        "ticket_expired_code",
        "ticket has expired",
        "This ticket has expired and cannot be used anymore.",
    )


def ticket_invalid() -> Refusal:
    """It is no ticket."""
    return Refusal(
        400,
        "ticket_invalid_code",
        "ticket is invalid",
        "This ticket is invalid. Make sure you're using a valid ticket generated by Clerk.",
    )


def ticket_used() -> Refusal:
    """The ticket was used."""
    return Refusal(
        400,
        "sign_in_token_already_used_code",
        "sign in token has already been used",
        "This sign in token has already been used. Each token can only be used once.",
    )


def password_compromised() -> Refusal:
    """The password was set as compromised."""
    text = (
        "Your password may be compromised. To protect your account, please continue with an alternative sign-in "
        "method. You will be required to reset your password after signing in."
    )
    return _same(422, "form_password_compromised", text, "password")


def ticket_revoked() -> Refusal:
    """The ticket was revoked."""
    return Refusal(
        400,
        "sign_in_token_revoked_code",
        "sign in token has been revoked",
        "This sign in token has been revoked and cannot be used anymore.",
    )


def native_api_disabled() -> Refusal:
    """A native application asks, and the instance does not serve any."""
    return Refusal(
        400,
        "native_api_disabled",
        "Native API disabled",
        "The Native API is disabled for this instance. Visit the Clerk Dashboard to enable it.",
    )


def proxy_key_missing() -> Refusal:
    """A proxy's request comes without the secret key."""
    return Refusal(
        400,
        "proxy_request_missing_secret_key",
        "missing secret key",
        "When using a proxy, it's required to also pass the instance secret key in the Clerk-Secret-Key header.",
    )


def proxy_key_invalid() -> Refusal:
    """A proxy's request comes with another secret key."""
    return Refusal(
        401,
        "proxy_request_invalid_secret_key",
        "invalid secret key",
        "The secret key given with this proxy request is invalid.",
    )


def browser_unauthenticated() -> Refusal:
    """A browser's request to a development instance, without the cookies that a browser has there."""
    return Refusal(
        401,
        "dev_browser_unauthenticated",
        "Browser unauthenticated",
        "Unable to authenticate this browser for your development instance. Check your Clerk cookies and try again. "
        "If the issue persists reach out to support@clerk.com.",
    )


def headers_conflict() -> Refusal:
    """Both a browser's request and a native application's."""
    return Refusal(
        400,
        "origin_authorization_headers_conflict",
        "Setting both the 'Origin' and 'Authorization' headers is forbidden",
        "For security purposes, only one of the 'Origin' and 'Authorization' headers should be provided, but not both.",
    )


def content_type_unsupported(actual: str, wanted: str) -> Refusal:
    """The body is of another type."""
    return Refusal(
        415,
        "unsupported_content_type",
        "Content-Type is unsupported",
        f"Content-Type {actual} is unsupported. You should use {wanted} instead.",
    )


def no_second_factors(strategy: str) -> Refusal:
    """The user has no second factor of that kind."""
    return Refusal(
        400,
        "no_second_factors",
        "no second factors",
        f"No second factors were found for strategy {strategy}.",
    )


def already_signed_in() -> Refusal:
    """The user is signed in on this client."""
    return _same(400, "identifier_already_signed_in", "You're already signed in")


def verification_not_sent() -> Refusal:
    """No code was sent to the address or number."""
    return Refusal(
        400,
        "verification_not_sent",
        "not sent",
        "You need to send a verification code before attempting to verify.",
    )


def already_verified() -> Refusal:
    """There is nothing left to prove."""
    return Refusal(
        400,
        "verification_already_verified",
        "already verified",
        "This verification has already been verified.",
    )


def same_password(param: str) -> Refusal:
    """The new password is the current one."""
    return Refusal(
        422,
        "form_new_password_matches_current",
        "is invalid",
        "New password cannot be the same as the current password.",
        param,
    )


def default_factor_disallowed() -> Refusal:
    """The default second factor cannot just be switched off."""
    return _same(
        422,
        "form_disable_default_second_factor_not_allowed",
        "The default second factor method can only be changed by assigning another method as the default.",
        "default_second_factor",
    )


def current_password_incorrect() -> Refusal:
    """It is not the password that the user has."""
    return _same(
        422,
        "form_password_validation_failed",
        "Incorrect password. Please try again.",
        "current_password",
    )


def phone_invalid() -> Refusal:
    """It is not a phone number."""
    return Refusal(
        422,
        "form_param_format_invalid",
        "is invalid",
        "phone_number must be a valid phone number according to E.164 international standard.",
        "phone_number",
    )


def verification_needed() -> Refusal:
    """The number has to be proven first."""
    return Refusal(
        422,
        "form_verification_needed",
        "is unverified",
        "This identification needs to be verified before you can perform this action.",
    )


def totp_already_enabled() -> Refusal:
    """The user has an authenticator."""
    return Refusal(
        400, "totp_already_enabled", "TOTP already enabled", "TOTP is already enabled on your account"
    )


def second_factor_unverified() -> Refusal:
    """The number has to be proven before it may be a second factor."""
    return Refusal(
        400,
        "identification_update_second_factor_unverified",
        "Update failed",
        "Cannot update second factor attributes for unverified identification",
    )


def feature_not_enabled() -> Refusal:
    """The instance has it switched off."""
    return Refusal(403, "feature_not_enabled", "not enabled", "This feature is not enabled on this instance")


def authentication_invalid() -> Refusal:
    """Nobody is signed in."""
    return Refusal(
        401,
        "authentication_invalid",
        "Invalid authentication",
        "Unable to authenticate the request, you need to supply an active session",
    )


def password_required() -> Refusal:
    """The instance wants a password of every user."""
    return Refusal(
        400,
        "password_required",
        "password required",
        "Settings for this instance require a password to be set. Cannot remove the user's password.",
    )


def backup_codes_not_available() -> Refusal:
    """Backup codes stand in for a second factor, and the user has none."""
    return Refusal(
        400,
        "backup_codes_not_available",
        "Backup codes not available",
        "In order to use backup codes, you have to enable any other Multi-factor method",
    )


def reverification_required(level: str) -> Refusal:
    """The factors were proven too long ago."""
    refusal = Refusal(
        403,
        "session_reverification_required",
        "Reverification required",
        "You need to provide additional verification to perform this operation",
    )
    refusal.more["reverification"] = {"level": level, "after_minutes": 10}
    return refusal


def reverification_invalid() -> Refusal:
    """The reverification is at another step."""
    return Refusal(
        400,
        "invalid_action_for_session_reverification",
        "Invalid action for session reverification",
        "We were unable to complete the action for this session, as it's not ready for it.",
    )


def reverification_missing() -> Refusal:
    """No reverification was begun."""
    return Refusal(
        400,
        "session_reverification_missing",
        "is missing",
        "You need to start a new session verification flow first",
    )
