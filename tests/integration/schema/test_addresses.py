"""When two email addresses are the same to Clerk: Python and SQL say the same, whatever the database's collation."""

import unicodedata
from collections.abc import Iterator
from secrets import token_hex

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors
from psycopg.sql import SQL, Identifier

from tests.integration.schema.conftest import Connection
from tests.postgres import Server
from tests.unit.clerk.test_addresses import ONE, TWO
from toolkit import schema
from toolkit.clerk.addresses import normal_address
from toolkit.sandbox.seed import MIGRATIONS, SOURCE_VIEW

ODD = [
    *(
        "",
        "@",
        "a@",
        "@b",
        "nobody",
        "a@b@xn--bcher-kva.de",
        "xn--bcher-kva",
        "xn--bcher-kva@",
        "xn--@",
        "xn--a@b",
    ),
    *(
        "a@xn--",
        "a@xn---",
        "a@xn--a-",
        "a@xn--é",
        "a@.xn--bcher-kva..",
        "a@xn--xn---epa",
        "a@xn--0000h",
        "a@xn--ls8h",
    ),
    *("a@xn--99999999999", f"a@xn--{'z' * 300}", f"a@xn--{'9' * 300}", f"a@xn--a{'b' * 300}"),
    *("i\u0307\u0307@example.com", "a\u0345\u0301"),
]
COLLATIONS = {
    "libc C": "LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'",
    "libc C.UTF-8": "LOCALE_PROVIDER libc LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'",
    "libc en_US": "LOCALE_PROVIDER libc LC_COLLATE 'en_US.UTF-8' LC_CTYPE 'en_US.UTF-8'",
    "libc tr_TR": "LOCALE_PROVIDER libc LC_COLLATE 'tr_TR.UTF-8' LC_CTYPE 'tr_TR.UTF-8'",
    "icu root": "LOCALE_PROVIDER icu ICU_LOCALE 'und'",
    "icu tr-TR": "LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR'",
    "icu de-DE": "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'",
    "builtin C": "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C'",
    "builtin C.UTF-8": "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'",
    "builtin PG_UNICODE_FAST": "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'PG_UNICODE_FAST'",
}
LETTERS = "aAiIİıßẞςΣσſKﬁyｙ\u0307\u0301\u0345éÉ@.-x n。ᾳǰ0aé日本🦀\u3000\u00a0"


@pytest.fixture(scope="module", params=COLLATIONS)
def collated(request: pytest.FixtureRequest, server: Server) -> Iterator[Connection]:
    """A migrated database with this collation as its default."""
    name = f"test_{token_hex(6)}"
    url = server.postgres.url_of(name)
    with psycopg.connect(server.postgres.url_of("postgres"), autocommit=True) as maintenance:
        try:
            maintenance.execute(
                SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' {}").format(
                    Identifier(name), SQL(COLLATIONS[request.param])
                )
            )
        except (errors.WrongObjectType, errors.FeatureNotSupported, errors.InvalidParameterValue) as error:
            pytest.skip(f"this Postgres has no such collation: {error}")
        try:
            schema.apply(url, MIGRATIONS, SOURCE_VIEW)
            with psycopg.connect(url, autocommit=True) as connection:
                yield connection
        finally:
            maintenance.execute(SQL("DROP DATABASE {}").format(Identifier(name)))


def in_sql(connection: Connection, addresses: list[str]) -> list[object]:
    rows = connection.execute(
        "SELECT clerk_migration.normal_address(a.address) FROM unnest(%s::text[]) WITH ORDINALITY AS a (address, n) ORDER BY n",
        [addresses],
    ).fetchall()
    return [row[0] for row in rows]


def test_sql_says_the_same_on_every_collation(collated: Connection) -> None:
    addresses = [*(address for pair in ONE + TWO for address in pair), *ODD]
    assert in_sql(collated, addresses) == [normal_address(address) for address in addresses]


def test_sql_says_the_same_of_every_character(second: Connection) -> None:
    """Those that Python knows; the newer ones are compared as each side knows them, which decides nothing."""
    known = [
        chr(code) for code in range(1, 0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")
    ]
    texts = [f"{character}i{character}@x" for character in known]
    said = zip(texts, in_sql(second, texts), strict=True)
    assert {text: normal for text, normal in said if normal != normal_address(text)} == {}


@given(
    st.lists(
        st.one_of(
            st.text(LETTERS, max_size=12),
            st.text("ab9-zé", max_size=8).map("a@xn--{}".format),
            st.text(max_size=6).map(lambda text: f"a@xn--{text.encode('punycode', 'ignore').decode()}.x"),
        ),
        max_size=200,
    )
)
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
def test_sql_says_the_same_of_anything(second: Connection, addresses: list[str]) -> None:
    addresses = [address.replace("\0", "") for address in addresses]
    assert in_sql(second, addresses) == [normal_address(address) for address in addresses]


def test_whoever_writes_to_users_needs_no_right_on_the_toolkits_schema(empty: str) -> None:
    """Not in a database, either, whose functions nobody may execute unless it is said."""
    role = Identifier(f"application_{token_hex(4)}")
    with psycopg.connect(empty, autocommit=True) as owner:
        owner.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
        schema.apply(empty, MIGRATIONS, SOURCE_VIEW)
        owner.execute(SQL("CREATE ROLE {}").format(role))
        owner.execute(SQL("GRANT SELECT, INSERT, UPDATE ON users TO {}").format(role))
        with owner.transaction():
            owner.execute(SQL("SET LOCAL ROLE {}").format(role))
            owner.execute("INSERT INTO users (email) VALUES ('ada@xn--bcher-kva.de'), ('ADÉ@bücher.de')")
            owner.execute("UPDATE users SET email = 'ada@example.com' WHERE email = 'ada@xn--bcher-kva.de'")


def test_an_address_is_found_by_the_index(second: Connection) -> None:
    second.execute(
        "INSERT INTO users (email, clerk_id) SELECT n || '@xn--bcher-kva.de', n::text FROM generate_series(1, 5000) AS n"
    )
    second.execute("ANALYZE users")
    (plan,) = zip(
        *second.execute(
            "EXPLAIN SELECT FROM users "
            "WHERE email = 'x' OR (clerk_migration.normal_address(email) = '7@bücher.de' AND clerk_id IS NOT NULL)"
        ).fetchall(),
        strict=True,
    )
    assert "users_normal_address_idx" in str(plan)
    assert "Seq Scan" not in str(plan)
