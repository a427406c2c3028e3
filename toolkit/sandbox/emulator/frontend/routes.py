"""What the Frontend API serves."""

from collections.abc import Awaitable, Callable, Mapping

from toolkit.sandbox.emulator.frontend import authenticators, me, sessions, sign_ins, verifications
from toolkit.sandbox.emulator.frontend import email_addresses as emails
from toolkit.sandbox.emulator.frontend import phone_numbers as phones
from toolkit.sandbox.emulator.frontend.resources import show_client
from toolkit.sandbox.emulator.frontend.visit import Work, bare, served
from toolkit.sandbox.emulator.instance import Answer, Call, Instance

_SIGN_IN = "/v1/client/sign_ins/{sign_in_id}"
_SESSION = "/v1/client/sessions/{session_id}"
_EMAIL = "/v1/me/email_addresses/{email_id}"
_PHONE = "/v1/me/phone_numbers/{phone_number_id}"

_WRAPPED: Mapping[tuple[str, str], Work] = {
    ("GET", "/v1/client"): sessions.get_client,
    ("POST", "/v1/client"): sessions.create_client,
    ("PUT", "/v1/client"): sessions.create_client,
    ("DELETE", "/v1/client"): sessions.end_client,
    ("POST", "/v1/client/sign_ins"): sign_ins.create_sign_in,
    ("GET", _SIGN_IN): sign_ins.get_sign_in,
    ("POST", f"{_SIGN_IN}/prepare_first_factor"): sign_ins.prepare_first_factor,
    ("POST", f"{_SIGN_IN}/attempt_first_factor"): sign_ins.attempt_first_factor,
    ("POST", f"{_SIGN_IN}/prepare_second_factor"): sign_ins.prepare_second_factor,
    ("POST", f"{_SIGN_IN}/attempt_second_factor"): sign_ins.attempt_second_factor,
    ("POST", f"{_SIGN_IN}/reset_password"): sign_ins.reset_password,
    ("DELETE", "/v1/client/sessions"): sessions.sign_out,
    ("GET", _SESSION): sessions.get_session,
    ("POST", f"{_SESSION}/touch"): sessions.touch_session,
    ("POST", f"{_SESSION}/end"): sessions.end_session,
    ("POST", f"{_SESSION}/remove"): sessions.remove_session,
    ("POST", f"{_SESSION}/verify"): verifications.begin,
    ("POST", f"{_SESSION}/verify/prepare_first_factor"): verifications.prepare_first_factor,
    ("POST", f"{_SESSION}/verify/attempt_first_factor"): verifications.attempt_first_factor,
    ("POST", f"{_SESSION}/verify/prepare_second_factor"): verifications.prepare_second_factor,
    ("POST", f"{_SESSION}/verify/attempt_second_factor"): verifications.attempt_second_factor,
    ("GET", "/v1/me"): me.get_me,
    ("PATCH", "/v1/me"): me.update_me,
    ("PATCH", "/v1/me/metadata"): me.update_metadata,
    ("POST", "/v1/me/sessions/{session_id}/revoke"): me.revoke_session,
    ("POST", "/v1/me/change_password"): me.change_password,
    ("POST", "/v1/me/remove_password"): me.remove_password,
    ("POST", "/v1/me/email_addresses"): emails.create_email_address,
    ("GET", _EMAIL): emails.get_email_address,
    ("DELETE", _EMAIL): emails.delete_email_address,
    ("POST", f"{_EMAIL}/prepare_verification"): emails.prepare_verification,
    ("POST", f"{_EMAIL}/attempt_verification"): emails.attempt_verification,
    ("POST", "/v1/me/phone_numbers"): phones.create_phone_number,
    ("GET", _PHONE): phones.get_phone_number,
    ("PATCH", _PHONE): phones.update_phone_number,
    ("DELETE", _PHONE): phones.delete_phone_number,
    ("POST", f"{_PHONE}/prepare_verification"): phones.prepare_verification,
    ("POST", f"{_PHONE}/attempt_verification"): phones.attempt_verification,
    ("POST", "/v1/me/totp"): authenticators.create_totp,
    ("POST", "/v1/me/totp/attempt_verification"): authenticators.attempt_totp,
    ("DELETE", "/v1/me/totp"): authenticators.delete_totp,
    ("POST", "/v1/me/backup_codes"): authenticators.create_backup_codes,
}
"""Answers come with the client as it is then."""

_BARE: Mapping[tuple[str, str], Work] = {
    ("POST", f"{_SESSION}/tokens"): sessions.create_token,
    ("GET", "/v1/me/sessions"): me.list_sessions,
    ("GET", "/v1/me/sessions/active"): me.list_active_sessions,
    ("GET", "/v1/me/email_addresses"): emails.list_email_addresses,
    ("GET", "/v1/me/phone_numbers"): phones.list_phone_numbers,
}
"""Answers come alone."""

FRONTEND: Mapping[tuple[str, str], Callable[[Instance, Call], Awaitable[Answer]]] = {
    **{route: served(work, show_client) for route, work in _WRAPPED.items()},
    **{route: bare(work) for route, work in _BARE.items()},
}
"""Operations by method and path."""
