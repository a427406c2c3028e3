"""Each screen, as people use it."""

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import PHONE, Tab
from tests.integration.bff.conftest import INVITE, PASSWORD, World, code_now, wrong_code
from tests.waiting import until

NEW = "ada@example.com"
phone = pytest.mark.parametrize("tab", [PHONE], indirect=True, ids=["phone"])


async def sign_up(tab: Tab, **changed: str) -> None:
    await tab.open("/signup")
    await tab.fill(**{"invite": INVITE, "email": NEW, "password": PASSWORD, "first_name": "Ada", **changed})
    await tab.submit()


async def log_in(tab: Tab, email: str, password: str = PASSWORD) -> None:
    await tab.open("/login")
    await tab.fill(email=email, password=password)
    await tab.submit()


async def test_signing_up_to_logging_in_again(world: World, tab: Tab) -> None:
    await world.invite()
    await tab.open("/signup")
    await tab.check_accessibility()
    await sign_up(tab)
    await tab.at("/signup/verify")
    await tab.sees("We sent a code to a***@example.com")
    await tab.check_accessibility()
    await tab.page.reload()
    await tab.sees("We sent a code to a***@example.com")
    await tab.fill(code="000000" if (await world.mail(NEW))[-1]["code"] != "000000" else "111111")
    await tab.submit()
    await tab.sees("The code is wrong")
    await tab.check_accessibility()
    await tab.fill(code=f" {(await world.mail(NEW))[-1]['code']} ")
    await tab.submit()
    await tab.at("/")
    await tab.sees("Hello, Ada")
    await tab.sees(NEW)
    await tab.sees("Chrome on Linux")
    await tab.check_accessibility()
    await tab.page.go_back()
    await tab.at("/")  # logged in already
    await tab.sees("Hello, Ada")
    await tab.open("/login")
    await tab.at("/")
    await tab.page.click("#log-out")
    await tab.at("/login")
    await tab.check_accessibility()
    await tab.open("/")
    await tab.at("/login")
    await log_in(tab, NEW)
    await tab.at("/")
    await tab.sees("Hello, Ada")


async def test_a_second_factor(world: World, tab: Tab) -> None:
    await world.migrated(totp=True, backup_codes=["abcd1234"])
    await log_in(tab, "clerk@example.com")
    await tab.at("/login/second-factor")
    await tab.sees("Type the code that your authenticator app shows")
    await tab.check_accessibility()
    await tab.page.reload()
    await tab.fill(code=wrong_code())
    await tab.submit()
    await tab.sees("The code is wrong")
    await tab.page.get_by_role("button", name="Backup code").click()
    await tab.sees("Each works once")
    await tab.fill(code="abcd1234")
    await tab.submit()
    await tab.at("/")
    await tab.sees("Hello")
    await tab.page.click("#log-out")
    await tab.at("/login")
    await log_in(tab, "clerk@example.com")
    await tab.at("/login/second-factor")
    await tab.fill(code=code_now())
    await tab.submit()
    await tab.at("/")


async def test_a_second_factor_by_text_message(world: World, tab: Tab) -> None:
    await world.phones("+4915112345678", totp=True)
    sent = len(await world.mail("+4915112345678", "phone_code"))
    await log_in(tab, "clerk@example.com")
    await tab.at("/login/second-factor")
    await tab.page.get_by_role("button", name="Text message to +4*******78").click()
    await tab.sees("We sent a code to +4*******78")
    await expect(tab.page.locator("#resend")).to_be_disabled()
    await tab.check_accessibility()
    messages = await world.mail("+4915112345678", "phone_code", count=sent + 1)
    await tab.fill(code=messages[-1]["code"])
    await tab.submit()
    await tab.at("/")


@phone
async def test_a_new_device_is_trusted_with_the_mailed_code(world: World, tab: Tab) -> None:
    await asyncio.to_thread(world.emulator.settings, client_trust=True)
    await world.migrated()
    await log_in(tab, "clerk@example.com")
    await tab.at("/login/second-factor")
    await tab.sees("You have not logged in here before. We sent a code to")
    await expect(tab.page.locator("#resend")).to_be_disabled()
    await tab.fill(code=(await world.mail("clerk@example.com"))[-1]["code"])
    await tab.submit()
    await tab.at("/")


async def test_what_is_wrong_stands_beside_its_field(world: World, tab: Tab) -> None:
    await tab.open("/login")
    await tab.submit()
    await tab.sees("Please type your email address.")
    await tab.sees("Please type your password.")
    await expect(tab.page.locator("#email")).to_be_focused()
    await tab.check_accessibility()
    await log_in(tab, "nobody@example.com", "wrong")
    await tab.sees("Email or password is wrong.")
    await tab.check_accessibility()
    await sign_up(tab, invite="unknown")
    await tab.sees("This invite is not valid")
    await expect(tab.page.locator("#invite")).to_be_focused()
    await world.invite()
    await sign_up(tab, password="short")
    await expect(tab.page.locator("#password-error")).to_have_text("Passwords must be 8 characters or more.")
    await expect(tab.page.locator("#password")).to_have_attribute("aria-invalid", "true")
    await tab.check_accessibility()
    assert await world.uses_left() == 1
    await tab.fill(password=PASSWORD)
    await tab.submit()
    await tab.at("/signup/verify")


@phone
async def test_a_challenge_that_is_over_leads_back_to_the_login(world: World, tab: Tab) -> None:
    email = await world.add(totp=True)
    await log_in(tab, email)
    await tab.at("/login/second-factor")
    await world.connection.execute("UPDATE clerk_migration.challenges SET expires_at = now()")
    await tab.fill(code=code_now())
    await tab.submit()
    await tab.at("/login")
    await tab.sees("That login took too long")
    assert await tab.page.input_value("#email") == email


@phone
async def test_a_code_is_sent_again(world: World, tab: Tab) -> None:
    await world.invite()
    await sign_up(tab)
    await tab.at("/signup/verify")
    await tab.page.get_by_role("button", name="Send another code").click()
    mails = await world.mail(NEW, count=2)
    await tab.fill(code=mails[-1]["code"])
    await tab.submit()
    await tab.at("/")


async def test_a_mistyped_address_is_corrected(world: World, tab: Tab) -> None:
    """The invite has one use, and the first signup took it."""
    await world.invite()
    await sign_up(tab, email="adda@example.com")
    await tab.at("/signup/verify")
    await tab.page.get_by_role("link", name="Sign up again").click()
    await tab.at("/signup")
    assert await tab.page.input_value("#email") == "adda@example.com"
    assert await tab.page.input_value("#invite") == INVITE
    await tab.page.go_back()
    await tab.sees("We sent a code to a***@example.com")  # nothing is lost by looking
    await tab.page.go_back()
    await tab.at("/signup")
    await tab.fill(email=NEW, password=PASSWORD)
    await tab.submit()
    await tab.at("/signup/verify")
    await tab.fill(code=(await world.mail(NEW))[-1]["code"])
    await tab.submit()
    await tab.at("/")
    await tab.sees(NEW)
    assert (await world.people(), await world.uses_left()) == ((1, 1), 0)
    await tab.open("/signup")
    await tab.at("/")  # somebody who is logged in has no use for it


@phone
async def test_logging_in_unverified_leads_to_the_verification(world: World, tab: Tab) -> None:
    await world.invite()
    await tab.bff.sign_up(NEW)
    await log_in(tab, NEW)
    await tab.at("/signup/verify")
    await tab.fill(code=(await world.mail(NEW, count=2))[-1]["code"])
    await tab.submit()
    await tab.at("/")


@phone
async def test_a_signup_that_was_undone_leads_back(world: World, tab: Tab) -> None:
    await world.invite()
    await sign_up(tab)
    await tab.at("/signup/verify")
    await world.connection.execute("UPDATE clerk_migration.signups SET state = 'undoing', reason = 'x'")
    await tab.fill(code="123456")
    await tab.submit()
    await tab.at("/login")
    await tab.sees("That signup is over")


async def test_sessions_are_ended(world: World, tab: Tab) -> None:
    await world.migrated()
    elsewhere = await tab.bff.token("clerk@example.com")
    await log_in(tab, "clerk@example.com")
    await tab.at("/")
    await expect(tab.page.locator(".sessions li")).to_have_count(2)
    await tab.page.locator(".end:visible").click()
    await expect(tab.page.locator(".sessions li")).to_have_count(1)
    assert not await tab.bff.signed_in(elsewhere)
    await world.connection.execute("UPDATE sessions SET revoked_at = now()")
    await tab.page.reload()
    await tab.at("/login")
    await tab.sees("You are not logged in any more.")


@phone
async def test_without_a_connection(world: World, tab: Tab) -> None:
    await world.migrated()
    await tab.open("/login")
    await tab.page.context.set_offline(True)
    await tab.fill(email="clerk@example.com", password=PASSWORD)
    await tab.submit()
    await tab.sees("Check your connection")
    await tab.page.context.set_offline(False)
    await tab.at("/")  # by itself


async def test_clerk_out_is_said_calmly_and_tried_again(world: World, tab: Tab) -> None:
    await world.migrated()
    await asyncio.to_thread(
        world.emulator.add_fault, {"match": {"path": "/v1/client/*"}, "times": 1, "status": 500}
    )
    await log_in(tab, "clerk@example.com")
    await tab.sees("Just a moment")
    await tab.sees("Trying again in")
    await tab.check_accessibility()
    await tab.at("/")  # by itself


@phone
async def test_clerk_out_for_long_leaves_a_button(world: World, tab: Tab) -> None:
    await world.migrated()
    bff_out = {"match": {"path": "/v1/client/*"}, "times": 500, "status": 500}
    await asyncio.to_thread(world.emulator.add_fault, bff_out)
    await log_in(tab, "clerk@example.com")
    for _ in range(3):
        await tab.page.get_by_role("button", name="Try again now").click()
        await tab.sees("Just a moment")
    await expect(tab.page.locator(".retrying")).to_have_text("")
    await asyncio.to_thread(world.emulator.clear_faults)
    assert await tab.page.input_value("#password") == PASSWORD, "what was typed is kept"


@phone
async def test_postgres_away(world: World, tab: Tab) -> None:
    await world.migrated()
    await log_in(tab, "clerk@example.com")
    await tab.at("/")
    await tab.page.route("**/auth/session*", lambda route: route.fulfill(status=503, json={"detail": ""}))
    await tab.page.reload()
    await tab.sees("Showing your account is not possible right now")
    await tab.page.unroute("**/auth/session*")
    await tab.page.get_by_role("button", name="Try again now").click()
    await tab.sees("clerk@example.com")


@phone
async def test_with_the_keyboard_alone(world: World, tab: Tab) -> None:
    await world.migrated()
    await tab.open("/login")
    await tab.page.keyboard.type("clerk@example.com")
    await tab.page.keyboard.press("Tab")
    await tab.page.keyboard.type(PASSWORD)
    await tab.page.keyboard.press("Tab")
    await tab.page.keyboard.press("Space")  # Show
    await expect(tab.page.locator("#password")).to_have_attribute("type", "text")
    await tab.page.keyboard.press("Tab")
    await tab.page.keyboard.press("Enter")
    await tab.at("/")


@phone
async def test_password_managers_know_the_fields(tab: Tab) -> None:
    expected = {
        "/login": {"email": "username", "password": "current-password"},
        "/signup": {
            "invite": "off",
            "email": "username",
            "password": "new-password",
            "first_name": "given-name",
            "last_name": "family-name",
        },
    }
    for path, fields in expected.items():
        await tab.open(path)
        for name, autocomplete in fields.items():
            assert await tab.page.get_attribute(f"#{name}", "autocomplete") == autocomplete
            masked = await tab.page.get_attribute(f"#{name}", "type") == "password"
            assert masked is autocomplete.endswith("-password")


@phone
async def test_an_invite_comes_with_its_link_and_no_server_sees_it(world: World, tab: Tab) -> None:
    await tab.open(f"/signup#invite={INVITE}")
    assert await tab.page.input_value("#invite") == INVITE
    assert tab.page.url == f"{tab.bff.url}/signup"
    assert INVITE not in await asyncio.to_thread(tab.bff.log.read_text)
    await tab.page.evaluate("location.hash = 'invite=AX-ANOTHER'")
    await expect(tab.page.locator("#invite")).to_have_value("AX-ANOTHER")
    assert tab.page.url == f"{tab.bff.url}/signup"


@phone
async def test_no_page_there(tab: Tab) -> None:
    await tab.open("/nowhere")
    assert await tab.heading() == "Nothing here"
    await tab.check_accessibility()


@phone
@pytest.mark.parametrize("path", ["/login", "/signup"])
async def test_a_form_whose_script_is_not_there_yet_sends_nothing(tab: Tab, path: str) -> None:
    await tab.page.route("**/static/*.js", lambda route: route.abort())
    await tab.open(path)
    await tab.fill(email=NEW, password=PASSWORD)
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator("button[type=submit]")).to_be_disabled()
    assert tab.page.url == tab.bff.url + path
    await expect(tab.page.locator("form")).to_have_attribute("method", "post")


@phone
async def test_a_code_that_is_typed_before_the_script_is_there_stays(world: World, tab: Tab) -> None:
    await log_in(tab, await world.add(totp=True))
    await tab.at("/login/second-factor")
    held: asyncio.Queue[Route] = asyncio.Queue()
    await tab.page.route("**/static/code.js", held.put)
    reloading = asyncio.create_task(tab.page.reload())
    script = await held.get()
    await tab.fill(code=code_now())
    await script.continue_()
    await reloading
    await tab.submit()
    await tab.at("/")


@phone
async def test_scripts_and_styles_of_others_are_kept_out(tab: Tab) -> None:
    await tab.open("/login")
    ran = await tab.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            return window.ran === true;
        }"""
    )
    assert not ran
    await until(lambda: any("kept out: script-src" in fault for fault in tab.faults))
    tab.faults.clear()
