"""The limits on attempts, in one table: name, what is counted apart, how many in how long, and what for.

They are counted in Postgres in windows that slide, so that all replicas share them. A playbook overrides one by its name:

    bff:
      limits:
        login_by_account: {attempts: 20, seconds: 60}
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import Field

from toolkit.playbook.settings import Settings


class Limit(Settings):
    """So many attempts in a window of time."""

    attempts: int = Field(ge=1)
    seconds: float = Field(gt=0)


class Rule(NamedTuple):
    """A row of the table."""

    key: str
    """What is counted apart. An address is the client's IP address, of an IPv6 client its /64 network."""
    limit: Limit
    purpose: str


LimitName = Literal[
    "sign_in_by_address",
    "login_by_account",
    "code_by_address",
    "code_by_user",
    "code_pause_by_challenge",
    "clerk_failure_by_user",
    "clerk_reset_failure_by_address",
    "clerk_reset_failure_by_user",
    "clerk_any_failure_by_user",
    "clerk_unanswered_by_user",
    "reauthentication_by_session",
    "reset_by_address",
    "reset_by_account",
    "reset_send_by_reset",
    "reset_code_by_user",
    "reset_code_by_address",
    "reset_password_by_reset",
    "enrolment_by_user",
    "phone_code_by_user",
    "phone_pause_by_number",
    "signup_by_address",
    "signup_by_email",
    "signup_login_by_email",
    "signup_code_by_address",
    "signup_code_by_signup",
    "signup_send_by_address",
    "signup_send_by_signup",
    "signup_pause_by_signup",
]
"""The names, as a type: a typo in one does not pass the type check."""


def _rule(key: str, attempts: int, seconds: float, purpose: str) -> Rule:
    return Rule(key, Limit(attempts=attempts, seconds=seconds), purpose)


LIMITS: Mapping[LimitName, Rule] = {
    "sign_in_by_address": _rule(
        "address",
        5,
        12,
        "Passwords, and signups, which Clerk counts as sign-ins. Clerk allows five in ten seconds: with more, it would refuse "
        "its own users and nobody else, which tells who is in Clerk (invariant 9).",
    ),
    "login_by_account": _rule(
        "address that was typed, and user; on a device that the user is known on, user and device",
        10,
        60,
        "Guessing at one account, whether there is one or not. No stranger uses up what counts on a known device.",
    ),
    "code_by_address": _rule(
        "address", 5, 12, "Second factors that are tried or sent, and passwords that are changed."
    ),
    "code_by_user": _rule(
        "user",
        15,
        900,
        "Second factors that are tried or sent: whoever has the password must not get to try all codes.",
    ),
    "code_pause_by_challenge": _rule(
        "challenge and place that the code goes to",
        1,
        30,
        "The pause between two codes that are sent to one place.",
    ),
    "clerk_failure_by_user": _rule(
        "user",
        4,
        86400,
        "Wrong passwords and second factors on devices that the user is not known on, since the last right ones. Clerk locks a "
        "user after ten in all: it is not asked any more before. Where the instance says another number than ten, its share "
        "counts, here and in the next three.",
    ),
    "clerk_reset_failure_by_address": _rule(
        "user and address",
        2,
        86400,
        "Wrong codes of resets on devices that the user is not known on: anybody may begin a reset, and who does so from one "
        "network leaves two to the owner.",
    ),
    "clerk_reset_failure_by_user": _rule(
        "user", 4, 86400, "The same from all networks, since the last password that was right or new."
    ),
    "clerk_any_failure_by_user": _rule(
        "user",
        9,
        86400,
        "All that is wrong, also on known devices, to which one is left by all strangers together, and three by one network; "
        "somebody who has a session, which may be stolen, leaves two to them.",
    ),
    "clerk_unanswered_by_user": _rule(
        "user",
        4,
        3600,
        "Passwords and codes that Clerk was asked about without an answer. It may have counted them: more than these count as "
        "wrong.",
    ),
    "reauthentication_by_session": _rule(
        "session",
        10,
        600,
        "Passwords of somebody who is logged in, to prove who they are or to change it: whoever took a session must not get to try "
        "them.",
    ),
    "reset_by_address": _rule("address", 20, 3600, "Resets of passwords that are begun."),
    "reset_by_account": _rule(
        "address that was typed; on a device that the user is known on, user and device",
        5,
        3600,
        "Resets of one account's password, whether there is one or not: each sends a mail. No stranger uses up what counts on a "
        "known device.",
    ),
    "reset_send_by_reset": _rule("reset", 5, 3600, "Codes of resets that are sent again."),
    "reset_code_by_user": _rule(
        "user; on a device that the user is known on, user and device",
        30,
        3600,
        "Codes of resets that are sent, by whichever way they were asked for: with a leaked password, too, nobody's mailbox is "
        "filled. More than the limits before let through without one, as what is not sent here is told to nobody.",
    ),
    "reset_code_by_address": _rule(
        "address",
        3,
        12,
        "Codes of resets that are tried. Clerk allows three in ten seconds: with more, it would refuse its own users and nobody "
        "else, which tells who is in Clerk (invariant 9).",
    ),
    "reset_password_by_reset": _rule(
        "reset",
        10,
        60,
        "New passwords of a reset whose code came back, so that one that is not taken does not keep anybody from the next.",
    ),
    "enrolment_by_user": _rule("user", 20, 3600, "Codes that are to make a method a second factor."),
    "phone_code_by_user": _rule(
        "user; apart from that the user's resets, and those on a device that the user is known on",
        5,
        3600,
        "Text messages to numbers that are to be added, and codes of resets that are texted: nobody's phone is flooded, and no "
        "stranger uses up what the user may do.",
    ),
    "phone_pause_by_number": _rule("user and number", 1, 30, "The pause between two text messages."),
    "signup_by_address": _rule("address", 20, 3600, "Signups that are begun."),
    "signup_by_email": _rule(
        "email address", 10, 3600, "Signups with all that Clerk takes: each sends a mail to the address."
    ),
    "signup_login_by_email": _rule(
        "email address",
        4,
        86400,
        "Logins with an address that is not verified yet, right or wrong. No more than `clerk_failure_by_user`, which does not "
        "count for an address that is taken (invariant 9).",
    ),
    "signup_code_by_address": _rule(
        "address",
        3,
        12,
        "Codes of signups that are tried. Clerk allows three in ten seconds: with more, it would refuse them for a fresh "
        "address, and never for a taken one (invariant 9).",
    ),
    "signup_code_by_signup": _rule("signup", 15, 900, "Codes that are tried."),
    "signup_send_by_address": _rule("address", 60, 3600, "Codes that are sent again."),
    "signup_send_by_signup": _rule(
        "signup", 5, 3600, "Codes that are sent again, so that no stranger fills somebody's mailbox."
    ),
    "signup_pause_by_signup": _rule("signup", 1, 30, "The pause between two codes that are sent."),
}
