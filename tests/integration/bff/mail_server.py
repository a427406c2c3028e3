"""A real SMTP server that does as a test wants."""

import asyncio
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

CUT_IN_DATA = "cut in data"
"""In place of an answer: the connection ends in the middle of the mail."""
CUT_AFTER_DATA = "cut after data"
"""… when all of the mail is there, before the answer."""
HANG = "hang"
"""… no answer, until the server is let go."""


@dataclass
class MailServer:
    """Takes mails, unless it has another answer ready for one of the commands."""

    port: int
    taken: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    connections: int = 0
    answers: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def will_say(self, command: str, *answers: str) -> None:
        """Have it answer the next commands of this name so."""
        self.answers[command].extend(answers)

    async def answer(self, command: str) -> str | None:
        """What it was told to say; None for nothing else than usual."""
        said = self.answers[command].popleft() if self.answers[command] else None
        if said == HANG:
            await self.let_go.wait()
            return None
        return said

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self.answer("MAIL") or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if said := await self.answer("RCPT"):
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        said = await self.answer("DATA")
        if said in (None, CUT_AFTER_DATA):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.taken.append(message)
            self.recipients.extend(envelope.rcpt_tos)
        if said == CUT_AFTER_DATA and server.transport is not None:
            server.transport.close()
        return said or "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        return await self.answer("QUIT") or "221 Bye"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        self.logins.append((given.login.decode(), given.password.decode()))
        right = given.password == b"right/word"
        return AuthResult(success=right, handled=right)

    def protocol(self, certificate: ssl.SSLContext | None, *, wants_login: bool) -> SMTP:
        self.connections += 1
        return _Smtp(
            self,
            hostname="mail.example.com",
            enable_SMTPUTF8=False,
            tls_context=certificate,
            authenticator=self.authenticate,
            auth_required=wants_login,
            auth_require_tls=certificate is not None,
        )


class _Smtp(SMTP):
    def __init__(self, server: MailServer, **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._answers = server.answers["DATA"]

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if not self._answers or self._answers[0] != CUT_IN_DATA:
            await super().smtp_DATA(arg)
            return
        self._answers.popleft()
        await self.push("354 Go on")
        await self._reader.readline()
        assert self.transport is not None
        self.transport.close()


@asynccontextmanager
async def mail_server(
    port: int = 0, certificate: ssl.SSLContext | None = None, *, wants_login: bool = False
) -> AsyncIterator[MailServer]:
    """A server that runs."""
    made = MailServer(port)
    listening = await asyncio.get_running_loop().create_server(
        lambda: made.protocol(certificate, wants_login=wants_login), "127.0.0.1", port
    )
    made.port = listening.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.let_go.set()
        listening.close()
