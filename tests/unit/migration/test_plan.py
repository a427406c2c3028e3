"""What the import does with a row, decided from the row alone."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from toolkit.migration.plan import REASONS, Create, Factor, Policy, Skip, plan
from toolkit.migration.source import SourceUser
from toolkit.paths import ROOT

KEY, OLDER, NONCE = b"k" * 32, b"o" * 32, b"n" * 12
SECRET = "JBSWY3DPEHPK3PXP"
ORDINARY = SourceUser(
    id=1,
    external_id="1",
    email="Ada@Example.com",
    email_verified=True,
    password_digest=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret"),
    password_hasher="argon2id",
    second_factor=False,
    totp_cipher=None,
    totp_nonce=None,
    totp_secret=None,
    backup_codes=None,
    first_name="Ada",
    last_name="Lovelace",
    created_at=datetime(2020, 1, 1, tzinfo=UTC),
    disabled=False,
    clerk_id=None,
    is_duplicate=False,
)
WITH_TOTP = replace(
    ORDINARY,
    second_factor=True,
    totp_cipher=AESGCM(KEY).encrypt(NONCE, SECRET.encode(), None),
    totp_nonce=NONCE,
)
WITH_CODES = replace(WITH_TOTP, backup_codes=("abcd1234", "efgh-5678"))
POLICY = Policy(disabled_users="ban", totp_keys=(KEY, OLDER))


def in_the_open(totp_secret: str) -> SourceUser:
    """A user whose second factor is stored as readable text."""
    return replace(ORDINARY, second_factor=True, totp_secret=totp_secret)


def test_an_ordinary_user_goes_over() -> None:
    decided = plan(ORDINARY, POLICY)
    assert isinstance(decided, Create)
    assert str(decided.digest) == "argon2id m=8,t=1,p=1"
    assert (decided.factor, decided.banned) == (None, False)


def test_the_second_factor_goes_along() -> None:
    """Invariant 2."""
    decided = plan(WITH_TOTP, POLICY)
    assert isinstance(decided, Create)
    assert decided.factor == Factor(SECRET)


def test_a_secret_under_the_older_key_goes_along_and_is_told_apart() -> None:
    cipher = AESGCM(OLDER).encrypt(NONCE, SECRET.encode(), None)
    decided = plan(replace(WITH_TOTP, totp_cipher=cipher), POLICY)
    assert isinstance(decided, Create)
    assert decided.factor == Factor(SECRET, by_older_key=True)


def test_a_secret_kept_in_the_open_goes_along() -> None:
    decided = plan(in_the_open(SECRET.lower()), Policy())
    assert isinstance(decided, Create)
    assert decided.factor == Factor(SECRET)


def test_an_enrolment_that_was_not_finished_does_not_go_along() -> None:
    decided = plan(replace(WITH_TOTP, second_factor=False), POLICY)
    assert isinstance(decided, Create)
    assert decided.factor is None


def test_backup_codes_go_along_with_the_second_factor() -> None:
    decided = plan(WITH_CODES, POLICY)
    assert isinstance(decided, Create)
    assert decided.factor == Factor(SECRET, backup_codes=("abcd1234", "efgh-5678"))


def test_backup_codes_of_a_user_whose_second_factor_is_off_stay() -> None:
    decided = plan(replace(WITH_CODES, second_factor=False), POLICY)
    assert isinstance(decided, Create)
    assert decided.backup_codes == ()


@pytest.mark.parametrize("codes", [None, ()])
def test_a_user_without_backup_codes_goes_over_where_the_instance_has_none(codes: tuple[str] | None) -> None:
    decided = plan(replace(WITH_TOTP, backup_codes=codes), replace(POLICY, backup_codes_offered=False))
    assert isinstance(decided, Create)


def test_a_user_without_a_password_goes_over() -> None:
    decided = plan(replace(ORDINARY, password_digest=None, password_hasher=None), POLICY)
    assert isinstance(decided, Create)
    assert decided.digest is None


@pytest.mark.parametrize(
    ("user", "policy", "code"),
    [
        (replace(ORDINARY, email=None), POLICY, "email_missing"),
        (replace(ORDINARY, email="  "), POLICY, "email_missing"),
        (replace(ORDINARY, email="ada.example.com"), POLICY, "email_invalid"),
        (replace(ORDINARY, is_duplicate=True), POLICY, "email_duplicate"),
        (replace(ORDINARY, password_digest="nonsense"), POLICY, "digest_malformed"),
        (replace(ORDINARY, password_hasher=None), POLICY, "hasher_unsupported"),
        (replace(ORDINARY, disabled=True), Policy(disabled_users="hold"), "disabled"),
        (replace(WITH_TOTP, totp_cipher=None), POLICY, "second_factor_missing"),
        (replace(WITH_TOTP, totp_nonce=b"m" * 12), POLICY, "second_factor_undecryptable"),
        (WITH_TOTP, Policy(totp_keys=()), "second_factor_undecryptable"),
        (in_the_open("0189"), POLICY, "second_factor_malformed"),
        (in_the_open("otpauth://totp/?digits=8"), POLICY, "second_factor_digits"),
        (in_the_open("otpauth://totp/?period=60"), POLICY, "second_factor_period"),
        (in_the_open("otpauth://totp/?algorithm=SHA256"), POLICY, "second_factor_algorithm"),
        (in_the_open("otpauth://hotp/?counter=1"), POLICY, "second_factor_counter"),
        (in_the_open("eyJpdiI6IiIsInZhbHVlIjoiIiwibWFjIjoiIn0="), POLICY, "second_factor_laravel"),
        (WITH_TOTP, replace(POLICY, second_factor_offered=False), "second_factor_not_offered"),
        (replace(WITH_TOTP, backup_codes=("abcd1234", "")), POLICY, "backup_codes_unsupported"),
        (replace(WITH_TOTP, backup_codes=("abcd1234", None)), POLICY, "backup_codes_unsupported"),
        (WITH_CODES, replace(POLICY, backup_codes_offered=False), "backup_codes_not_offered"),
        (replace(WITH_CODES, totp_cipher=None), POLICY, "second_factor_missing"),
    ],
)
def test_a_row_that_cannot_go_over_stays_with_a_reason(user: SourceUser, policy: Policy, code: str) -> None:
    """Invariant 2: a second factor that can't be carried holds its user back."""
    decided = plan(user, policy)
    assert isinstance(decided, Skip)
    assert decided.reason.code == code


@pytest.mark.parametrize(("device_trust", "grace"), [("grace", True), ("enforce", False)])
def test_the_playbook_says_whether_the_first_device_is_trusted(
    device_trust: Literal["grace", "enforce"], grace: bool
) -> None:
    policy = replace(POLICY, device_trust=device_trust)
    graces = [
        decided.grace for user in (ORDINARY, WITH_TOTP) if isinstance(decided := plan(user, policy), Create)
    ]
    assert graces == [grace, False], "who has a second factor is asked for that instead"


def test_a_disabled_user_goes_over_banned() -> None:
    decided = plan(replace(ORDINARY, disabled=True), POLICY)
    assert isinstance(decided, Create)
    assert decided.banned


def test_secrets_are_in_no_representation() -> None:
    """Invariant 8."""
    shown = repr([WITH_CODES, plan(WITH_CODES, POLICY), POLICY])
    assert "abcd1234" not in shown
    assert SECRET not in shown
    assert str(ORDINARY.password_digest) not in shown
    assert repr(KEY) not in shown


def test_the_handbook_explains_every_reason() -> None:
    handbook = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    for why in REASONS.values():
        assert f"| `{why.code}` | {why.state} | {why.meaning} | {why.remedy} |" in handbook
