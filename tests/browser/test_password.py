"""Forgotten passwords, changed ones and forced ones, as people meet them."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from playwright.async_api import Request, expect

from tests.browser.conftest import Tab
from tests.browser.test_pages import log_in, phone, sign_up
from tests.browser.test_security import button, open_security
from tests.integration.bff.conftest import INVITE, PASSWORD, SECRET, World
from tests.waiting import until

EMAIL = "clerk@example.com"
NEW = "seven green kettles sing"
LEAKED = "correct horse battery staple"
NUMBER = "+4915112345678"
RESET = "reset_password_email_code"
BY_PHONE = "reset_password_phone_code"
LEAKED_WORDS = "found in an online data breach"


async def reset_code(world: World, to: str = EMAIL, purpose: str = RESET, *, count: int = 1) -> str:
    return str((await world.mail(to, purpose, count=count))[-1]["code"])


def another(code: str) -> str:
    """A code that is wrong."""
    return "000000" if code != "000000" else "111111"


async def forget(tab: Tab, email: str = EMAIL) -> None:
    """From the login to the form for the code."""
    await tab.open("/login")
    await tab.page.get_by_role("link", name="Forgot password?").click()
    await tab.at("/forgot")
    await tab.fill(email=email)
    await tab.submit()
    await tab.at("/forgot/code")


async def type_code(tab: Tab, code: str) -> None:
    await tab.fill(code=code)
    await tab.submit()


async def choose(tab: Tab, password: str = NEW) -> None:
    await tab.at("/forgot/password")
    await tab.fill(new_password=password)
    await tab.submit()


async def change(tab: Tab, current: str = PASSWORD, new: str = NEW) -> None:
    """Type into the form of the security page, which is shown."""
    await tab.fill(current_password=current, new_password=new)
    await button(tab, "Change it").click()


async def open_change(tab: Tab) -> None:
    await button(tab, "Change the password").click()
    await expect(tab.page.locator("#current_password")).to_be_focused()


def verdict(tab: Tab) -> Any:
    return tab.page.locator(".verdict:visible")


def rule(tab: Tab, text: str) -> Any:
    return tab.page.locator(".rules:visible li").filter(has_text=text)


async def held(tab: Tab, text: str, yes: bool) -> None:
    await expect(rule(tab, text)).to_contain_text("(yes)" if yes else "(not yet)")


async def settings(world: World, **changes: Any) -> None:
    await asyncio.to_thread(lambda: world.emulator.settings(**changes))


async def kept(tab: Tab) -> str:
    """All that this browser keeps of what was done."""
    return str(await tab.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])"))


async def test_forgot_code_new_password_and_in(world: World, tab: Tab) -> None:
    await world.migrated()
    elsewhere = await tab.bff.token(EMAIL)
    await forget(tab)
    await tab.sees(f"If there is an account with {EMAIL}, we sent a code there.")
    await expect(tab.page.locator("#code")).to_be_focused()
    await tab.check_accessibility()
    code = await reset_code(world)
    await type_code(tab, another(code))
    await tab.sees("The code is wrong")
    await tab.check_accessibility()
    await tab.page.reload()
    await type_code(tab, code)
    await tab.at("/forgot/password")
    await expect(tab.page.locator("#new_password")).to_be_focused()
    await tab.check_accessibility()
    await choose(tab, LEAKED)
    await tab.sees(LEAKED_WORDS)
    await expect(tab.page.locator("#new_password")).to_be_focused()
    await expect(tab.page.locator("#new_password")).to_have_attribute("aria-invalid", "true")
    await tab.check_accessibility()
    await tab.page.reload()  # and it goes on
    await choose(tab)
    await tab.at("/")
    await tab.sees("Hello")
    await expect(tab.page.locator(".sessions li")).to_have_count(1)
    assert not await tab.bff.signed_in(elsewhere)
    assert (await tab.bff.login(EMAIL)).code == "credentials_invalid"
    assert (await tab.bff.login(EMAIL, NEW)).status == 200
    assert json.loads(await kept(tab)) == [{}, {"logged-in": "yes"}]
    await tab.open("/security")
    await tab.sees("New password set with a code")


async def test_the_second_factor_is_asked_for_after_the_new_password(world: World, tab: Tab) -> None:
    await world.migrated(totp=True)
    await forget(tab)
    await type_code(tab, await reset_code(world))
    await choose(tab)
    await tab.at("/login/second-factor")
    await tab.sees("Type the code that your authenticator app shows")
    await tab.page.go_back()
    await tab.page.go_forward()
    await tab.at("/login/second-factor")
    await tab.fill(code=await world.fresh_code(SECRET))
    await tab.submit()
    await tab.at("/")
    await tab.sees("Hello")


@phone
async def test_nobodys_address_looks_the_same(world: World, tab: Tab) -> None:
    email = "nobody@example.com"
    await forget(tab, email)
    await tab.sees(f"If there is an account with {email}, we sent a code there.")
    for _ in range(5):
        await type_code(tab, "123456")
        await tab.sees("The code is wrong")
        await expect(tab.page.locator("button[type=submit]")).to_have_attribute("aria-busy", "false")
    await type_code(tab, "123456")
    await tab.at("/forgot")
    await tab.sees("That took too long, or had too many wrong codes.")
    assert await tab.page.input_value("#email") == email
    await tab.check_accessibility()


@phone
async def test_a_code_that_has_expired_leads_back(world: World, tab: Tab) -> None:
    await world.migrated()
    await forget(tab)
    code = await reset_code(world)
    await world.connection.execute("UPDATE clerk_migration.challenges SET expires_at = now()")
    await type_code(tab, code)
    await tab.at("/forgot")
    await tab.sees("That took too long, or had too many wrong codes. Please begin again.")
    await tab.submit()
    await tab.at("/forgot/code")
    await type_code(tab, await reset_code(world, count=2))
    await tab.at("/forgot/password")
    await world.connection.execute("UPDATE clerk_migration.challenges SET expires_at = now()")
    await choose(tab)
    await tab.at("/forgot")
    await tab.sees("That took too long, or had too many wrong codes. Please begin again.")


@phone
async def test_the_code_is_sent_again(world: World, tab: Tab) -> None:
    await world.migrated()
    await forget(tab)
    await reset_code(world)
    await button(tab, "Send another code").click()
    await expect(tab.page.locator("#status")).to_have_text(f"A code was sent to {EMAIL}.")
    await type_code(tab, await reset_code(world, count=2))
    await choose(tab)
    await tab.at("/")


async def test_the_code_comes_by_text_message_where_that_is_asked_for(world: World, tab: Tab) -> None:
    await world.phone_to_reset_with(NUMBER)
    await forget(tab)
    await button(tab, "Text message to your phone").click()
    await tab.sees("If your account has a phone number that gets codes, we sent one there.")
    await expect(tab.page.locator("#code")).to_be_focused()
    await tab.check_accessibility()
    code = await reset_code(world, NUMBER, BY_PHONE)
    await tab.page.reload()
    await tab.sees("If your account has a phone number that gets codes, we sent one there.")
    await button(tab, f"Email to {EMAIL}").wait_for()
    await type_code(tab, code)
    await choose(tab)
    await tab.at("/")


@phone
async def test_back_and_a_mistyped_address(world: World, tab: Tab) -> None:
    await world.migrated()
    await tab.open("/login")
    await tab.fill(email="clark@example.com")
    await tab.page.get_by_role("link", name="Forgot password?").click()
    await tab.at("/forgot")
    assert await tab.page.input_value("#email") == "clark@example.com", "it is not typed twice"
    await tab.submit()
    await tab.at("/forgot/code")
    await tab.page.get_by_role("link", name="Check the address").click()
    await tab.at("/forgot")
    await tab.fill(email=EMAIL)
    await tab.submit()
    await tab.at("/forgot/code")
    await type_code(tab, await reset_code(world))
    await tab.at("/forgot/password")
    await tab.open("/forgot/code")
    await tab.at("/forgot/password")  # that code was right already
    await tab.page.go_back()
    await tab.page.go_forward()
    await choose(tab)
    await tab.at("/")


@phone
async def test_the_steps_are_not_begun_in_the_middle(tab: Tab) -> None:
    for path in ("/forgot/code", "/forgot/password"):
        await tab.open(path)
        await tab.at("/forgot")


async def test_a_forced_new_password_is_asked_for_calmly(world: World, tab: Tab) -> None:
    clerk_id = await world.migrated()
    await world.compromise(clerk_id)
    await log_in(tab, EMAIL)
    await tab.at("/forgot/code")
    await tab.sees("Your password was right. To keep your account safe, please choose a new one.")
    await tab.check_accessibility()
    await tab.page.reload()
    await tab.sees("Your password was right.")
    await type_code(tab, await reset_code(world))
    await choose(tab)
    await tab.at("/")
    await tab.sees("Hello")


async def test_a_password_is_changed_and_the_others_are_out(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    email = "somebody@example.com"
    elsewhere = await tab.bff.token(email)
    await open_change(tab)
    await tab.check_accessibility()
    await expect(tab.page.locator("#password-end-sessions")).to_be_checked()
    await change(tab, current="", new="")
    await tab.sees("Please type the password that you have.")
    await tab.sees("Please choose a password.")
    await change(tab, current="wrong")
    await tab.sees("This is not your password.")
    await expect(tab.page.locator("#current_password")).to_be_focused()
    await tab.check_accessibility()
    await change(tab, new=LEAKED)
    await expect(tab.page.locator("#new_password-error")).to_contain_text(LEAKED_WORDS)
    await expect(tab.page.locator("#new_password")).to_be_focused()
    await expect(tab.page.locator("#current_password-error")).to_have_text("")
    await tab.check_accessibility()
    assert await tab.bff.signed_in(elsewhere), "nothing happened yet"
    await change(tab)
    await expect(tab.page.locator("#overview h1")).to_be_focused()
    await tab.sees("Password changed")
    assert not await tab.bff.signed_in(elsewhere)
    await open_change(tab)
    assert await tab.page.input_value("#current_password") == "", "nothing that was typed stays"
    assert await tab.page.input_value("#new_password") == ""
    assert (await tab.bff.login(email, NEW)).status == 200


@phone
async def test_other_sessions_stay_if_that_is_wanted(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    elsewhere = await tab.bff.token("somebody@example.com")
    await open_change(tab)
    await tab.page.uncheck("#password-end-sessions")
    await change(tab)
    await tab.sees("Password changed")
    assert await tab.bff.signed_in(elsewhere)


async def test_a_change_goes_on_after_the_proof_it_needs(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    await world.age_proofs()
    await open_change(tab)
    await change(tab)
    await tab.sees("Confirm it is you")
    await tab.check_accessibility()
    await tab.page.keyboard.press("Escape")
    assert await tab.page.input_value("#new_password") == NEW, "all is as it was"
    await button(tab, "Change it").click()
    await tab.page.fill("#password", PASSWORD)
    await tab.page.keyboard.press("Enter")
    await tab.sees("Password changed")


@phone
async def test_whoever_has_forgotten_the_current_one_sets_a_new_one_with_a_code(
    world: World, tab: Tab
) -> None:
    await open_security(world, tab)
    await open_change(tab)
    username = tab.page.locator("#password-change [name=username]")
    await expect(username).to_have_value("somebody@example.com")
    await tab.page.get_by_role("link", name="Set a new one with a code").click()
    await tab.at("/forgot")
    assert await tab.page.input_value("#email") == "somebody@example.com"
    await tab.submit()
    await tab.at("/forgot/code")
    await type_code(tab, await reset_code(world, "somebody@example.com"))
    await choose(tab)
    await tab.at("/")
    await tab.sees("Hello")


@phone
async def test_a_password_that_must_be_replaced_is_replaced_from_the_security_page_too(
    world: World, tab: Tab
) -> None:
    clerk_id = await world.migrated()
    await log_in(tab, EMAIL)
    await tab.at("/")
    await world.compromise(clerk_id)
    await world.age_proofs()
    await tab.open("/security")
    await open_change(tab)
    await change(tab)
    await tab.page.fill("#password", PASSWORD)
    await tab.page.keyboard.press("Enter")
    await tab.at("/forgot/code")
    await tab.sees("Your password was right.")
    await expect(button(tab, "Text message to your phone")).to_have_count(0)
    await type_code(tab, await reset_code(world))
    await choose(tab)
    await tab.at("/")


async def test_rules_and_strength_are_told_while_it_is_typed(world: World, tab: Tab) -> None:
    await settings(world, password_requires=["numbers", "special_char"], password_strength=3)
    await tab.open("/signup")
    await expect(rule(tab, "8 to 72 characters")).to_be_visible()
    await tab.page.focus("#password")
    await tab.page.keyboard.type("qwerty")
    await held(tab, "8 to 72 characters", False)
    await held(tab, "A digit", False)
    await expect(verdict(tab)).to_have_text("Very easy to guess. This is a heavily used password.")
    await held(tab, "Not easy to guess", False)
    await tab.check_accessibility()
    await expect(tab.page.locator("#status")).to_contain_text("Still to come: 8 to 72 characters, A digit")
    before = await tab.page.locator("button[type=submit]").bounding_box()
    await tab.page.keyboard.type("7!sing green moth")
    await held(tab, "8 to 72 characters", True)
    await held(tab, "A digit", True)
    await held(tab, "A sign such as", True)
    await held(tab, "Not easy to guess", True)
    await expect(verdict(tab)).to_have_text("Very hard to guess")
    await expect(tab.page.locator("#status")).to_have_text("Very hard to guess")
    await tab.check_accessibility()
    assert await tab.page.locator("button[type=submit]").bounding_box() == before, "nothing jumps"
    await tab.fill(password="ä" * 36)
    await held(tab, "8 to 72 characters", True)
    await tab.fill(password="ä" * 37)  # Clerk counts bytes
    await held(tab, "8 to 72 characters", False)
    await tab.fill(email="vanderbeekenhuysen@example.com", password="vanderbeekenhuysen")
    await expect(verdict(tab)).to_have_text(
        "Very easy to guess. There should not be any personal or page related data."
    )
    await tab.fill(password="")
    await expect(tab.page.locator(".verdict")).to_have_text("")


@phone
async def test_what_is_typed_is_sent_nowhere_and_kept_nowhere_until_the_form_is(
    world: World, tab: Tab
) -> None:
    sent: list[Request] = []
    tab.page.context.on("request", lambda request: sent.append(request))
    await world.migrated()
    await forget(tab)
    await type_code(tab, await reset_code(world))
    await tab.at("/forgot/password")
    await tab.fill(new_password=NEW)
    await expect(verdict(tab)).to_contain_text("guess")
    typed = [request for request in sent if NEW in f"{request.url} {request.post_data}"]
    assert typed == []
    assert NEW not in await kept(tab)
    await tab.submit()
    await tab.at("/")
    typed = [request for request in sent if NEW in f"{request.url} {request.post_data}"]
    assert [request.url for request in typed] == [f"{tab.bff.url}/auth/password/reset/complete"]
    assert NEW not in await kept(tab)
    assert NEW not in await asyncio.to_thread(tab.bff.log.read_text)


@phone
async def test_the_meter_comes_only_when_a_password_is_typed_and_can_speak_to_nobody(tab: Tab) -> None:
    loaded: list[Request] = []
    tab.page.context.on("request", lambda request: loaded.append(request))
    await tab.open("/signup")
    await expect(rule(tab, "8 to 72 characters")).to_be_visible()
    assert not any("strength" in request.url for request in loaded)
    async with tab.page.expect_worker() as worker:
        await tab.page.focus("#password")
    reached = await (await worker.value).evaluate(
        "fetch('/auth/password/rules').then(() => 'reached', () => 'kept in')"
    )
    assert reached == "kept in"
    tab.faults.clear()


@phone
async def test_without_rules_and_meter_the_form_works(world: World, tab: Tab) -> None:
    await world.migrated()
    await tab.page.context.route("**/static/vendor/zxcvbn*", lambda route: route.abort())
    await tab.page.route("**/auth/password/rules", lambda route: route.abort())
    await forget(tab)
    await type_code(tab, await reset_code(world))
    await choose(tab, "short")
    await tab.sees("Passwords must be 8 characters or more.")
    await choose(tab)
    await tab.at("/")


@phone
async def test_password_managers_know_the_fields_and_pasting_is_allowed(world: World, tab: Tab) -> None:
    await tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await open_security(world, tab)
    await open_change(tab)
    expected: Mapping[str, str] = {
        "[name=username]": "username",
        "[name=current_password]": "current-password",
        "[name=new_password]": "new-password",
    }
    for field, autocomplete in expected.items():
        await expect(tab.page.locator(f"#password-change {field}")).to_have_attribute(
            "autocomplete", autocomplete
        )
    await tab.page.evaluate("text => navigator.clipboard.writeText(text)", NEW)
    await tab.page.focus("#new_password")
    await tab.page.keyboard.press("Control+V")
    await expect(tab.page.locator("#new_password")).to_have_value(NEW)


@phone
async def test_with_the_keyboard_alone(world: World, tab: Tab) -> None:
    await open_security(world, tab)
    keys = tab.page.keyboard
    for _ in range(3):  # AX, Your account, Change the password
        await keys.press("Tab")
    await keys.press("Enter")
    await expect(tab.page.locator("#current_password")).to_be_focused()
    await keys.type(PASSWORD)
    for _ in range(2):  # Show, the new one
        await keys.press("Tab")
    await keys.type(NEW)
    await keys.press("Tab")
    await keys.press("Space")
    await expect(tab.page.locator("#new_password")).to_have_attribute("type", "text")
    await keys.press("Tab")
    await keys.press("Space")
    await expect(tab.page.locator("#password-end-sessions")).not_to_be_checked()
    await keys.press("Enter")
    await tab.sees("Password changed")


@phone
async def test_with_clerk_out_it_says_so_and_goes_on(world: World, tab: Tab) -> None:
    await world.migrated()
    await forget(tab)
    await type_code(tab, await reset_code(world))
    out = {"match": {"path": "/v1/client/*"}, "times": 1, "status": 503}
    await tab.at("/forgot/password")
    await asyncio.to_thread(world.emulator.add_fault, out)
    await choose(tab)
    await tab.sees("Saving your password is not possible right now")
    await tab.check_accessibility()
    await tab.at("/")  # by itself


@phone
async def test_a_new_password_where_one_is_made_is_chosen_by_the_same_rules(world: World, tab: Tab) -> None:
    await world.invite()
    await sign_up(tab, invite=INVITE, password=LEAKED)
    await expect(tab.page.locator("#password-error")).to_contain_text(LEAKED_WORDS)
    await until(lambda: tab.page.url.endswith("/signup"))
