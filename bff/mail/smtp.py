"""Mails handed to a mail server."""

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from email.utils import format_datetime, parseaddr
from urllib.parse import unquote, urlsplit
from uuid import UUID

from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from bff import emails
from bff.mail.rendering import Rendered

SECONDS = 30.0
"""For all of one mail."""
QUIT_SECONDS = 2.0

_OF_THE_SENDER = re.compile(r"^\s*5\.7\.", re.MULTILINE)
"""An enhanced status (RFC 3463) that is about who sends, and by what right."""
_UNAUTHENTICATED = frozenset({530, 535, 538})


class NotSent(Exception):
    """The mail server did not take the mail; it may later."""

    def __init__(self, error: Exception, status: int | None = None) -> None:
        super().__init__(type(error).__name__)
        self.reason = type(error).__name__
        self.status = status
        """What the mail server answered. Its words are not kept: they quote the address."""


class Refused(NotSent):
    """The mail server will not take this mail to this address, now or later."""


class Smtp:
    """A mail server at `url`: smtp:// with STARTTLS where the server has it, and always with a password; or smtps://."""

    def __init__(self, url: str, sender: str) -> None:
        self._parts = urlsplit(url)
        self._sender = sender

    async def send(self, mail_id: UUID, to: str, rendered: Rendered) -> None:
        """Hand a mail over. Raises NotSent or Refused; whatever happens after the server took it is no failure."""
        message, recipient = self._message(mail_id, to, rendered)
        client = self._client()
        try:
            async with asyncio.timeout(SECONDS):
                await client.connect()
                await client.send_message(message, recipients=[recipient])
        except (SMTPException, OSError, ValueError) as error:
            raise _failure(error) from None  # its words quote the address
        else:
            with suppress(SMTPException, OSError):
                async with asyncio.timeout(QUIT_SECONDS):
                    await client.quit()
        finally:
            client.close()

    def _client(self) -> SMTP:
        parts = self._parts
        return SMTP(
            hostname=parts.hostname,
            port=parts.port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            use_tls=parts.scheme == "smtps",
            start_tls=True if parts.scheme == "smtp" and parts.password else None,
            timeout=SECONDS,
        )

    def _message(self, mail_id: UUID, to: str, rendered: Rendered) -> tuple[EmailMessage, str]:
        """The message and its only recipient. Raises Refused for what is no address."""
        message = EmailMessage(POLICY)
        try:
            message["From"] = self._sender
            message["To"] = emails.sendable(to)
            message["Subject"] = rendered.subject
        except (ValueError, IndexError) as error:
            raise Refused(error) from None
        recipients: tuple[Address, ...] = message["To"].addresses
        if len(recipients) != 1 or not recipients[0].domain:
            raise Refused(ValueError("not one address"))
        message["Date"] = format_datetime(datetime.now(UTC))
        # The same for each attempt, so that a mail that is sent again after all is known to be the same.
        message["Message-ID"] = f"<{mail_id}@{parseaddr(self._sender)[1].rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(rendered.text)
        message.add_alternative(rendered.html, subtype="html")
        return message, recipients[0].addr_spec


def _failure(error: Exception) -> NotSent:
    """What went wrong, and whether it is for good: only what the server says of this address or this mail is."""
    told: Exception = error
    if isinstance(error, SMTPRecipientsRefused):
        told = error.recipients[0]
    if not isinstance(told, SMTPResponseException):
        return NotSent(error)
    of_this_mail = isinstance(error, SMTPRecipientsRefused | SMTPDataError) and 500 <= told.code < 600
    of_the_sender = told.code in _UNAUTHENTICATED or _OF_THE_SENDER.search(told.message)
    return (Refused if of_this_mail and not of_the_sender else NotSent)(error, told.code)
