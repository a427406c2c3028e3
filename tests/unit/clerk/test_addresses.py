"""When two email addresses are the same to Clerk: the rule of Python. That SQL has the same is tested with the schema."""

import unicodedata
from collections.abc import Callable
from functools import partial

import pytest

from toolkit.clerk.addresses import normal_address, same_mailbox

ONE = [
    ("ada@example.com", "ADA@Example.COM"),
    (" \tada@example.com\r\n", "ada@example.com"),
    # Turkish
    ("istanbul@example.com", "İSTANBUL@example.com"),
    ("istanbul@example.com", "i\u0307stanbul@example.com"),
    ("ISPARTA@example.com", "ısparta@example.com"),
    ("x@mail.example.com", "x@maİl.example.com"),
    # Greek: final sigma, and iota below the line
    ("ΟΔΥΣΣΕΥΣ@example.gr", "οδυσσευς@example.gr"),
    ("ΟΔΥΣΣΕΥΣ@example.gr", "οδυσσευσ@example.gr"),
    ("ᾳ@example.gr", "ᾼ@example.gr"),
    ("ᾳ@example.gr", "ΑΙ@example.gr"),
    # German
    ("straße@example.de", "STRASSE@example.de"),
    ("straße@example.de", "STRAẞE@example.de"),
    ("a@straße.de", "a@strasse.de"),
    # other scripts
    ("АДА@example.com", "ада@example.com"),
    ("ԱԴԱ@example.com", "ադա@example.com"),
    ("ᲐᲓᲐ@example.com", "ადა@example.com"),
    ("𞤀@example.com", "𞤢@example.com"),
    # full width, ligatures, signs, composed and decomposed
    ("ｙ@example.net", "y@example.net"),
    ("Ｙ＠ｅｘａｍｐｌｅ．ｎｅｔ", "y@example.net"),
    ("oﬃce@example.com", "office@example.com"),
    ("\u212aelvin@example.com", "kelvin@example.com"),
    ("\u212bngstrom@example.com", "\u00e5ngstrom@example.com"),
    ("ſofia@example.com", "sofia@example.com"),
    ("jos\u00e9@example.com", "jose\u0301@example.com"),
    ("jos\u00e9@example.com", "JOSE\u0301@example.com"),
    ("ʼn@example.com", "ŉ@example.com"),
    # domains
    ("a@bücher.de", "a@xn--bcher-kva.de"),
    ("a@BÜCHER.de", "a@XN--Bcher-KVA.de"),
    ("a@mail.bücher.de", "a@mail.xn--bcher-kva.de"),
    ("a@例え.テスト", "a@xn--r8jz45g.xn--zckzah"),
    ("a@例え。テスト", "a@例え.テスト"),
    ("a@faß.de", "a@xn--fa-hia.de"),
]
TWO = [
    ("ada@example.com", "ad@example.com"),
    ("vera@example.com", "era@example.com"),
    ("ada@example.tv", "ada@example.t"),
    ("zoë@example.com", "zoe@example.com"),
    ("żak@example.com", "zak@example.com"),
    ("а@example.com", "a@example.com"),  # Cyrillic and Latin
    ("ada@example.com.", "ada@example.com"),
    ("ada+ax@example.com", "ada@example.com"),
    ("xn--bcher-kva@example.com", "bücher@example.com"),
    ("a@xn--bcher-kv.de", "a@bücher.de"),
]


@pytest.mark.parametrize(("one", "other"), ONE)
def test_these_are_one_address(one: str, other: str) -> None:
    assert normal_address(one) == normal_address(other)


@pytest.mark.parametrize(("one", "other"), TWO)
def test_these_are_two(one: str, other: str) -> None:
    assert normal_address(one) != normal_address(other)


def test_what_is_proven_of_one_mailbox_is_not_of_another() -> None:
    """A wrong "same" would vouch for somebody else's."""
    for written in ("Straße@Example.com", " straße@example.com", "stra\u00dfe@example.com"):
        assert same_mailbox(written, "straße@example.com")
    for other in ("strasse@example.com", "straße@example.net"):
        assert not same_mailbox(other, "straße@example.com")
    assert not same_mailbox("ısparta@example.com", "isparta@example.com")


def test_no_way_to_write_a_character_makes_another_address() -> None:
    """Whatever Clerk is written in: lower and upper case as Python has them, and Unicode's forms."""
    forms = [partial(unicodedata.normalize, form) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    ways: list[Callable[[str], str]] = [str.lower, str.upper, str.title, str.casefold, *forms]
    different = {
        (character, written)
        for character in map(chr, range(0x110000))
        for written in {way(character) for way in ways} - {character}
        if normal_address(written) != normal_address(character)
    }
    assert different == set()
