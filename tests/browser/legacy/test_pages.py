"""Pages of users whom AX checks itself."""

from tests.browser.conftest import Tab
from tests.browser.test_pages import log_in, phone
from tests.integration.bff.conftest import code_now
from tests.integration.legacy.conftest import LegacyWorld


@phone
async def test_the_second_factor_of_a_user_who_is_not_in_clerk_yet(world: LegacyWorld, tab: Tab) -> None:
    await world.legacy(totp=True)
    await log_in(tab, "legacy@example.com")
    await tab.at("/login/second-factor")
    await tab.fill(code=code_now())
    await tab.submit()
    await tab.at("/")
    await tab.sees("AX itself")
