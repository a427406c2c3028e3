"""One-time codes, sent by email or SMS and found in the outbox."""

import re
import secrets

from toolkit.sandbox.emulator import errors
from toolkit.sandbox.emulator.instance import Instance
from toolkit.sandbox.emulator.store import now_ms

LIFE_MS = 10 * 60 * 1000
MOST_ATTEMPTS = 3
"""Wrong codes before the verification fails."""
TEST_CODE = "424242"
"""https://clerk.com/docs/guides/development/testing/test-emails-and-phones"""
_TEST_NUMBER = re.compile(r"\+1\d{3}55501\d\d")

Record = dict[str, object]


def send(instance: Instance, to: str, strategy: str) -> Record:
    """Send a code; returns what the store keeps of it. Test addresses and numbers get none: they take TEST_CODE."""
    test = instance.environment_type == "development" and (
        "+clerk_test@" in to or _TEST_NUMBER.fullmatch(to) is not None
    )
    code = TEST_CODE if test else f"{secrets.randbelow(1_000_000):06}"
    if not test:
        instance.send("sms" if strategy.endswith("phone_code") else "email", to, strategy, code)
    return {"strategy": strategy, "value": code, "to": to, "expire_at": now_ms() + LIFE_MS, "attempts": 0}


def matches(kept: object, strategy: str, code: str) -> bool:
    """Whether it is the code; counts a wrong one in `kept`. Raises Refusal when the code is over, right or wrong."""
    if not isinstance(kept, dict) or kept["strategy"] != strategy:
        raise errors.verification_missing()
    if kept["expire_at"] <= now_ms():
        raise errors.verification_expired()
    if kept["attempts"] >= MOST_ATTEMPTS:
        raise errors.verification_failed()
    if secrets.compare_digest(str(kept["value"]).encode(), code.encode()):
        return True
    kept["attempts"] += 1
    return False


def show(kept: object, *, verified: bool = False) -> Record | None:
    """The verification as Clerk gives it."""
    if not isinstance(kept, dict):
        return None
    status = "unverified"
    if verified:
        status = "verified"
    elif kept["attempts"] >= MOST_ATTEMPTS:
        status = "failed"
    elif kept["expire_at"] <= now_ms():
        status = "expired"
    return {
        "object": "verification_otp",
        "status": status,
        "strategy": kept["strategy"],
        "attempts": kept["attempts"],
        "expire_at": kept["expire_at"],
    }
