"""The people that a seed invents."""

import base64
import binascii
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from email_validator import EmailNotValidError, validate_email

from toolkit.clerk.addresses import normal_address
from toolkit.sandbox.people import FEWEST_WITH_BROKEN, STAFF_DOMAIN, Kind, Person, people

KEY = bytes(range(32))
BROKEN = {
    Kind.MALFORMED_DIGEST: 1,
    Kind.UNSUPPORTED_HASHER: 1,
    Kind.INVALID_EMAIL: 1,
    Kind.EMAIL_CASE_TWIN: 2,
    Kind.EMAIL_UNICODE_TWIN: 2,
    Kind.UNDECRYPTABLE_TOTP: 1,
    Kind.MALFORMED_TOTP: 1,
    Kind.MISSING_TOTP: 1,
}


@pytest.fixture(scope="module")
def crowd() -> Sequence[Person]:
    return list(people(1000, 7, KEY))


def of(crowd: Sequence[Person], kind: Kind) -> list[Person]:
    found = [person for person in crowd if person.kind is kind]
    assert found
    return found


def test_the_same_seed_gives_the_same_people(crowd: Sequence[Person]) -> None:
    assert list(people(1000, 7, KEY)) == crowd


def test_another_seed_gives_other_people(crowd: Sequence[Person]) -> None:
    others = list(people(1000, 8, KEY))
    for value in ("id", "password", "hashed_password"):
        assert {getattr(person, value) for person in others}.isdisjoint(
            {getattr(person, value) for person in crowd}
        )


def test_another_key_changes_the_ciphers_alone(crowd: Sequence[Person]) -> None:
    others = list(people(1000, 7, bytes(32)))
    assert [replace(person, totp_cipher=None) for person in others] == [
        replace(person, totp_cipher=None) for person in crowd
    ]
    assert others != crowd


def test_the_broken_ones_are_a_handful_at_any_size(crowd: Sequence[Person]) -> None:
    for some in (crowd, list(people(FEWEST_WITH_BROKEN, 3, KEY))):
        kinds = Counter(person.kind for person in some)
        assert {kind: kinds[kind] for kind in BROKEN} == BROKEN


def test_very_few_people_are_all_sound() -> None:
    for count in (1, FEWEST_WITH_BROKEN - 1):
        few = list(people(count, 3, KEY))
        assert len(few) == count
        assert not any(person.kind in BROKEN for person in few)


def test_every_kind_of_sound_person_occurs(crowd: Sequence[Person]) -> None:
    kinds = Counter(person.kind for person in crowd)
    assert kinds[Kind.ORDINARY] > 850
    assert all(kinds[kind] > 3 for kind in Kind if kind not in BROKEN)


def test_passwords_fit_their_digests(crowd: Sequence[Person]) -> None:
    hasher = PasswordHasher()
    for person in crowd:
        if person.kind is Kind.MALFORMED_DIGEST:
            with pytest.raises(VerificationError):
                hasher.verify(person.hashed_password, person.password)
        else:
            assert hasher.verify(person.hashed_password, person.password)
            assert len(person.password) >= 8
    assert all(person.hashed_password.startswith("$argon2i$") for person in of(crowd, Kind.ARGON2I))
    assert all(
        person.hashed_password.startswith("$argon2d$") for person in of(crowd, Kind.UNSUPPORTED_HASHER)
    )
    assert len({p.hashed_password.split("$")[3] for p in of(crowd, Kind.OTHER_PARAMETERS)}) == 3


def test_every_digest_has_its_own_salt(crowd: Sequence[Person]) -> None:
    whole = [person for person in crowd if person.kind is not Kind.MALFORMED_DIGEST]
    assert len({person.hashed_password.split("$")[4] for person in whole}) == len(whole)


def test_fifteen_in_a_hundred_have_a_second_factor_that_opens(crowd: Sequence[Person]) -> None:
    with_totp = [person for person in crowd if person.totp_secret]
    assert 0.12 < len(with_totp) / len(crowd) < 0.18
    for person in with_totp:
        assert person.enabled_2fa
        assert person.nonce
        assert len(person.nonce) == 12
        assert person.totp_cipher
        assert person.totp_secret
        assert AESGCM(KEY).decrypt(person.nonce, person.totp_cipher, None).decode() == person.totp_secret
        assert len(base64.b32decode(person.totp_secret)) == 20
    assert len({person.nonce for person in with_totp}) == len(with_totp)


def test_the_broken_second_factors_are_broken(crowd: Sequence[Person]) -> None:
    (undecryptable,), (malformed,), (missing,) = (
        of(crowd, kind) for kind in (Kind.UNDECRYPTABLE_TOTP, Kind.MALFORMED_TOTP, Kind.MISSING_TOTP)
    )
    assert undecryptable.enabled_2fa
    assert malformed.enabled_2fa
    assert missing.enabled_2fa
    assert undecryptable.totp_secret is malformed.totp_secret is missing.totp_secret is None
    assert undecryptable.nonce
    assert undecryptable.totp_cipher
    with pytest.raises(InvalidTag):
        AESGCM(KEY).decrypt(undecryptable.nonce, undecryptable.totp_cipher, None)
    assert malformed.nonce
    assert malformed.totp_cipher
    with pytest.raises(binascii.Error):
        base64.b32decode(AESGCM(KEY).decrypt(malformed.nonce, malformed.totp_cipher, None))
    assert missing.totp_cipher is None


def test_addresses_are_valid_and_unlike_save_the_broken_ones(crowd: Sequence[Person]) -> None:
    for person in crowd:
        if person.kind is Kind.INVALID_EMAIL:
            with pytest.raises(EmailNotValidError):
                validate_email(person.email, check_deliverability=False)
        else:
            validate_email(person.email, check_deliverability=False)
    assert len({person.email for person in crowd}) == len(crowd)
    assert len({normal_address(person.email) for person in crowd}) == len(crowd) - 2


@pytest.mark.parametrize("kind", [Kind.EMAIL_CASE_TWIN, Kind.EMAIL_UNICODE_TWIN])
def test_twins_are_one_to_clerk(crowd: Sequence[Person], kind: Kind) -> None:
    one, other = of(crowd, kind)
    assert one.email != other.email
    assert normal_address(one.email) == normal_address(other.email)
    assert (one.email.lower() == other.email.lower()) is (kind is Kind.EMAIL_CASE_TWIN)


def test_people_are_believable(crowd: Sequence[Person]) -> None:
    scripts = {unicodedata.name(person.first_name[0]).split()[0] for person in crowd}
    assert {
        "LATIN",
        "CYRILLIC",
        "GREEK",
        "HEBREW",
        "ARABIC",
        "DEVANAGARI",
        "CJK",
        "HANGUL",
        "THAI",
    } <= scripts
    assert sum(person.email != person.email.lower() for person in crowd) > 50
    assert sum("+" in person.email for person in crowd) > 20
    assert sum(person.email.endswith(f"@{STAFF_DOMAIN}") for person in crowd) > 5
    assert all(person.email_verified_at is None for person in of(crowd, Kind.UNVERIFIED))
    assert all(person.disabled_at for person in of(crowd, Kind.DISABLED))
    assert all(person.email_verified_at and not person.disabled_at for person in of(crowd, Kind.ORDINARY))
    assert all(person.created_at <= person.updated_at for person in crowd)


def test_secrets_are_in_no_representation(crowd: Sequence[Person]) -> None:
    """Invariant 8."""
    for person in crowd:
        assert person.password not in repr(person)
        assert person.hashed_password not in repr(person)
        assert person.totp_secret is None or person.totp_secret not in repr(person)
