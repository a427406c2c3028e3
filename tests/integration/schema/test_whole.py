"""`sql/schema.sql` shows the schema that the migrations make."""

from difflib import unified_diff

import psycopg

from tests.integration.schema.conftest import dump
from toolkit import paths


def test_the_schema_to_read_is_the_one_that_the_migrations_make(empty: str, migrated: str) -> None:
    with psycopg.connect(empty) as connection:
        connection.execute((paths.SQL / "schema.sql").read_bytes())
    made, shown = dump(migrated).splitlines(), dump(empty).splitlines()
    assert not list(unified_diff(made, shown, "the migrations", "sql/schema.sql", lineterm="")), "they differ"
