"""What the import would do, without doing it: reads the source and the Clerk instance, changes nothing."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from toolkit.clerk import BackendClient, InstanceSettings
from toolkit.clerk.addresses import normal_address
from toolkit.database import queries
from toolkit.environment import Environment
from toolkit.migration.carrier import obstacle
from toolkit.migration.digests import Kind
from toolkit.migration.instance import policy_of, rate_of, read_settings
from toolkit.migration.links import Links
from toolkit.migration.plan import REASONS, Policy, Reason, Skip, plan
from toolkit.migration.selection import Selection, open_source
from toolkit.migration.source import Count, Source, SourceUser, check_view

PAGE = 500
"""Clerk's largest page of users."""
KINDS = 200
"""Kinds of digests that are counted each by itself."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A user that would not go over, and why."""

    user_id: str
    reason: Reason


@dataclass
class Survey:
    """The users that are due, counted."""

    examined: int = 0
    importable: int = 0
    digests: Counter[Kind] = field(default_factory=Counter)
    """Importable users by what their digests are."""
    without_password: int = 0
    verified: int = 0
    unverified: int = 0
    second_factor: int = 0
    older_key: int = 0
    """Second factors that only AX_TOTP_KEY_OLD opens."""
    backup_codes: int = 0
    """Users with backup codes beside the second factor."""
    disabled: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def blocked(self) -> bool:
        """Some user would not go over for a reason that a person must look at."""
        return any(finding.reason.needs_person for finding in self.findings)

    def count(self, user: SourceUser, policy: Policy) -> None:
        """Decide about one user as the import would, and count it."""
        self.examined += 1
        decided = plan(user, policy)
        if isinstance(decided, Skip):
            self.findings.append(Finding(user.external_id, decided.reason))
            return
        self.importable += 1
        if decided.digest is None:
            self.without_password += 1
        else:
            self._count_digest(decided.digest)
        self.verified += user.email_verified
        self.unverified += not user.email_verified
        if decided.factor is not None:
            self.second_factor += 1
            self.older_key += decided.factor.by_older_key
            self.backup_codes += bool(decided.factor.backup_codes)
        self.disabled += decided.banned

    def _count_digest(self, kind: Kind) -> None:
        """Parameters may be as many as users, where each digest has drawn its own: then they are counted together."""
        known = kind in self.digests or len(self.digests) < KINDS
        self.digests[kind if known else Kind(kind.hasher, "of other parameters", kind.is_weak)] += 1


@dataclass
class Report:
    """All that preflight found."""

    count: Count
    survey: Survey
    clerk_users: int
    misfits: list[str]
    """Settings of the Clerk instance that do not fit, each with its remedy."""
    cautions: list[str]
    """Settings of the Clerk instance that an operator should know of, each with its remedy; nothing waits for them."""
    rate: float | None
    """Requests a second that the import will make at most; None without a limit."""

    @property
    def seconds(self) -> float | None:
        """How long the import takes at the limit, one request a user."""
        return None if self.rate is None else self.survey.importable / self.rate

    @property
    def blocked(self) -> bool:
        """Something needs a person before everybody can go over."""
        return bool(self.misfits) or self.survey.blocked


async def make_report(
    environment: Environment, selection: Selection, rate: float | None, seen: Callable[[int], None]
) -> Report:
    """Survey the cohort and the Clerk instance."""
    config = environment.clerk
    limit = rate_of(config, rate or environment.playbook.import_.rate)
    async with open_source(environment, selection) as (connection, source):
        await Links(environment.playbook.source.link).check(connection)
        async with BackendClient(config, rate=limit) as clerk:
            instance = await read_settings(config)
            clerk_users = await clerk.count_users()
            policy = policy_of(environment, instance)
            await source.find_duplicates()
            found = await survey(source, policy, limit=selection.limit, seen=seen)
            count = await source.count()
            if clerk_users > count.linked:
                await find_strangers(source, clerk, found, await queries.origin(connection))
            return Report(
                count=count,
                survey=found,
                clerk_users=clerk_users,
                misfits=misfits(instance, found),
                cautions=cautions(instance),
                rate=limit,
            )


async def dry_run(environment: Environment, selection: Selection) -> Survey:
    """Decide about everybody as the import would; nothing is sent."""
    config = environment.clerk
    async with open_source(environment, selection) as (_, source):
        await source.find_duplicates()
        policy = policy_of(environment, await read_settings(config))
        return await survey(source, policy, limit=selection.limit)


async def check_source(environment: Environment) -> None:
    """See that the source view and its write-back are what the import needs. Raises SourceInvalid."""
    async with environment.connect() as connection:
        await check_view(connection)
        await Links(environment.playbook.source.link).check(connection)


async def survey(
    source: Source, policy: Policy, *, limit: int | None = None, seen: Callable[[int], None] = lambda _: None
) -> Survey:
    """Decide about everybody who is due, until `limit` would go over; `seen` is told how many after each batch."""
    result = Survey()
    async for batch in source.batches():
        for user in batch:
            if result.importable == limit:
                return result
            result.count(user, policy)
        seen(result.examined)
    return result


async def find_strangers(source: Source, clerk: BackendClient, found: Survey, origin: str) -> None:
    """Add to the survey the users whose address or external ID a Clerk user has that is not theirs to write over.

    Costs one request for 500 Clerk users.
    """
    known = {finding.user_id for finding in found.findings}
    await source.list_due()
    async for page in clerk.user_pages(PAGE):
        holders = {
            normal_address(email.email_address): clerk_user.external_id
            for clerk_user in page
            for email in clerk_user.email_addresses
        }
        namesakes = {user.external_id: user for user in page if user.external_id is not None}
        for user in await source.due_users(list(holders), list(namesakes)):
            reason = None
            if user.id in namesakes:
                reason = obstacle(namesakes[user.id], user.email or "", user.email_verified, origin)
            elif user.normal is not None and holders.get(user.normal) != user.id:
                reason = REASONS["email_taken"]
            if reason is not None and user.id not in known:
                known.add(user.id)
                found.importable -= 1
                found.findings.append(Finding(user.id, reason))


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
    not_offered = sum(f.reason.code == "second_factor_not_offered" for f in found.findings)
    if not_offered:
        faults.append(
            f"Authenticator applications are off, and {not_offered} users have one. Enable “Authenticator application” "
            "under Multi-factor in Clerk's Dashboard."
        )
    codes_not_offered = sum(f.reason.code == "backup_codes_not_offered" for f in found.findings)
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


def cautions(instance: InstanceSettings) -> list[str]:
    """What the instance lets anybody do beside AX, or will not let AX do, though users can go over."""
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
    return told
