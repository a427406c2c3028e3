"""What a new password must be like that AX keeps."""

from bff.password.systems import Rules
from bff.refusals import FieldError, FieldsInvalid

RULES = Rules(min_length=8, max_length=None, max_bytes=72)
"""Clerk takes no longer ones, and one day the password is to work there."""


def require_fit(password: str, field: str) -> None:
    """Raises FieldsInvalid for the field when a password is not what the rules say."""
    if len(password) < RULES.min_length:
        raise FieldsInvalid(
            FieldError(field, "too_short", f"At least {RULES.min_length} characters are needed.")
        )
    if len(password.encode(errors="surrogatepass")) > RULES.max_bytes:
        raise FieldsInvalid(
            FieldError(
                field,
                "too_long",
                f"At most {RULES.max_bytes} characters are taken, fewer if they have accents.",
            )
        )
