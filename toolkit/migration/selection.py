"""Whom a command is about, and the source opened for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from toolkit.database import Connection
from toolkit.environment import Environment
from toolkit.errors import NeedsPerson, UsageError
from toolkit.migration.source import Cohort, Source


class CohortUnknown(UsageError):
    """The playbook has no cohort of that name."""


class EmailUnknown(UsageError):
    """Nobody has an address that was asked for."""


class NobodySelected(NeedsPerson):
    """Nobody is in the selection, neither on legacy nor in Clerk."""


@dataclass(frozen=True)
class Selection:
    """Whom a run is about, as the command line says it."""

    cohort: str | None = None
    percent: float | None = None
    emails: tuple[str, ...] = ()
    limit: int | None = None
    """Users that are sent at most; rows that can't go over do not count."""

    def resolve(self, environment: Environment) -> Cohort:
        """The cohort with its condition from the playbook. Raises CohortUnknown."""
        conditions = environment.playbook.import_.cohorts
        if self.cohort is not None and self.cohort not in conditions:
            known = ", ".join(sorted(conditions)) or "none"
            raise CohortUnknown(
                f"The environment {environment.name!r} has no cohort {self.cohort!r}. It has: {known}. "
                "Cohorts are in the playbook under import.cohorts."
            )
        return Cohort(
            condition=conditions[self.cohort] if self.cohort is not None else "true",
            percent=self.percent,
            emails=self.emails or None,
        )

    def __str__(self) -> str:
        """In words, as part of a sentence."""
        if self.emails:
            whom = f"{len(self.emails)} addresses" if len(self.emails) > 1 else "one address"
        elif self.cohort is not None:
            whom = f"the cohort {self.cohort!r}"
        else:
            whom = f"{self.percent:g} % of all" if self.percent is not None else "everybody"
        return f"{whom}, {self.limit:,} at most" if self.limit is not None else whom

    def as_options(self) -> tuple[str, ...]:
        """As it is typed."""
        return (
            *(("--cohort", self.cohort) if self.cohort is not None else ()),
            *(("--percent", f"{self.percent:g}") if self.percent is not None else ()),
            *(word for email in self.emails for word in ("--only", email)),
            *(("--limit", str(self.limit)) if self.limit is not None else ()),
        )

    def as_json(self) -> dict[str, object]:
        """For the runs table; the addresses themselves are not kept."""
        return {"cohort": self.cohort, "percent": self.percent, "only": len(self.emails), "limit": self.limit}


@asynccontextmanager
async def open_source(
    environment: Environment, selection: Selection, *, installed: bool = True
) -> AsyncIterator[tuple[Connection, Source]]:
    """The source, on a connection of its own, with somebody in it. Where the view need not be `installed`, its file serves.

    Raises CohortUnknown, EmailUnknown, NobodySelected, and what `Source.open` raises.
    """
    cohort = selection.resolve(environment)
    async with environment.connect() as connection:
        source = await Source.open(
            connection, cohort, None if installed else environment.playbook.source.view
        )
        await _require_emails(source)
        if await source.is_empty():
            raise NobodySelected(
                f"Nobody is in the selection ({selection}): the source view has no such user, neither on legacy nor in Clerk. "
                f"Nothing was done. Look at {_where_to_look(selection)}."
            )
        yield connection, source


async def _require_emails(source: Source) -> None:
    missing = await source.missing_emails()
    if missing:
        raise EmailUnknown(
            f"No user has the address {', '.join(missing)}. Check --only; case does not matter."
        )


def _where_to_look(selection: Selection) -> str:
    if selection.cohort is not None:
        return f"the condition of {selection.cohort!r} in the playbook, under import.cohorts"
    view = "the source view, and at what the user in DATABASE_URL may see of its table"
    return f"a larger --percent, or at {view}" if selection.percent is not None else view
