"""Configuration from the environment: what is missing or malformed is named, secrets are not repeated."""

import base64

import pytest

from toolkit.clerk import ClerkConfig, ClerkConfigInvalid, ClerkNotConfigured
from toolkit.errors import UsageError

SECRET_KEY = "sk_test_aaaabbbbccccdddd"
LIVE_KEY = "sk_live_aaaabbbbccccdddd"


def publishable_key(host: str, kind: str = "test") -> str:
    return f"pk_{kind}_{base64.b64encode(f'{host}$'.encode()).decode()}"


def configure(**variables: str) -> ClerkConfig:
    return ClerkConfig.from_environment({"CLERK_SECRET_KEY": SECRET_KEY, **variables})


def test_a_secret_key_is_enough_for_the_backend() -> None:
    config = configure()
    assert config.secret_key.get_secret_value() == SECRET_KEY
    assert config.api_url == "https://api.clerk.com"
    assert config.api_version == "2026-05-12"
    assert config.frontend_api_url is None
    assert config.proxy_url is None


@pytest.mark.parametrize("variables", [{}, {"CLERK_SECRET_KEY": ""}, {"CLERK_SECRET_KEY": "  "}])
def test_without_a_secret_key_clerk_is_not_configured(variables: dict[str, str]) -> None:
    with pytest.raises(ClerkNotConfigured, match="CLERK_SECRET_KEY") as caught:
        ClerkConfig.from_environment(variables)
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    ("key", "kind", "rate"), [(LIVE_KEY, "production", 100.0), (SECRET_KEY, "development", 10.0)]
)
def test_the_key_tells_the_kind_of_instance_and_its_documented_limit(
    key: str, kind: str, rate: float
) -> None:
    config = ClerkConfig.from_environment({"CLERK_SECRET_KEY": key})
    assert (config.instance_type, config.documented_rate) == (kind, rate)


@pytest.mark.parametrize("unpadded", [False, True])
def test_the_publishable_key_holds_the_frontend_address(unpadded: bool) -> None:
    key = publishable_key("happy-cat-12.clerk.accounts.dev")
    config = configure(CLERK_PUBLISHABLE_KEY=key.rstrip("=") if unpadded else key)
    assert config.frontend_api_url == "https://happy-cat-12.clerk.accounts.dev"


def test_a_frontend_on_this_machine_is_spoken_to_in_the_open() -> None:
    config = configure(CLERK_PUBLISHABLE_KEY=publishable_key("127.0.0.1:8123"))
    assert config.frontend_api_url == "http://127.0.0.1:8123"


def test_the_frontend_address_can_be_given() -> None:
    config = configure(
        CLERK_PUBLISHABLE_KEY=publishable_key("happy-cat-12.clerk.accounts.dev"),
        CLERK_FRONTEND_API_URL="https://clerk.example.com/",
    )
    assert config.frontend_api_url == "https://clerk.example.com"


@pytest.mark.parametrize(
    "key",
    ["sk_test_", "sk_prod_aaaabbbbcccc", "aaaabbbbcccc", "sk_test_aaaa bbbbcccc", "sk_test_aaaabbbb\r\nX: y"],
)
def test_a_malformed_secret_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ClerkConfigInvalid, match="CLERK_SECRET_KEY") as caught:
        configure(CLERK_SECRET_KEY=key)
    assert "aaaa" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CLERK_SECRET_KEY", publishable_key("a.example.com")), ("CLERK_PUBLISHABLE_KEY", SECRET_KEY)],
)
def test_keys_that_were_swapped_are_recognized(variable: str, value: str) -> None:
    with pytest.raises(ClerkConfigInvalid, match=f"{variable} holds a (publishable|secret) key") as caught:
        configure(**{variable: value})
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "pk_test_",
        "pk_test_!!!!",
        "pk_test_" + base64.b64encode(b"no.dollar.example.com").decode(),
        "pk_test_" + base64.b64encode(b"not a host$").decode(),
        "pk_test_" + base64.b64encode("ünï.example.com$".encode()).decode(),
        "something",
    ],
)
def test_a_malformed_publishable_key_is_refused(key: str) -> None:
    with pytest.raises(ClerkConfigInvalid, match="CLERK_PUBLISHABLE_KEY"):
        configure(CLERK_PUBLISHABLE_KEY=key)


@pytest.mark.parametrize(("secret", "public"), [(LIVE_KEY, "test"), (SECRET_KEY, "live")])
def test_keys_of_different_kinds_of_instance_do_not_go_together(secret: str, public: str) -> None:
    with pytest.raises(ClerkConfigInvalid, match="same instance"):
        configure(CLERK_SECRET_KEY=secret, CLERK_PUBLISHABLE_KEY=publishable_key("a.example.com", public))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com/v1", "https://api.example.com"),
        ("https://api.example.com/v1/", "https://api.example.com"),
        ("https://example.com/clerk", "https://example.com/clerk"),
        ("http://127.0.0.1:4000", "http://127.0.0.1:4000"),
        ("http://localhost:4000", "http://localhost:4000"),
        ("http://[::1]:4000", "http://[::1]:4000"),
    ],
)
def test_addresses_are_taken_without_slash_and_version(text: str, url: str) -> None:
    assert configure(CLERK_API_URL=text).api_url == url


@pytest.mark.parametrize("variable", ["CLERK_API_URL", "CLERK_FRONTEND_API_URL", "CLERK_PROXY_URL"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("http://api.example.com", "http://"),
        ("http://10.0.0.1", "http://"),
        ("api.example.com", "https://"),
        ("ftp://api.example.com", "https://"),
        ("https://", "https://"),
        ("https://api.example.com:port", "not an address"),
        ("https://user:hunter22@api.example.com", "password"),
        ("https://api.example.com?key=hunter22", "query"),
    ],
)
def test_a_malformed_address_is_refused_with_its_reason(variable: str, value: str, reason: str) -> None:
    with pytest.raises(ClerkConfigInvalid, match=reason) as caught:
        configure(**{variable: value})
    assert variable in str(caught.value)
    assert "hunter22" not in str(caught.value)


def test_a_version_that_is_not_a_date_is_refused() -> None:
    with pytest.raises(ClerkConfigInvalid, match="CLERK_API_VERSION"):
        configure(CLERK_API_VERSION="latest")
    assert configure(CLERK_API_VERSION="2025-11-10").api_version == "2025-11-10"


def test_invariant_8_the_secret_key_is_not_in_the_configurations_text() -> None:
    config = configure(CLERK_PUBLISHABLE_KEY=publishable_key("a.example.com"))
    assert "aaaabbbb" not in f"{config} {config!r} {config.model_dump()} {config.model_dump_json()}"
