"""The exchanges that were had, as raw bytes until somebody asks for them."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson

_FRONTEND = re.compile(r"/v1/(?:environment|client|me|dev_browser)(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    query: str
    content_type: str
    body: bytes
    status: int
    response: bytes

    def as_line(self) -> bytes:
        """The exchange as one line of JSON."""
        form = self.content_type.startswith("application/x-www-form-urlencoded")
        line = {
            "api": "fapi" if _FRONTEND.fullmatch(self.path) else "bapi",
            "method": self.method,
            "path": self.path,
            "query": dict(parse_qsl(self.query, keep_blank_values=True)),
            "content_type": self.content_type,
            "body": dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))
            if form
            else _parse(self.body),
            "status": self.status,
            "response": _parse(self.response),
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _parse(content: bytes) -> object:
    try:
        return orjson.loads(content) if content else None
    except orjson.JSONDecodeError:
        return None
