"""When an import gives up, and when it waits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from unittest.mock import AsyncMock, Mock

import pytest

from tests.unit.migration.test_plan import ORDINARY
from toolkit.clerk import ClerkApiError, ClerkRateLimited, ClerkUnavailable
from toolkit.clerk.errors import ApiError
from toolkit.migration.carrier import NotCarried
from toolkit.migration.controls import Stop
from toolkit.migration.importer import Importer, ImportStopped
from toolkit.migration.observer import Observer
from toolkit.migration.plan import REASONS, Policy, State
from toolkit.migration.run import Run, Tally
from toolkit.migration.source import Count, SourceUser

OUT = ClerkUnavailable("Clerk did not answer.")
LIMITED = ClerkRateLimited(1)
REFUSED = ClerkApiError(422, (ApiError("form_param_invalid", "Not so.", "Not so.", "password_hasher"),))
TAKEN = NotCarried(REASONS["email_taken"])


def importer(answers: Sequence[str | Exception], tally: Tally, room: AsyncMock | None = None) -> Importer:
    """An import of as many users as there are answers; Clerk gives them in this order."""
    users = [replace(ORDINARY, id=n, external_id=str(n)) for n in range(len(answers))]

    async def batches() -> AsyncIterator[list[SourceUser]]:
        yield users

    return Importer(
        Mock(batches=batches),
        AsyncMock(),
        Mock(
            begin=AsyncMock(), forget=AsyncMock(), room=room or AsyncMock(), link=AsyncMock(return_value=True)
        ),
        Policy(),
        Run(
            1,
            Count(len(users), 0),
            Mock(carry=AsyncMock(side_effect=answers)),
            Stop(),
            Mock(may_go=AsyncMock()),
            tally,
        ),
        limit=None,
        observer=Observer(),
    )


async def test_clerk_out_for_25_users_in_a_row_stops_the_import() -> None:
    tally = Tally()
    with pytest.raises(ImportStopped, match="25 users in a row"):
        await importer([*[OUT] * 25, "user_1"], tally).run()
    assert tally.states == {State.FAILED: 25}, "nobody is sent after the stop"


async def test_an_answer_in_between_starts_the_count_again() -> None:
    tally = Tally()
    await importer([*[OUT] * 24, "user_1", *[OUT] * 24], tally).run()
    assert tally.states == {State.FAILED: 48, State.LINKED: 1}


@pytest.mark.parametrize("refusal", [REFUSED, TAKEN, LIMITED], ids=type)
async def test_a_hundred_in_a_row_who_stay_for_one_reason_stop_the_import(refusal: Exception) -> None:
    tally = Tally()
    with pytest.raises(ImportStopped, match="100 users in a row did not go over for the same reason"):
        await importer([*[refusal] * 100, "user_1"], tally).run()
    assert tally.users == 100, "nobody is sent after the stop"


async def test_two_reasons_in_turn_are_about_the_users() -> None:
    tally = Tally()
    await importer([REFUSED, LIMITED] * 100, tally).run()
    assert tally.users == 200


async def test_nobody_is_sent_while_the_ledger_has_no_room() -> None:
    """Clerk answers faster than a slow database writes."""
    tally, emptied = Tally(), asyncio.Event()
    running = asyncio.create_task(importer(["user_1"] * 3, tally, AsyncMock(side_effect=emptied.wait)).run())
    await asyncio.sleep(0.05)
    assert tally.users == 0
    emptied.set()
    await running
    assert tally.states == {State.LINKED: 3}
