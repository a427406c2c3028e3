"""The end user's IP address.

X-Forwarded-For is written by anybody; only what a trusted proxy appended is believed. So the header is read from
its end, over all trusted proxies, to the first address that is not one.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

from bff.visitor import Address

Network = IPv4Network | IPv6Network


def client_address(request: web.Request, trusted: Sequence[Network]) -> Address | None:
    """The address of who sends the request; None when the peer has none (a Unix socket)."""
    current = parse_address(request.remote or "")
    if not trusted:
        return current
    hops = [
        hop.strip() for value in request.headers.getall("X-Forwarded-For", []) for hop in value.split(",")
    ]
    while current is not None and hops and any(current in network for network in trusted):
        before = parse_address(hops.pop())
        if before is None:
            break  # the proxy passed on something that is no address: the proxy is the last that is known
        current = before
    return current


def parse_address(text: str) -> Address | None:
    """An IP address out of what a socket or a proxy calls it; None when it is none."""
    try:
        address = ip_address(text.strip("[]").partition("%")[0])  # without the zone of a link-local address
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
