"""The BFF's cookies: out of reach of scripts, and of other sites' pages.

Where people come by HTTPS, their names begin with `__Host-`: browsers take such a cookie from this host alone, over
HTTPS, so that no page of a sister domain and nobody on the way plants one (RFC 6265bis, section 4.1.3.2).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from bff.refusals import CookiesAmbiguous


def sent(request: web.Request) -> list[tuple[str, str]]:
    """Names and values of all cookies that a browser sent.

    Read as browsers write them (RFC 6265bis, section 5.8.3): aiohttp's reading also divides at blanks and drops those of
    other scripts, and so finds a cookie of ours in the value of one that anybody may plant.
    """
    pairs = ";".join(request.headers.getall("Cookie", [])).split(";")
    divided = (pair.partition("=") for pair in pairs)
    return [(name.strip(" \t"), value.strip(" \t")) for name, _, value in divided]


@dataclass(frozen=True)
class Cookie:
    """A cookie by its name, and how it is read, given and taken."""

    name: str
    secure: bool
    former: str | None = None
    """Another name that is read where there is none of this one: an application gave the cookie that name before."""

    @classmethod
    def named(cls, name: str, *, secure: bool, former: str | None = None) -> "Cookie":
        """`secure`: people reach the BFF by HTTPS, and the cookie is sent by nothing else."""
        return cls(f"__Host-{name}" if secure else name, secure, former)

    @property
    def names(self) -> tuple[str, ...]:
        """All names that it is read by, its own first."""
        return (self.name,) if self.former is None else (self.name, self.former)

    def read(self, request: web.Request) -> str | None:
        """What the browser sent. Raises CookiesAmbiguous when it sent two: which of them is ours can't be known."""
        found = sent(request)
        for wanted in self.names:
            values = [value for name, value in found if name == wanted]
            if len(values) > 1:
                raise CookiesAmbiguous
            if values:
                return values[0]
        return None

    def put(self, response: web.Response, value: str, until: datetime) -> None:
        """Have the browser keep it until a moment."""
        seconds = int((until - datetime.now(UTC)).total_seconds())
        response.set_cookie(
            self.name, value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="Lax"
        )

    def remove(self, response: web.Response) -> None:
        """Have the browser forget it."""
        response.del_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="Lax")
