"""Lists hold whom they should, each once, in the order asked for."""

import pytest

from tests.emulator import Emulator
from tests.integration.emulator.conftest import Api


async def people(api: Api, number: int) -> list[str]:
    """Create users with the same `created_at`; their ids."""
    return [
        (await api.created(f"user{n}@example.com", external_id=f"ax-{n}", created_at="2020-01-01T00:00:00Z"))[
            "id"
        ]
        for n in range(number)
    ]


@pytest.mark.parametrize("order", [None, "-created_at", "+created_at", "created_at"])
async def test_a_cursor_walks_everybody_once(api: Api, order: str | None) -> None:
    same_time = await people(api, 11)
    older = (await api.created("old@example.com", created_at="1999-01-01T00:00:00Z"))["id"]
    ordered = [("order_by", order)] if order else []
    walked: list[str] = []
    while page := await api.ids(
        ("limit", "3"), *ordered, *([("starting_after", walked[-1])] if walked else [])
    ):
        walked += page
    assert len(walked) == 12
    assert set(walked) == {older, *same_time}
    assert walked.index(older) == (0 if order in ("+created_at", "created_at") else 11)


async def test_a_cursor_and_a_filter_go_together(api: Api) -> None:
    ids = await people(api, 4)
    newest_first = await api.ids()
    filtered = [("external_id", "ax-0"), ("external_id", "ax-3")]
    first, second = [user for user in newest_first if user in (ids[0], ids[3])]
    assert await api.ids(("limit", "1"), *filtered) == [first]
    assert await api.ids(("starting_after", first), *filtered) == [second]
    assert await api.ids(("starting_after", second), *filtered) == []


async def test_ten_come_unless_more_are_asked_for(api: Api) -> None:
    await people(api, 12)
    assert len(await api.ids()) == 10
    assert len(await api.ids(("limit", "500"))) == 12
    assert len(await api.ids(("limit", "500"), ("offset", "5"))) == 7
    assert await api.ids(("offset", "12")) == []


@pytest.mark.parametrize("name", ["external_id", "user_id"])
async def test_signs_include_and_exclude(api: Api, name: str) -> None:
    ids = await people(api, 4)
    value = ids if name == "user_id" else [f"ax-{n}" for n in range(4)]
    nobody = (await api.created("no.external.id@example.com"))["id"]

    async def found(*values: str) -> set[str]:
        query = [(name, value) for value in values]
        users = set(await api.ids(*query))
        count = await api.call("GET", "/v1/users/count", query=query)
        assert count.content["total_count"] == len(users)
        return users

    assert await found(value[0], f"+{value[1]}") == {ids[0], ids[1]}
    assert await found(f"-{value[0]}", f"-{value[1]}") == {ids[2], ids[3], nobody}
    assert await found(f"+{value[0]}", value[1], f"-{value[1]}") == {ids[0]}
    assert await found("nothing such") == set()


async def test_an_external_id_that_begins_with_a_sign_is_found(api: Api) -> None:
    user = (await api.created(external_id="-5"))["id"]
    assert await api.ids(("external_id", "+-5")) == [user]


@pytest.mark.parametrize("name", ["email_address", "email_address[]"])
async def test_emails_are_found_however_they_are_written(api: Api, name: str) -> None:
    ids = await people(api, 3)
    second = (await api.created(None, email_address=["main@example.com", "side@example.com"]))["id"]
    assert await api.ids((name, " USER1@Example.com")) == [ids[1]]
    assert set(await api.ids((name, "ｕser0@example.com"), (name, "SIDE@example.com"))) == {ids[0], second}
    assert await api.ids((name, "ser0@example.com")) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (("query", "LOVE"), "ada"),
        (("query", "ada lov"), "ada"),
        (("query", "hopper@"), "grace"),
        (("query", "100%"), "percent"),
        (("name_query", "_"), None),
        (("email_address_query", "OPPER@EX"), "grace"),
        (("name_query", "grace"), "grace"),
        (("name_query", "example"), None),
        (("username_query", "amazing"), "grace"),
        (("banned", "true"), "percent"),
        (("created_at_before", "1577836800000"), "ada"),
        (("created_at_after", "1609459200000"), "percent"),
        (("provider_user_id", "1"), None),
        (("phone_number", "+15555550100"), None),
        (("last_active_at_since", "0"), None),
    ],
)
async def test_filters(api: Api, emulator: Emulator, query: tuple[str, str], found: str | None) -> None:
    emulator.settings(username=True)
    ids = {
        "ada": (
            await api.created(first_name="Ada", last_name="Lovelace", created_at="2019-12-31T23:59:59.999Z")
        )["id"],
        "grace": (
            await api.created(
                "hopper@example.com",
                first_name="Grace",
                username="amazing",
                created_at="2020-01-01T00:00:00Z",
            )
        )["id"],
        "percent": (
            await api.created(
                "p@example.com", first_name="100%", banned=True, created_at="2021-01-01T00:00:00.001Z"
            )
        )["id"],
    }
    wanted = [ids[found]] if found else []
    assert await api.ids(query) == wanted
    count = await api.call("GET", "/v1/users/count", query=[query])
    assert count.content["total_count"] == len(wanted)


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("first_name", "abc"),
        ("-first_name", "cba"),
        ("+last_name", "cab"),
        ("email_address", "bca"),
        ("-created_at", "acb"),
        ("updated_at", "abc"),
    ],
)
async def test_orders(api: Api, order: str, names: str) -> None:
    for first, last, email, year in (("a", "y", "z", 2022), ("b", "z", "x", 2020), ("c", "x", "y", 2021)):
        await api.created(
            f"{email}@example.com", first_name=first, last_name=last, created_at=f"{year}-01-01T00:00:00Z"
        )
    reply = await api.call("GET", "/v1/users", query=[("order_by", order)])
    assert "".join(user["first_name"] for user in reply.content) == names


async def test_sessions_are_listed_by_user_client_and_status(api: Api) -> None:
    ids = await people(api, 2)
    sessions = [(await api.call("POST", "/v1/sessions", {"user_id": ids[n % 2]})).content for n in range(4)]
    await api.call("POST", f"/v1/sessions/{sessions[0]['id']}/revoke")

    async def found(*query: tuple[str, str]) -> set[int]:
        reply = await api.call("GET", "/v1/sessions", query=list(query))
        return {[session["id"] for session in sessions].index(session["id"]) for session in reply.content}

    assert await found(("user_id", ids[0])) == {0, 2}
    assert await found(("user_id", ids[0]), ("status", "active")) == {2}
    assert await found(("user_id", ids[0]), ("status", "revoked")) == {0}
    assert await found(("client_id", sessions[3]["client_id"])) == {3}
    assert len(await found(("user_id", ids[1]), ("limit", "1"))) == 1
    assert await found(("user_id", "user_none")) == set()


async def test_the_newest_session_comes_first(api: Api, emulator: Emulator) -> None:
    user = await api.created()
    made = []
    for _ in range(4):
        made.append((await api.call("POST", "/v1/sessions", {"user_id": user["id"]})).content["id"])
        emulator.advance(1)
    of_user = ("user_id", user["id"])
    listed = (await api.call("GET", "/v1/sessions", query=[of_user, ("limit", "3")])).content
    assert [session["id"] for session in listed] == made[:0:-1]
