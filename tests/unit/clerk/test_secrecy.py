"""Invariant 8: secrets stay secret, in every text that an error or a log may end up in."""

import traceback
from collections.abc import Iterator

import aiohttp
import pytest
import structlog
from multidict import CIMultiDict, CIMultiDictProxy
from structlog.testing import capture_logs
from yarl import URL

from toolkit.clerk import BackendClient, ClerkConfig, ClerkError

from .answers import error_json, user_json
from .mocked import MockedClerk
from .virtual_time import in_virtual_time

SECRET_KEY = "sk_test_aaaabbbbccccdddd"
SECRETS = {
    "password": "correct horse battery",
    "password_digest": "$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
    "totp_secret": "JBSWY3DPEHPK3PXP",
}
CODE = "backup-code-1"
EVERY_SECRET = (SECRET_KEY, *SECRETS.values(), CODE)
USERS = "https://api.clerk.com/v1/users"
CONFIG = ClerkConfig.from_environment({"CLERK_SECRET_KEY": SECRET_KEY})


@pytest.fixture(autouse=True)
def _structlog_as_it_comes() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def texts(error: BaseException) -> str:
    """All that a log, a report or a debugger would show of an exception."""
    shown = [f"{e} {e!r} {e.args!r} {vars(e)!r}" for e in chain(error)]
    return "\n".join([*shown, *traceback.format_exception(error)])


def leaked(text: str) -> list[str]:
    return [secret for secret in EVERY_SECRET if secret in text]


async def create() -> None:
    async with BackendClient(CONFIG, rate=None) as clerk:
        await clerk.create_user(
            external_id="ax-1",
            email_address="ada@example.com",
            password=SECRETS["password"],
            password_digest=SECRETS["password_digest"],
            totp_secret=SECRETS["totp_secret"],
            backup_codes=[CODE],
        )


ECHO = " ".join(EVERY_SECRET)
REQUEST = aiohttp.RequestInfo(
    URL(USERS), "POST", CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {SECRET_KEY}"})), URL(USERS)
)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 422, "payload": error_json("form_param_format_invalid", message=ECHO)},
        {"status": 500, "body": ECHO},
        {"status": 429, "body": ECHO, "headers": {"Retry-After": "100"}},
        {"status": 200, "body": ECHO},
        {"status": 200, "payload": user_json(banned=ECHO)},
        {"status": 302, "headers": {"Location": "https://elsewhere.example.com"}, "body": ECHO},
        {"status": 403, "body": ECHO, "content_type": "text/html"},
        {"exception": aiohttp.ServerDisconnectedError()},
        {"exception": aiohttp.SocketTimeoutError()},
        {"exception": aiohttp.ClientResponseError(REQUEST, (), message=ECHO)},
    ],
    ids=str,
)
@in_virtual_time
async def test_no_error_repeats_a_secret(answer: dict[str, object]) -> None:
    with MockedClerk() as mocked, capture_logs() as logs:
        mocked.post(USERS, repeat=True, **answer)
        with pytest.raises(ClerkError) as caught:
            await create()
    assert leaked(texts(caught.value)) == []
    assert leaked(repr(logs)) == []


@in_virtual_time
async def test_the_log_tells_of_a_request_but_not_what_was_in_it() -> None:
    with MockedClerk() as mocked, capture_logs() as logs:
        mocked.get(
            f"{USERS}?email_address=ada%40example.com&limit=500",
            payload=[],
            headers={"X-Clerk-Trace-Id": "trace-1"},
        )
        mocked.delete(f"{USERS}/user_1", payload={"deleted": True})
        async with BackendClient(CONFIG, rate=None) as clerk:
            await clerk.find_users_by_email("ada@example.com")
            await clerk.delete_user("user_1")
    listed, deleted = logs
    assert listed.pop("ms") >= 0
    assert listed == {
        "event": "clerk request",
        "log_level": "debug",
        "method": "GET",
        "path": "/v1/users",
        "status": 200,
        "attempt": 1,
        "trace_id": "trace-1",
    }
    assert deleted["path"] == "/v1/users/{user_id}"


def test_the_clients_texts_do_not_have_the_key_in_them() -> None:
    client = BackendClient(CONFIG)
    assert leaked(f"{client!r} {client._transport!r} {CONFIG!r}") == []
