"""Clerk's Frontend API: an instance's settings, and signing its users in."""

from toolkit.clerk.frontend.client import Device, FrontendClient
from toolkit.clerk.frontend.resources import (
    Client,
    Factor,
    FrontendEmailAddress,
    FrontendSession,
    FrontendUser,
    PhoneNumber,
    SignIn,
)
from toolkit.clerk.frontend.settings import InstanceSettings, UserLockout

__all__ = [
    "Client",
    "Device",
    "Factor",
    "FrontendClient",
    "FrontendEmailAddress",
    "FrontendSession",
    "FrontendUser",
    "InstanceSettings",
    "PhoneNumber",
    "SignIn",
    "UserLockout",
]
