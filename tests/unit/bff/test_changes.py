"""Changes of the ways in to an account."""

from typing import get_args

from bff.mail.mails import ChangeKind
from bff.mfa import service as mfa
from bff.password import service as password


def test_somebody_finds_out_what_became_of_every_kind_of_change() -> None:
    """One that is in no list would be looked at by nobody when its answer is lost."""
    assert sorted((*mfa.KINDS, *password.KINDS)) == sorted(get_args(ChangeKind))
