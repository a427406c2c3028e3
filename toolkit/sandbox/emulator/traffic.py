"""The latest exchanges, kept as raw bytes until somebody asks for them.

They are given out without the secrets in them, since they end up in files.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson

_FRONTEND = re.compile(r"/v1/(?:environment|client|me|dev_browser|proxy-health)(?:/.*)?")

_SENT = frozenset(
    {
        *("password", "password_digest", "current_password", "new_password"),
        *("totp_secret", "backup_codes", "code", "ticket"),
    }
)
_ANSWERED = frozenset({"token", "jwt", "secret", "uri", "codes", "backup_codes"})
"""Fields that hold secrets, in requests (_SENT) and in answers (_ANSWERED)."""
_REDACTED = "[redacted]"


def is_frontend(path: str) -> bool:
    """Whether a path is the Frontend API's; all others are the Backend API's."""
    return _FRONTEND.fullmatch(path) is not None


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
            "api": "fapi" if is_frontend(self.path) else "bapi",
            "method": self.method,
            "path": self.path,
            "query": dict(parse_qsl(self.query, keep_blank_values=True)),
            "content_type": self.content_type,
            "body": _redact(
                dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True)), _SENT
            )
            if form
            else _redact(_parse(self.body), _SENT),
            "status": self.status,
            "response": _redact(_parse(self.response), _ANSWERED),
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _redact(value: object, secrets: frozenset[str]) -> object:
    if isinstance(value, list):
        return [_redact(item, secrets) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _blank(item) if name in secrets else _redact(item, secrets) for name, item in value.items()}


def _blank(value: object) -> object:
    """The same shape without the content."""
    if isinstance(value, str):
        return _REDACTED
    return [_blank(item) for item in value] if isinstance(value, list) else value


def _parse(content: bytes) -> object:
    try:
        return orjson.loads(content) if content else None
    except orjson.JSONDecodeError:
        return None
