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
from toolkit.migration.digests import Kind
from toolkit.migration.plan import Create, Factor

CREATE = Create(digest=Kind("argon2id", "m=8,t=1,p=1"), factor=None, banned=False)
WITH_CODES = Create(
    digest=None, factor=Factor("JBSWY3DPEHPK3PXP", backup_codes=("abcd1234", "efgh5678")), banned=False
)
WITHOUT_CODES = Create(digest=None, factor=Factor("JBSWY3DPEHPK3PXP"), banned=False)
TOTP = {"two_factor_enabled": True, "totp_enabled": True}
CODES = {"backup_code_enabled": True}
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


async def test_the_second_factor_is_sent_with_its_backup_codes(carrier: Carrier, recorder: Recorder) -> None:
    recorder.body = user_json(**TOTP, **CODES)
    await carrier.carry(ORDINARY, WITH_CODES)
    await carrier.renew("user_1", ORDINARY, WITH_CODES)
    for request in recorder.requests:
        assert isinstance(request.body, dict)
        assert request.body["totp_secret"] == "JBSWY3DPEHPK3PXP"
        assert request.body["backup_codes"] == ["abcd1234", "efgh5678"]
    assert [request.method for request in recorder.requests] == ["POST", "PATCH"]


@pytest.mark.parametrize(
    ("sent", "answered", "code"),
    [
        (WITH_CODES, {}, "second_factor_not_taken"),
        (WITH_CODES, CODES, "second_factor_not_taken"),
        (WITH_CODES, {"totp_enabled": True, **CODES}, "second_factor_not_taken"),
        (WITH_CODES, {"two_factor_enabled": True, **CODES}, "second_factor_not_taken"),
        (WITH_CODES, TOTP, "backup_codes_not_taken"),
        (WITHOUT_CODES, {"totp_enabled": True}, "second_factor_not_taken"),
    ],
)
async def test_a_user_whom_clerk_did_not_give_all_of_the_second_factor_is_removed(
    carrier: Carrier, recorder: Recorder, sent: Create, answered: dict[str, bool], code: str
) -> None:
    """Invariant 2: whoever is reachable by password alone must not stay, not even unlinked."""
    recorder.body = user_json(**answered) | {"deleted": True}
    with pytest.raises(NotCarried) as raised:
        await carrier.carry(ORDINARY, sent)
    assert raised.value.reason.code == code
    assert [(r.method, r.path) for r in recorder.requests[1:]] == [("DELETE", "/v1/users/user_1")]


@pytest.mark.parametrize(
    ("sent", "answered", "removed"),
    [
        (WITHOUT_CODES, {**TOTP, **CODES}, ["/v1/users/user_1/backup_code"]),
        (CREATE, {**TOTP, **CODES}, ["/v1/users/user_1/mfa"]),
        (CREATE, CODES, ["/v1/users/user_1/mfa"]),
        (CREATE, {}, []),
        (WITHOUT_CODES, TOTP, []),
        (WITH_CODES, {**TOTP, **CODES}, []),
    ],
)
async def test_what_the_row_has_not_any_more_is_taken_away(
    carrier: Carrier, recorder: Recorder, sent: Create, answered: dict[str, bool], removed: list[str]
) -> None:
    recorder.body = user_json(**answered) | {"user_id": "user_1"}
    await carrier.renew("user_1", ORDINARY, sent)
    assert [r.path for r in recorder.requests if r.method == "DELETE"] == removed


async def test_a_user_who_was_signed_in_to_before_the_row_changed_is_not_linked(
    carrier: Carrier, recorder: Recorder
) -> None:
    """Invariants 2 and 4: that session came by an older password, or without the second factor, and would live on."""
    recorder.body = user_json(**TOTP, last_sign_in_at=1700000000000)
    with pytest.raises(NotCarried) as raised:
        await carrier.renew("user_1", ORDINARY, WITHOUT_CODES)
    assert raised.value.reason.code == "clerk_user_in_use"
    assert [request.method for request in recorder.requests] == ["PATCH"], (
        "it is not removed: it may be newer"
    )


async def test_withdrawing_a_user_that_is_gone_already_is_done(carrier: Carrier, recorder: Recorder) -> None:
    """Invariant 7: an earlier attempt may have got through although its answer was lost."""
    recorder.status, recorder.body = 404, error_json("resource_not_found")
    await carrier.withdraw("user_1")
    assert (recorder.only.method, recorder.only.path) == ("DELETE", "/v1/users/user_1")
