"""Debian's Chromium, driven through the pages of a BFF process on a real Postgres and the emulator."""

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.emulator import Emulator
from tests.integration.bff.conftest import Bff, World, new_world
from tests.postgres import Server
from tests.waiting import SECONDS

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]

expect.set_options(timeout=SECONDS * 1000)

PHONE = (375, 740)
WIDE = (1280, 860)
END_TRANSITIONS = (
    "document.getAnimations().filter(it => it instanceof CSSTransition).forEach(it => it.finish())"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of the pages share a loop, as they share a browser, which lives in it."""
    for item in items:
        if "tests/browser" not in item.path.as_posix():
            continue
        item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if CHROMIUM is None and not os.environ.get("CI"):
            item.add_marker(pytest.mark.skip(reason="no chromium here: apt-get install chromium"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    assert CHROMIUM is not None, "no chromium here: apt-get install chromium"
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        await started.close()


@dataclass
class Tab:
    """A page, and what went wrong on it."""

    page: Page
    bff: Bff
    faults: list[str] = field(default_factory=list)

    def note(self, message: ConsoleMessage) -> None:
        # That a call was refused is told to the console by the browser itself; the page deals with it.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.faults.append(message.text)

    async def open(self, path: str) -> None:
        await self.page.goto(self.bff.url + path)

    async def at(self, path: str) -> None:
        await self.page.wait_for_url(self.bff.url + path)

    async def fill(self, **values: str) -> None:
        for name, value in values.items():
            await self.page.fill(f"#{name}", value)

    async def submit(self) -> None:
        await self.page.click("button[type=submit]")

    async def sees(self, text: str) -> None:
        await self.page.get_by_text(text).first.wait_for(state="visible")

    async def heading(self) -> str:
        return await self.page.locator("h1").inner_text()

    async def check_accessibility(self) -> None:
        """Hold the page against axe-core, in both colour schemes; and nothing may need scrolling sideways."""
        for scheme in ("light", "dark"):
            # Without transitions, whose colours in between are nobody's; those that began before are brought to their end.
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await self.page.evaluate(END_TRANSITIONS)
            results = await Axe().run(self.page)
            assert results.violations_count == 0, f"{scheme}: {results.generate_report()}"
        await self.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await self.page.evaluate(too_wide)


@pytest_asyncio.fixture(loop_scope="session")
async def world(postgres: Server, emulator: Emulator, tmp_path: Path) -> AsyncIterator[World]:
    async with new_world(World, postgres, emulator, tmp_path) as world:
        yield world


@pytest_asyncio.fixture(
    loop_scope="session", params=[pytest.param(WIDE, id="wide"), pytest.param(PHONE, id="phone")]
)
async def tab(request: pytest.FixtureRequest, browser: Browser, world: World) -> AsyncIterator[Tab]:
    """A page of a BFF where people sign up with Clerk. At the end the console must be empty and nothing blocked."""
    await world.switch("signup", "clerk")
    bff = await world.bff()
    width, height = request.param
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="light", locale="en-GB"
    )
    context.set_default_timeout(SECONDS * 1000)
    page = await context.new_page()
    opened = Tab(page, bff)
    page.on("console", opened.note)
    page.on("pageerror", lambda error: opened.faults.append(str(error)))
    await page.add_init_script(
        "document.addEventListener('securitypolicyviolation', (event) =>"
        " console.error('kept out: ' + event.violatedDirective + ' ' + event.blockedURI));"
    )
    yield opened
    await context.close()
    assert opened.faults == []
