"""Email addresses: one mailbox has several forms (composed characters or not, a domain in Unicode or in ASCII)."""

from email_validator import EmailNotValidError, validate_email

from toolkit.clerk.addresses import normal_address


def kept(email: str) -> str:
    """The form that a signup keeps (NFC, the domain in Unicode); what is no address stays as it is."""
    try:
        return validate_email(email, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        return email


def typed(email: str) -> str:
    """What all ways to type an address have in common: what is looked up by it, and what is counted by it.

    Of the form that is kept, since that may find an account that the typed one does not: what finds one account must count
    for one limit (invariant 9).
    """
    return normal_address(kept(email))


def sendable(email: str) -> str:
    """The form that every mail server takes: the domain in ASCII; what is no address stays as it is."""
    try:
        found = validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return email
    return f"{found.local_part}@{found.ascii_domain}"


def masked(email: str) -> str:
    """An address that its owner knows again, and nobody else: j***@example.com."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}***@{domain}"
