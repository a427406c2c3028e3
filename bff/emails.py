"""Email addresses: one mailbox has several forms (composed characters or not, a domain in Unicode or in ASCII)."""

from email_validator import EmailNotValidError, validate_email


def kept(email: str) -> str:
    """The form that a signup keeps (NFC, the domain in Unicode); what is no address stays as it is."""
    try:
        return validate_email(email, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        return email
