"""SQL: every query says what it is for, Python calls it, and addresses are compared by one rule."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from toolkit.paths import QUERIES, ROOT, SQL

QUERY = re.compile(r"^-- name: (\w+)[^\n]*\n((?:--[^\n]*\n)*)", re.MULTILINE)
FOUND = [
    (path.name, name, re.sub(r"^-- ?", "", comment, flags=re.MULTILINE).strip())
    for path in sorted(QUERIES.glob("*.sql"))
    for name, comment in QUERY.findall(path.read_text(encoding="utf-8"))
]

COMPARING = sorted(
    {*SQL.rglob("*.sql")} - {SQL / "schema.sql", SQL / "expand" / "toolkit" / "toolkit-0002-addresses.sql"}
)
"""All SQL but the rule itself."""


@pytest.mark.parametrize(("file", "name", "comment"), FOUND, ids=[name for _, name, _ in FOUND])
def test_every_query_says_what_it_is_for(file: str, name: str, comment: str) -> None:
    assert re.fullmatch(r"[A-Z`].*[.:]", comment, flags=re.DOTALL), f"{name} in {file} lacks a sentence"


def test_no_two_queries_have_one_name() -> None:
    """aiosql would keep the last."""
    assert [name for name, count in Counter(name for _, name, _ in FOUND).items() if count > 1] == []


def test_every_query_is_called() -> None:
    called = {
        name for room in ("bff", "toolkit") for path in (ROOT / room).rglob("*.py") for name in calls(path)
    }
    assert [f"{name} in {file}" for file, name, _ in FOUND if name not in called] == []


@pytest.mark.parametrize("path", COMPARING, ids=lambda path: path.name)
def test_addresses_are_folded_by_one_rule_alone(path: Path) -> None:
    statements = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
    assert re.findall(r"\b(?:lower|upper|normalize|citext)\b", statements, re.IGNORECASE) == []


def test_the_bff_is_ready_only_with_all_the_tables_that_it_asks() -> None:
    """`/readyz` looks at each once; legacy's own queries are apart, and what only the command line asks is not needed."""
    asked = {name for path in (ROOT / "bff").rglob("*.py") for name in calls(path)}
    bodies = {
        name: body
        for path in QUERIES.glob("*.sql")
        if path.name != "legacy.sql"
        for name, body in re.findall(
            r"^-- name: (\w+)[^\n]*\n(.*?)(?=^-- name:|\Z)", path.read_text(), re.M | re.S
        )
    }
    table = re.compile(
        r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(clerk_migration\.\w+|users|sessions|api_keys|invites)\b(?!\()"
    )
    needed = {found for name in asked & bodies.keys() for found in table.findall(bodies[name])}
    looked_at = re.sub(r"\s+", " ", bodies["check_schema"])
    missing = {name for name in needed if not re.search(rf"\b{re.escape(name)}\b", looked_at)}
    assert len(needed) > 10
    assert missing == set()


def calls(path: Path) -> set[str]:
    """The queries that a module names: `queries.NAME`, also of a module's own `_queries`, and of `query`, which are filled."""
    return {
        node.attr.removesuffix("_cursor")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id.endswith(("queries", "query"))
    }
