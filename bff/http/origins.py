"""Requests that change something and come with a cookie must come from one's own pages (cross-site request forgery)."""

from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from bff.http.api import SAFE_METHODS, Handler
from bff.http.cookies import sent
from bff.refusals import OriginMismatch


def origin_check(allowed: Collection[str], cookies: Collection[str], *, https: bool) -> Middleware:
    """A middleware: with one of these cookies, `Origin` must be the BFF's own or an allowed one.

    An `Origin` that is given and does not match is refused without cookies too: nobody's page logs a visitor in.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in SAFE_METHODS:
            origin = request.headers.get("Origin")
            if origin is None:
                if any(name in cookies for name, _ in sent(request)):
                    raise OriginMismatch("A request with a cookie needs the header Origin.")
            elif origin not in allowed and not _is_own(request, origin, https=https):
                raise OriginMismatch
        return await handler(request)

    return check


def _is_own(request: web.Request, origin: str, *, https: bool) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.netloc == request.host and (parts.scheme == "https" or not https)
