"""Switches: what is switched over for everybody. They live in the database; the BFF reads them as it goes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from toolkit.database import queries
from toolkit.environment import Environment
from toolkit.errors import UsageError

VALUES: Mapping[str, Sequence[str]] = {
    "signup": ("legacy", "clerk"),
    "legacy_login": ("on", "off"),
}
"""The switches that something goes by, and what each may be; the first is how it begins."""


class SwitchUnknown(UsageError):
    """There is no such switch, or it has no such value."""


class Switch(NamedTuple):
    """A switch, what it is set to, and since when."""

    name: str
    value: str
    since: datetime


def check(name: str, value: str | None) -> str:
    """The value, which the switch may have. Raises SwitchUnknown."""
    if name not in VALUES:
        raise SwitchUnknown(f"There is no switch {name!r}. There are: {', '.join(VALUES)}.")
    if value is None or value not in VALUES[name]:
        given = "A value is missing" if value is None else f"{name} cannot be {value!r}"
        raise SwitchUnknown(f"{given}. {name} is one of: {', '.join(VALUES[name])}.")
    return value


async def read(environment: Environment) -> list[Switch]:
    """All switches. Raises DatabaseUnreachable, NotMigrated or DatabaseFailed."""
    async with environment.connect() as connection:
        found = {
            record["name"]: (record["value"], record["updated_at"])
            async for record in queries.switches(connection)
        }
    return [Switch(name, *found[name]) for name in VALUES if name in found]


async def not_in_clerk(environment: Environment) -> int:
    """Users whom AX checks itself. Raises what `read` raises."""
    async with environment.connect() as connection:
        record = await queries.users_in_all(connection)
    return int(record["total"] - record["linked"])


async def write(environment: Environment, name: str, value: str) -> str:
    """Set a switch; what it was before. Raises SwitchUnknown, and what `read` raises."""
    check(name, value)
    async with environment.connect() as connection:
        before: str = await queries.set_switch(connection, name=name, value=value)
    return before
