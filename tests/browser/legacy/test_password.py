"""Passwords that AX keeps, forgotten and changed; and the move in the middle."""

from playwright.async_api import expect

from tests.browser.conftest import Tab
from tests.browser.test_pages import log_in, phone
from tests.browser.test_password import (
    NEW,
    another,
    change,
    choose,
    forget,
    open_change,
    reset_code,
    type_code,
)
from tests.integration.bff.conftest import PASSWORD
from tests.integration.legacy.conftest import LegacyWorld
from tests.integration.legacy.test_password_reset import EMAIL, code


async def test_forgot_code_new_password_factor_and_in(world: LegacyWorld, tab: Tab) -> None:
    await world.legacy(totp=True)
    elsewhere = await world.token(tab.bff, EMAIL)
    await forget(tab, EMAIL)
    await tab.sees(f"If there is an account with {EMAIL}, we sent a code there.")
    sent = await code(world)
    await type_code(tab, another(sent))
    await tab.sees("The code is wrong")
    await type_code(tab, sent)
    await choose(tab, "short")
    await expect(tab.page.locator("#new_password-error")).to_contain_text("At least 8 characters")
    await choose(tab)
    await tab.at("/login/second-factor")
    await tab.fill(code=await world.fresh_code())
    await tab.submit()
    await tab.at("/")
    await tab.sees("AX itself")
    assert not await tab.bff.signed_in(elsewhere)
    assert (await tab.bff.login(EMAIL)).code == "credentials_invalid"


@phone
async def test_a_password_is_changed_and_the_others_are_out(world: LegacyWorld, tab: Tab) -> None:
    await world.legacy()
    elsewhere = await tab.bff.token(EMAIL)
    await log_in(tab, EMAIL)
    await tab.at("/")
    await tab.open("/security")
    await open_change(tab)
    await change(tab, current="wrong")
    await tab.sees("This is not your password.")
    await change(tab, new=PASSWORD)
    await tab.sees("This is your current password.")
    await change(tab)
    await tab.sees("Password changed")
    assert not await tab.bff.signed_in(elsewhere)
    assert (await tab.bff.login(EMAIL, NEW)).status == 200


@phone
async def test_a_code_that_has_expired_is_sent_again(world: LegacyWorld, tab: Tab) -> None:
    await world.legacy()
    await forget(tab, EMAIL)
    sent = await code(world)
    await world.connection.execute("UPDATE password_reset_codes SET expires_at = now()")
    await type_code(tab, sent)
    await tab.sees("The code is wrong, has expired")
    await tab.page.get_by_role("button", name="Send another code").click()
    await type_code(tab, await code(world, count=2))
    await choose(tab)
    await tab.at("/")


async def test_a_straggler_who_is_moved_in_the_middle_goes_on(world: LegacyWorld, tab: Tab) -> None:
    await world.legacy()
    await forget(tab, EMAIL)
    await type_code(tab, await code(world))
    await tab.at("/forgot/password")
    await world.move(EMAIL)
    await choose(tab)
    await tab.at("/forgot/code")
    await tab.sees("Your account has moved to another system meanwhile, and nothing is lost.")
    await tab.check_accessibility()
    await type_code(tab, await reset_code(world, EMAIL))
    await choose(tab)
    await tab.at("/")
    await tab.sees("Clerk")
