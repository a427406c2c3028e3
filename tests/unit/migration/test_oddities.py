"""What Clerk may refuse of a row."""

from dataclasses import replace

import pytest

from tests.unit.migration.test_plan import ORDINARY
from tests.unit.migration.test_preflight import count
from toolkit.migration.oddities import LONGEST, Oddity, oddities
from toolkit.migration.survey import EXAMPLES, Survey


@pytest.mark.parametrize(
    ("name", "oddity"),
    [
        ("https://shop.example/win", Oddity.NAME_LIKE_ADDRESS),
        ("Win at www.shop.biz", Oddity.NAME_LIKE_ADDRESS),
        ("ada@example.org", Oddity.NAME_LIKE_ADDRESS),
        ("shop.com", Oddity.NAME_LIKE_ADDRESS),
        ("+49 (30) 1234-567", Oddity.NAME_LIKE_NUMBER),
        ("<b>Ada", Oddity.NAME_LIKE_HTML),
        ("Ada &amp; Co", Oddity.NAME_LIKE_HTML),
        ("a" * (LONGEST + 1), Oddity.NAME_LONG),
    ],
)
def test_a_name_that_clerk_may_refuse_is_seen(name: str, oddity: Oddity) -> None:
    assert [*oddities(replace(ORDINARY, first_name=name))] == [oddity]
    assert [*oddities(replace(ORDINARY, first_name="Ada", last_name=name))] == [oddity]


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "Ada",
        "O'Neill-Smith",
        "J. R. R.",
        "St.John",
        "Ada <3",
        "Henry 8",
        "AT&T",
        "Nuñez",
        "李",
        "a" * LONGEST,
        "Dr. No",
    ],
)
def test_an_ordinary_name_is_not(name: str | None) -> None:
    assert [*oddities(replace(ORDINARY, first_name=name, last_name=name))] == []


@pytest.mark.parametrize("domain", ["a.test", "a.invalid", "ax.example", "printer.local", "A.TEST"])
def test_a_domain_that_does_not_exist_is_seen(domain: str) -> None:
    assert [*oddities(replace(ORDINARY, email=f"ada@{domain} "))] == [Oddity.RESERVED_DOMAIN]


@pytest.mark.parametrize("domain", ["example.com", "test.de", "local.net", "contest"])
def test_a_domain_that_may_exist_is_not(domain: str) -> None:
    assert [*oddities(replace(ORDINARY, email=f"ada@{domain}"))] == []


def test_they_are_counted_with_a_few_examples_among_those_who_would_go_over() -> None:
    found = Survey()
    for number in range(EXAMPLES + 2):
        count(found, replace(ORDINARY, external_id=str(number), first_name="<b>"))
    count(found, replace(ORDINARY, external_id="stays", first_name="<b>", email=None))
    assert found.odd == {Oddity.NAME_LIKE_HTML: EXAMPLES + 2}
    assert found.odd_examples == {Oddity.NAME_LIKE_HTML: [str(number) for number in range(EXAMPLES)]}
