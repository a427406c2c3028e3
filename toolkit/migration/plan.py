"""What the import does with one user, decided from the row alone, before a request is spent.

Preflight, `--dry-run` and the import share this, so that what the first says is what the last does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from email_validator import EmailNotValidError, validate_email

from toolkit import totp
from toolkit.migration import digests
from toolkit.migration.source import SourceUser


class State(StrEnum):
    """What became of a user; the ledger's `state`."""

    LINKED = "linked"
    """In Clerk, and `clerk_id` is written back."""
    REFUSED = "refused"
    """The row is broken; Clerk would not take it."""
    HELD = "held"
    """Stays on legacy until a person or a setting changes something."""
    CONFLICT = "conflict"
    """Clerk has somebody else there."""
    FAILED = "failed"
    """Clerk did not do it; another run tries again."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a user did not go over: the ledger's `error_code`, in words, and what to do."""

    code: str
    state: State
    meaning: str
    remedy: str
    needs_person: bool = True


_REASONS = (
    Reason("email_missing", State.REFUSED, "has no email address", "give the row an address"),
    Reason("email_invalid", State.REFUSED, "the email address is not valid", "correct the address"),
    Reason(
        "email_duplicate",
        State.REFUSED,
        "another user's address may be the same to Clerk (case, Unicode form, domain in punycode, blanks)",
        "merge the accounts or change one address",
    ),
    Reason(
        "digest_malformed",
        State.REFUSED,
        "the password digest is not of its hasher's form",
        "have the view give it in its hasher's form (“Password hashers” in docs/operating.md), or clear it, so that the user sets a new password",
    ),
    Reason(
        "hasher_unsupported",
        State.REFUSED,
        "Clerk does not take digests of this hasher",
        "clear the digest, or wait for the lazy import at login",
    ),
    Reason(
        "second_factor_missing",
        State.HELD,
        "the second factor is on, but no TOTP secret is stored",
        "restore the secret, or have the user enrol again",
    ),
    Reason(
        "second_factor_undecryptable",
        State.HELD,
        "the TOTP secret opens with neither AX_TOTP_KEY nor AX_TOTP_KEY_OLD, or they are not set",
        "export the right key, and the one before it as AX_TOTP_KEY_OLD; for single rows have the user enrol again",
    ),
    Reason(
        "second_factor_malformed",
        State.HELD,
        "the TOTP secret is not base32",
        "have the user enrol again",
    ),
    Reason(
        "second_factor_digits",
        State.HELD,
        "the authenticator's codes do not have 6 digits, and Clerk takes no others",
        "have the user enrol again",
    ),
    Reason(
        "second_factor_period",
        State.HELD,
        "the authenticator's codes do not change every 30 seconds, and Clerk takes no others",
        "have the user enrol again",
    ),
    Reason(
        "second_factor_algorithm",
        State.HELD,
        "the authenticator's codes are not computed with SHA-1, and Clerk takes no others",
        "have the user enrol again",
    ),
    Reason(
        "second_factor_counter",
        State.HELD,
        "the authenticator goes by a counter (HOTP) and not by the time, and Clerk takes no such",
        "have the user enrol again",
    ),
    Reason(
        "second_factor_laravel",
        State.HELD,
        "the TOTP secret is encrypted as Laravel does it (AES-CBC), and the import opens AES-256-GCM alone",
        "have the application encrypt it anew for the import, or the user enrol again",
    ),
    Reason(
        "second_factor_not_offered",
        State.HELD,
        "the Clerk instance has no authenticator application enabled",
        "enable it in Clerk under Multi-factor, then run the import again",
    ),
    Reason(
        "second_factor_not_taken",
        State.HELD,
        "Clerk created the user without the second factor that was sent; the user was removed from Clerk again",
        "check the instance's multi-factor settings",
    ),
    Reason(
        "backup_codes_unsupported",
        State.HELD,
        "a backup code is neither plain nor a bcrypt digest",
        "have the view give NULL for codes that can't go along, and tell those users; or have them made anew",
    ),
    Reason(
        "backup_codes_not_offered",
        State.HELD,
        "the Clerk instance has no backup codes enabled",
        "enable them in Clerk under Multi-factor, then run the import again",
    ),
    Reason(
        "backup_codes_not_taken",
        State.HELD,
        "Clerk created the user without the backup codes that were sent; the user was removed from Clerk again",
        "check the instance's multi-factor settings",
    ),
    Reason(
        "disabled",
        State.HELD,
        "the account is disabled, and the playbook holds those",
        "nothing, or set import.disabled_users to ban",
        needs_person=False,
    ),
    Reason(
        "ban_not_available",
        State.HELD,
        "the account is disabled, and this Clerk plan cannot ban users",
        "set import.disabled_users to hold, or change the plan",
    ),
    Reason(
        "email_taken",
        State.CONFLICT,
        "another Clerk user, with another external ID or none, has this address",
        "find out whose it is; delete that Clerk user or change the address",
    ),
    Reason(
        "external_id_taken",
        State.CONFLICT,
        "a Clerk user has this row's id as its external ID, but came from another database, or has another address",
        "check that this Clerk instance belongs to this database; if it does, correct that Clerk user's external ID",
    ),
    Reason(
        "clerk_user_in_use",
        State.CONFLICT,
        "the Clerk user with this external ID has signed in or has a second factor, which may be newer than the row's",
        "find out which is right: to keep Clerk's, set the row's clerk_id; else delete that Clerk user",
    ),
    Reason(
        "clerk_id_taken",
        State.CONFLICT,
        "the Clerk user with this external ID is linked to another row",
        "find out which row is right and clear the other's clerk_id",
    ),
    Reason(
        "email_wrongly_verified",
        State.CONFLICT,
        "Clerk holds as verified an address that the row says is not",
        "verify the address in the row, or delete that Clerk user if there still is one; then run the import again",
    ),
    Reason(
        "form_password_digest_invalid_code",
        State.REFUSED,
        "Clerk does not accept the password digest",
        "clear the digest, so that the user sets a new password",
    ),
    Reason(
        "form_param_format_invalid",
        State.REFUSED,
        "Clerk does not accept the form of a value, most likely the email address",
        "correct the address",
    ),
    Reason(
        "invalid_totp_secret_code",
        State.HELD,
        "Clerk does not accept the TOTP secret",
        "have the user enrol again",
    ),
    Reason(
        "row_keeps_changing",
        State.FAILED,
        "the row changed, or was locked, each time it was sent; or the link query never finds it as the view shows it",
        "run the import again; if it says so for everybody, make the view and its link query agree",
    ),
    Reason(
        "link_refused",
        State.REFUSED,
        "the table does not take the row's clerk_id: a constraint or a trigger of its own refuses the update",
        "correct the row (Postgres's log says what is wrong with it)",
    ),
    Reason(
        "clerk_unavailable",
        State.FAILED,
        "Clerk did not answer, or answered with an error of its own",
        "run the import again",
    ),
    Reason(
        "rate_limited", State.FAILED, "Clerk kept answering 429", "run the import again, with a lower --rate"
    ),
)
REASONS = {reason.code: reason for reason in _REASONS}


def reason(code: str, params: str = "") -> Reason:
    """The reason with this code; one of Clerk's that has no entry here is told with the parameters it is about."""
    return REASONS.get(code) or Reason(
        code,
        State.FAILED,
        f"Clerk refused it{params and ' because of ' + params}",
        "correct the row, or the instance's settings; Clerk's error catalogue explains the code",
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """What the playbook, the keys and the Clerk instance allow."""

    disabled_users: Literal["ban", "hold"] = "hold"
    totp_keys: tuple[bytes, ...] = field(default=(), repr=False)
    """Keys of the encrypted TOTP secrets; the second is the older one."""
    second_factor_offered: bool = True
    """The Clerk instance has authenticator applications enabled."""
    backup_codes_offered: bool = True
    """The Clerk instance has backup codes enabled."""
    device_trust: Literal["grace", "enforce"] = "grace"
    """Whether the first device after the move is trusted."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor that goes along."""

    totp_secret: str = field(repr=False)
    by_older_key: bool = False
    """AX_TOTP_KEY_OLD opened it."""
    backup_codes: tuple[str, ...] = field(default=(), repr=False)
    """Plain, or as bcrypt makes them."""


@dataclass(frozen=True, slots=True)
class Create:
    """The user goes over."""

    digest: digests.Kind | None
    """None for a user without a password."""
    factor: Factor | None
    """The second factor, None for a user without."""
    banned: bool
    grace: bool = False
    """Clerk's Device Trust lets the user in on the first device; it concerns nobody who has a second factor."""

    @property
    def totp_secret(self) -> str | None:
        """The second factor's TOTP secret."""
        return self.factor.totp_secret if self.factor else None

    @property
    def backup_codes(self) -> tuple[str, ...]:
        """The second factor's backup codes."""
        return self.factor.backup_codes if self.factor else ()


@dataclass(frozen=True, slots=True)
class Skip:
    """The user stays where they are."""

    reason: Reason


Plan = Create | Skip


_UNFIT: Mapping[type[totp.TotpUnfit], str] = {
    totp.TotpUndecryptable: "second_factor_undecryptable",
    totp.TotpMalformed: "second_factor_malformed",
    totp.OtherDigits: "second_factor_digits",
    totp.OtherPeriod: "second_factor_period",
    totp.OtherAlgorithm: "second_factor_algorithm",
    totp.CounterBased: "second_factor_counter",
    totp.EncryptedByLaravel: "second_factor_laravel",
}


def plan(user: SourceUser, policy: Policy) -> Plan:
    """Decide what the import does with this row."""
    if not user.email or not user.email.strip():
        return Skip(REASONS["email_missing"])
    try:
        validate_email(user.email.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return Skip(REASONS["email_invalid"])
    if user.is_duplicate:
        return Skip(REASONS["email_duplicate"])
    if user.disabled and policy.disabled_users == "hold":
        return Skip(REASONS["disabled"])
    digest = None
    if user.password_digest is not None:
        try:
            digest = digests.kind_of(user.password_digest, user.password_hasher)
        except digests.HasherUnsupported:
            return Skip(REASONS["hasher_unsupported"])
        except digests.DigestMalformed:
            return Skip(REASONS["digest_malformed"])
    factor = _second_factor(user, policy)
    if isinstance(factor, Skip):
        return factor
    grace = factor is None and policy.device_trust == "grace"
    return Create(digest=digest, factor=factor, banned=user.disabled, grace=grace)


def _second_factor(user: SourceUser, policy: Policy) -> Factor | Skip | None:
    """The second factor to send, None for a user without, or why it can't be carried (invariant 2)."""
    if not user.second_factor:
        return None
    try:
        if user.totp_secret is not None:
            factor = Factor(totp.read(user.totp_secret))
        elif user.totp_cipher is None:
            return Skip(REASONS["second_factor_missing"])
        else:
            opened = totp.decrypt(user.totp_cipher, user.totp_nonce, policy.totp_keys)
            factor = Factor(opened.secret, opened.by_older_key)
    except totp.TotpUnfit as error:
        return Skip(REASONS[_UNFIT[type(error)]])
    if not policy.second_factor_offered:
        return Skip(REASONS["second_factor_not_offered"])
    codes = tuple(
        code for code in user.backup_codes or () if code is not None and digests.is_backup_code(code)
    )
    if len(codes) < len(user.backup_codes or ()):
        return Skip(REASONS["backup_codes_unsupported"])
    if codes and not policy.backup_codes_offered:
        return Skip(REASONS["backup_codes_not_offered"])
    return replace(factor, backup_codes=codes)
