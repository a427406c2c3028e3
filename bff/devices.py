"""Devices that logged in with Clerk before. The browser holds an opaque id; Clerk's client token stays here, encrypted.

Without it every login would come from a new client, and Clerk's client trust would want an emailed code each time.
"""

from datetime import timedelta

from bff.tokens import ClientTokenCipher, Sealed, hash_token, new_token
from toolkit.database import Connection, queries

LIFETIME = timedelta(days=365)


class Devices:
    """Finds and keeps the client tokens of devices."""

    def __init__(self, cipher: ClientTokenCipher) -> None:
        self._cipher = cipher

    async def client_token(self, connection: Connection, device: str | None) -> str | None:
        """The device's client token; None for a device that is not known."""
        if not device:
            return None
        record = await queries.get_device(connection, id_hash=hash_token(device))
        return self._cipher.open(Sealed(record["cipher"], record["nonce"])) if record else None

    async def keep(self, connection: Connection, device: str | None, client_token: str) -> str:
        """Keep the device's client token; the device's new id.

        The old one is good for nothing any more: who planted it, or saw it, does not know the device from then on.
        """
        if device is not None:
            await queries.forget_device(connection, id_hash=hash_token(device))
        device = new_token()
        sealed = self._cipher.seal(client_token)
        await queries.put_device(
            connection,
            id_hash=hash_token(device),
            cipher=sealed.cipher,
            nonce=sealed.nonce,
            lifetime=LIFETIME,
        )
        return device
