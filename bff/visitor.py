"""Who sends a request, as far as that is known before anything is proven."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_network

Address = IPv4Address | IPv6Address


def network_of(address: Address) -> str:
    """What is counted as one address: an IPv6 user has a whole /64."""
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request comes from."""

    address: Address | None
    """None when the connection has none (a Unix socket)."""
    user_agent: str | None
    device: str | None = field(default=None, repr=False)
    """The id that the device was given."""

    @property
    def network(self) -> str | None:
        """What limits by address go by."""
        return None if self.address is None else network_of(self.address)

    @property
    def address_text(self) -> str | None:
        """The address as Clerk is told it."""
        return None if self.address is None else str(self.address)
