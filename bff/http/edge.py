"""How requests come in and sessions go out: who sends a request, and the cookies that the browser is given."""

from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from bff.devices import LIFETIME
from bff.http import cookies
from bff.http.addresses import Network, client_address
from bff.visitor import Visitor

MOST_USER_AGENT = 512
"""Characters of it that are kept."""


@dataclass(frozen=True)
class Edge:
    """`secure`: people reach the BFF by HTTPS, and cookies are sent by nothing else."""

    trusted_proxies: tuple[Network, ...]
    secure: bool

    def visitor(self, request: web.Request, device: str | None = None) -> Visitor:
        """Who sends the request; `device` is the id in its body, of clients without cookies."""
        user_agent = request.headers.get("User-Agent")
        return Visitor(
            client_address(request, self.trusted_proxies),
            user_agent[:MOST_USER_AGENT].encode(errors="replace").decode() if user_agent else None,
            device or request.cookies.get(cookies.DEVICE),
        )

    def give_session(self, response: web.Response, token: str, until: datetime) -> None:
        """Have the browser keep a session for as long as it may live."""
        cookies.put(response, cookies.SESSION, token, until, secure=self.secure)

    def take_session(self, response: web.Response) -> None:
        """Have the browser forget its session."""
        cookies.remove(response, cookies.SESSION, secure=self.secure)

    def give_device(self, response: web.Response, device: str | None) -> None:
        """Have the browser be known again; without a device's id nothing changes."""
        if device is not None:
            cookies.put(response, cookies.DEVICE, device, datetime.now(UTC) + LIFETIME, secure=self.secure)
