"""What somebody hostile, or something odd, sends; and what is learned from it."""

import asyncio
import json
import unicodedata

import pytest

from tests.integration.bff.conftest import World, most, raw

SECRET = "AVerySecretTokenOfSomebody"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /me HTTP/1.1\r\nHost: x\r\nCookie: __Host-ax_session=%s; other=%s\r\n\r\n"
        % (SECRET.encode(), b"x" * 9000),
        b"GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\x01\r\n\r\n" % SECRET.encode(),
        b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b'Transfer-Encoding: chunked\r\n\r\nzz\r\n{"password": "%s"}\r\n\r\n' % SECRET.encode(),
        b"%s / HTTP/1.1\r\nHost: x\r\n\r\n" % SECRET.encode(),
        b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (SECRET.encode() * 400),
        b"\x16\x03\x01%s\r\n\r\n" % SECRET.encode(),
        b"POST /auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: %s\r\n\r\n" % SECRET.encode(),
    ],
    ids=[
        *("long cookies", "control character", "broken chunks", "method", "long path", "TLS"),
        "unknown expectation",
    ],
)
async def test_a_request_that_is_none_is_quoted_nowhere(world: World, request_: bytes) -> None:
    """Invariant 8. aiohttp's own words quote what they complain about, to the client and in the log."""
    bff = await world.bff()
    head, _, body = (await raw(bff.port, request_)).decode().partition("\r\n\r\n")
    lines = head.splitlines()
    assert lines[0].split()[1] in {"400", "417"}
    assert "Content-Type: text/plain; charset=utf-8" in lines
    assert body in {"400 Bad Request\n", "417 Expectation Failed\n"}
    assert SECRET not in head
    log = await asyncio.to_thread(bff.log.read_text)
    assert SECRET not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (
            b"GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: __Host-ax_session=\xff\r\n\r\n",
            b"401",
        ),
        (b"GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer \xff\r\n\r\n", b"401"),
        (b"POST /auth/logout HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: http://[\r\n\r\n", b"403"),
        (b"GET /static/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % (b"a" * 5000), b"404"),
        (
            (
                b"POST /auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
            ),
            b"400",
        ),
    ],
    ids=["cookie", "bearer", "origin", "static", "gzip"],
)
async def test_odd_requests_are_refused_and_nothing_breaks(
    world: World, request_: bytes, status: bytes
) -> None:
    bff = await world.bff()
    assert (await raw(bff.port, request_)).split()[1] == status
    assert "Traceback" not in await asyncio.to_thread(bff.log.read_text)


@pytest.mark.parametrize(
    "between", ["; ", ";", "\r\nCookie: "], ids=["one header", "no blank", "two headers"]
)
async def test_two_cookies_of_one_name_are_refused_and_not_guessed(world: World, between: str) -> None:
    """Somebody planted one of them: whoever took it for a session would act in the wrong account."""
    email, bff = await world.add(), await world.bff()
    cookie = (await bff.login(email)).headers["Set-Cookie"].split(";")[0]
    cookies = between.join((cookie, "__Host-ax_session=planted", "other=1"))
    request = f"GET /auth/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {cookies}\r\n\r\n"
    answer = await raw(bff.port, request.encode())
    assert answer.split()[1] == b"400"
    assert b'"cookies_ambiguous"' in answer
    assert b"Clear this site's cookies" in answer
    devices = "__Host-ax_device=mine; __Host-ax_device=planted"
    assert (await bff.login(email, Cookie=devices, Origin=bff.url)).code == "cookies_ambiguous"
    assert (await bff.call("GET", "/auth/session", Cookie=f"{cookie}; other=1; other=2")).status == 200


async def test_a_cookie_that_a_sister_domain_can_plant_is_not_believed(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    token = (await bff.login(email)).headers["Set-Cookie"].split(";")[0].partition("=")[2]
    assert (await bff.call("GET", "/auth/session", Cookie=f"__Host-ax_session={token}")).status == 200
    assert (await bff.call("GET", "/auth/session", Cookie=f"ax_session={token}")).code == "session_required"


async def test_who_is_over_the_limit_by_address_does_not_use_up_somebody_elses_account(world: World) -> None:
    email = await world.add()
    world.limits["sign_in_by_address"] = most(3, 1_000_000)
    world.limit_logins(5)
    bff = await world.bff()
    codes = [(await bff.login(email, "wrong", address="198.51.100.9")).code for _ in range(12)]
    assert codes == ["credentials_invalid"] * 3 + ["too_many_attempts"] * 9
    assert (await bff.login(email)).status == 200


async def test_the_window_of_a_limit_slides(world: World) -> None:
    """As Clerk's does. Of a window that begins anew, twice the limit may get through around its edge."""
    world.limits["sign_in_by_address"] = most(3, 1000)
    bff = await world.bff()

    async def earlier(seconds: int) -> None:
        await world.connection.execute(
            "UPDATE clerk_migration.attempts SET times ="
            " array(SELECT t - make_interval(secs => $1) FROM unnest(times) AS t)",
            float(seconds),
        )

    async def tried() -> str:
        return (await bff.login("nobody@example.com", "wrong")).code

    assert [await tried() for _ in range(2)] == ["credentials_invalid"] * 2
    await earlier(600)
    assert [await tried() for _ in range(2)] == ["credentials_invalid", "too_many_attempts"]
    await earlier(300)
    refused = await bff.login("nobody@example.com", "wrong")
    assert (refused.code, 1 <= int(refused.headers["Retry-After"]) <= 100) == ("too_many_attempts", True)
    await earlier(110)
    assert [await tried() for _ in range(3)] == ["credentials_invalid"] * 2 + ["too_many_attempts"]
    await earlier(600)
    assert [await tried() for _ in range(2)] == ["credentials_invalid", "too_many_attempts"]


@pytest.mark.parametrize("who", ["somebody", "nobody"])
async def test_the_limit_by_account_does_not_tell_whether_there_is_one(world: World, who: str) -> None:
    world.limit_logins(3)
    if who == "somebody":
        await world.add("who@example.com")
    bff = await world.bff()
    codes = [(await bff.login("WHO@example.com", "wrong")).code for _ in range(3)]
    assert codes == ["credentials_invalid"] * 3
    assert (await bff.login("who@example.com", "wrong")).code == "too_many_attempts"


async def test_spelling_an_address_otherwise_gives_no_more_attempts(world: World) -> None:
    await world.migrated("iii@example.com")
    world.limit_logins(2)
    bff = await world.bff()
    spelled = ("iii", "III", "İii", "iİi", "iiİ")
    codes = [(await bff.login(f"{name}@example.com", "wrong")).code for name in spelled]
    reached = (await world.counts()).get(("clerk", "wrong_password"), 0)
    assert reached == 2, codes


@pytest.mark.parametrize("status", ["pending", "ended", "revoked"])
async def test_a_clerk_session_that_is_not_active_lets_nobody_in(world: World, status: str) -> None:
    """Such a session means that Clerk wants something else first, say that a second factor is set up."""
    await world.migrated()
    bff = await world.bff()
    device = (await bff.login("clerk@example.com", delivery="bearer")).content["device"]
    line = next(
        line for line in reversed(world.emulator.traffic().splitlines()) if "/v1/client/sign_ins" in line
    )
    body = answered(line).replace('"status":"active"', f'"status":"{status}"')
    world.emulator.add_fault(
        {
            "match": {"path": "/v1/client/sign_ins"},
            "status": 200,
            "body": body,
            "content_type": "application/json",
        }
    )
    reply = await bff.login("clerk@example.com", delivery="bearer", device=device)
    assert reply.code == "authentication_unavailable"
    assert await world.connection.fetchval("SELECT count(*) FROM sessions") == 1


def answered(line: str) -> str:
    """The answer's body in a line of recorded traffic, as compact JSON."""
    exchange = json.loads(line)
    return json.dumps(exchange["response"], separators=(",", ":"))


async def test_a_device_that_somebody_lent_is_not_known_after_the_next_login(world: World) -> None:
    """Somebody who planted their own device in another's browser must not pass for that person afterwards."""
    await asyncio.to_thread(world.emulator.settings, client_trust=True)
    await world.migrated()
    bff = await world.bff()

    async def trusted(device: str | None) -> str:
        """Log in with the mailed code; the device's id."""
        sent = len(await world.mail("clerk@example.com", count=0))
        reply = await bff.login(
            "clerk@example.com", delivery="bearer", **({"device": device} if device else {})
        )
        assert reply.content["status"] == "needs_client_trust", reply
        mails = await world.mail("clerk@example.com", count=sent + 1)
        challenge, device = reply.content["challenge"]["id"], reply.content["device"]
        done = await bff.finish(challenge, mails[-1]["code"], "email")
        assert done.status == 200, done
        return str(done.content["device"])

    planted = await trusted(None)
    after = await bff.login("clerk@example.com", delivery="bearer", device=planted)
    assert after.content["status"] == "complete"
    assert after.content["device"] != planted
    again = await bff.login("clerk@example.com", delivery="bearer", device=planted)
    assert again.content["status"] == "needs_client_trust"


async def test_codes_that_are_sent_at_once_are_limited(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, client_trust=True)
    await world.migrated()
    world.limits["code_by_user"] = most(2, 1_000_000)
    bff = await world.bff()
    sent = [
        (await bff.login("clerk@example.com", address=f"203.0.113.{n}")).content["challenge"]["sent_to"]
        for n in range(4)
    ]
    assert [to is not None for to in sent] == [True, True, False, False]
    assert len(await world.mail("clerk@example.com", count=2)) == 2


async def test_an_unverified_login_is_answered_in_time_and_sends_no_flood(world: World) -> None:
    await world.switch("signup", "clerk")
    await world.invite()
    bff = await world.bff(constants={"bff.parts.CLERK_SECONDS": 100})
    await bff.sign_up()
    hanging = {"match": {"path": "*/prepare_verification"}, "latency_ms": 60_000}
    await asyncio.to_thread(world.emulator.add_fault, hanging)
    async with asyncio.timeout(30):
        reply = await bff.login("new@example.com")
    assert (reply.status, reply.content.get("status")) == (200, "needs_email_verification")
    assert world.emulator.faults() == [], "a code was asked for"
    world.limits["signup_pause_by_signup"] = most(1, 1_000_000)
    world.limits["signup_login_by_email"] = most(1000)
    bff = await world.bff()
    for number in range(4):
        assert (await bff.login("new@example.com", address=f"203.0.113.{number}")).status == 200
    assert len(await world.mail("new@example.com")) <= 2


async def test_a_password_is_checked_exactly_as_it_was_typed(world: World) -> None:
    """With blanks at its ends, letters of any kind, and as long as Clerk takes one."""
    password = f" Ä{'x' * 61}\u00fc "
    assert len(password) > 64
    async with world.clerk() as clerk:
        made = await clerk.create_user(email_address="exact@example.com", password=password)
    await world.row("exact@example.com", clerk_id=made.id)
    bff = await world.bff()
    others = (password.strip(), password.lower(), password[:64], unicodedata.normalize("NFD", password))
    assert [(await bff.login("exact@example.com", other)).code for other in others] == [
        "credentials_invalid"
    ] * 4
    assert (await bff.login("exact@example.com", password)).status == 200


async def test_a_body_that_never_comes_is_not_waited_for(world: World) -> None:
    bff = await world.bff(constants={"bff.http.api.BODY_SECONDS": 0.5})
    reader, writer = await asyncio.open_connection("127.0.0.1", bff.port)
    writer.write(
        b"POST /auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{"
    )
    answer = await asyncio.wait_for(reader.readline(), 60)
    writer.close()
    assert b" 400 " in answer
