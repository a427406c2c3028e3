"""Switches: what is switched over for everybody. They live in the database; BFFs and imports read them as they go."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from toolkit.database import Connection, queries
from toolkit.environment import Environment
from toolkit.errors import UsageError
from toolkit.who import who

RATE = "import_rate"
"""The switch whose value is a number of requests a second, or `default`."""
DEFAULT = "default"
VALUES: Mapping[str, Sequence[str]] = {
    "signup": ("legacy", "clerk"),
    "legacy_login": ("on", "off"),
    "import": ("running", "paused"),
    RATE: (DEFAULT,),
}
"""The switches that something goes by, and what each may be, beside a number; the first is how it begins."""
_NUMBER = re.compile(r"(?=.*[1-9])[0-9]{1,4}(\.[0-9]{1,3})?")


class SwitchUnknown(UsageError):
    """There is no such switch, or it has no such value."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch, what it is set to, since when, and by whom."""

    name: str
    value: str
    since: datetime
    by: str | None
    """None as long as it is as it began."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a switch."""

    name: str
    before: str
    value: str
    by: str
    role: str
    """The database role."""
    at: datetime


def check(name: str, value: str | None) -> str:
    """The value, which the switch may have. Raises SwitchUnknown."""
    if name not in VALUES:
        raise SwitchUnknown(f"There is no switch {name!r}. There are: {', '.join(VALUES)}.")
    if value is None or not (value in VALUES[name] or (name == RATE and _NUMBER.fullmatch(value))):
        given = "A value is missing" if value is None else f"{name} cannot be {value!r}"
        number = "a number of requests a second above 0 and below 10000, "
        raise SwitchUnknown(f"{given}. {name} is one of: {number * (name == RATE)}{', '.join(VALUES[name])}.")
    return value


async def read(environment: Environment) -> list[Switch]:
    """All switches. Raises what `Environment.connect` raises."""
    async with environment.connect() as connection:
        return await current(connection)


async def current(connection: Connection) -> list[Switch]:
    """All switches, as they are now."""
    found = {
        record["name"]: Switch(
            record["name"],
            record["value"],
            record["updated_at"],
            record["role"] and _by(record["operator"], record["role"]),
        )
        async for record in queries.switches(connection)
    }
    return [found[name] for name in VALUES if name in found]


async def read_history(environment: Environment) -> list[Change]:
    """Every change of a switch, the oldest first. Raises what `Environment.connect` raises."""
    async with environment.connect() as connection:
        return [
            Change(
                record["name"],
                record["before"],
                record["value"],
                _by(record["operator"], record["role"]),
                record["role"],
                record["at"],
            )
            async for record in queries.switch_history(connection)
        ]


async def not_in_clerk(environment: Environment) -> int:
    """Users whom AX checks itself. Raises what `Environment.connect` raises."""
    async with environment.connect() as connection:
        record = await queries.users_in_all(connection)
    return int(record["total"] - record["linked"])


async def write(environment: Environment, name: str, value: str) -> str:
    """Set a switch; what it was before. Raises SwitchUnknown, and what `Environment.connect` raises."""
    check(name, value)
    async with environment.connect() as connection, connection.transaction():
        await queries.name_operator(connection, operator=who())
        before: str = await queries.set_switch(connection, name=name, value=value)
    return before


def _by(operator: str | None, role: str) -> str:
    return operator or f"the role {role}"
