"""How many people will notice anything of the move, and what."""

from dataclasses import dataclass

from toolkit.clerk import InstanceSettings
from toolkit.migration.survey import Survey


@dataclass(frozen=True, slots=True)
class Forecast:
    """What meets those of a selection at their first login after it went over, in numbers."""

    nothing: int
    """They log in as before."""
    mailed_code: int
    """They have no second factor, and Device Trust wants a code by mail."""
    new_password: int
    """They have no password: they set one by a code, where they logged in otherwise before."""
    banned: int
    """Their accounts are disabled, and stay so."""
    staying: int
    """They stay on legacy."""
    leaked_reset: int
    """Of those who would notice nothing or be mailed a code, the ones with a password that may be a leaked one, which the
    instance has reset at sign-in: as many at most."""
    lockout_attempts: int | None
    """Failures in all after which Clerk locks a user; None for never."""
    lockout_minutes: int
    password_length: int
    """Characters that a new password needs at least; a password that goes along need not meet the rules."""


def foresee(found: Survey, instance: InstanceSettings) -> Forecast:
    """What the survey and the instance's settings come to."""
    lockout = instance.user_settings.attack_protection.user_lockout
    with_password = found.importable - found.passwordless - found.disabled
    return Forecast(
        nothing=with_password - found.mailed_code,
        mailed_code=found.mailed_code,
        new_password=found.passwordless,
        banned=found.disabled,
        staying=found.staying,
        leaked_reset=with_password if instance.refuses_leaked_passwords_at_sign_in else 0,
        lockout_attempts=lockout.max_attempts if lockout.enabled else None,
        lockout_minutes=lockout.duration_in_minutes,
        password_length=instance.user_settings.password_settings.min_length,
    )
