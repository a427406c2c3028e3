"""Mails are written in the transaction of what they tell of, and sent from there once it is committed.

Any number of BFFs send from the table side by side. Whoever claims a mail puts it off for longer than sending takes; so
it is nobody else's meanwhile, and is tried again, after pauses that grow, whether sending failed or the process died. It
is sent twice only if a process died, or Postgres was away for that long, between sending and noting it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from bff.database import Database
from bff.mail import smtp
from bff.mail.mails import Mail
from bff.mail.rendering import Content, Templates
from bff.mail.smtp import NotSent, Refused, Smtp
from bff.tokens import Cipher, Sealed
from toolkit.database import Connection, queries
from toolkit.errors import ToolkitError

AT_ONCE = 5
"""Mails that one BFF sends side by side."""
FIRST_PAUSE = timedelta(minutes=1)
"""Before a mail is tried again; it doubles up to an hour. Longer than `smtp.SECONDS`: it is the claim as well."""
LOOK_SECONDS = 10.0
"""Between two looks for mails that are due; those that are written here are sent at once."""
CLOSE_SECONDS = 3.0

_log = structlog.get_logger("bff")


class CodeUnreadable(Exception):
    """The code in a mail was encrypted with another key."""


class Mailer:
    """Takes mails and, as an async context manager, sends them. Without a server they wait until they are too late."""

    def __init__(
        self,
        database: Database,
        cipher: Cipher,
        templates: Templates,
        server: Smtp | None,
        registry: CollectorRegistry,
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._templates = templates
        self._server = server
        self._due = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._done: set[UUID] = set()
        """Mails that are sent or refused, and in the table yet."""
        self._told_waiting = 0
        self._waiting = Gauge("bff_mails_waiting", "Mails that wait to be sent.", registry=registry)
        self._mails = Counter("bff_mails", "Mails by what became of them.", ["outcome"], registry=registry)
        for outcome in ("sent", "put_off", "given_up"):
            self._mails.labels(outcome)

    async def add(self, connection: Connection, mail: Mail) -> None:
        """Have a mail sent once this transaction is committed, and not at all if it is not."""
        code = self._cipher.seal(mail.code) if mail.code is not None else Sealed(None, None)
        await queries.add_mail(
            connection,
            kind=mail.kind,
            recipient=mail.to,
            address=mail.visitor.address,
            user_agent=mail.visitor.user_agent,
            code_cipher=code.cipher,
            code_nonce=code.nonce,
            lifetime=mail.lifetime,
        )
        self._database.on_commit(connection, self._due.set)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_sending())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what is there, if that does not take long; the rest waits for another BFF."""
        self._closing = True
        self._due.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_sending(self) -> None:
        while True:
            self._due.clear()
            last = self._closing  # what is written while it looks is for the next look
            more = await self._look()
            if last:
                return
            if not more:
                await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._due.wait()

    async def _look(self) -> bool:
        """Send what is due; whether there may be more."""
        try:
            await self._note_done()
            await self._give_up()
            claimed = await self._claim() if self._server is not None else []
            await asyncio.gather(*(self._send(self._server, record) for record in claimed if self._server))
            await self._count_waiting()
        except ToolkitError as error:
            _log.warning("mails wait", error=str(error))
            return False
        except Exception:
            _log.exception("mails wait")
            return False
        return len(claimed) == AT_ONCE

    async def _claim(self) -> list[Mapping[str, Any]]:
        async with self._database.connection() as connection:
            return [
                record async for record in queries.claim_mails(connection, most=AT_ONCE, pause=FIRST_PAUSE)
            ]

    async def _send(self, server: Smtp, record: Mapping[str, Any]) -> None:
        """Send a mail that was claimed, and note what became of it."""
        kind, attempts = record["kind"], record["attempts"]
        try:
            await server.send(
                record["id"], record["recipient"], self._templates.render(self._content(record))
            )
        except (Refused, CodeUnreadable) as refused:
            self._mails.labels("given_up").inc()
            _log.error("a mail was given up", kind=kind, **_told(refused))
        except NotSent as failed:
            self._mails.labels("put_off").inc()
            _log.warning("a mail was put off", kind=kind, attempts=attempts, **_told(failed))
            return
        except Exception:
            self._mails.labels("put_off").inc()
            _log.exception("a mail was put off", kind=kind, attempts=attempts)
            return
        else:
            self._mails.labels("sent").inc()
        self._done.add(record["id"])
        with suppress(ToolkitError):  # the next look tries it again
            await self._note_done()

    def _content(self, record: Mapping[str, Any]) -> Content:
        """Raises CodeUnreadable."""
        sealed = Sealed(record["code_cipher"], record["code_nonce"])
        code = self._cipher.open(sealed)
        if code is None and sealed.cipher is not None:
            raise CodeUnreadable
        return Content(
            record["kind"],
            record["created_at"],
            record["expires_at"],
            record["address"],
            record["user_agent"],
            code,
        )

    async def _note_done(self) -> None:
        """Delete what is done with; as long as Postgres is away, that is tried again before anything else is claimed."""
        if done := set(self._done):
            async with self._database.connection() as connection:
                await queries.forget_mails(connection, ids=list(done))
            self._done -= done

    async def _give_up(self) -> None:
        """Delete what it is too late for."""
        sending = timedelta(seconds=smtp.SECONDS)
        async with self._database.connection() as connection:
            kinds = [record["kind"] async for record in queries.give_up_mails(connection, sending=sending)]
        for kind in kinds:
            self._mails.labels("given_up").inc()
            _log.error("a mail was given up", kind=kind, reason="too late")

    async def _count_waiting(self) -> None:
        async with self._database.connection() as connection:
            waiting = await queries.mails_waiting(connection)
        self._waiting.set(waiting)
        if self._server is None and waiting > self._told_waiting:
            _log.warning("mails wait: SMTP_URL is not set", waiting=waiting)
        self._told_waiting = waiting


def _told(error: NotSent | CodeUnreadable) -> dict[str, object]:
    """What the log tells of a failure: no address, and nothing that a server said."""
    if isinstance(error, CodeUnreadable):
        return {"reason": "the code was encrypted with another key"}
    return {"reason": error.reason, "status": error.status}
