"""Cookies as browsers are given them."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from bff.http.cookies import Cookie


@pytest.mark.parametrize(("secure", "name"), [(True, "__Host-ax_session"), (False, "ax_session")])
def test_a_cookie_is_for_this_host_alone_and_for_no_script(secure: bool, name: str) -> None:
    """Browsers take a cookie named __Host- only with Secure and Path=/, and without Domain; on the sandbox there is no HTTPS."""
    response = web.Response()
    cookie = Cookie.named("ax_session", secure=secure)
    cookie.put(response, "token", datetime.now(UTC) + timedelta(hours=1))
    given = response.cookies[name]
    assert (given["secure"] is True) is secure
    assert given["httponly"]
    assert (given["path"], given["domain"], given["samesite"]) == ("/", "", "Lax")
    cookie.remove(response)
    taken = response.cookies[name]
    assert (taken["max-age"], taken["path"], taken["domain"]) == ("0", "/", "")
    assert (taken["secure"] is True) is secure
