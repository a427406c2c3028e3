"""Exchanges become lines of JSON, whatever was sent."""

import json

import pytest

from toolkit.sandbox.emulator.traffic import Exchange


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1/users", "bapi"),
        ("/v1/clients", "bapi"),
        ("/v1/memberships", "bapi"),
        ("/v1/client", "fapi"),
        ("/v1/client/sign_ins", "fapi"),
        ("/v1/me", "fapi"),
        ("/v1/environment", "fapi"),
    ],
)
def test_the_api_follows_from_the_path(path: str, api: str) -> None:
    assert json.loads(Exchange("GET", path, "", "", b"", 200, b"{}").as_line())["api"] == api


@pytest.mark.parametrize(
    ("content_type", "body", "read"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("application/json", b"{", None),
        ("application/json", b"\xff", None),
        ("application/x-www-form-urlencoded", b"a=1&b=%2B", {"a": "1", "b": "+"}),
        ("application/x-www-form-urlencoded", b"a=\xff", {"a": "\N{REPLACEMENT CHARACTER}"}),
        ("", b"", None),
    ],
)
def test_the_body_is_read_by_its_type(content_type: str, body: bytes, read: object) -> None:
    line = Exchange("POST", "/v1/users", "q=1", content_type, body, 200, b"[]").as_line()
    assert line.count(b"\n") == 1
    content = json.loads(line)
    assert (content["body"], content["query"], content["response"]) == (read, {"q": "1"}, [])
