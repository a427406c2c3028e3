"""The BFF's cookies: out of reach of scripts, and of other sites' pages."""

from datetime import UTC, datetime

from aiohttp import web

from bff.devices import LIFETIME
from bff.sessions import Minted

SESSION = "ax_session"
DEVICE = "ax_device"


def set_session(response: web.Response, minted: Minted, *, secure: bool) -> None:
    """Hand a session over; the cookie lives as long as the session may."""
    seconds = int((minted.longest_until - datetime.now(UTC)).total_seconds())
    _set(response, SESSION, minted.token, seconds, secure=secure)


def clear_session(response: web.Response, *, secure: bool) -> None:
    """Take the session's cookie away."""
    response.del_cookie(SESSION, path="/", secure=secure, httponly=True, samesite="Lax")


def set_device(response: web.Response, device: str | None, *, secure: bool) -> None:
    """Let the device be known again."""
    if device is not None:
        _set(response, DEVICE, device, int(LIFETIME.total_seconds()), secure=secure)


def _set(response: web.Response, name: str, value: str, seconds: int, *, secure: bool) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="Lax")
