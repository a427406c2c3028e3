"""The API says what it is, and answers whatever comes."""

from typing import Any

import jsonschema
import pytest

from bff.http.problems import STATUSES
from tests.integration.bff.conftest import World, code_now, most, wrong_code

CODES = {refusal.code for refusal in STATUSES}


async def test_what_is_answered_is_what_is_described(world: World) -> None:
    await world.migrated()
    await world.migrated("totp@example.com", totp=True)
    bff = await world.bff()
    description: dict[str, Any] = (await bff.call("GET", "/openapi.json")).content
    token = await bff.token("clerk@example.com")
    await world.switch("signup", "clerk")
    await world.invite()
    signup = await bff.sign_up()
    verify, resend = "/auth/signup/{signup_id}/verify", "/auth/signup/{signup_id}/resend"
    signup_id = signup.content["signup_id"]
    mail = (await world.mail("new@example.com"))[0]
    first = await bff.login("totp@example.com")
    challenge = first.content["challenge"]["id"]
    exchanges = [
        ("post", "/auth/login", first),
        ("post", "/auth/login", await bff.login("clerk@example.com")),
        ("post", "/auth/login", await bff.login("clerk@example.com", "wrong")),
        ("post", "/auth/login", await bff.call("POST", "/auth/login", {"email": 1})),
        ("post", "/auth/login/second-factor", await bff.finish(challenge, wrong_code())),
        ("post", "/auth/login/second-factor", await bff.finish(challenge, code_now())),
        ("post", "/auth/signup", signup),
        ("post", "/auth/signup", await bff.sign_up()),
        ("post", "/auth/signup", await bff.sign_up("nobody")),
        ("post", resend, await bff.resend(signup_id)),
        ("post", verify, await bff.verify(signup_id, "000000")),
        ("post", verify, await bff.verify(signup_id, mail["code"])),
        ("post", verify, await bff.verify(signup_id, "000000")),
        ("post", verify, await bff.verify("nonsense", "000000")),
        ("get", "/auth/session", await bff.call("GET", "/auth/session", token=token)),
        ("get", "/auth/session", await bff.call("GET", "/auth/session")),
        ("get", "/auth/sessions", await bff.call("GET", "/auth/sessions", token=token)),
        ("get", "/me", await bff.call("GET", "/me", token=token)),
        ("get", "/healthz", await bff.call("GET", "/healthz")),
        ("get", "/readyz", await bff.call("GET", "/readyz")),
    ]
    for method, path, reply in exchanges:
        answers = description["paths"][path][method]["responses"]
        content = answers[str(reply.status)]["content"]
        kind = reply.headers["Content-Type"].partition(";")[0]
        schema = {**content[kind]["schema"], "components": description["components"]}
        jsonschema.validate(reply.content, schema)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 415),
        (b"x", {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 400),
        (b'{"email": "a\\u0000b", "password": "x"}', {"Content-Type": "application/json"}, 400),
        (b'{"email": "\\ud800", "password": "x"}', {"Content-Type": "application/json"}, 400),
        (b'{"email": "a", "password": "x", "more": 1}', {"Content-Type": "application/json"}, 400),
        (b'{"email": "a", "password": ""}', {"Content-Type": "application/json"}, 400),
        (b"x" * 20_000, {"Content-Type": "application/json"}, 413),
        (
            b'{"email": "a", "password": "x"}',
            {"Content-Type": "application/json", "User-Agent": "\udcff"},
            401,
        ),
    ],
)
async def test_bodies_that_are_none(world: World, body: bytes, headers: dict[str, str], status: int) -> None:
    import aiohttp

    bff = await world.bff()
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{bff.url}/auth/login", data=body, headers={"Content-Type": "text/plain", **headers}
        ) as answer,
    ):
        content = await answer.json(content_type="application/problem+json")
    assert answer.status == status, content
    assert content["code"] in CODES


async def test_what_only_asks_changes_nothing(world: World) -> None:
    """So that no link and no picture of another site does."""
    await world.migrated()
    bff = await world.bff()
    token = await bff.token("clerk@example.com")
    description = (await bff.call("GET", "/openapi.json")).content
    paths = [path for path, methods in description["paths"].items() if "get" in methods and "{" not in path]

    async def rows() -> dict[str, str]:
        names = await world.connection.fetch(
            "SELECT schemaname || '.' || tablename AS name FROM pg_tables"
            " WHERE schemaname IN ('public', 'clerk_migration')"
        )
        return {
            name: await world.connection.fetchval(f"SELECT string_agg(t::text, ',') FROM {name} AS t")  # noqa: S608
            for (name,) in names
        }

    before = await rows()
    assert len(before) > 10
    assert {"/auth/sessions", "/auth/mfa", "/me"} <= set(paths)
    for path in (*paths, "/", "/login", "/security"):
        assert (await bff.call("GET", path, token=token)).status == 200, path
    assert await rows() == before


async def test_other_paths_and_methods(world: World) -> None:
    bff = await world.bff()
    assert (await bff.call("GET", "/nowhere")).code == "not_found"
    reply = await bff.call("PUT", "/auth/login", {})
    assert (reply.code, reply.headers["Allow"]) == ("method_not_allowed", "POST")


async def test_an_address_that_is_only_claimed_is_not_believed(world: World) -> None:
    world.limits["sign_in_by_address"] = most(3, 1_000_000)
    bff = await world.bff()
    codes = [
        (await bff.login(f"{n}@example.com", address=f"192.0.2.{n}, 198.51.100.1")).code for n in range(4)
    ]
    assert codes == ["credentials_invalid"] * 3 + ["too_many_attempts"]
