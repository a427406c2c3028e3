"""Whether Clerk sees end users' addresses, before anybody logs in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator import Emulator
from toolkit.clerk import BackendClient, ClerkConfig, FrontendClient
from toolkit.clerk.frontend.settings import ProxyHealth
from toolkit.migration.instance import check_proxy

PROXY = "https://ax.example.com/__clerk"


@pytest.fixture
def production(traffic_file: Path) -> Iterator[Emulator]:
    """A production instance whose domain has a proxy."""
    emulator = Emulator(traffic_file, "--secret-key", "sk_live_behindaproxy")
    emulator.settings(proxy_url=PROXY)
    yield emulator
    emulator.stop()


async def checked(emulator: Emulator, proxy_url: str = PROXY) -> str | None:
    config = ClerkConfig.from_environment(
        {
            "CLERK_SECRET_KEY": emulator.secret_key,
            "CLERK_API_URL": emulator.url,
            "CLERK_FRONTEND_API_URL": emulator.url,
            "CLERK_PROXY_URL": proxy_url,
        }
    )
    async with BackendClient(config) as clerk:
        return await check_proxy(config, clerk)


async def test_a_proxy_that_passes_addresses_on_is_in_nobodys_way(production: Emulator) -> None:
    assert await checked(production) is None


async def test_a_proxy_that_takes_addresses_away_is_told(production: Emulator) -> None:
    production.settings(proxy_passes_addresses=False)
    said = await checked(production)
    assert said is not None
    assert "Clerk sees 127.0.0.1: all end users would share it" in said


@pytest.mark.parametrize(
    ("of_the_domain", "told"), [(None, "not set"), ("https://other.example.com", "https://other.example.com")]
)
async def test_a_proxy_that_is_not_the_domains_is_told(
    production: Emulator, of_the_domain: str | None, told: str
) -> None:
    production.settings(proxy_url=of_the_domain)
    said = await checked(production)
    assert said is not None
    assert f"CLERK_PROXY_URL is {PROXY}" in said
    assert f"is {told}. Make them the same" in said


async def test_a_development_instance_is_not_asked(emulator: Emulator) -> None:
    assert await checked(emulator) is None
    assert "GET /v1/domains" not in emulator.stats()["requests"]


async def test_what_clerk_has_against_the_proxy_is_told(
    production: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unhealthy(*_: object, **__: object) -> ProxyHealth:
        return ProxyHealth(status="unhealthy", message="no route")

    monkeypatch.setattr(FrontendClient, "proxy_health", unhealthy)
    assert "unhealthy: no route" in (await checked(production) or "")


async def test_a_check_that_clerk_refuses_does_not_end_the_account(production: Emulator) -> None:
    production.add_fault({"match": {"path": "/v1/proxy-health"}, "times": 50, "status": 503})
    assert "could not be checked" in (await checked(production) or "")
