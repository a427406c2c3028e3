"""The Clerk instance: what a command asks of it before it begins, and what of its settings an operator must know."""

import math
from collections.abc import Iterator

from toolkit.clerk import BackendClient, ClerkConfig, ClerkError, FrontendClient, InstanceSettings
from toolkit.environment import Environment
from toolkit.migration.plan import REASONS, Policy
from toolkit.migration.survey import Survey

DEVELOPMENT_USERS = 100
"""Users that a development instance takes, https://clerk.com/docs/guides/how-clerk-works/system-limits."""
SIGN_INS = 5
"""Sign-ins from one address that Clerk takes in ten seconds."""

SOMEBODY = "192.0.2.1"
"""An end user's address that is nobody's (RFC 5737)."""


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


def misfits(instance: InstanceSettings, found: Survey) -> list[str]:
    """What the instance's settings would refuse of these users."""
    faults = []
    if not instance.native_api_enabled:
        faults.append(
            "The Native API is off, and nobody could be signed in from here. Enable it under Native applications in "
            "Clerk's Dashboard."
        )
    if not instance.email_address_enabled:
        faults.append(
            "Email addresses are off. Enable “Email” under User & authentication in Clerk's Dashboard."
        )
    elif not instance.email_address_identifies:
        faults.append(
            "Nobody signs in with an email address. Enable “Sign-in with email” under User & authentication in Clerk's "
            "Dashboard."
        )
    if not instance.password_enabled and found.digests:
        faults.append(
            "Passwords are off. Enable “Password” under User & authentication in Clerk's Dashboard."
        )
    not_offered = found.reasons[REASONS["second_factor_not_offered"]]
    if not_offered:
        faults.append(
            f"Authenticator applications are off, and {not_offered} users have one. Enable “Authenticator application” "
            "under Multi-factor in Clerk's Dashboard."
        )
    codes_not_offered = found.reasons[REASONS["backup_codes_not_offered"]]
    if codes_not_offered:
        faults.append(
            f"Backup codes are off, and {codes_not_offered} users have some. Enable “Backup codes” under Multi-factor in "
            "Clerk's Dashboard."
        )
    without = found.importable - found.second_factor
    if instance.second_factor_required and without:
        faults.append(
            f"A second factor is required of every user, and {without:,} users have none. Make it optional under "
            "Multi-factor in Clerk's Dashboard until they had the time to enrol."
        )
    faults.extend(
        f"{required} is required of every user, and the import does not send it to all. Make it optional in "
        "Clerk's Dashboard until everybody has signed in."
        for required in instance.required_beyond_email_and_password
    )
    return faults


def cautions(instance: InstanceSettings, config: ClerkConfig, found: Survey, clerk_users: int) -> list[str]:
    """What the instance lets anybody do beside AX, or will not let AX do, though users can go over."""
    return [*_of_settings(instance), *_of_kind(config, found, clerk_users), *_of_webhooks(found)]


def _of_settings(instance: InstanceSettings) -> list[str]:
    told = []
    if instance.open_to_anybody:
        told.append(
            "Anybody may sign up at Clerk itself, without an invite, and with an address of one of your users, who is "
            "then a conflict (email_taken). Choose “Invite-only” (formerly “Restricted”) under Access mode in Clerk's "
            "Dashboard: import and signup here go on all the same."
        )
    if not instance.hides_who_has_an_account:
        told.append(
            "Clerk tells anybody whether an address has an account. Choose strict user enumeration protection under "
            "Protect in Clerk's Dashboard if your application hides that."
        )
    if instance.refuses_leaked_passwords_at_sign_in:
        told.append(
            "Whoever has a leaked password is kept from signing in until it is reset, by a code: your users, too, with "
            "the passwords that they bring. Have the password rules in Clerk's Dashboard reject compromised passwords "
            "at sign-in only if they are to meet that right after the move."
        )
    if instance.legal_consent_required:
        told.append(
            "Consent to legal terms is required of who signs up. The import goes past that, but signup here does not "
            "ask for it: leave the switch `signup` on `legacy`, or turn it off in Clerk's Dashboard."
        )
    if not (instance.authenticator_app_enabled or instance.is_second_factor("phone_number")):
        told.append(
            "Neither authenticator applications nor text messages are on, so nobody can set up a second factor from here on. "
            "Enable one under Multi-factor in Clerk's Dashboard."
        )
    if not instance.user_settings.attack_protection.user_lockout.enabled:
        told.append(
            "Clerk locks nobody out, however often a password is guessed. Enable the lockout under Protect in Clerk's Dashboard."
        )
    return told


def _of_kind(config: ClerkConfig, found: Survey, clerk_users: int) -> Iterator[str]:
    """What a development instance can't do, and what a production instance needs for it."""
    if config.instance_type == "development":
        yield (
            "Clerk takes the addresses of end users (Clerk-Proxy-Url) on production instances alone: here all share the BFF's, and "
            f"the {SIGN_INS + 1}th sign-in within ten seconds is refused, whosever it is. Try logins one after the other."
        )
        if clerk_users + found.importable > DEVELOPMENT_USERS:
            yield (
                f"A development instance takes {DEVELOPMENT_USERS} users, unless Clerk has raised that for you. It has "
                f"{clerk_users:,}, and {found.importable:,} would go over: the import stops where Clerk does "
                "(user_quota_exceeded). Say --limit, or ask Clerk's support for more."
            )
    elif config.proxy_url is None:
        yield (
            "CLERK_PROXY_URL is not set, so to Clerk all end users have the BFF's address, and the "
            f"{SIGN_INS + 1}th sign-in within ten seconds is refused, whosever it is. Set the proxy up on the instance's domain in "
            "Clerk's Dashboard, and export its address here and to the BFF."
        )


def _of_webhooks(found: Survey) -> Iterator[str]:
    """They can be neither read nor muted by the API."""
    if found.importable:
        yield (
            f"If the instance has webhooks, user.created is sent for each of the {found.importable:,} users, and whoever greets new "
            "users by it greets them all. Turn those endpoints off under Webhooks in Clerk's Dashboard meanwhile, or have them "
            "leave out whoever has migration_run in the private metadata."
        )


async def check_proxy(config: ClerkConfig, clerk: BackendClient) -> str | None:
    """What is wrong with the proxy of a production instance, with its remedy; None if nothing is, or there is none."""
    if config.instance_type == "development" or config.proxy_url is None:
        return None
    try:
        return await _proxy_fault(config, config.proxy_url, clerk)
    except ClerkError as error:
        return f"The proxy {config.proxy_url} could not be checked: {error}"


async def _proxy_fault(config: ClerkConfig, proxy_url: str, clerk: BackendClient) -> str | None:
    domain = next(domain for domain in await clerk.list_domains() if not domain.is_satellite)
    if (domain.proxy_url or "").rstrip("/") != proxy_url:
        return (
            f"CLERK_PROXY_URL is {proxy_url}, and the proxy URL of the instance's domain {domain.name} is "
            f"{domain.proxy_url or 'not set'}. Make them the same, under Domains in Clerk's Dashboard."
        )
    async with FrontendClient(config) as frontend:
        health = await frontend.proxy_health(domain.id, address=SOMEBODY)
    if health.status == "unhealthy":
        return f"Clerk finds the proxy {proxy_url} unhealthy: {health.message}. Mend it before anybody logs in through it."
    seen = (health.x_forwarded_for or "").partition(",")[0].strip()
    if seen != SOMEBODY:
        return (
            f"Of a request that the BFF sends for the address {SOMEBODY}, Clerk sees {seen or 'no address'}: all end users would "
            f"share it, and the {SIGN_INS + 1}th sign-in within ten seconds be refused. See that nothing between here and Clerk "
            "takes X-Forwarded-For away."
        )
    return None
