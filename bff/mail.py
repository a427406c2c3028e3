"""Mail that the BFF sends itself. Codes are sent by Clerk."""

import asyncio
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

SECONDS = 20.0
CLOSE_SECONDS = 3.0

_log = structlog.get_logger("bff")


class Mailer:
    """Sends mail in the background by `url` (smtp:// with STARTTLS where the server has it, or smtps://)."""

    def __init__(self, url: str | None, sender: str) -> None:
        self._url = url
        self._sender = sender
        self._sending: set[asyncio.Task[None]] = set()

    def send(self, to: str, subject: str, text: str) -> None:
        """Send a mail without waiting for it. One that cannot be sent is noted in the log, without its address."""
        if self._url is None:
            _log.warning("a mail was not sent: SMTP_URL is not set", subject=subject)
            return
        message = EmailMessage(SMTP)
        message["From"], message["To"], message["Subject"] = self._sender, to, subject
        message.set_content(text)
        task = asyncio.create_task(self._send(message))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Wait for what is still being sent, but not long."""
        if not self._sending:
            return
        _, unsent = await asyncio.wait(self._sending, timeout=CLOSE_SECONDS)
        for task in unsent:
            task.cancel()
        if unsent:
            _log.error("mails were not sent: the mail server takes too long", mails=len(unsent))

    async def _send(self, message: EmailMessage) -> None:
        parts = urlsplit(self._url or "")
        try:
            await aiosmtplib.send(
                message,
                hostname=parts.hostname,
                port=parts.port,
                username=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password) if parts.password else None,
                use_tls=parts.scheme == "smtps",
                timeout=SECONDS,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            _log.error("a mail was not sent", subject=message["Subject"], error=type(error).__name__)


def masked(address: str) -> str:
    """An address that its owner knows again, and nobody else: j***@example.com."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"
