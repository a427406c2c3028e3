"""What a command asks of the Clerk instance before it begins."""

import math

from toolkit.clerk import ClerkConfig, FrontendClient, InstanceSettings
from toolkit.environment import Environment
from toolkit.migration.plan import Policy


async def read_settings(config: ClerkConfig) -> InstanceSettings:
    """The instance's settings, as everybody may read them. Raises ClerkError."""
    async with FrontendClient(config) as frontend:
        return await frontend.environment()


def policy_of(environment: Environment, instance: InstanceSettings) -> Policy:
    """What decides about each user: the playbook, the keys of the TOTP secrets, and what the instance offers."""
    return Policy(
        disabled_users=environment.playbook.import_.disabled_users,
        totp_keys=environment.totp_keys,
        second_factor_offered=instance.authenticator_app_enabled,
        backup_codes_offered=instance.backup_codes_enabled,
        device_trust=environment.playbook.import_.device_trust,
    )


def rate_of(config: ClerkConfig, rate: float | None) -> float | None:
    """Requests a second at most: what the operator says (infinity is no limit), or what Clerk documents."""
    rate = rate or config.documented_rate
    return None if math.isinf(rate) else rate
