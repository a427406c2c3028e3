"""What a canary finds: that the password holds in Clerk, or what is most likely the matter."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a canary."""

    code: str
    meaning: str
    remedy: str = ""

    @property
    def holds(self) -> bool:
        """Clerk takes the password of the row's digest, and signs in with it."""
        return self.code == "held"


HELD = Finding("held", "Clerk takes the password, and signs in with it")

_WITHOUT_DIGESTS = (
    "don't import these digests: nobody's password would work. Users of them can only move when they log in, with the "
    "password that they type then"
)


def wrong_or_peppered(hasher: str, *, checked_here: bool) -> Finding:
    """Nothing that can be tried gives the digest. Without `checked_here` Clerk alone has tried."""
    untold = (
        "" if checked_here else f", or Clerk computes {hasher} in another way, which can't be told from here"
    )
    return Finding(
        "wrong_or_peppered",
        "the password does not give the digest: not as it was typed, nor trimmed, normalised, in another case or hashed "
        "before. Either it is not this account's password, or the application adds something to passwords before it hashes "
        f"them (a pepper), which Clerk does not do{untold}",
        "log in to the application with exactly this password. If it refuses, run the canary with the right one. If it lets "
        f"you in, passwords are peppered, or hashed in a way that {hasher} does not tell: {_WITHOUT_DIGESTS}. Clerk takes a "
        "pepper for bcrypt alone (bcrypt_peppered)",
    )


def altered(how: str) -> Finding:
    """The application changes what is typed before it hashes it."""
    return Finding(
        "password_altered",
        f"the digest is that of the password {how}, and Clerk takes passwords as they are typed",
        "whoever types a password that this changes will be refused by Clerk. Have the login change it in the same way before "
        "Clerk gets it; or tell those people. Then run the canary with a password that it does not change",
    )


def other_hasher(said: str, is_of: str) -> Finding:
    """The view names the wrong hasher."""
    return Finding(
        "hasher_wrong",
        f"the view says {said}, and the digest is one of {is_of}: with that it is the password's",
        f"have the view say {is_of}, and run the canary again",
    )


def hashed_before(how: str) -> Finding:
    """The application hashes the password twice."""
    return Finding(
        "password_hashed_before",
        f"the digest is not that of the password, but that of {how}",
        "of these, Clerk knows bcrypt over a SHA-256 (bcrypt_sha256_django) and phpass over an MD5 (md5_phpass): have the view "
        f"say so if it is one of them. If not, {_WITHOUT_DIGESTS}",
    )


def clerk_differs(hasher: str) -> Finding:
    """The digest is the password's, and Clerk does not find so."""
    return Finding(
        "clerk_differs",
        f"by {hasher} the digest is the password's, and Clerk says that it is not: it computes {hasher} in another way",
        f"don't import digests of {hasher} before Clerk's support has said how it computes them",
    )


def not_taken(said: str) -> Finding:
    """Clerk refused to create the user."""
    return Finding(
        "not_taken",
        f"Clerk does not create a user with what the row has. {said}",
        "correct the view, the row, or the instance's settings, and run the canary again",
    )


SECOND_FACTOR_NOT_TAKEN = Finding(
    "second_factor_not_taken",
    "Clerk created the user without the second factor that was sent",
    "enable the authenticator application, and backup codes if the row has some, under Multi-factor in Clerk's Dashboard",
)
SECOND_FACTOR_NOT_ASKED = Finding(
    "second_factor_not_asked",
    "Clerk signed in without asking for the second factor",
    "check the instance's multi-factor settings before anybody moves",
)
CODE_WRONG = Finding(
    "code_wrong",
    "Clerk takes the password, but the code that was typed is not one of the row's TOTP secret",
    "type the next code. If that is refused, too, the secret is not that of the account's authenticator: look at AX_TOTP_KEY, "
    "and at how the view gives the secret",
)


def sign_in_refused(said: str) -> Finding:
    """The password is right, and signing in goes no further."""
    return Finding(
        "sign_in_refused",
        f"Clerk takes the password when it is asked through the Backend API, and does not sign in with it. {said}",
        "users would meet the same at their first login: look at the instance's password, sign-in and multi-factor settings",
    )
