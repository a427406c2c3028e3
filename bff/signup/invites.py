"""Invites. Each admits as many signups as it has uses left; what is stored of its code is a hash."""

import hashlib
from uuid import UUID

from bff.refusals import FieldError, FieldsInvalid
from toolkit.database import Connection, queries


async def take(connection: Connection, code: str) -> UUID:
    """Take one use of an invite; its id. Raises FieldsInvalid, which does not tell unknown from used up or expired."""
    code_hash = hashlib.sha256(code.strip().encode()).digest()
    invite_id: UUID | None = await queries.take_invite(connection, code_hash=code_hash)
    if invite_id is None:
        detail = "This invite is not valid, or was used up. If you signed up with it, log in."
        raise FieldsInvalid(FieldError("invite", "invite_invalid", detail))
    return invite_id
