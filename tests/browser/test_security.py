"""The security page, as people use it, with codes as authenticators compute them."""

import asyncio

from playwright.async_api import Locator, expect

from tests.browser.conftest import Tab
from tests.browser.test_pages import log_in, phone
from tests.integration.bff.conftest import PASSWORD, World

EMAIL = "somebody@example.com"
NUMBER = "+4915112345678"
MASKED = "+4*******78"


def button(tab: Tab, name: str) -> Locator:
    """The button that can be seen, of those with a name."""
    return tab.page.get_by_role("button", name=name, exact=True)


def row(tab: Tab, name: str) -> Locator:
    """One of the methods."""
    return tab.page.locator("#methods li").filter(has_text=name)


async def open_security(world: World, tab: Tab) -> None:
    """The page of somebody who is logged in and has no second factor yet."""
    await asyncio.to_thread(world.emulator.settings, phone_number=True)
    await log_in(tab, await world.add())
    await tab.at("/")
    await tab.page.get_by_role("link", name="Security").click()
    await tab.sees("Authenticator app")


async def begin_authenticator(tab: Tab) -> str:
    """Have a secret made, and read it."""
    await button(tab, "Set up: Authenticator app").click()
    await tab.sees("Scan this with the app")
    return (await tab.page.locator("#secret").inner_text()).replace(" ", "")


async def turn_on(tab: Tab, code: str) -> None:
    await tab.page.fill("#totp-code", code)
    await button(tab, "Turn it on").click()


async def keep_codes(tab: Tab) -> list[str]:
    """The backup codes, which are said to be kept."""
    await tab.sees("Your backup codes")
    codes = await tab.page.locator("#codes li").all_inner_texts()
    await tab.page.check("[name=kept]")
    await button(tab, "Go on").click()
    return codes


async def set_up(world: World, tab: Tab) -> tuple[str, list[str]]:
    """Set up an authenticator; its secret, and the backup codes."""
    secret = await begin_authenticator(tab)
    await turn_on(tab, await world.fresh_code(secret))
    codes = await keep_codes(tab)
    await expect(row(tab, "Authenticator app").locator(".current")).to_have_text("On")
    return secret, codes


async def add_number(world: World, tab: Tab) -> None:
    await button(tab, "Add a number: Text message").click()
    await tab.page.fill("#number", "0049 151/123-45678")
    await button(tab, "Send a code").click()
    await tab.sees(f"We sent a code to {MASKED}")
    await tab.page.fill("#phone-code", (await world.mail(NUMBER, "phone_code"))[-1]["code"])
    await button(tab, "Add it").click()
    await expect(row(tab, MASKED).locator(".current")).to_have_text("On")


async def remove(tab: Tab, name: str) -> None:
    await button(tab, f"Remove: {name}").click()
    await button(tab, "Remove").click()


async def prove(tab: Tab, code: str | None = None) -> None:
    """Type into the dialog that asks who one is."""
    await tab.page.fill("#password", PASSWORD)
    await tab.page.locator("#first-step").get_by_role("button", name="Continue").click()
    if code is not None:
        await type_proof(tab, code)


async def type_proof(tab: Tab, code: str) -> None:
    await tab.page.fill("#proof-code", code)
    await tab.page.locator("#second-step").get_by_role("button", name="Continue").click()


async def log_in_again(tab: Tab) -> None:
    """End the session, and begin a login as far as its second step, if there is one."""
    await tab.open("/")
    await tab.page.click("#log-out")
    await tab.at("/login")
    await log_in(tab, EMAIL)


@phone
async def test_second_factors_from_the_first_to_none(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    secret, codes = await set_up(world, tab)
    await log_in_again(tab)
    await tab.fill(code=await world.fresh_code(secret))
    await tab.submit()
    await tab.at("/")
    await log_in_again(tab)
    await button(tab, "Backup code").click()
    await tab.fill(code=codes[0])
    await tab.submit()
    await tab.at("/")
    await log_in_again(tab)
    await button(tab, "Backup code").click()
    await tab.fill(code=codes[0])
    await tab.submit()
    await tab.sees("The code is wrong, has expired, or was used before.")
    await tab.fill(code=codes[1])
    await tab.submit()
    await tab.at("/")
    await tab.open("/security")
    await add_number(world, tab)
    await log_in_again(tab)
    sent = len(await world.mail(NUMBER, "phone_code"))
    await button(tab, f"Text message to {MASKED}").click()
    await tab.fill(code=(await world.mail(NUMBER, "phone_code", count=sent + 1))[-1]["code"])
    await tab.submit()
    await tab.at("/")
    await tab.open("/security")
    await remove(tab, "Authenticator app")
    await expect(row(tab, "Authenticator app").locator(".current")).to_have_text("Off")
    await remove(tab, f"Text message to {MASKED}")
    await expect(tab.page.locator("#methods li")).to_have_count(2)
    await expect(tab.page.locator("#events strong")).to_have_text(
        ["Phone number removed", "Authenticator app removed", "Phone number added", "Authenticator app added"]
    )
    await expect(tab.page.locator("#events small").first).to_contain_text("Chrome on Linux, 127.0.0.1")
    await log_in_again(tab)
    await tab.at("/")


async def test_each_screen_is_held_against_axe(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    await tab.check_accessibility()
    secret = await begin_authenticator(tab)
    await tab.sees("Scan this with the app")
    await expect(tab.page.locator("#authenticator h1")).to_be_focused()
    code = tab.page.get_by_role("img", name="QR code")
    box = await code.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) > 150, "it is drawn"
    assert secret in (await tab.page.get_attribute("#uri", "href") or "")
    await turn_on(tab, "000000" if await world.fresh_code(secret) != "000000" else "111111")
    await tab.sees("The code is wrong")
    await tab.check_accessibility()
    await turn_on(tab, await world.fresh_code(secret))
    await button(tab, "Go on").click()
    await tab.sees("Please keep the codes first, and say so here.")
    await expect(tab.page.locator("[name=kept]")).to_be_focused()
    await tab.check_accessibility()
    await keep_codes(tab)
    await expect(tab.page.locator("#overview h1")).to_be_focused()
    await tab.sees("Authenticator app added")
    await tab.check_accessibility()
    await button(tab, "Add a number: Text message").click()
    await expect(tab.page.locator("#number")).to_be_focused()
    await tab.page.fill("#number", "0151 1234")
    await button(tab, "Send a code").click()
    await tab.sees("Please type the whole number")
    await tab.check_accessibility()
    await tab.page.set_viewport_size({"width": 320, "height": 640})
    await tab.page.fill("#number", "+49 151 12345678")
    await button(tab, "Send a code").click()
    await tab.sees("Confirm it is you")  # Clerk wants the new factor, too
    await tab.check_accessibility()
    await prove(tab)
    await tab.sees("Type the code that your authenticator app shows")
    await expect(tab.page.locator("#proof-code")).to_be_focused()
    await tab.check_accessibility()
    await type_proof(tab, await world.fresh_code(secret))
    await tab.sees("We sent a code to")
    await tab.check_accessibility()
    await button(tab, "Cancel").click()
    await button(tab, "Remove: Authenticator app").click()
    await tab.sees("Remove the authenticator app?")
    await tab.check_accessibility()


async def test_a_removal_goes_on_after_the_proof_it_needs(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    secret, _ = await set_up(world, tab)
    challenge = (await tab.bff.login(EMAIL, delivery="bearer")).content["challenge"]["id"]
    elsewhere = (await tab.bff.finish(challenge, await world.fresh_code(secret))).content["token"]
    await world.age_proofs()
    await button(tab, "Remove: Authenticator app").click()
    await tab.page.check("#end-sessions")
    await button(tab, "Remove").click()
    await tab.sees("Confirm it is you")
    await expect(tab.page.locator("#password")).to_be_focused()
    await tab.page.keyboard.press("Escape")
    await expect(tab.page.locator("#reauthentication")).not_to_be_visible()
    await expect(tab.page.locator("#end-sessions")).to_be_checked()  # all is as it was
    await expect(button(tab, "Remove")).to_be_focused()
    await button(tab, "Remove").click()
    await tab.page.fill("#password", "wrong")
    await tab.page.keyboard.press("Enter")
    await tab.sees("This is not your password.")
    await expect(tab.page.locator("#password")).to_be_focused()
    await prove(tab, "000000" if await world.fresh_code(secret) != "000000" else "111111")
    await tab.sees("The code is wrong")
    await expect(row(tab, "Authenticator app").locator(".current")).to_have_text("On")
    await tab.page.fill("#proof-code", await world.fresh_code(secret))
    await tab.page.keyboard.press("Enter")
    await expect(row(tab, "Authenticator app").locator(".current")).to_have_text("Off")
    await expect(tab.page.locator("dialog[open]")).to_have_count(0)
    await tab.sees("All other sessions ended")
    assert not await tab.bff.signed_in(elsewhere)
    await expect(tab.page.locator("#password")).to_have_value("")  # nothing that was typed stays


@phone
async def test_with_a_backup_code_and_by_text_message_one_proves_oneself_too(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    _, codes = await set_up(world, tab)
    await world.age_proofs()
    await button(tab, "Add a number: Text message").click()
    await tab.page.fill("#number", NUMBER)
    await button(tab, "Send a code").click()
    await prove(tab)
    await tab.page.locator("#second-step").get_by_role("button", name="Backup code").click()
    await expect(tab.page.locator("#proof-code")).to_be_focused()
    await tab.page.fill("#proof-code", codes[0])
    await tab.page.keyboard.press("Enter")
    await tab.sees(f"We sent a code to {MASKED}")
    await button(tab, "Send another code").click()
    sent = await world.mail(NUMBER, "phone_code", count=2)
    await tab.page.fill("#phone-code", sent[-1]["code"])
    await button(tab, "Add it").click()
    await tab.sees("Phone number added")
    await world.age_proofs()
    await remove(tab, f"Text message to {MASKED}")
    await prove(tab)
    await button(tab, f"Text message to {MASKED}").click()
    sent = await world.mail(NUMBER, "phone_code", count=3)
    await type_proof(tab, sent[-1]["code"])
    await tab.sees("Phone number removed")


@phone
async def test_a_session_from_before_the_move_is_proven_before_the_page_shows(world: World, tab: Tab) -> None:
    await log_in(tab, await world.add())
    await tab.at("/")
    await world.connection.execute(
        "UPDATE sessions SET clerk_session_id = NULL, clerk_client_token_cipher = NULL,"
        " clerk_client_token_nonce = NULL"
    )
    await tab.open("/security")
    await button(tab, "Cancel").click()
    await tab.at("/")
    await tab.open("/security")
    await prove(tab)
    await tab.sees("Authenticator app")


@phone
async def test_an_enrolment_that_took_too_long_is_begun_anew(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    secret = await begin_authenticator(tab)
    await world.connection.execute("UPDATE clerk_migration.challenges SET expires_at = now()")
    await turn_on(tab, await world.fresh_code(secret))
    await tab.sees("That took too long, or had too many wrong codes. Please begin again.")
    assert await begin_authenticator(tab) != secret


@phone
async def test_backup_codes_are_copied_downloaded_and_printed(world: World, tab: Tab) -> None:
    await tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await tab.page.add_init_script("window.print = () => { window.printed = true; }")
    await open_security(world, tab)
    secret = await begin_authenticator(tab)
    await button(tab, "Copy the key").click()
    await tab.sees("Copied")
    assert await tab.page.evaluate("navigator.clipboard.readText()") == secret
    await turn_on(tab, await world.fresh_code(secret))
    await tab.sees("Your backup codes")
    codes = await tab.page.locator("#codes li").all_inner_texts()
    await button(tab, "Copy").click()
    await tab.sees("Copied")
    assert (await tab.page.evaluate("navigator.clipboard.readText()")).split() == codes
    async with tab.page.expect_download() as download:
        await button(tab, "Download").click()
    saved = await (await download.value).path()
    assert (await asyncio.to_thread(saved.read_text)).split()[-len(codes) :] == codes
    await button(tab, "Print").click()
    assert await tab.page.evaluate("window.printed")
    await keep_codes(tab)
    await expect(tab.page.locator("#codes li")).to_have_count(0)
    await button(tab, "Make new codes: Backup codes").click()
    await button(tab, "Make new codes").click()
    await prove(tab, await world.fresh_code(secret))
    assert not set(await keep_codes(tab)) & set(codes)
    await tab.sees("New backup codes made")


@phone
async def test_another_number_is_made_the_first(world: World, tab: Tab) -> None:
    await world.phones("+4915112345678", "+4915112345690")
    sent = len(await world.mail("+4915112345678", "phone_code"))
    await log_in(tab, "clerk@example.com")
    await tab.at("/login/second-factor")
    await tab.fill(code=(await world.mail("+4915112345678", "phone_code", count=sent + 1))[-1]["code"])
    await tab.submit()
    await tab.at("/")
    await tab.open("/security")
    await button(tab, "Use first: Text message to +4*******90").click()
    await expect(row(tab, "+4*******90")).to_contain_text("Gets the codes first.")
    await expect(button(tab, "Use first: Text message to +4*******78")).to_be_visible()


async def test_with_clerk_out_it_says_so_and_goes_on(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    out = {"match": {"path": "/v1/me*"}, "times": 100, "status": 503}
    await asyncio.to_thread(world.emulator.add_fault, out)
    await button(tab, "Set up: Authenticator app").click()
    await tab.sees("Showing this page is not possible right now")
    await tab.check_accessibility()
    await asyncio.to_thread(world.emulator.clear_faults)
    await tab.sees("Scan this with the app")  # by itself
    secret = (await tab.page.locator("#secret").inner_text()).replace(" ", "")
    await asyncio.to_thread(world.emulator.add_fault, {**out, "times": 1})
    await turn_on(tab, await world.fresh_code(secret))
    await tab.sees("Setting this up is not possible right now")
    await keep_codes(tab)  # by itself
    await asyncio.to_thread(
        world.emulator.add_fault, {"match": {"path": "/v1/client/*"}, "times": 100, "status": 503}
    )
    await world.age_proofs()
    await remove(tab, "Authenticator app")
    await prove(tab)
    await tab.sees("Checking your password is not possible right now")
    await asyncio.to_thread(world.emulator.clear_faults)
    await tab.page.locator("#reauthentication").get_by_role("button", name="Cancel").click()
    await expect(row(tab, "Authenticator app").locator(".current")).to_have_text("On")


@phone
async def test_setting_up_with_the_keyboard_alone(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    keys = tab.page.keyboard
    for _ in range(4):  # AX, Your account, Change the password, Set up
        await keys.press("Tab")
    await expect(button(tab, "Set up: Authenticator app")).to_be_focused()
    await keys.press("Enter")
    await expect(tab.page.locator("#authenticator h1")).to_be_focused()
    secret = (await tab.page.locator("#secret").inner_text()).replace(" ", "")
    for _ in range(3):  # the link to an app, Copy the key, the code
        await keys.press("Tab")
    await keys.type(await world.fresh_code(secret))
    await keys.press("Enter")
    await expect(tab.page.locator("#backup-codes h1")).to_be_focused()
    for _ in range(4):  # Copy, Download, Print, the tick
        await keys.press("Tab")
    await keys.press("Space")
    await keys.press("Enter")
    await expect(tab.page.locator("#overview h1")).to_be_focused()
    await tab.sees("Authenticator app added")


@phone
async def test_the_browsers_back_leads_to_the_overview_and_loses_no_codes(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    await begin_authenticator(tab)
    await tab.page.go_back()
    await expect(tab.page.locator("#overview h1")).to_be_focused()
    secret = await begin_authenticator(tab)
    await turn_on(tab, await world.fresh_code(secret))
    await tab.sees("Your backup codes")
    await tab.page.go_back()
    await tab.sees("Please keep the codes first")
    assert await keep_codes(tab)
    await tab.sees("Authenticator app added")
    await tab.page.go_back()
    await tab.at("/")


@phone
async def test_a_session_that_is_over_leads_to_the_login(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    await world.connection.execute("UPDATE sessions SET revoked_at = now()")
    await button(tab, "Set up: Authenticator app").click()
    await tab.at("/login")
    await tab.sees("You are not logged in any more.")
