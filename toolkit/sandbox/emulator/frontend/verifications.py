"""Reverification: somebody who is signed in proves a factor again."""

from toolkit.sandbox.emulator import errors
from toolkit.sandbox.emulator.frontend import proofs
from toolkit.sandbox.emulator.frontend.resources import first_factors, second_factors, show_session
from toolkit.sandbox.emulator.frontend.sessions import find
from toolkit.sandbox.emulator.frontend.visit import Record, Visit, spend
from toolkit.sandbox.emulator.sessions import keep
from toolkit.sandbox.emulator.store import User, now_ms

LEVELS = ("first_factor", "second_factor", "multi_factor")


async def begin(visit: Visit) -> object:
    """POST /v1/client/sessions/{session_id}/verify: of a user without a second factor, only the first is wanted."""
    session, level = find(visit), visit.text("level")
    if level not in LEVELS:
        raise errors.value_invalid("level", level)
    if not _user(visit, session).has_second_factor:
        level = "first_factor"
    status = "needs_second_factor" if level == "second_factor" else "needs_first_factor"
    session["verification"] = {"level": level, "status": status, "first": None, "second": None, "code": None}
    return _keep(visit, session)


async def prepare_first_factor(visit: Visit) -> object:
    """POST …/prepare_first_factor."""
    session, flow, user = _under_way(visit, "needs_first_factor")
    strategy = visit.text("strategy")
    if strategy != "email_code":
        raise errors.strategy_invalid()
    email = proofs.find_email(visit, user)
    proofs.send_code(visit, flow, "first", email.email_address, strategy)
    return _keep(visit, session)


async def attempt_first_factor(visit: Visit) -> object:
    """POST …/attempt_first_factor."""
    spend(visit.instance, visit.call, "verification")
    session, flow, user = _under_way(visit, "needs_first_factor")
    strategy = visit.text("strategy")
    if strategy == "password":
        await proofs.check_password(visit, user, visit.text("password"))
        flow["first"] = proofs.verified("verification_password", strategy)
    elif strategy == "email_code":
        _try_code(visit, session, flow, "first", strategy, user)
    else:
        raise errors.strategy_invalid()
    _prove(session, 0)
    flow["status"] = "needs_second_factor" if flow["level"] == "multi_factor" else "complete"
    return _keep(visit, session)


async def prepare_second_factor(visit: Visit) -> object:
    """POST …/prepare_second_factor."""
    session, flow, user = _under_way(visit, "needs_second_factor")
    if visit.text("strategy") != "phone_code":
        raise errors.strategy_invalid()
    proofs.send_code(visit, flow, "second", proofs.find_phone(visit, user).phone_number, "phone_code")
    return _keep(visit, session)


async def attempt_second_factor(visit: Visit) -> object:
    """POST …/attempt_second_factor."""
    spend(visit.instance, visit.call, "verification")
    session, flow, user = _under_way(visit, "needs_second_factor")
    strategy = visit.text("strategy")
    if strategy == "phone_code":
        _try_code(visit, session, flow, "second", strategy, user)
    elif strategy in proofs.STRATEGIES:
        await proofs.use_own_code(visit, flow, strategy, user)
    else:
        raise errors.strategy_invalid()
    _prove(session, 1)
    flow["status"] = "complete"
    return _keep(visit, session)


def _under_way(visit: Visit, status: str) -> tuple[Record, Record, User]:
    """The session, its reverification that was begun, and the user. Raises Refusal."""
    session = find(visit)
    flow = session.get("verification")
    if not isinstance(flow, dict) or flow["status"] == "complete":
        raise errors.reverification_missing()
    if flow["status"] != status:
        raise errors.reverification_invalid()
    return session, flow, _user(visit, session)


def _user(visit: Visit, session: Record) -> User:
    user = visit.instance.store.get(str(session["user_id"]))
    if user is None:
        raise errors.signed_out()
    return user


def _try_code(visit: Visit, session: Record, flow: Record, factor: str, strategy: str, user: User) -> None:
    try:
        proofs.check_code(visit, flow, factor, strategy, user)
    except errors.Refusal:
        keep(visit.instance, session)  # with the attempt that it took
        raise


def _prove(session: Record, factor: int) -> None:
    verified = session.get("verified_at")
    moments = list(verified) if isinstance(verified, list) else [session["created_at"], None]
    moments[factor] = now_ms()
    session["verified_at"] = moments


def _keep(visit: Visit, session: Record) -> object:
    keep(visit.instance, session)
    flow, user = session["verification"], _user(visit, session)
    assert isinstance(flow, dict)
    return {
        "object": "session_reverification",
        "level": flow["level"],
        "status": flow["status"],
        "supported_first_factors": [
            factor
            for factor in first_factors(user, visit.instance.settings)
            if factor["strategy"] in ("password", "email_code")
        ],
        "supported_second_factors": second_factors(user, "needs_second_factor"),
        "first_factor_verification": flow["first"],
        "second_factor_verification": flow["second"],
        "session": show_session(visit, session),
    }
