"""Pages of users whom AX checks itself."""

from playwright.async_api import expect

from tests.browser.conftest import Tab
from tests.browser.test_pages import log_in, phone
from tests.browser.test_security import begin_authenticator, button, prove, remove, row, turn_on
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


@phone
async def test_an_authenticator_of_ax_is_set_up_used_and_removed(world: LegacyWorld, tab: Tab) -> None:
    email = await world.add()
    await log_in(tab, email)
    await tab.at("/")
    await tab.open("/security")
    await expect(tab.page.locator("#methods li")).to_have_count(
        1
    )  # AX has no text messages and no backup codes
    secret = await begin_authenticator(tab)
    await turn_on(tab, await world.fresh_code(secret))
    await expect(row(tab, "Authenticator app").locator(".current")).to_have_text("On")
    await tab.check_accessibility()
    await tab.open("/")
    await tab.page.click("#log-out")
    await tab.at("/login")
    await log_in(tab, email)
    await tab.at("/login/second-factor")
    await tab.fill(code=await world.fresh_code(secret))
    await tab.submit()
    await tab.at("/")
    await tab.open("/security")
    await world.age_proofs()
    await remove(tab, "Authenticator app")
    await prove(tab, await world.fresh_code(secret))
    await expect(row(tab, "Authenticator app").locator(".current")).to_have_text("Off")
    await expect(button(tab, "Set up: Authenticator app")).to_be_visible()
    await tab.sees("Authenticator app removed")
