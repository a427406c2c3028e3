"""What an operator reads at the end of a command."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from tests.unit.migration.test_plan import ORDINARY, SECRET, WITH_TOTP
from tests.unit.migration.test_preflight import count
from toolkit.migration.digests import kind_of
from toolkit.migration.forecast import Forecast
from toolkit.migration.importer import Ended
from toolkit.migration.ledger import Outcome
from toolkit.migration.plan import REASONS, State
from toolkit.migration.preflight import Report
from toolkit.migration.run import RunOutcome, Tally
from toolkit.migration.source import Count
from toolkit.migration.status import PastRun, Status
from toolkit.migration.survey import Survey
from toolkit.terminal.summaries import (
    Typed,
    preflight_json,
    show_import,
    show_preflight,
    show_status,
    status_json,
)


def shown(show: Callable[[Console], None]) -> str:
    """What is printed, in one line."""
    console = Console(file=StringIO(), width=100)
    show(console)
    assert isinstance(console.file, StringIO)
    return " ".join(console.file.getvalue().split())


def surveyed() -> Survey:
    """One ordinary user, one with a second factor and an unverified address, one disabled; 103 without an address."""
    found = Survey()
    for user in (ORDINARY, replace(WITH_TOTP, email_verified=False), replace(ORDINARY, disabled=True)):
        count(found, user)
    for n in range(103):
        count(found, replace(ORDINARY, external_id=f"broken-{n}", email="ada.example.com"))
    count(found, replace(WITH_TOTP, external_id="held-1", totp_nonce=b"m" * 12))
    return found


def clean() -> Survey:
    found = Survey()
    count(found, ORDINARY)
    return found


BLOCKED = Report(
    count=Count(2107, 2000),
    survey=surveyed(),
    clerk_users=2001,
    is_migrated=True,
    misfits=["Passwords are off. Enable “Password” in Clerk's Dashboard."],
    cautions=["Anybody may sign up at Clerk itself."],
    forecast=Forecast(
        nothing=1204,
        mailed_code=3,
        new_password=5,
        banned=7,
        staying=104,
        leaked_reset=1207,
        lockout_attempts=10,
        lockout_minutes=60,
        password_length=8,
    ),
    rate=0.1,
)


TYPED = Typed(("--env", "sandbox"), ("--cohort", "the staff"))


def preflight(report: Report) -> str:
    return shown(lambda console: show_preflight(console, report, TYPED))


def test_preflight_counts_the_users() -> None:
    told = preflight(BLOCKED)
    for line in (
        "in the source 2,107",
        "in Clerk already 2,000",
        "would go over now 3",
        "would stay 104",
        "users in the Clerk instance 2,001",
        "with a verified address 2",
        "with an unverified address 1",
        "with a second factor (TOTP) 1",
        "disabled, to be banned 1",
        "argon2id m=8,t=1,p=1 3 weak",
        "no password 0",
        "nothing: they log in as before 1,204",
        "a code by mail at the first login, if the instance has Device Trust 3",
        "they have no password, and set one by a code 5",
        "they are disabled, and banned in Clerk 7",
        "nothing yet: they stay on legacy 104",
        "Of 1,207 passwords, those that are known to have leaked must be reset",
        "Whoever fails 10 times in all (passwords, codes, resets) is locked out by Clerk for 60 minutes.",
        "New passwords need 8 characters",
        "At 0.1 requests a second the import takes about 30 s.",
    ):
        assert line in told


def test_preflight_says_what_is_in_the_way_and_what_to_do() -> None:
    told = preflight(BLOCKED)
    assert "In the way: Passwords are off. Enable “Password”" in told
    assert "Note: Anybody may sign up at Clerk itself." in told
    assert "103 email_invalid (refused) The email address is not valid. To do: correct the address." in told
    assert "1 second_factor_undecryptable (held) The TOTP secret opens with neither AX_TOTP_KEY nor" in told
    assert "held-1" in told
    assert "Not everybody can go over yet." in told
    assert "Nothing is in the way." not in told


def test_a_few_users_of_each_reason_are_named_with_the_number_left_out() -> None:
    told = preflight(BLOCKED).split()
    assert [f"broken-{n}" for n in range(5)] == [word for word in told if word.startswith("broken-")]
    assert "… and 98 more" in preflight(BLOCKED)


def test_preflight_names_the_next_command_when_nothing_is_in_the_way() -> None:
    report = replace(
        BLOCKED, count=Count(1, 0), survey=clean(), clerk_users=0, misfits=[], cautions=[], rate=None
    )
    told = preflight(report)
    assert "Nothing is in the way that can be seen from here." in told
    assert told.endswith(
        "Whether passwords work in Clerk, a canary tells: python -m toolkit canary --env sandbox --email EMAIL "
        "Next: python -m toolkit import --env sandbox --cohort 'the staff'"
    )
    assert "migrate" not in told
    assert "Then, to prepare the database: python -m toolkit migrate --env sandbox" in preflight(
        replace(report, is_migrated=False)
    )
    for absent in ("Not everybody", "In the way:", "Note:", "Not carried over", "requests a second"):
        assert absent not in told


def test_preflight_for_programs() -> None:
    told = json.loads(json.dumps(preflight_json(BLOCKED)))
    assert told == {
        "users": 2107,
        "linked": 2000,
        "clerk_users": 2001,
        "examined": 107,
        "importable": 3,
        "digests": [
            {
                "hasher": "argon2id",
                "parameters": "m=8,t=1,p=1",
                "users": 3,
                "weak": True,
                "costly": False,
                "seconds": 0,
                "mebibytes": 0,
            }
        ],
        "without_password": 0,
        "verified": 2,
        "unverified": 1,
        "second_factor": 1,
        "older_key": 0,
        "backup_codes": 0,
        "disabled": 1,
        "staying": [
            {
                "state": "refused",
                "code": "email_invalid",
                "users": 103,
                "examples": [f"broken-{n}" for n in range(5)],
            },
            {"state": "held", "code": "second_factor_undecryptable", "users": 1, "examples": ["held-1"]},
        ],
        "misfits": BLOCKED.misfits,
        "cautions": BLOCKED.cautions,
        "forecast": asdict(BLOCKED.forecast),
        "rate": 0.1,
        "seconds": pytest.approx(30),
        "blocked": True,
    }


def test_weak_and_costly_digests_are_told_with_what_comes_of_them() -> None:
    found = clean()
    assert "Weak is less than OWASP asks" in preflight(replace(BLOCKED, survey=found))
    found.digests = Counter(
        {kind_of("$argon2id$v=19$m=1048576,t=4,p=1$c29tZXNhbHQ$" + "A" * 22, "argon2id"): 7}
    )
    told = preflight(replace(BLOCKED, survey=found))
    assert "argon2id m=1048576,t=4,p=1 7 costly: about 3.7 s and 1,024 MiB a login" in told
    assert "Costly is what somebody who logs in has to wait" in told
    assert "weak" not in told.lower()
    found.digests = Counter({kind_of("$2b$15$" + "a" * 53, "bcrypt"): 7})
    assert "bcrypt cost=15 7 costly: about 1.6 s a login" in preflight(replace(BLOCKED, survey=found))
    found.digests = Counter({kind_of("$2b$12$" + "a" * 53, "bcrypt"): 7})
    told = preflight(replace(BLOCKED, survey=found))
    assert "bcrypt cost=12 7" in told
    assert "costly" not in told.lower()


def ended(due: int, *outcomes: Outcome, outcome: RunOutcome = "finished") -> str:
    tally = Tally()
    for one in outcomes:
        tally.add(one)
    return shown(lambda console: show_import(console, Ended(7, outcome, Count(due + 5, 5), tally), TYPED))


def linked(users: int) -> list[Outcome]:
    return [Outcome(str(n), State.LINKED, clerk_id=f"user_{n}") for n in range(users)]


def left(code: str, users: int = 1) -> list[Outcome]:
    return [Outcome.not_linked(replace(ORDINARY, external_id=f"ax-{n}"), REASONS[code]) for n in range(users)]


def test_an_import_of_everybody() -> None:
    told = ended(1200, *linked(1200))
    assert told == "Run 7: finished linked to Clerk 1,200 Everybody went over."


def test_an_import_that_had_a_limit_says_how_many_are_still_due() -> None:
    assert "All that were sent went over. 1,198 are still due." in ended(1200, *linked(2))


def test_an_import_that_found_nobody() -> None:
    assert ended(0).endswith("Nobody was left to import.")


def test_users_who_stay_for_no_persons_sake_are_still_due() -> None:
    told = ended(3, *linked(2), *left("disabled"))
    assert "1 disabled (held) The account is disabled, and the playbook holds those. To do: nothing" in told
    assert "All that were sent went over. 1 are still due." in told


def test_users_who_need_a_person_are_told_with_reason_and_remedy() -> None:
    told = ended(9, *linked(1), *left("email_taken", 8))
    assert "in conflict with another Clerk user 8" in told
    assert "8 email_taken (conflict) Another Clerk user" in told
    assert f"To do: {REASONS['email_taken'].remedy}." in told
    assert "ax-0 ax-1 ax-2 ax-3 ax-4 … and 3 more" in told
    assert (
        "Some users need a person. All of them, by id: python -m toolkit status --env sandbox --users" in told
    )
    assert "went over." not in told


def test_an_interrupted_import_says_how_to_go_on() -> None:
    """Invariant 7."""
    told = ended(9, *linked(2), outcome="interrupted")
    assert "Run 7: interrupted" in told
    assert "Everything in flight was finished; the same command goes on from here." in told
    assert "are still due" not in told


RUN = PastRun(
    id=7,
    operator="ada@ops",
    role="ax",
    version="1.2.3",
    options={"limit": 5},
    error=None,
    started_at=datetime(2026, 5, 12, 10, 20, 30, tzinfo=UTC),
    finished_at=datetime(2026, 5, 12, 10, 21, 0, tzinfo=UTC),
    outcome="finished",
    counts={"states": {"linked": 1000}},
)
STATUS = Status(
    count=Count(1010, 1000),
    ledger=[
        ("conflict", "email_taken", 7, ["a1", "a2", "a3", "a4", "a5"]),
        ("failed", "something_new", 1, ["b1"]),
        ("linked", None, 1000, []),
    ],
    last_run=RUN,
    graces=900,
    clerk_users=1001,
    clerk_problem=None,
)


def status(found: Status) -> str:
    return shown(lambda console: show_status(console, found, "sandbox"))


def test_the_status_counts_and_explains() -> None:
    told = status(STATUS)
    for line in (
        "Environment sandbox",
        "users 1,010",
        "in Clerk (clerk_id set) 1,000",
        "on legacy 10",
        "users in the Clerk instance 1,001",
        "still spared Device Trust 900",
        "last import run 7, 2026-05-12 10:20:30 UTC, finished, by ada@ops",
        "7 email_taken (conflict)",
        "a4 a5 … and 2 more",
        "1 something_new (failed) Clerk refused it. To do:",
    ):
        assert line in told
    assert "did not end" not in told
    assert "could not be asked" not in told


def test_the_status_tells_of_an_import_that_did_not_end() -> None:
    """Invariant 7."""
    told = status(replace(STATUS, last_run=replace(RUN, finished_at=None, outcome=None)))
    assert "10:20:30 UTC, not ended" in told
    assert "Of the last import" not in told
    assert "The last import did not end: it still runs, or was killed. Running it again goes on" in told


def test_the_status_tells_why_the_last_import_ended() -> None:
    told = status(replace(STATUS, last_run=replace(RUN, outcome="failed", error="Clerk did not answer.")))
    assert "10:20:30 UTC, failed, by ada@ops" in told
    assert "Of the last import: Clerk did not answer." in told


def test_the_status_does_without_clerk_and_says_why() -> None:
    told = status(replace(STATUS, clerk_users=None, clerk_problem="CLERK_SECRET_KEY is not set."))
    assert "users in the Clerk instance unknown" in told
    assert "Clerk could not be asked: CLERK_SECRET_KEY is not set." in told
    assert "on legacy 10" in told


def test_the_status_before_any_import() -> None:
    told = status(replace(STATUS, ledger=[], last_run=None, graces=0))
    assert "Device Trust" not in told
    assert "last import" not in told
    assert "Not carried over" not in told


def test_the_status_for_programs() -> None:
    told = json.loads(json.dumps(status_json(STATUS, "sandbox")))
    assert told == {
        "environment": "sandbox",
        "users": 1010,
        "linked": 1000,
        "legacy": 10,
        "clerk_users": 1001,
        "clerk_problem": None,
        "device_graces": 900,
        "ledger": [
            {
                "state": "conflict",
                "code": "email_taken",
                "users": 7,
                "examples": ["a1", "a2", "a3", "a4", "a5"],
            },
            {"state": "failed", "code": "something_new", "users": 1, "examples": ["b1"]},
            {"state": "linked", "code": None, "users": 1000, "examples": []},
        ],
        "last_run": {
            "id": 7,
            "operator": "ada@ops",
            "role": "ax",
            "version": "1.2.3",
            "options": {"limit": 5},
            "error": None,
            "started_at": "2026-05-12T10:20:30+00:00",
            "finished_at": "2026-05-12T10:21:00+00:00",
            "outcome": "finished",
            "counts": {"states": {"linked": 1000}},
        },
    }
    running = replace(STATUS, last_run=replace(RUN, finished_at=None, outcome=None))
    again = json.loads(json.dumps(status_json(running, "sandbox")))["last_run"]
    assert (again["finished_at"], again["outcome"]) == (None, None)
    assert status_json(replace(STATUS, last_run=None), "sandbox")["last_run"] is None


def test_no_account_holds_a_digest_an_address_or_a_secret() -> None:
    """Invariant 8."""
    told = " ".join(
        [
            preflight(BLOCKED),
            ended(9, *left("email_taken"), *left("email_invalid")),
            json.dumps(preflight_json(BLOCKED)),
        ]
    )
    assert "$argon2" not in told
    assert SECRET not in told
    assert "example.com" not in told.lower()


def test_what_others_wrote_is_shown_as_it_is() -> None:
    """An id of the table, or Clerk's words, may look like markup."""
    found = replace(STATUS, ledger=[("held", "disabled", 1, ["[/x]"])], clerk_problem="[secret] is wrong")
    text = status(found)
    assert "[/x]" in text
    assert "[secret] is wrong" in text
