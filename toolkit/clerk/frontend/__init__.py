"""Clerk's Frontend API: what the instance is like, and what its users do."""

from toolkit.clerk.frontend.client import Device, FrontendClient
from toolkit.clerk.frontend.resources import (
    Client,
    Factor,
    FrontendEmailAddress,
    FrontendSession,
    FrontendUser,
    SignIn,
)
from toolkit.clerk.frontend.settings import InstanceSettings

__all__ = [
    "Client",
    "Device",
    "Factor",
    "FrontendClient",
    "FrontendEmailAddress",
    "FrontendSession",
    "FrontendUser",
    "InstanceSettings",
    "SignIn",
]
