"""Devices on which somebody logged in before. The browser holds an opaque id; Clerk's client token stays here, encrypted,
for each user apart.

Without it every login would come from a new client, and Clerk's client trust would want an emailed code each time. A
device where a user logged in on legacy has none yet: the user is known there all the same, and still is after the move.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from bff.tokens import Cipher, Sealed, hash_token, new_token
from toolkit.database import Connection, queries

LIFETIME = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Device:
    """A device as it is for one user."""

    client_token: str | None = field(repr=False)
    """What Clerk knows it by; None where the user never logged in with Clerk, or when another key sealed it."""
    proved: bool
    """The user got in there. Who typed the right password and nothing else did not."""


class Devices:
    """Finds and keeps the client tokens of users on devices."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    async def find(self, connection: Connection, device: str | None, user_id: UUID) -> Device | None:
        """The device as it is for the user; None when the user never logged in there."""
        if not device:
            return None
        record = await queries.get_device(connection, device_hash=hash_token(device), user_id=user_id)
        if record is None:
            return None
        token = self._cipher.open(Sealed(record["token_cipher"], record["token_nonce"]))
        return Device(token, record["proved"])

    async def keep(
        self,
        connection: Connection,
        device: str | None,
        user_id: UUID,
        client_token: str | None,
        *,
        proved: bool,
    ) -> str:
        """Know the user on the device, with a client token if there is a new one; the device's new id."""
        renamed = await self.rename(connection, device)
        sealed = self._cipher.seal(client_token) if client_token is not None else Sealed(None, None)
        await queries.put_device(
            connection,
            device_hash=hash_token(renamed),
            user_id=user_id,
            token_cipher=sealed.cipher,
            token_nonce=sealed.nonce,
            proved=proved,
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


async def forget_others(connection: Connection, device: str | None, user_id: UUID) -> None:
    """Know the user on this device alone: who got in on another with a stolen password is a stranger there from then on."""
    await queries.forget_other_devices(connection, user_id=user_id, device_hash=hash_token(device or ""))
