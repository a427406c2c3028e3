"""Environment variables that are wrong are refused before anything begins."""

from pathlib import Path

import pytest

from toolkit.clerk import SANDBOX_KEY
from toolkit.environment import Environment, VariableInvalid, load_environment
from toolkit.playbook import PLAYBOOKS, PlaybookInvalid

KEY = "7db+U1JAXXyQwpiwa+RiFQ893nJGjO+VPOwqCtFPCNI="


def environment(**variables: str) -> Environment:
    return load_environment("demo", variables)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ax:secret@host:port/ax",
        "postgresql://ax:secret@[host/ax",
        "postgresql://ax:se/cret@host/ax",
        "postgresql://ax:se#cret@host/ax",
        "postgresql://ax:secret@one:5432,two:port/ax",
        "mysql://ax:secret@host/ax",
    ],
)
def test_a_malformed_address_of_the_database(url: str) -> None:
    with pytest.raises(VariableInvalid, match="DATABASE_URL") as refused:
        _ = environment(DATABASE_URL=url).database_url
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ax:s%40cret@host:5432/ax",
        "postgres://host/ax",
        "postgresql:///ax?host=/var/run/postgresql",
        "postgresql://ax@one:5432,two:5433/ax",
        "postgresql://ax@[::1]:5432/ax?sslmode=require",
    ],
)
def test_an_address_of_the_database(url: str) -> None:
    assert environment(DATABASE_URL=url).database_url == url


@pytest.mark.parametrize(
    "url", ["smtp://host:port", "smtp://", "smtp://user:pass/word@host:25", "http://host", "smtp://[host"]
)
def test_a_malformed_address_of_the_mail_server(url: str) -> None:
    with pytest.raises(VariableInvalid, match="SMTP_URL") as refused:
        _ = environment(SMTP_URL=url).smtp_url
    assert "word" not in str(refused.value).partition("Example")[0]


def test_an_address_of_the_mail_server() -> None:
    assert environment(SMTP_URL="smtps://u:p%2F@host:465").smtp_url == "smtps://u:p%2F@host:465"
    assert environment().smtp_url is None


@pytest.mark.parametrize("key", ["é", "short", "7db+U1JAXXyQwpiwa+RiFQ893nJGjO", KEY + KEY])
def test_a_key_that_is_none(key: str) -> None:
    with pytest.raises(VariableInvalid, match="32 bytes in base64"):
        _ = environment(AX_CLIENT_TOKEN_KEY=key).client_token_key


def test_a_key() -> None:
    assert len(environment(AX_CLIENT_TOKEN_KEY=KEY).client_token_key) == 32


def test_the_keys_of_the_totp_secrets_the_newer_first() -> None:
    assert environment().totp_keys == ()
    newer = environment(AX_TOTP_KEY=KEY).totp_keys
    assert environment(AX_TOTP_KEY=KEY, AX_TOTP_KEY_OLD="A" * 43 + "=").totp_keys == (*newer, bytes(32))
    with pytest.raises(VariableInvalid, match="AX_TOTP_KEY_OLD must be 32 bytes"):
        _ = environment(AX_TOTP_KEY=KEY, AX_TOTP_KEY_OLD="short").totp_keys
    with pytest.raises(VariableInvalid, match="Export the key of today as AX_TOTP_KEY"):
        _ = environment(AX_TOTP_KEY_OLD=KEY).totp_keys


def test_the_sandboxs_clerk_gets_nobody_elses_users() -> None:
    """Invariant 11."""
    with pytest.raises(VariableInvalid, match="is the embedded sandbox's"):
        _ = environment(CLERK_SECRET_KEY=f"{SANDBOX_KEY}00").clerk


def test_no_environment_is_called_sandbox_but_the_sandboxs(tmp_path: Path) -> None:
    """The demo empties the environment of that name, and imports without asking."""
    playbook = (PLAYBOOKS / "sandbox.yaml").read_text().replace("embedded_sandbox: true\n", "")
    (tmp_path / "sandbox.yaml").write_text(playbook)
    with pytest.raises(PlaybookInvalid, match="give the playbook another name"):
        load_environment("sandbox", {}, tmp_path)
