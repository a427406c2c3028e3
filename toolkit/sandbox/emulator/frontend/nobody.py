"""Sign-ins for addresses that nobody has, where the instance hides who has an account.

They look like anybody's, and are led nowhere (https://clerk.com/docs/guides/secure/user-enumeration-protection).
"""

from typing import NoReturn

from toolkit.sandbox.emulator import codes, errors
from toolkit.sandbox.emulator.frontend.resources import goes_to
from toolkit.sandbox.emulator.frontend.visit import Record, Visit
from toolkit.sandbox.emulator.store import new_id, now_ms


def identify(visit: Visit, sign_in: Record, identifier: str) -> None:
    """Let the sign-in be nobody's."""
    sign_in.update(identifier=identifier, identification_id=new_id("idn"), status="needs_first_factor")
    if visit.instance.settings.client_trust:
        sign_in["client_trust_state"] = "new"


def prepare(visit: Visit, sign_in: Record, strategy: str) -> None:
    """Send no code. An email says that there is no account; a text message would cost money. Raises Refusal."""
    if not goes_to(strategy, sign_in["identifier"]):
        raise errors.strategy_for_user_invalid()
    to = str(sign_in["identifier"])
    if strategy.endswith("email_code"):
        visit.instance.keep({"to": to, "channel": "email", "purpose": "no_account"})
    never = {"strategy": strategy, "value": "", "to": to, "expire_at": now_ms() + codes.LIFE_MS}
    sign_in["code"] = {**never, "attempts": 0, "factor": "first"}
    sign_in["first"] = codes.show(sign_in["code"])


def refuse(visit: Visit, sign_in: Record, strategy: str) -> NoReturn:
    """Refuse a password or a code as if it were a wrong one of somebody's. Raises Refusal."""
    if strategy == "password":
        raise errors.password_or_identifier_incorrect()
    codes.matches(sign_in["code"], strategy, visit.text("code"))
    sign_in["first"] = codes.show(sign_in["code"])
    raise errors.code_incorrect()
