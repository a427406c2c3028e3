"""The BFF's cookies: out of reach of scripts, and of other sites' pages.

Where people come by HTTPS, their names begin with `__Host-`: browsers take such a cookie from this host alone, over
HTTPS, so that no page of a sister domain and nobody on the way plants one (RFC 6265bis, section 4.1.3.2).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from bff.refusals import CookiesAmbiguous


@dataclass(frozen=True)
class Cookie:
    """A cookie by its name, and how it is read, given and taken."""

    name: str
    secure: bool

    @classmethod
    def named(cls, name: str, *, secure: bool) -> "Cookie":
        """`secure`: people reach the BFF by HTTPS, and the cookie is sent by nothing else."""
        return cls(f"__Host-{name}" if secure else name, secure)

    def read(self, request: web.Request) -> str | None:
        """What the browser sent. Raises CookiesAmbiguous when it sent two: which of them is ours can't be known."""
        pairs = ";".join(request.headers.getall("Cookie", [])).split(";")
        if sum(pair.partition("=")[0].strip() == self.name for pair in pairs) > 1:
            raise CookiesAmbiguous
        return request.cookies.get(self.name)

    def put(self, response: web.Response, value: str, until: datetime) -> None:
        """Have the browser keep it until a moment."""
        seconds = int((until - datetime.now(UTC)).total_seconds())
        response.set_cookie(
            self.name, value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="Lax"
        )

    def remove(self, response: web.Response) -> None:
        """Have the browser forget it."""
        response.del_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="Lax")
