"""How clients, sign-ins and sessions look in answers."""

import secrets

from toolkit.sandbox.emulator import errors
from toolkit.sandbox.emulator.frontend.visit import Record, Visit
from toolkit.sandbox.emulator.resources import show_user
from toolkit.sandbox.emulator.sessions import status_of
from toolkit.sandbox.emulator.settings import Settings
from toolkit.sandbox.emulator.store import Email, Phone, User, now_ms

EMAIL_CODES = ("email_code", "reset_password_email_code")
"""Strategies that send a code by email."""
PHONE_CODES = ("phone_code", "reset_password_phone_code")
"""Strategies that send a code by text message."""
_TOKEN_SECONDS = 60
_PRIVATE = ("private_metadata",)


def goes_to(strategy: str, identifier: object) -> bool:
    """Whether a code of the strategy can be sent to the identifier itself."""
    return strategy in (EMAIL_CODES if "@" in str(identifier) else PHONE_CODES)


def show_client(visit: Visit) -> object:
    """The client as Clerk gives it; null when there is none."""
    client = visit.client
    if client is None:
        return None
    return {
        "object": "client",
        "id": client.id,
        "sessions": [show_session(visit, session) for session in visit.sessions()],
        "sign_in": show_sign_in(visit, client.sign_in),
        "sign_up": None,
        "last_active_session_id": client.last_active_session_id,
        "last_authentication_strategy": client.last_strategy,
        "cookie_expires_at": None,
        "captcha_bypass": False,
        "created_at": client.created_at,
        "updated_at": client.updated_at,
    }


def show_session(visit: Visit, session: Record) -> Record:
    """A session as Clerk gives it, with its user and a token."""
    user = visit.instance.store.get(str(session["user_id"]))
    if user is None:
        raise errors.signed_out()
    return {
        **show_session_base(visit, session),
        "last_active_organization_id": None,
        "user": show_frontend_user(visit, user),
        "public_user_data": {
            "first_name": user.first_name,
            "last_name": user.last_name,
            "has_image": False,
            "identifier": user.primary_email.email_address
            if user.primary_email
            else str(user.username or user.id),
            "user_id": user.id,
        },
        "factor_verification_age": factor_verification_age(session),
        "created_at": session["created_at"],
        "updated_at": session["updated_at"],
    }


def show_session_base(visit: Visit, session: Record) -> Record:
    """The fields that a session has in every answer."""
    return {
        "id": session["id"],
        "object": "session",
        "status": status_of(session),
        "expire_at": session["expire_at"],
        "abandon_at": session["abandon_at"],
        "last_active_at": session["last_active_at"],
        "last_active_token": {"object": "token", "jwt": session_token(visit, session)},
        "actor": None,
    }


def show_frontend_user(visit: Visit, user: User) -> Record:
    """A user, as they see themselves."""
    shown = {
        name: value
        for name, value in show_user(user, visit.instance.settings).items()
        if name not in _PRIVATE
    }
    if shown["create_organizations_limit"] is None:
        del shown["create_organizations_limit"]
    return shown


def factor_verification_age(session: Record) -> list[int]:
    """Minutes since the first and the second factor were proven; -1 for one that never was."""
    verified = session.get("verified_at")
    moments: list[int | None] = (
        verified if isinstance(verified, list) else [int(str(session["created_at"])), None]
    )
    return [-1 if moment is None else (now_ms() - moment) // 60_000 for moment in moments]


def session_token(visit: Visit, session: Record) -> str:
    """A token that lives for a minute, of version 2 (https://clerk.com/docs/guides/sessions/session-tokens).

    Without `azp`, which is a browser's origin, and without the claims of organizations and plans.
    """
    now = now_ms() // 1000
    return visit.instance.signing_key.sign(
        {
            "iss": visit.instance.url,
            "sub": session["user_id"],
            "sid": session["id"],
            "sts": status_of(session),
            "fva": factor_verification_age(session),
            "v": 2,
            "jti": secrets.token_hex(10),
            "iat": now,
            "nbf": now,
            "exp": now + _TOKEN_SECONDS,
        }
    )


def show_sign_in(visit: Visit, sign_in: Record | None) -> Record | None:
    """A sign-in as Clerk gives it."""
    if sign_in is None:
        return None
    user = visit.instance.store.get(str(sign_in["user_id"])) if sign_in["user_id"] else None
    nobody = user is None and sign_in["status"] == "needs_first_factor"
    waiting = sign_in["status"] in ("needs_second_factor", "needs_client_trust")
    return {
        "object": "sign_in_attempt",
        "id": sign_in["id"],
        "status": sign_in["status"],
        "supported_identifiers": [
            "email_address",
            *(["phone_number"] if visit.instance.settings.phone_number_identifies else []),
        ],
        "supported_first_factors": _nobodys_factors(sign_in)
        if nobody
        else user and first_factors(user, visit.instance.settings),
        "supported_second_factors": second_factors(user, str(sign_in["status"]))
        if user and waiting
        else None,
        "first_factor_verification": sign_in["first"],
        "second_factor_verification": sign_in["second"],
        "identifier": sign_in["identifier"],
        "user_data": _show_name(user) if nobody or user else None,
        "created_session_id": sign_in["created_session_id"],
        "abandon_at": sign_in["abandon_at"],
        "client_trust_state": sign_in["client_trust_state"],
    }


def _show_name(user: User | None) -> Record:
    names = (None, None) if user is None else (user.first_name, user.last_name)
    return {"first_name": names[0], "last_name": names[1], "has_image": False}


def _nobodys_factors(sign_in: Record) -> list[Record]:
    """What a sign-in offers that nobody is behind: the first factors of a user with nothing but a password."""
    identifier, identification_id = str(sign_in["identifier"]), str(sign_in["identification_id"])
    if "@" in identifier:
        email = Email(identification_id, identifier, "verified", 0, 0)
        factors = [_by_email(email, strategy, primary=True) for strategy in EMAIL_CODES]
    else:
        factors = [
            _by_phone(Phone(identification_id, identifier, 0, 0), strategy) for strategy in PHONE_CODES
        ]
    return [{"strategy": "password"}, *factors]


def first_factors(user: User, settings: Settings) -> list[Record]:
    """The first factors that the user may sign in with."""
    factors: list[Record] = []
    if user.password_digest is not None:
        factors.append({"strategy": "password"})
    for email in user.emails:
        if email.identifies:
            factors += [
                _by_email(email, strategy, primary=email is user.primary_email) for strategy in EMAIL_CODES
            ]
    for phone in user.phones:
        if phone.identifies and settings.phone_number_identifies:
            factors += [_by_phone(phone, strategy) for strategy in PHONE_CODES]
    return factors


def _by_email(email: Email, strategy: str, *, primary: bool) -> Record:
    return {
        "strategy": strategy,
        "safe_identifier": mask(email.email_address),
        "email_address_id": email.id,
        "primary": primary,
    }


def _by_phone(phone: Phone, strategy: str) -> Record:
    return {
        "strategy": strategy,
        "safe_identifier": mask_number(phone.phone_number),
        "phone_number_id": phone.id,
    }


def second_factors(user: User, status: str) -> list[Record]:
    """The second factors that a sign-in of this status takes from the user."""
    if status == "needs_client_trust":
        return [
            _by_email(email, "email_code", primary=email is user.primary_email)
            for email in user.emails
            if email.identifies
        ]
    factors: list[Record] = []
    if user.totp_secret is not None:
        factors.append(
            {"strategy": "totp", "default": not any(phone.default_second_factor for phone in user.phones)}
        )
    factors += [
        {
            **_by_phone(phone, "phone_code"),
            "default": phone.default_second_factor,
        }
        for phone in user.phones
        if phone.is_second_factor
    ]
    if user.backup_codes:
        factors.append({"strategy": "backup_code"})
    return factors


def mask_number(number: str) -> str:
    """A number as Clerk masks it: its beginning and its end."""
    return f"{number[:2]}*******{number[-2:]}"


def mask(address: str) -> str:
    """An address as Clerk masks it: the first letter, and the domain."""
    local, _, domain = address.partition("@")
    return f"{local[:1]}****@{domain}"
