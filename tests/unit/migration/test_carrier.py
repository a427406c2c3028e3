"""What is sent to Clerk of a user, and what its answers are held against."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.unit.clerk.answers import error_json, user_json
from tests.unit.clerk.conftest import Recorder
from tests.unit.clerk.conftest import clerk as clerk
from tests.unit.clerk.conftest import recorder as recorder
from tests.unit.migration.test_plan import ORDINARY
from toolkit.clerk import BackendClient
from toolkit.migration.carrier import Carrier, NotCarried
from toolkit.migration.plan import Create

CREATE = Create(digest="argon2id m=8,t=1,p=1", factor=None, banned=False)
UNVERIFIED = replace(ORDINARY, email_verified=False)


@pytest.fixture
def carrier(clerk: BackendClient) -> Carrier:
    async def is_linked(_: Sequence[str]) -> set[str]:
        return set()

    return Carrier(clerk, "test", "origin-1", 1, is_linked)


async def test_an_instance_that_wants_legal_consent_takes_the_user_without(
    carrier: Carrier, recorder: Recorder
) -> None:
    """A row doesn't say when somebody consented, so no date is made up."""
    recorder.body = user_json()
    assert await carrier.carry(ORDINARY, CREATE) == "user_1"
    assert isinstance(recorder.only.body, dict)
    assert recorder.only.body["skip_legal_checks"] is True
    assert "legal_accepted_at" not in recorder.only.body


async def test_an_unverified_address_that_clerk_calls_verified_is_not_accepted(
    carrier: Carrier, recorder: Recorder
) -> None:
    """Otherwise whoever signed up at AX with somebody else's address would own it in Clerk."""
    recorder.body = user_json()
    with pytest.raises(NotCarried) as raised:
        await carrier.carry(UNVERIFIED, CREATE)
    assert raised.value.reason.code == "email_wrongly_verified"
    assert isinstance(recorder.only.body, dict)
    assert recorder.only.body["email_address_identification_status"] == ["reserved"]


@pytest.mark.parametrize(
    ("first", "last", "sent"),
    [("Augusta", "King", ("Augusta", "King")), (None, None, ("", "")), ("Ada", None, ("Ada", ""))],
)
async def test_names_that_changed_or_were_cleared_are_sent_again(
    carrier: Carrier, recorder: Recorder, first: str | None, last: str | None, sent: tuple[str, str]
) -> None:
    """Clerk removes a name that is empty, and keeps one that is not sent."""
    recorder.body = user_json()
    await carrier.renew("user_1", replace(ORDINARY, first_name=first, last_name=last), CREATE)
    assert (recorder.only.method, recorder.only.path) == ("PATCH", "/v1/users/user_1")
    assert isinstance(recorder.only.body, dict)
    assert (recorder.only.body["first_name"], recorder.only.body["last_name"]) == sent


async def test_withdrawing_a_user_that_is_gone_already_is_done(carrier: Carrier, recorder: Recorder) -> None:
    """Invariant 7: an earlier attempt may have got through although its answer was lost."""
    recorder.status, recorder.body = 404, error_json("resource_not_found")
    await carrier.withdraw("user_1")
    assert (recorder.only.method, recorder.only.path) == ("DELETE", "/v1/users/user_1")
