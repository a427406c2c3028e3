"""Devices on which somebody logged in with Clerk before. The browser holds an opaque id; Clerk's client token stays here,
encrypted, for each user apart.

Without it every login would come from a new client, and Clerk's client trust would want an emailed code each time.
"""

from datetime import timedelta
from uuid import UUID

from bff.tokens import Cipher, Sealed, hash_token, new_token
from toolkit.database import Connection, queries

LIFETIME = timedelta(days=365)


class Devices:
    """Finds and keeps the client tokens of users on devices."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    async def client_token(self, connection: Connection, device: str | None, user_id: UUID) -> str | None:
        """The user's client token on a device; None when the user never logged in there."""
        if not device:
            return None
        record = await queries.get_device(connection, device_hash=hash_token(device), user_id=user_id)
        return self._cipher.open(Sealed(record["token_cipher"], record["token_nonce"])) if record else None

    async def keep(self, connection: Connection, device: str | None, user_id: UUID, client_token: str) -> str:
        """Keep the user's client token; the device's new id."""
        renamed = await self.rename(connection, device)
        sealed = self._cipher.seal(client_token)
        await queries.put_device(
            connection,
            device_hash=hash_token(renamed),
            user_id=user_id,
            token_cipher=sealed.cipher,
            token_nonce=sealed.nonce,
            lifetime=LIFETIME,
        )
        return renamed

    async def rename(self, connection: Connection, device: str | None) -> str:
        """Give a device another id, and return it.

        The old one is good for nothing any more: who planted it, or saw it, does not know the device from then on.
        """
        renamed = new_token()
        if device is not None:
            await queries.rename_device(
                connection, device_hash=hash_token(device), new_hash=hash_token(renamed)
            )
        return renamed
