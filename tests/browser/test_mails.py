"""Mails in a browser, as mail programs show them."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from bff.mail.mails import MailKind
from bff.mail.rendering import Content, Templates
from tests.browser.conftest import PHONE

AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_read_them(browser: Browser, scheme: str) -> None:
    width, height = PHONE
    page = await browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    templates = Templates("https://app.example.com")
    backgrounds = set()
    for kind in get_args(MailKind):
        address = "2001:db8:85a3:8d3:1319:8a2e:370:7348"
        content = Content(kind, AT, AT + timedelta(minutes=15), address, "Firefox Windows", "482913")
        await page.set_content(templates.render(content).html)
        results = await Axe().run(page)
        assert results.violations_count == 0, f"{kind}: {results.generate_report()}"
        assert not await page.evaluate(TOO_WIDE)
        backgrounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert backgrounds == {"rgb(18, 32, 31)" if scheme == "dark" else "rgb(250, 248, 244)"}
    await page.close()
