"""Reverification: somebody who is signed in proves a factor again."""

import asyncio

from toolkit.sandbox.clerk import errors, passwords
from toolkit.sandbox.clerk.frontend import codes
from toolkit.sandbox.clerk.frontend.resources import first_factors, second_factors, show_session
from toolkit.sandbox.clerk.frontend.sessions import find
from toolkit.sandbox.clerk.frontend.sign_ins import check_own_code, count_failure, find_phone, refuse_locked
from toolkit.sandbox.clerk.frontend.visit import Record, Visit, spend
from toolkit.sandbox.clerk.store import User, now_ms

LEVELS = ("first_factor", "second_factor", "multi_factor")


async def begin(visit: Visit) -> object:
    """POST /v1/client/sessions/{session_id}/verify."""
    session, level = find(visit), visit.text("level")
    if level not in LEVELS:
        raise errors.value_invalid("level", level)
    user = _user(visit, session)
    if level == "multi_factor" and not user.has_second_factor:
        level = "first_factor"
    status = "needs_second_factor" if level == "second_factor" else "needs_first_factor"
    session["verification"] = {"level": level, "status": status, "first": None, "second": None, "code": None}
    return _keep(visit, session)


async def prepare_first_factor(visit: Visit) -> object:
    """POST …/prepare_first_factor."""
    session, verification = _under_way(visit, "needs_first_factor")
    if visit.text("strategy") != "email_code":
        raise errors.strategy_invalid()
    _send(visit, verification, "first", _user(visit, session).emails[0].email_address, "email_code")
    return _keep(visit, session)


async def attempt_first_factor(visit: Visit) -> object:
    """POST …/attempt_first_factor."""
    spend(visit.instance, visit.call, "attempt")
    session, verification = _under_way(visit, "needs_first_factor")
    user, strategy = _user(visit, session), visit.text("strategy")
    refuse_locked(user)
    if strategy == "password":
        await _check_password(visit, user)
        verification["first"] = _shown("verification_password", strategy)
    elif strategy == "email_code":
        _check_code(visit, session, verification, "first", strategy, user)
    else:
        raise errors.strategy_invalid()
    _prove(session, 0)
    verification["status"] = "needs_second_factor" if verification["level"] == "multi_factor" else "complete"
    return _keep(visit, session)


async def prepare_second_factor(visit: Visit) -> object:
    """POST …/prepare_second_factor."""
    session, verification = _under_way(visit, "needs_second_factor")
    phone = find_phone(_user(visit, session), visit.form.get("phone_number_id"))
    _send(visit, verification, "second", phone.phone_number, "phone_code")
    return _keep(visit, session)


async def attempt_second_factor(visit: Visit) -> object:
    """POST …/attempt_second_factor."""
    spend(visit.instance, visit.call, "attempt")
    session, verification = _under_way(visit, "needs_second_factor")
    user, strategy = _user(visit, session), visit.text("strategy")
    refuse_locked(user)
    if strategy == "phone_code":
        _check_code(visit, session, verification, "second", strategy, user)
    elif await check_own_code(visit, user, strategy, visit.text("code")):
        verification["second"] = _shown(f"verification_{strategy}", strategy)
    else:
        raise errors.strategy_invalid()
    _prove(session, 1)
    verification["status"] = "complete"
    return _keep(visit, session)


def _under_way(visit: Visit, status: str) -> tuple[Record, Record]:
    session = find(visit)
    verification = session.get("verification")
    if not isinstance(verification, dict) or verification["status"] != status:
        raise errors.reverification_missing()
    return session, verification


def _user(visit: Visit, session: Record) -> User:
    user = visit.instance.store.get(str(session["user_id"]))
    if user is None:
        raise errors.signed_out()
    return user


async def _check_password(visit: Visit, user: User) -> None:
    if user.password_digest is None or user.password_hasher is None:
        raise errors.strategy_for_user_invalid()
    password = visit.text("password")
    if not await asyncio.to_thread(passwords.verify, user.password_digest, user.password_hasher, password):
        count_failure(visit, user)
        raise errors.password_incorrect()


def _send(visit: Visit, verification: Record, factor: str, to: str, strategy: str) -> None:
    kept = codes.send(visit.instance, to, strategy)
    verification["code"], verification[factor] = {**kept, "factor": factor}, codes.show(kept)


def _check_code(
    visit: Visit, session: Record, verification: Record, factor: str, strategy: str, user: User
) -> None:
    kept = verification["code"]
    if not isinstance(kept, dict) or kept["factor"] != factor:
        raise errors.verification_missing()
    if not codes.matches(kept, strategy, visit.text("code")):
        verification[factor] = codes.show(kept)
        count_failure(visit, user)
        _keep(visit, session)
        raise errors.code_incorrect()
    verification["code"], verification[factor] = None, codes.show(kept, verified=True)


def _prove(session: Record, factor: int) -> None:
    verified = session.get("verified_at")
    moments = list(verified) if isinstance(verified, list) else [session["created_at"], None]
    moments[factor] = now_ms()
    session["verified_at"] = moments


def _keep(visit: Visit, session: Record) -> object:
    visit.instance.store.put_thing("session", str(session["id"]), str(session["user_id"]), session)
    verification, user = session["verification"], _user(visit, session)
    assert isinstance(verification, dict)
    return {
        "object": "session_reverification",
        "level": verification["level"],
        "status": verification["status"],
        "supported_first_factors": [
            factor for factor in first_factors(user) if factor["strategy"] in ("password", "email_code")
        ],
        "supported_second_factors": second_factors(user, "needs_second_factor"),
        "first_factor_verification": verification["first"],
        "second_factor_verification": verification["second"],
        "session": show_session(visit, session),
    }


def _shown(kind: str, strategy: str) -> Record:
    return {"object": kind, "status": "verified", "strategy": strategy, "attempts": None, "expire_at": None}
