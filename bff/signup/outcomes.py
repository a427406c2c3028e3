"""What a signup leads to before it ends."""

from dataclasses import dataclass, field
from uuid import UUID

from bff.sessions.service import Delivery


@dataclass(frozen=True, slots=True)
class Verifying:
    """Nobody is let in before the address is verified; a code was sent there."""

    signup_id: UUID
    sent_to: str
    """Masked."""
    resend_after: int
    """Seconds until another code may be asked for."""
    delivery: Delivery = "cookie"
    """How the session is to be handed over in which it ends."""
    device: str | None = field(default=None, repr=False)
    """The device's new id, if it got one."""
