"""Mails as they are read."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from bff.mail.mails import MailKind
from bff.mail.rendering import FOLDER, Content, Rendered, Templates, device_name

KINDS = get_args(MailKind)
URL = "https://app.example.com"
AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
)


def render(
    kind: str,
    *,
    public_url: str | None = URL,
    address: str | None = "203.0.113.1",
    user_agent: str | None = FIREFOX,
    code: str | None = "482913",
) -> Rendered:
    content = Content(kind, AT, AT + timedelta(minutes=15), address, user_agent, code)
    return Templates(public_url).render(content)


def test_every_kind_has_its_three_templates_and_there_are_no_others() -> None:
    there = {path.name for path in FOLDER.iterdir()}
    wanted = {f"{kind}{end}" for kind in KINDS for end in (".subject.txt", ".txt", ".html")}
    assert there == wanted | {"base.txt", "base.html"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_says_when_from_where_and_what_to_do_about_it(kind: str) -> None:
    mail = render(kind)
    for part in (mail.text, mail.html):
        assert "4 March 2026, 05:06 UTC" in part
        assert "203.0.113.1, Firefox on Linux" in part
        assert "If it was not you, " in part
        assert ("482913" in part) == (kind == "password_reset_code")
    assert mail.subject
    assert f"<h1>{mail.subject}</h1>" in mail.html
    assert render(kind, public_url=None, address=None, user_agent=None).subject == mail.subject


@pytest.mark.parametrize("kind", KINDS)
def test_text_and_html_say_the_same(kind: str) -> None:
    def letters(text: str) -> str:
        return re.sub(r"\W", "", html.unescape(re.sub(r"<[^>]+>", " ", text)))

    mail = render(kind, public_url=None)
    assert letters(mail.text) == letters(mail.html.partition("</h1>")[2])


@pytest.mark.parametrize("kind", KINDS)
def test_no_link_leads_further_than_to_the_bff_and_nothing_is_loaded(kind: str) -> None:
    mail = render(kind)
    assert set(re.findall(r"https?://[^\s\"<>)]+[^\s\"<>).,:]", mail.text + mail.html)) <= {URL}
    assert not re.search(r"<(?:img|link|script|iframe)|url\(|@import|\bon\w+=", mail.html)


def test_a_stranger_s_words_are_in_no_mail() -> None:
    """They choose their User-Agent, and may have a mail sent to anybody."""
    mail = render("address_taken", user_agent="Call 555-0100! Windows <b>now</b> Firefox")
    assert "Firefox on Windows" in mail.text
    assert "555" not in mail.text + mail.html


def test_html_is_escaped_and_text_is_not() -> None:
    mail = render("password_reset_code", code="<b>&")
    assert "<b>&" in mail.text
    assert "&lt;b&gt;&amp;" in mail.html
    assert "<b>" not in mail.html


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [(FIREFOX, "Firefox on Linux"), (EDGE, "Edge on Windows"), ("curl/8.5", None), ("", None), (None, None)],
)
def test_devices_have_the_names_that_people_know(user_agent: str | None, name: str | None) -> None:
    assert device_name(user_agent) == name
