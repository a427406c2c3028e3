"""Cookies as browsers are given them."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bff.http.cookies import Cookie
from bff.refusals import CookiesAmbiguous


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


@pytest.mark.parametrize(
    ("header", "read"),
    [
        ("__Host-ax_session=mine", "mine"),
        ("other=1;\t__Host-ax_session=mine ;more=2", "mine"),
        ("__Host-ax_session=mine; x=y __Host-ax_session=planted", "mine"),
        ("x=y __Host-ax_session=planted", None),
        ("\u2000__Host-ax_session=planted", None),
        ("\xa0__Host-ax_session=planted", None),
        ("\x85__Host-ax_session=planted", None),
        ("__host-ax_session=planted", None),
        ("ax_session=planted", None),
    ],
)
def test_what_a_sister_domain_may_plant_is_not_read(header: str, read: str | None) -> None:
    """Browsers let it set any name but those that begin with __Host-, and blanks in a value."""
    request = make_mocked_request("GET", "/", headers={"Cookie": header})
    assert Cookie.named("ax_session", secure=True).read(request) == read


@pytest.mark.parametrize(
    ("header", "read"),
    [
        ("sid=before", "before"),
        ("sid=before; __Host-ax_session=mine", "mine"),
        ("__Host-ax_session=mine", "mine"),
        ("other=1", None),
    ],
)
def test_the_cookie_of_the_application_before_is_read_where_there_is_no_other(
    header: str, read: str | None
) -> None:
    request = make_mocked_request("GET", "/", headers={"Cookie": header})
    assert Cookie.named("ax_session", secure=True, former="sid").read(request) == read


def test_two_of_the_name_before_are_refused_too() -> None:
    request = make_mocked_request("GET", "/", headers={"Cookie": "sid=one; sid=two"})
    with pytest.raises(CookiesAmbiguous):
        Cookie.named("ax_session", secure=True, former="sid").read(request)
