"""What every answer tells browsers, whoever answers."""

import re

import aiohttp

from tests.integration.bff.conftest import Bff, Reply, World, raw

STANDING = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Server": "AX",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}
POLICY = {"default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"}


async def get(bff: Bff, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    """An answer's status and headers."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.request("GET", bff.url + path, headers=sent) as answer:
        return answer.status, dict(answer.headers)


async def test_every_answer_tells_browsers_what_may_not_be_done_with_it(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    token = await bff.token(email)
    script, kept = "/static/login.js", (await get(bff, "/login"))[1]["Etag"]
    answers = {
        "page": await get(bff, "/login"),
        "unchanged page": await get(bff, "/login", If_None_Match=kept),
        "page that is not there": await get(bff, "/nothing", Accept="text/html"),
        "script": await get(bff, script),
        "script that is not there": await get(bff, "/static/nothing.js"),
        "answer": await get(bff, "/auth/session", Authorization=f"Bearer {token}"),
        "refusal": await get(bff, "/auth/session"),
        "nothing": await get(bff, "/nothing"),
        "OpenAPI": await get(bff, "/openapi.json"),
        "metrics": await get(bff, "/metrics"),
        "wrong method": await get(bff, "/auth/login"),
        "no content": of(await bff.call("POST", "/auth/logout", token=token)),
        "too large": of(await bff.call("POST", "/auth/login", {"email": "x" * 20_000})),
        "not HTTP": parsed(await raw(bff.port, b"nonsense\r\n\r\n")),
        "expectation": parsed(
            await raw(bff.port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: more\r\n\r\n")
        ),
    }
    statuses = (200, 200, 404, 200, 404, 200, 401, 404, 200, 200, 405, 204, 413, 400, 417)
    assert tuple(status for status, _ in answers.values()) == statuses
    for name, (_, headers) in answers.items():
        assert {header: headers.get(header) for header in STANDING} == STANDING, name
        assert set(headers["Content-Security-Policy"].split("; ")) >= POLICY, name
        assert "camera=()" in headers["Permissions-Policy"], name
        assert not re.search("aiohttp|python", str(headers), re.IGNORECASE), name
        assert "Access-Control-Allow-Origin" not in headers, name
        shared = "page" in name or "script" in name
        assert headers["Cache-Control"] == ("no-cache" if shared else "no-store"), name
        assert ("sandbox" in headers["Content-Security-Policy"]) is ("page" not in name), name


def of(reply: Reply) -> tuple[int, dict[str, str]]:
    return reply.status, dict(reply.headers)


def parsed(answer: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer as it came."""
    first, *lines = answer.decode().partition("\r\n\r\n")[0].splitlines()
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines)
