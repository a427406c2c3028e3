"""What the Backend API serves."""

from collections.abc import Awaitable, Callable, Mapping

from toolkit.sandbox.emulator.backend import email_addresses as emails
from toolkit.sandbox.emulator.backend import sessions, users
from toolkit.sandbox.emulator.domains import list_domains
from toolkit.sandbox.emulator.instance import Answer, Call, Instance


async def get_instance(instance: Instance, call: Call) -> Answer:
    """GET /v1/instance."""
    return Answer(
        {
            "object": "instance",
            "id": instance.id,
            "environment_type": instance.environment_type,
            "allowed_origins": None,
            "workspace_id": None,
        }
    )


async def get_jwks(instance: Instance, call: Call) -> Answer:
    """GET /v1/jwks."""
    return Answer({"keys": [instance.signing_key.public_jwk]})


BACKEND: Mapping[tuple[str, str], Callable[[Instance, Call], Awaitable[Answer]]] = {
    ("POST", "/v1/users"): users.create_user,
    ("GET", "/v1/users"): users.list_users,
    ("GET", "/v1/users/count"): users.count_users,
    ("GET", "/v1/users/{user_id}"): users.get_user,
    ("PATCH", "/v1/users/{user_id}"): users.update_user,
    ("DELETE", "/v1/users/{user_id}"): users.delete_user,
    ("PATCH", "/v1/users/{user_id}/metadata"): users.update_metadata,
    ("POST", "/v1/users/{user_id}/ban"): users.ban_user,
    ("POST", "/v1/users/{user_id}/unban"): users.unban_user,
    ("POST", "/v1/users/{user_id}/remove_password"): users.remove_password,
    ("POST", "/v1/users/{user_id}/lock"): users.lock_user,
    ("POST", "/v1/users/{user_id}/unlock"): users.unlock_user,
    ("POST", "/v1/users/{user_id}/verify_password"): users.verify_password,
    ("POST", "/v1/users/{user_id}/verify_totp"): users.verify_totp,
    ("POST", "/v1/users/{user_id}/password/set_compromised"): users.set_password_compromised,
    ("POST", "/v1/users/{user_id}/password/unset_compromised"): users.unset_password_compromised,
    ("DELETE", "/v1/users/{user_id}/mfa"): users.disable_mfa,
    ("DELETE", "/v1/users/{user_id}/totp"): users.delete_totp,
    ("DELETE", "/v1/users/{user_id}/backup_code"): users.delete_backup_codes,
    ("PUT", "/v1/users/{user_id}/email_address"): emails.replace_email_addresses,
    ("POST", "/v1/email_addresses"): emails.create_email_address,
    ("GET", "/v1/email_addresses/{email_address_id}"): emails.get_email_address,
    ("PATCH", "/v1/email_addresses/{email_address_id}"): emails.update_email_address,
    ("DELETE", "/v1/email_addresses/{email_address_id}"): emails.delete_email_address,
    ("POST", "/v1/sessions"): sessions.create_session,
    ("GET", "/v1/sessions"): sessions.list_sessions,
    ("GET", "/v1/sessions/{session_id}"): sessions.get_session,
    ("POST", "/v1/sessions/{session_id}/revoke"): sessions.revoke_session,
    ("POST", "/v1/sign_in_tokens"): sessions.create_sign_in_token,
    ("POST", "/v1/sign_in_tokens/{sign_in_token_id}/revoke"): sessions.revoke_sign_in_token,
    ("GET", "/v1/instance"): get_instance,
    ("GET", "/v1/domains"): list_domains,
    ("GET", "/v1/jwks"): get_jwks,
}
"""Operations by method and path."""
