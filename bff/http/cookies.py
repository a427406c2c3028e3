"""The BFF's cookies: out of reach of scripts, and of other sites' pages."""

from datetime import UTC, datetime

from aiohttp import web

SESSION = "ax_session"
DEVICE = "ax_device"


def put(response: web.Response, name: str, value: str, until: datetime, *, secure: bool) -> None:
    """Have the browser keep a cookie until a moment."""
    seconds = int((until - datetime.now(UTC)).total_seconds())
    response.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="Lax")


def remove(response: web.Response, name: str, *, secure: bool) -> None:
    """Have the browser forget a cookie."""
    response.del_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")
