"""How requests come in and sessions go out: who sends a request, and the cookies that the browser is given."""

from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from bff.devices import LIFETIME
from bff.http.addresses import Network, client_address
from bff.http.cookies import Cookie
from bff.visitor import Visitor

MOST_USER_AGENT = 512
"""Characters of it that are kept."""


@dataclass(frozen=True)
class Edge:
    """What the BFF believes of a request, and the cookies that it knows browsers by."""

    trusted_proxies: tuple[Network, ...]
    session: Cookie
    device: Cookie

    def visitor(self, request: web.Request, device: str | None = None) -> Visitor:
        """Who sends the request; `device` is the id in its body, of clients without cookies."""
        user_agent = request.headers.get("User-Agent")
        return Visitor(
            client_address(request, self.trusted_proxies),
            user_agent[:MOST_USER_AGENT].encode(errors="replace").decode() if user_agent else None,
            device or self.device.read(request),
        )

    def give_session(self, response: web.Response, token: str, until: datetime) -> None:
        """Have the browser keep a session for as long as it may live."""
        self.session.put(response, token, until)

    def take_session(self, response: web.Response) -> None:
        """Have the browser forget its session."""
        self.session.remove(response)

    def give_device(self, response: web.Response, device: str | None) -> None:
        """Have the browser be known again; without a device's id nothing changes."""
        if device is not None:
            self.device.put(response, device, datetime.now(UTC) + LIFETIME)
