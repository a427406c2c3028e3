"""The users that are due, decided about one by one as the import would, and counted."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from toolkit.migration.digests import Kind
from toolkit.migration.oddities import Oddity, oddities
from toolkit.migration.plan import Create, Reason
from toolkit.migration.source import SourceUser

KINDS = 200
"""Kinds of digests that are counted each by itself."""
EXAMPLES = 5
"""Users kept of those who would go over, and of each reason to stay: there may be any number."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A user that would not go over, and why."""

    user_id: str
    reason: Reason


@dataclass
class Survey:
    """The users that are due, counted. `tell` hears of each that would stay."""

    tell: Callable[[Finding], None] = lambda _: None
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
    passwordless: int = 0
    """Users without a password who are not disabled."""
    mailed_code: int = 0
    """Users to whom Clerk's Device Trust mails a code at their first login, if the instance has it."""
    beyond_ascii: int = 0
    """Users with an address that has other letters, or a domain in punycode."""
    reasons: Counter[Reason] = field(default_factory=Counter)
    """Why users would stay."""
    examples: dict[Reason, list[str]] = field(default_factory=dict)
    """A few user ids for each reason."""
    odd: Counter[Oddity] = field(default_factory=Counter)
    """Importable users of whom Clerk may refuse something."""
    odd_examples: dict[Oddity, list[str]] = field(default_factory=dict)
    """A few user ids for each."""
    sample: list[SourceUser] = field(default_factory=list, repr=False)
    """A few users who would go over."""

    @property
    def staying(self) -> int:
        """Users that would not go over."""
        return self.reasons.total()

    @property
    def blocked(self) -> bool:
        """Some user would not go over for a reason that a person must look at."""
        return any(reason.needs_person for reason in self.reasons)

    def stay(self, user: SourceUser, reason: Reason) -> None:
        """Count a user that would not go over."""
        self._look_at(user)
        self.reasons[reason] += 1
        _keep(self.examples.setdefault(reason, []), user)
        self.tell(Finding(user.external_id, reason))

    def go(self, user: SourceUser, decided: Create) -> None:
        """Count a user that would go over."""
        self._look_at(user)
        self.importable += 1
        if len(self.sample) < EXAMPLES:
            self.sample.append(user)
        for oddity in oddities(user):
            self.odd[oddity] += 1
            _keep(self.odd_examples.setdefault(oddity, []), user)
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
        if not decided.banned:
            self.passwordless += decided.digest is None
            unknown_device = decided.factor is None and not decided.grace
            self.mailed_code += unknown_device and user.email_verified and decided.digest is not None

    def _look_at(self, user: SourceUser) -> None:
        self.examined += 1
        email = user.email or ""
        self.beyond_ascii += not email.isascii() or "xn--" in email.lower()

    def _count_digest(self, kind: Kind) -> None:
        """Parameters may be as many as users, where each digest has drawn its own: then they are counted together."""
        known = kind in self.digests or len(self.digests) < KINDS
        self.digests[kind if known else Kind(kind.hasher, "of other parameters", kind.is_weak)] += 1


def _keep(examples: list[str], user: SourceUser) -> None:
    if len(examples) < EXAMPLES:
        examples.append(user.external_id)
