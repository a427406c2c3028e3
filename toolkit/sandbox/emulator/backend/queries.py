"""The query parameters of user lists, as conditions on the store."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.sandbox.emulator import errors
from toolkit.sandbox.emulator.store import Store, Value, normalize_email

MOST = 500
MOST_VALUES = 100
_LARGEST = (1 << 63) - 1
_INTEGER = re.compile(r"-?[0-9]{1,30}")
_COLUMNS = {
    "created_at": "created_at",
    "updated_at": "json_extract(record, '$.updated_at')",
    "email_address": "json_extract(record, '$.emails[0].email_address')",
    "first_name": "json_extract(record, '$.first_name')",
    "last_name": "json_extract(record, '$.last_name')",
    "username": "username",
    "last_active_at": "json_extract(record, '$.last_active_at')",
    "last_sign_in_at": "json_extract(record, '$.last_sign_in_at')",
    "phone_number": "NULL",
    "web3wallet": "NULL",
}
_TIMES = {
    f"{column}_{side}": (expression, comparison)
    for column, expression in (
        ("created_at", "created_at"),
        ("last_active_at", _COLUMNS["last_active_at"]),
        ("last_sign_in_at", _COLUMNS["last_sign_in_at"]),
    )
    for side, comparison in (("before", "<"), ("after", ">"), ("since", ">="))
}
_LISTS = (
    "email_address",
    "external_id",
    "user_id",
    "username",
    "phone_number",
    "web3_wallet",
    "organization_id",
    "provider_user_id",
)
_TEXTS = ("query", "email_address_query", "phone_number_query", "username_query", "name_query")
_ELSEWHERE = ("limit", "offset", "order_by", "starting_after", "provider")
"""Parameters that are not filters: read by read_page, or of no effect alone."""

Query = Sequence[tuple[str, str]]
Condition = tuple[str, tuple[Value, ...]]


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted."""

    where: str
    values: tuple[Value, ...]
    order: str
    limit: int
    offset: int


def read_page(store: Store, query: Query) -> Page:
    """limit, offset, order_by and starting_after. Raises Refusal."""
    limit = read_integer(query, "limit", default=10, least=1, most=MOST)
    offset = read_integer(query, "offset", default=0, least=0)
    order_by = _first(query, "order_by") or "-created_at"
    descending = order_by.startswith("-")
    name = order_by.removeprefix("-" if descending else "+")
    if name not in _COLUMNS:
        raise errors.value_invalid("order_by", order_by)
    direction = "DESC" if descending else "ASC"
    order = f"{_COLUMNS[name]} {direction}, id {direction}"
    cursor = _first(query, "starting_after")
    if cursor is None:
        return Page("1", (), order, limit, offset)
    if name != "created_at" or offset:
        raise errors.value_invalid("starting_after", cursor)
    last = store.get(cursor)
    if last is None:
        raise errors.value_invalid("starting_after", cursor)
    comparison = "<" if descending else ">"
    return Page(f"(created_at, id) {comparison} (?, ?)", (last.created_at, last.id), order, limit, 0)


def read_filters(query: Query) -> Condition:
    """All filters together. Raises Refusal."""
    conditions: list[Condition] = []
    lists: dict[str, list[str]] = {}
    for raw, value in query:
        name = raw.removesuffix("[]")
        if name in _LISTS:
            lists.setdefault(name, []).append(value)
        elif name in _TEXTS:
            conditions.append(_text_condition(name, value))
        elif name in _TIMES:
            expression, comparison = _TIMES[name]
            conditions.append((f"{expression} {comparison} ?", (read_integer(query, name, 0, 0),)))
        elif name == "banned":
            if value not in ("true", "false"):
                raise errors.value_invalid("banned", value)
            conditions.append(("json_extract(record, '$.banned') = ?", (int(value == "true"),)))
        elif name not in _ELSEWHERE:
            raise errors.unknown(name)
    conditions.extend(_list_condition(name, values) for name, values in lists.items())
    if not conditions:
        return "1", ()
    return " AND ".join(f"({where})" for where, _ in conditions), tuple(
        value for _, values in conditions for value in values
    )


def read_integer(query: Query, name: str, default: int, least: int, most: int = _LARGEST) -> int:
    """A whole number within bounds. Raises Refusal."""
    text = _first(query, name)
    if text is None:
        return default
    if not _INTEGER.fullmatch(text):
        raise errors.wrong_type(name, "integer")
    number = int(text)
    if not least <= number <= most:
        raise errors.value_invalid(name, text)
    return number


def _first(query: Query, name: str) -> str | None:
    return next((value for key, value in query if key == name), None)


def _list_condition(name: str, values: list[str]) -> Condition:
    if len(values) > MOST_VALUES:
        raise errors.size_exceeded(name, MOST_VALUES)
    if name == "email_address":
        addresses = tuple(normalize_email(value) for value in values)
        where = f"id IN (SELECT user_id FROM emails WHERE address IN ({_places(addresses)}))"  # noqa: S608
        return where, addresses
    if name == "phone_number":
        return f"id IN (SELECT user_id FROM phones WHERE number IN ({_places(values)}))", tuple(values)  # noqa: S608
    if name == "username":
        return f"username IN ({_places(values)})", tuple(values)
    if name in ("external_id", "user_id"):
        return _signed_condition("id" if name == "user_id" else "external_id", values)
    return "0", ()  # nobody has a wallet or an organization here


def _signed_condition(column: str, values: list[str]) -> Condition:
    """A leading + asks for an id, a leading - leaves it out; neither is part of it."""
    excluded = [value[1:] for value in values if value.startswith("-")]
    included = [value.removeprefix("+") for value in values if not value.startswith("-")]
    parts, bound = [], []
    if included:
        parts.append(f"{column} IN ({_places(included)})")
        bound += included
    if excluded:
        parts.append(f"({column} IS NULL OR {column} NOT IN ({_places(excluded)}))")
        bound += excluded
    return " AND ".join(parts), tuple(bound)


def _text_condition(name: str, value: str) -> Condition:
    pattern = "%" + value.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    email = "EXISTS (SELECT 1 FROM emails AS e WHERE e.user_id = users.id AND e.address LIKE ? ESCAPE '\\')"
    username = "lower(username) LIKE ? ESCAPE '\\'"
    person = (
        "lower(coalesce(json_extract(record, '$.first_name'), '') || ' ' || "
        "coalesce(json_extract(record, '$.last_name'), '')) LIKE ? ESCAPE '\\'"
    )
    if name == "email_address_query":
        return email, (pattern,)
    if name == "phone_number_query":
        return (
            "EXISTS (SELECT 1 FROM phones AS p WHERE p.user_id = users.id AND p.number LIKE ? ESCAPE '\\')",
            (pattern,),
        )
    if name == "username_query":
        return username, (pattern,)
    if name == "name_query":
        return person, (pattern,)
    if name == "query":
        return f"{email} OR {username} OR {person} OR lower(id) LIKE ? ESCAPE '\\'", (pattern,) * 4
    return "0", ()


def _places(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
