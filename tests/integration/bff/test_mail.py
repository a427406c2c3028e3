"""From the transaction that a mail tells of to the mail server, whatever that does."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from prometheus_client import CollectorRegistry

from bff.database import Database
from bff.events import Events
from bff.mail import mailer as mailer_module
from bff.mail import smtp
from bff.mail.mailer import Mailer
from bff.mail.mails import LONGEST, Mail, MailKind
from bff.mail.rendering import Rendered, Templates
from bff.mail.smtp import Refused, Smtp
from bff.tokens import Cipher
from bff.visitor import Visitor
from tests.integration.bff.conftest import World, free_port
from tests.integration.bff.mail_server import CUT_AFTER_DATA, CUT_IN_DATA, HANG, MailServer, mail_server
from tests.postgres import Server
from tests.waiting import until
from toolkit.database import ANYBODYS

ADA = "ada@example.com"
CODE = "482913"
SENDER = "AX <no-reply@ax.example>"
VISITOR = Visitor(IPv4Address("203.0.113.7"), "Mozilla/5.0 (X11; Linux) Firefox/140.0")


@dataclass
class Post:
    """A database, and mailers that send what is in it."""

    database: Database
    stack: AsyncExitStack
    registries: list[CollectorRegistry] = field(default_factory=list)

    async def mailer(self, url: str | None, *, key: bytes = b"k" * 32) -> Mailer:
        """A mailer that runs until the end of the test."""
        return await self.stack.enter_async_context(self.stopped(url, key=key))

    def stopped(self, url: str | None, *, key: bytes = b"k" * 32) -> Mailer:
        """A mailer that does not run yet."""
        self.registries.append(CollectorRegistry())
        return Mailer(
            self.database,
            Cipher(key),
            Templates("https://app.example.com"),
            Smtp(url, SENDER) if url else None,
            self.registries[-1],
        )

    async def write(
        self,
        mailer: Mailer,
        to: str = ADA,
        kind: MailKind = "password_changed",
        code: str | None = None,
        lifetime: timedelta = LONGEST,
    ) -> None:
        async with self.database.transaction() as connection:
            await mailer.add(connection, Mail(kind, to, VISITOR, code, lifetime))

    async def rows(self) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return [dict(row) for row in await connection.fetch("SELECT * FROM clerk_migration.mails")]

    async def none_waits(self) -> None:
        async def gone() -> bool:
            return not await self.rows()

        await until(gone)

    async def execute(self, statement: str) -> None:
        async with self.database.connection() as connection:
            await connection.execute(statement)

    def counted(self, outcome: str) -> float:
        """Mails of this outcome, of all mailers."""
        found = (
            registry.get_sample_value("bff_mails_total", {"outcome": outcome}) for registry in self.registries
        )
        return sum(number or 0 for number in found)


@pytest.fixture
async def post(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Post]:
    """Mails are tried again soon, and looked for often."""
    monkeypatch.setattr(mailer_module, "FIRST_PAUSE", timedelta(seconds=0.2))
    monkeypatch.setattr(mailer_module, "LOOK_SECONDS", 0.03)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(postgres.create_database(), 5, ANYBODYS))
        yield Post(database, stack)


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with mail_server() as started:
        yield started


def arrived(server: MailServer, count: int = 1) -> Callable[[], bool]:
    return lambda: len(server.taken) >= count


async def test_a_mail_arrives(post: Post, mail: MailServer) -> None:
    mailer = await post.mailer(mail.url)
    await post.write(mailer)
    await until(arrived(mail))
    (message,) = mail.taken
    assert mail.recipients == [ADA]
    assert (message["From"], message["To"]) == (SENDER, ADA)
    assert message["Subject"] == "Your password was changed"
    assert message["Message-ID"].endswith("@ax.example>")
    assert message["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        assert "203.0.113.7, Firefox on Linux" in part.get_content()
    await post.none_waits()
    assert post.counted("sent") == 1


async def test_it_is_sent_when_its_transaction_is_committed_and_at_once(
    post: Post, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer_module, "LOOK_SECONDS", 1_000_000)
    mailer = await post.mailer(mail.url)
    async with post.database.transaction() as connection:
        await mailer.add(connection, Mail("password_changed", ADA, VISITOR))
        await asyncio.sleep(0.2)
        assert mail.connections == 0
    await until(arrived(mail))


@dataclass
class Owner:
    id: UUID
    email: str


async def test_an_event_and_its_mail_are_one_thing(post: Post, mail: MailServer) -> None:
    mailer = await post.mailer(mail.url)
    events, ada = Events(mailer), Owner(uuid4(), ADA)

    async def change(*, fails: bool) -> None:
        async with post.database.transaction() as connection:
            await events.add(connection, ada, "totp_removed", VISITOR)
            await events.add(connection, ada, "other_sessions_ended", VISITOR)
            if fails:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await change(fails=True)
    assert await post.rows() == []
    await change(fails=False)
    await until(arrived(mail))
    await post.none_waits()
    assert [message["Subject"] for message in mail.taken] == ["The authenticator app was removed"]
    async with post.database.connection() as connection:
        assert len(await events.of_user(connection, ada.id)) == 2


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("MAIL", "451 Not now"),
        ("MAIL", "550 Not from you"),
        ("RCPT", f"450 4.2.1 <{ADA}> is busy"),
        ("RCPT", f"554 5.7.1 <{ADA}>: Relay access denied"),
        ("RCPT", "530 Authentication required"),
        ("DATA", "452 4.3.1 No room"),
        ("DATA", CUT_IN_DATA),
    ],
)
async def test_what_the_server_does_not_take_now_is_tried_again(
    post: Post, mail: MailServer, command: str, said: str
) -> None:
    mail.will_say(command, said, said)
    with structlog.testing.capture_logs() as log:
        await post.write(await post.mailer(mail.url))
        await until(arrived(mail))
        await post.none_waits()
    assert mail.recipients == [ADA]
    assert (post.counted("put_off"), post.counted("sent"), post.counted("given_up")) == (2, 1, 0)
    assert [entry["event"] for entry in log] == ["a mail was put off"] * 2
    assert [entry["attempts"] for entry in log] == [1, 2]
    assert ADA not in str(log)


@pytest.mark.parametrize(
    ("command", "said"), [("RCPT", f"550 5.1.1 <{ADA}>: unknown"), ("RCPT", "553 No"), ("DATA", "554 Spam")]
)
async def test_what_the_server_will_never_take_is_given_up(
    post: Post, mail: MailServer, command: str, said: str
) -> None:
    mail.will_say(command, said)
    with structlog.testing.capture_logs() as log:
        await post.write(await post.mailer(mail.url))
        await post.none_waits()
    assert (mail.connections, mail.taken, post.counted("given_up")) == (1, [], 1)
    assert [(entry["event"], entry["status"]) for entry in log] == [("a mail was given up", int(said[:3]))]
    assert ADA not in str(log)


async def test_pauses_grow(post: Post, mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailer_module, "FIRST_PAUSE", timedelta(minutes=1))
    mail.will_say("RCPT", *["450 Not now"] * 8)
    await post.write(await post.mailer(mail.url))
    pauses = []
    for attempt in range(1, 9):
        await until(lambda attempt=attempt: post.counted("put_off") == attempt)  # type: ignore[misc]
        async with post.database.connection() as connection:
            pauses.append(
                await connection.fetchval(
                    "SELECT round(extract(EPOCH FROM not_before - now()) / 60)::int FROM clerk_migration.mails"
                )
            )
        await post.execute("UPDATE clerk_migration.mails SET not_before = now()")
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 64]


async def test_a_server_that_is_slow(post: Post, mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "SECONDS", 2.0)
    mail.will_say("DATA", HANG)
    await post.write(await post.mailer(mail.url))
    await until(arrived(mail))
    await post.none_waits()
    assert (len(mail.taken), post.counted("put_off"), post.counted("sent")) == (1, 1, 1)


async def test_a_server_that_is_slow_with_one_holds_up_no_other(post: Post, mail: MailServer) -> None:
    mailer = await post.mailer(mail.url)
    mail.will_say("DATA", HANG)
    async with post.database.transaction() as connection:
        for number in range(3):
            await mailer.add(connection, Mail("password_changed", f"{number}@example.com", VISITOR))
    await until(arrived(mail, 2))


async def test_a_server_that_takes_the_mail_and_then_says_nothing_more(
    post: Post, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "QUIT_SECONDS", 0.3)
    mail.will_say("QUIT", HANG)
    await post.write(await post.mailer(mail.url))
    await post.none_waits()
    assert (len(mail.taken), post.counted("put_off"), post.counted("sent")) == (1, 0, 1)


async def test_a_mail_whose_answer_was_lost_is_known_again_when_it_comes_twice(
    post: Post, mail: MailServer
) -> None:
    mail.will_say("DATA", CUT_AFTER_DATA)
    await post.write(await post.mailer(mail.url))
    await until(arrived(mail, 2))
    await post.none_waits()
    assert len(mail.taken) == 2
    assert len({message["Message-ID"] for message in mail.taken}) == 1


async def test_a_server_that_is_not_there_yet(post: Post) -> None:
    port = free_port()
    await post.write(await post.mailer(f"smtp://127.0.0.1:{port}"))
    await until(lambda: post.counted("put_off") > 0)
    async with mail_server(port) as server:
        await until(arrived(server))
        await post.none_waits()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A mail server's certificate, which this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file = tmp_path / "certificate.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_a_server_that_wants_starttls_and_a_password(post: Post, certificate: ssl.SSLContext) -> None:
    async with mail_server(certificate=certificate, wants_login=True) as server:
        mailer = await post.mailer(f"smtp://a%40x:wrong@127.0.0.1:{server.port}")
        await post.write(mailer)
        await until(lambda: post.counted("put_off") > 1)
        await mailer.__aexit__()
        await post.mailer(f"smtp://a%40x:right%2Fword@127.0.0.1:{server.port}")
        await until(arrived(server))
        await post.none_waits()
        assert {("a@x", "wrong"), ("a@x", "right/word")} == set(server.logins)


async def test_a_certificate_that_is_not_trusted(
    post: Post, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with mail_server(certificate=certificate) as server:
        await post.write(await post.mailer(server.url))
        await until(lambda: post.counted("put_off") > 1)
        assert server.taken == []


async def test_a_password_never_goes_out_in_the_clear(post: Post, mail: MailServer) -> None:
    await post.write(await post.mailer(f"smtp://ada:right%2Fword@127.0.0.1:{mail.port}"))
    await until(lambda: post.counted("put_off") > 1)
    assert (mail.logins, mail.taken) == ([], [])


async def test_a_code_is_unreadable_while_it_waits_and_gone_when_it_is_sent(
    post: Post, mail: MailServer
) -> None:
    """Invariant 8."""
    mail.will_say("RCPT", "450 Not now")
    minutes = timedelta(minutes=15)
    with structlog.testing.capture_logs() as log:
        await post.write(await post.mailer(mail.url), kind="password_reset_code", code=CODE, lifetime=minutes)
        await until(lambda: post.counted("put_off") == 1)
        (row,) = await post.rows()
        assert CODE not in str(row)
        await until(arrived(mail))
    assert "within 15 minutes" in (text := mail.taken[0].get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert CODE in text
    assert CODE not in mail.taken[0]["Subject"]
    assert CODE not in str(log)
    await post.none_waits()


async def test_a_code_of_another_key_is_given_up(post: Post, mail: MailServer) -> None:
    await post.write(post.stopped(None), kind="password_reset_code", code=CODE)
    await post.mailer(mail.url, key=b"l" * 32)
    await post.none_waits()
    assert (mail.taken, post.counted("given_up")) == ([], 1)


async def test_what_it_is_too_late_for_is_given_up(
    post: Post, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not while it may just be being sent."""
    await post.write(post.stopped(None), lifetime=timedelta(0))
    await post.mailer(mail.url)
    await asyncio.sleep(0.3)
    assert len(await post.rows()) == 1
    monkeypatch.setattr(smtp, "SECONDS", 0.1)
    with structlog.testing.capture_logs() as log:
        await post.none_waits()
    assert (mail.taken, post.counted("given_up")) == ([], 1)
    assert {
        "event": "a mail was given up",
        "kind": "password_changed",
        "reason": "too late",
        "log_level": "error",
    } in log


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.com\r\nBcc: eve@example.com",
        "ada,eve@example.com",
        "ada@example.com, eve@example.com",
        "ada",
        "",
    ],
)
async def test_what_is_no_address_gets_no_mail(post: Post, mail: MailServer, to: str) -> None:
    await post.write(await post.mailer(mail.url), to=to)
    await post.none_waits()
    assert (mail.recipients, post.counted("given_up")) == ([], 1)


async def test_a_subject_is_one_line(mail: MailServer) -> None:
    with pytest.raises(Refused):
        await Smtp(mail.url, SENDER).send(uuid4(), ADA, Rendered("Hello\r\nBcc: eve@example.com", "", ""))
    assert mail.connections == 0


async def test_a_domain_in_unicode_is_one_for_every_server(post: Post, mail: MailServer) -> None:
    await post.write(await post.mailer(mail.url), to="ada@bücher.example.com")
    await until(arrived(mail))
    assert mail.recipients == ["ada@xn--bcher-kva.example.com"]


async def test_replicas_send_each_mail_once(
    post: Post, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer_module, "FIRST_PAUSE", timedelta(minutes=1))
    for number in range(60):
        await post.write(post.stopped(None), to=f"{number}@example.com")
    for _ in range(3):
        await post.mailer(mail.url)
    await post.none_waits()
    assert sorted(mail.recipients) == sorted(f"{number}@example.com" for number in range(60))
    assert post.counted("sent") == 60


async def test_what_was_sent_while_postgres_was_away_is_noted_and_not_sent_again(
    post: Post, mail: MailServer
) -> None:
    mailer = await post.mailer(mail.url)
    mail.will_say("DATA", HANG)
    await post.write(mailer)
    await until(lambda: not mail.answers["DATA"])
    await post.execute("ALTER TABLE clerk_migration.mails RENAME TO away")
    mail.let_go.set()
    await until(arrived(mail))
    await asyncio.sleep(0.5)
    await post.execute("ALTER TABLE clerk_migration.away RENAME TO mails")
    await post.none_waits()
    assert (len(mail.taken), post.counted("sent")) == (1, 1)


async def test_without_a_server_mails_wait_and_the_log_says_so(post: Post, mail: MailServer) -> None:
    with structlog.testing.capture_logs() as log:
        mailer = await post.mailer(None)
        await post.write(mailer)
        await until(lambda: post.registries[0].get_sample_value("bff_mails_waiting") == 1)
        await asyncio.sleep(0.2)
    told = [(entry["event"], entry["waiting"]) for entry in log]
    assert told == [("mails wait: SMTP_URL is not set", 1)]
    await post.mailer(mail.url)
    await until(arrived(mail))
    await until(lambda: post.registries[0].get_sample_value("bff_mails_waiting") == 0)


async def test_who_is_stopped_sends_what_it_has_begun(
    post: Post, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer_module, "CLOSE_SECONDS", 1_000_000)
    mailer = await post.mailer(mail.url)
    await post.write(mailer)
    await mailer.__aexit__()
    assert len(mail.taken) == 1
    assert await post.rows() == []


async def test_who_is_stopped_does_not_wait_long(
    post: Post, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer_module, "CLOSE_SECONDS", 0.1)
    mail.will_say("DATA", HANG)
    mailer = await post.mailer(mail.url)
    await post.write(mailer)
    await until(lambda: not mail.answers["DATA"] and mail.connections)
    await mailer.__aexit__()
    assert len(await post.rows()) == 1


@pytest.fixture
async def taken(world: World) -> World:
    """A signup with the address is told to its owner."""
    await world.switch("signup", "clerk")
    await world.invite()
    await world.row("taken@example.com")
    return world


async def test_a_bff_that_is_killed_before_it_sends(taken: World, mail: MailServer) -> None:
    bff = await taken.bff(SMTP_URL=None)
    assert (await bff.sign_up("taken@example.com")).status == 201
    await until(lambda: '"waiting":1' in bff.log.read_text())
    bff.kill()
    await taken.bff(SMTP_URL=mail.url)
    await until(arrived(mail))
    assert mail.recipients == ["taken@example.com"]


async def test_a_bff_that_is_killed_while_it_sends(taken: World, mail: MailServer) -> None:
    mail.will_say("DATA", HANG)
    pause = {"bff.mail.mailer.FIRST_PAUSE": timedelta(seconds=3), "bff.mail.mailer.LOOK_SECONDS": 0.1}
    bff = await taken.bff(pause, SMTP_URL=mail.url)
    assert (await bff.sign_up("taken@example.com")).status == 201
    await until(lambda: mail.connections and not mail.answers["DATA"])
    bff.kill()
    other = await taken.bff(pause, SMTP_URL=mail.url)
    await until(arrived(mail))
    metrics = (await other.call("GET", "/metrics")).content
    assert 'bff_mails_total{outcome="sent"}' in metrics
    assert mail.recipients == ["taken@example.com"]
    assert "taken@example.com" not in bff.log.read_text() + other.log.read_text()
