"""The end user's address, out of what proxies and users write."""

from ipaddress import ip_address, ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bff.http.addresses import Network, client_address
from bff.visitor import Visitor

PROXIES: tuple[Network, ...] = (ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"))
OUTSIDE = st.ip_addresses().filter(lambda address: not any(address in network for network in PROXIES))


def seen(peer: str, *forwarded: str, trusted: tuple[Network, ...] = PROXIES) -> str:
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    return str(client_address(request, trusted))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", (), "203.0.113.7"),
        ("203.0.113.7", ("198.51.100.1",), "203.0.113.7"),  # not through a proxy: anybody's words
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.2.3.4, 198.51.100.1",), "198.51.100.1"),  # the first is claimed
        ("10.0.0.1", ("1.2.3.4, 198.51.100.1, 10.9.9.9",), "198.51.100.1"),  # two proxies
        ("10.0.0.1", ("198.51.100.1", "10.9.9.9"), "198.51.100.1"),  # a header each
        ("10.0.0.1", ("10.9.9.9",), "10.9.9.9"),
        ("10.0.0.1", ("198.51.100.1, nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1, ",), "10.0.0.1"),
        ("::ffff:10.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
        ("2001:db8:1::1", ("2001:db8:2::5",), "2001:db8:2::5"),
        ("10.0.0.1", ("[2001:db8:2::5]",), "2001:db8:2::5"),
        ("fe80::1%eth0", (), "fe80::1"),
        ("unix", ("198.51.100.1",), "None"),
    ],
)
def test_only_what_a_trusted_proxy_appended_is_believed(
    peer: str, forwarded: tuple[str, ...], address: str
) -> None:
    assert seen(peer, *forwarded) == address


def test_without_trusted_proxies_the_header_is_nothing() -> None:
    assert seen("10.0.0.1", "198.51.100.1", trusted=()) == "10.0.0.1"


@given(claimed=st.lists(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"))), real=OUTSIDE)
def test_whatever_a_user_claims_the_proxy_tells_the_address(claimed: list[str], real: object) -> None:
    told = seen("10.0.0.1", ", ".join([*claimed, str(real)]))
    assert ip_address(told) in (real, getattr(real, "ipv4_mapped", None))


def network(address: str) -> str | None:
    return Visitor(ip_address(address), None).network


def test_limits_take_an_ipv6_network_for_one_user() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff")
    assert network("2001:db8::1") != network("2001:db8:0:1::1")
    assert network("192.0.2.1") == "192.0.2.1"
    assert Visitor(None, None).network is None
