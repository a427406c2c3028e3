"""AX's API keys, as they are: `ax_` and 256 random bits, of which only the hash is stored. Clerk has no part in them."""

from datetime import UTC, datetime, timedelta

from bff.sessions.service import User, user_of
from bff.tokens import hash_token
from toolkit.database import Connection, queries

PREFIX = "ax_"
TOUCH_AFTER = timedelta(minutes=1)
"""A key's use is written down this often at most."""


async def find_user(connection: Connection, key: str) -> User | None:
    """Whose key it is; None for one that is unknown, expired or revoked, or whose user is disabled."""
    record = await queries.user_by_api_key(connection, key_hash=hash_token(key))
    if record is None:
        return None
    used = record["last_used_at"]
    if used is None or datetime.now(UTC) - used > TOUCH_AFTER:
        await queries.touch_api_key(connection, key_id=record["id"])
    return user_of(record)
