"""Mail from other programs, taken by SMTP and found in the outbox: no part of Clerk."""

from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, Envelope, Session

from toolkit.sandbox.emulator.instance import Instance


class Mailbox:
    """Takes every mail."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """A mail for each of its receivers."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        message = message_from_bytes(content, policy=policy.default)
        body = message.get_body(("plain",))
        for to in envelope.rcpt_tos:
            self._instance.keep(
                {
                    "to": to,
                    "channel": "email",
                    "purpose": "mail",
                    "subject": str(message["Subject"] or ""),
                    "text": body.get_content() if body is not None else "",
                }
            )
        return "250 OK"


def mailbox(instance: Instance) -> SMTP:
    """A connection's protocol."""
    return SMTP(Mailbox(instance), enable_SMTPUTF8=True, hostname="sandbox")
