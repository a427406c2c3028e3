"""Where Clerk is, and with which keys.

Keys and their forms: https://clerk.com/docs/guides/how-clerk-works/overview#publishable-key. A publishable key holds
the host of the instance's Frontend API, in base64 and followed by a `$`.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, SecretStr
from yarl import URL

from toolkit.clerk.errors import ClerkConfigInvalid, ClerkNotConfigured

API_URL = "https://api.clerk.com"
API_VERSION = "2026-05-12"

InstanceType = Literal["production", "development"]

_DOCUMENTED_RATE: Mapping[InstanceType, float] = {"production": 100.0, "development": 10.0}
_KINDS: Mapping[str, InstanceType] = {"live": "production", "test": "development"}
_SECRET_KEY = re.compile(r"sk_(live|test)_[!-~]{8,}")
_PUBLISHABLE_KEY = re.compile(r"pk_(live|test)_([A-Za-z0-9+/_-]+=*)")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")

SANDBOX_KEY = "sk_test_embeddedsandbox"
"""What the secret key of the embedded sandbox's Clerk begins with."""


class ClerkConfig(BaseModel):
    """A Clerk instance. Addresses have no slash at the end and no `/v1`."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    secret_key: SecretStr
    publishable_key: str | None = None
    api_url: str = API_URL
    frontend_api_url: str | None = None
    """None without a publishable key: then only the Backend API can be used."""
    api_version: str = API_VERSION
    proxy_url: str | None = None
    """Where the Frontend API is proxied on one's own domain, for the `Clerk-Proxy-Url` header."""

    @property
    def instance_type(self) -> InstanceType:
        """The kind of instance that the secret key belongs to."""
        return _instance_type(self.secret_key.get_secret_value())

    @property
    def documented_rate(self) -> float:
        """Backend API requests a second: 1000 in 10 s for production instances, 100 in 10 s for development.

        Source: https://clerk.com/docs/guides/how-clerk-works/system-limits
        """
        return _DOCUMENTED_RATE[self.instance_type]

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read CLERK_SECRET_KEY and, if they are set, the other CLERK_… variables that the fields are named after.

        Raises ClerkNotConfigured without a secret key, ClerkConfigInvalid when a variable is malformed.
        """
        secret_key = variables.get("CLERK_SECRET_KEY", "").strip()
        if not secret_key:
            raise ClerkNotConfigured(
                "CLERK_SECRET_KEY is not set, so nothing can be asked of Clerk. Copy the secret key from Clerk's "
                "Dashboard (API keys) and export it."
            )
        instance_type = _instance_type(secret_key)
        publishable_key = variables.get("CLERK_PUBLISHABLE_KEY", "").strip() or None
        frontend_url = _frontend_url(publishable_key, instance_type) if publishable_key else None
        return cls(
            secret_key=SecretStr(secret_key),
            publishable_key=publishable_key,
            api_url=_url(variables, "CLERK_API_URL") or API_URL,
            frontend_api_url=_url(variables, "CLERK_FRONTEND_API_URL") or frontend_url,
            api_version=_version(variables),
            proxy_url=_url(variables, "CLERK_PROXY_URL"),
        )


def _instance_type(secret_key: str) -> InstanceType:
    match = _SECRET_KEY.fullmatch(secret_key)
    if match is None:
        if secret_key.startswith("pk_"):
            raise ClerkConfigInvalid(
                "CLERK_SECRET_KEY holds a publishable key; the secret key begins with sk_."
            )
        raise ClerkConfigInvalid(
            "CLERK_SECRET_KEY is not a Clerk secret key: those begin with sk_live_ or sk_test_, followed by letters "
            "and digits. Copy it again from Clerk's Dashboard (API keys)."
        )
    return _KINDS[match[1]]


def _frontend_url(publishable_key: str, instance_type: InstanceType) -> str:
    """The Frontend API's address that the key holds."""
    match = _PUBLISHABLE_KEY.fullmatch(publishable_key)
    if match is None:
        if publishable_key.startswith("sk_"):
            # It is public, so it may end up in a browser.
            raise ClerkConfigInvalid(
                "CLERK_PUBLISHABLE_KEY holds a secret key; the publishable key begins with pk_."
            )
        raise ClerkConfigInvalid(
            "CLERK_PUBLISHABLE_KEY is not a Clerk publishable key: those begin with pk_live_ or pk_test_, followed by "
            "base64. Copy it again from Clerk's Dashboard (API keys)."
        )
    if _KINDS[match[1]] != instance_type:
        raise ClerkConfigInvalid(
            f"CLERK_SECRET_KEY is of a {instance_type} instance, CLERK_PUBLISHABLE_KEY (pk_{match[1]}_…) of a "
            f"{_KINDS[match[1]]} one. Export the two keys of the same instance."
        )
    host = _decode(match[2])
    if not host.endswith("$") or not _HOST.fullmatch(host[:-1]):
        raise ClerkConfigInvalid(
            "CLERK_PUBLISHABLE_KEY does not hold the address of a Frontend API; it may be cut off. Copy it again from "
            "Clerk's Dashboard (API keys)."
        )
    url = URL(f"https://{host[:-1]}")
    return str(url.with_scheme("http") if _is_loopback(url) else url)


def _decode(text: str) -> str:
    """Base64 in either alphabet, padded or not; empty if it is neither that nor text."""
    text = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _url(variables: Mapping[str, str], variable: str) -> str | None:
    """The address that a variable holds, without what `/v1/…` is appended to; None when it is not set."""
    text = variables.get(variable, "").strip()
    if not text:
        return None
    try:
        url = URL(text)
        port = url.port
    except ValueError:
        raise ClerkConfigInvalid(f"{variable} is not an address. Example: {API_URL}") from None
    if url.scheme not in ("https", "http") or not url.host or port is None:
        raise ClerkConfigInvalid(
            f"{variable} is not an address that begins with https:// . Example: {API_URL}"
        )
    if url.user or url.password or url.query_string or url.fragment:
        raise ClerkConfigInvalid(f"{variable} must not have a user, a password, a query or a fragment in it.")
    if url.scheme == "http" and not _is_loopback(url):
        raise ClerkConfigInvalid(
            f"{variable} begins with http://, which would send keys and passwords in the open. Use https:// "
            "(http:// is for addresses of this machine only)."
        )
    return str(url).rstrip("/").removesuffix("/v1")


def _is_loopback(url: URL) -> bool:
    if url.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(url.host or "").is_loopback
    except ValueError:
        return False


def _version(variables: Mapping[str, str]) -> str:
    version = variables.get("CLERK_API_VERSION", "").strip() or API_VERSION
    if not _VERSION.fullmatch(version):
        raise ClerkConfigInvalid(
            f"CLERK_API_VERSION is not a date. This tool is written for {API_VERSION}; leave the variable out."
        )
    return version
