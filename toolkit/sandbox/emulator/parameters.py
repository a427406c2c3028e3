"""The parameters of a request, read with Clerk's checks."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import orjson

from toolkit.sandbox.emulator import errors

MOST_CHARACTERS = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)

_EMAIL = re.compile(
    r"[^\s@\"(),:;<>\[\\\]]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_](?:[\w-]{0,61}[^\W_])?"
)
"""An address as web forms take it: no quotes, a domain with a dot in it; letters of any script."""


class Body:
    """The JSON object of a request: each parameter is known and of its type, or Clerk's refusal is raised."""

    def __init__(self, content: bytes, known: Collection[str]) -> None:
        try:
            values = orjson.loads(content) if content else {}
        except orjson.JSONDecodeError:
            raise errors.body_invalid() from None
        if not isinstance(values, dict):
            raise errors.body_invalid()
        self._values: Mapping[str, object] = values
        for name in values:
            if name not in known:
                raise errors.unknown(name)

    def __contains__(self, name: str) -> bool:
        """Whether the parameter was sent, null included."""
        return name in self._values

    def text(self, name: str, most: int | None = MOST_CHARACTERS) -> str | None:
        """A string, or None if it is null or was not sent."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise errors.wrong_type(name, "string")
        if most is not None and len(value) > most:
            raise errors.too_long(name, most)
        return value

    def required_text(self, name: str, most: int | None = MOST_CHARACTERS) -> str:
        """A string that must be there."""
        value = self.text(name, most)
        if not value:
            raise errors.missing(name)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean, or the default if it is null or was not sent."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise errors.wrong_type(name, "boolean")
        return value

    def integer(self, name: str) -> int | None:
        """A whole number, or None if it is null or was not sent."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise errors.wrong_type(name, "integer")
        return value

    def texts(self, name: str) -> list[str]:
        """An array of strings, empty if it is null or was not sent."""
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise errors.wrong_type(name, "array")
        return value

    def mapping(self, name: str) -> dict[str, object]:
        """An object, empty if it is null or was not sent."""
        value = self._values.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise errors.wrong_type(name, "object")
        return value

    def moment(self, name: str) -> int | None:
        """A time in RFC 3339's form, as milliseconds since 1970."""
        value = self.text(name)
        if value is None:
            return None
        if not _RFC3339.fullmatch(value):
            raise errors.time_invalid(name)
        try:
            return (datetime.fromisoformat(value) - _EPOCH) // timedelta(milliseconds=1)
        except ValueError:
            raise errors.time_invalid(name) from None


def check_email(address: str, param: str) -> None:
    """Raises Refusal when it is not an email address."""
    if len(address) > MOST_CHARACTERS or not _EMAIL.fullmatch(address.strip()):
        raise errors.email_invalid(param)
