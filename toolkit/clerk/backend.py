"""Clerk's Backend API: https://clerk.com/docs/reference/backend-api.

Each method is one operation. They raise what Transport.request raises; a method's docstring names what else to
expect. A keyword left None is not sent.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, Self

from toolkit.clerk.concurrency import InFlightLimit
from toolkit.clerk.config import ClerkConfig
from toolkit.clerk.errors import IncorrectPassword, IncorrectTotp
from toolkit.clerk.rate import RateLimiter
from toolkit.clerk.resources import (
    DELETED_OBJECT,
    DOMAINS,
    EMAIL_ADDRESS,
    INSTANCE,
    SESSION,
    SESSIONS,
    SIGN_IN_TOKEN,
    TOTAL_COUNT,
    USER,
    USER_ID,
    USERS,
    VERIFIED,
    DeletedObject,
    Domain,
    EmailAddress,
    Instance,
    Session,
    SignInToken,
    User,
)
from toolkit.clerk.transport import DEADLINE, Transport

PAGE = 500
"""Users on a page; Clerk gives no larger ones."""
MOST_FILTERS = 100
"""External IDs or addresses that Clerk takes in one request."""

EmailStatus = Literal["verified", "reserved"]
SessionStatus = Literal["abandoned", "active", "ended", "expired", "removed", "replaced", "revoked"]


class BackendClient:
    """The Backend API with the secret key of one instance; an async context manager.

    `rate` is the limit in requests a second: by default the one that Clerk documents for the kind of the key, None
    for none. `deadline` is in seconds, for each call with its retries; waiting for the rate limit does not count.
    """

    def __init__(
        self,
        config: ClerkConfig,
        *,
        rate: float | Literal["documented"] | None = "documented",
        deadline: float = DEADLINE,
    ) -> None:
        limit = config.documented_rate if rate == "documented" else rate
        secret_key = config.secret_key.get_secret_value()
        self.limiter = RateLimiter(limit)
        self.in_flight = InFlightLimit.for_rate(limit)
        self._transport = Transport(
            config.api_url,
            variable="CLERK_API_URL",
            headers={
                "Authorization": f"Bearer {secret_key}",
                "Clerk-API-Version": config.api_version,
            },
            limiter=self.limiter,
            in_flight=self.in_flight,
            secrets=(secret_key,),
            deadline=deadline,
        )

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.__aexit__()

    async def ready(self) -> None:
        """Wait until another call would be sent soon. For bulk work, so that calls don't pile up in memory."""
        await self._transport.ready()

    def change_rate(self, limit: float | None) -> None:
        """Make so many requests a second at most from now on, None for any number."""
        self.limiter.change(limit)
        self.in_flight.fit(limit)

    # Users

    async def create_user(
        self,
        *,
        external_id: str | None = None,
        email_address: str | None = None,
        email_status: EmailStatus = "verified",
        first_name: str | None = None,
        last_name: str | None = None,
        password: str | None = None,
        password_digest: str | None = None,
        password_hasher: str | None = None,
        skip_password_checks: bool | None = None,
        skip_password_requirement: bool | None = None,
        totp_secret: str | None = None,
        backup_codes: Sequence[str] | None = None,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
        created_at: datetime | None = None,
        banned: bool | None = None,
        bypass_client_trust: bool | None = None,
        skip_legal_checks: bool | None = None,
    ) -> User:
        """Create a user. A `created_at` without a time zone is taken as UTC.

        With an external ID a create whose answer was lost is sent again, and IdentifierExists with `maybe_applied` may
        then mean that the first one got through: look it up. Raises IdentifierExists, ParameterInvalid,
        PasswordDigestInvalid, PasswordRejected, InvalidTotpSecret, FeatureNotAvailable, UserQuotaExceeded.
        """
        body = _sent(
            external_id=external_id,
            email_address=None if email_address is None else [email_address],
            email_address_identification_status=None if email_address is None else [email_status],
            first_name=first_name,
            last_name=last_name,
            password=password,
            password_digest=password_digest,
            password_hasher=password_hasher,
            skip_password_checks=skip_password_checks,
            skip_password_requirement=skip_password_requirement,
            totp_secret=totp_secret,
            backup_codes=backup_codes,
            public_metadata=public_metadata,
            private_metadata=private_metadata,
            created_at=None if created_at is None else _rfc3339(created_at),
            banned=banned,
            bypass_client_trust=bypass_client_trust,
            skip_legal_checks=skip_legal_checks,
        )
        return await self._transport.request(
            "POST",
            "/users",
            USER,
            body=body,
            idempotent=external_id is not None,
            secrets=(password, password_digest, totp_secret, *(backup_codes or ())),
        )

    async def get_user(self, user_id: str) -> User:
        """Raises ResourceNotFound."""
        return await self._transport.request("GET", "/users/{user_id}", USER, ids={"user_id": user_id})

    async def list_users(
        self,
        *,
        user_ids: Sequence[str] = (),
        external_ids: Sequence[str] = (),
        email_addresses: Sequence[str] = (),
        limit: int = PAGE,
        offset: int = 0,
        starting_after: str | None = None,
        order_by: str | None = None,
    ) -> list[User]:
        """A page of users, the newest first unless `order_by` says otherwise; all filters must hold.

        At most 100 of each filter. `starting_after` is the id of the last user of the page before, and goes with the
        orders by created_at only.
        """
        if max(len(user_ids), len(external_ids), len(email_addresses)) > MOST_FILTERS:
            raise ValueError(f"at most {MOST_FILTERS} user IDs, external IDs or email addresses at once")
        query = [
            *(("user_id", _included(user_id)) for user_id in user_ids),
            *(("external_id", _included(external_id)) for external_id in external_ids),
            *(("email_address", address) for address in email_addresses),
            ("limit", str(limit)),
        ]
        if offset:
            query.append(("offset", str(offset)))
        if starting_after is not None:
            query.append(("starting_after", starting_after))
        if order_by is not None:
            query.append(("order_by", order_by))
        return await self._transport.request("GET", "/users", USERS, query=query)

    async def user_pages(self, page: int = PAGE) -> AsyncIterator[list[User]]:
        """All users, the oldest first, in pages of at most `page` (500).

        Users that are created meanwhile with a `created_at` in the past may be missed.
        """
        last: str | None = None
        while True:
            users = await self.list_users(limit=page, starting_after=last, order_by="+created_at")
            if users:
                yield users
            if len(users) < page:
                return
            last = users[-1].id

    async def iterate_users(self) -> AsyncIterator[User]:
        """All users, the oldest first, as `user_pages`."""
        async for page in self.user_pages():
            for user in page:
                yield user

    async def find_user_by_external_id(self, external_id: str) -> User | None:
        """The user with exactly this external ID."""
        found = await self.list_users(external_ids=[external_id])
        return next((user for user in found if user.external_id == external_id), None)

    async def find_users_by_email(self, address: str) -> list[User]:
        """The users that have this address, as Clerk compares addresses."""
        return await self.list_users(email_addresses=[address])

    async def count_users(self) -> int:
        """How many users the instance has."""
        return (await self._transport.request("GET", "/users/count", TOTAL_COUNT)).total_count

    async def update_user(
        self,
        user_id: str,
        *,
        external_id: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        primary_email_address_id: str | None = None,
        password: str | None = None,
        password_digest: str | None = None,
        password_hasher: str | None = None,
        skip_password_checks: bool | None = None,
        sign_out_of_other_sessions: bool | None = None,
        totp_secret: str | None = None,
        backup_codes: Sequence[str] | None = None,
        created_at: datetime | None = None,
        bypass_client_trust: bool | None = None,
    ) -> User:
        """Change a user; metadata has a method of its own. Raises ResourceNotFound and what `create_user` raises."""
        body = _sent(
            external_id=external_id,
            first_name=first_name,
            last_name=last_name,
            primary_email_address_id=primary_email_address_id,
            password=password,
            password_digest=password_digest,
            password_hasher=password_hasher,
            skip_password_checks=skip_password_checks,
            sign_out_of_other_sessions=sign_out_of_other_sessions,
            totp_secret=totp_secret,
            backup_codes=backup_codes,
            created_at=None if created_at is None else _rfc3339(created_at),
            bypass_client_trust=bypass_client_trust,
        )
        return await self._transport.request(
            "PATCH",
            "/users/{user_id}",
            USER,
            ids={"user_id": user_id},
            body=body,
            secrets=(password, password_digest, totp_secret, *(backup_codes or ())),
        )

    async def update_user_metadata(
        self,
        user_id: str,
        *,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
    ) -> User:
        """Merge into a user's metadata, level by level; a None removes its key. Raises ResourceNotFound."""
        body = _sent(public_metadata=public_metadata, private_metadata=private_metadata)
        return await self._transport.request(
            "PATCH", "/users/{user_id}/metadata", USER, ids={"user_id": user_id}, body=body
        )

    async def delete_user(self, user_id: str) -> DeletedObject:
        """Raises ResourceNotFound, also when an earlier attempt got through (`maybe_applied`)."""
        return await self._transport.request(
            "DELETE", "/users/{user_id}", DELETED_OBJECT, ids={"user_id": user_id}
        )

    async def ban_user(self, user_id: str) -> User:
        """Keep a user from signing in and revoke the sessions. Raises FeatureNotAvailable, ResourceNotFound."""
        return await self._transport.request(
            "POST", "/users/{user_id}/ban", USER, ids={"user_id": user_id}, idempotent=True
        )

    async def unban_user(self, user_id: str) -> User:
        """Raises FeatureNotAvailable, ResourceNotFound."""
        return await self._transport.request(
            "POST", "/users/{user_id}/unban", USER, ids={"user_id": user_id}, idempotent=True
        )

    # Factors

    async def verify_password(self, user_id: str, password: str) -> bool:
        """Whether it is the user's password. Raises NoPasswordSet, UserLocked, ResourceNotFound."""
        try:
            answer = await self._transport.request(
                "POST",
                "/users/{user_id}/verify_password",
                VERIFIED,
                ids={"user_id": user_id},
                body={"password": password},
                secrets=(password,),
            )
        except IncorrectPassword:
            return False
        return answer.verified

    async def verify_totp(self, user_id: str, code: str) -> bool:
        """Whether it is a code of the user's authenticator, or a backup code, which is used up by it.

        Raises ResourceNotFound, or StrategyInvalid for a user who has neither.
        """
        try:
            answer = await self._transport.request(
                "POST",
                "/users/{user_id}/verify_totp",
                VERIFIED,
                ids={"user_id": user_id},
                body={"code": code},
                secrets=(code,),
            )
        except IncorrectTotp:
            return False
        return answer.verified

    async def remove_password(self, user_id: str) -> User:
        """Leave the user without a password. Raises NoPasswordSet, ResourceNotFound."""
        return await self._transport.request(
            "POST",
            "/users/{user_id}/remove_password",
            USER,
            ids={"user_id": user_id},
            body={},
            idempotent=True,
        )

    async def disable_mfa(self, user_id: str) -> None:
        """Remove all second factors. Raises ResourceNotFound."""
        await self._transport.request("DELETE", "/users/{user_id}/mfa", USER_ID, ids={"user_id": user_id})

    async def delete_totp(self, user_id: str) -> None:
        """Remove the authenticator application. Raises ResourceNotFound."""
        await self._transport.request("DELETE", "/users/{user_id}/totp", USER_ID, ids={"user_id": user_id})

    async def delete_backup_codes(self, user_id: str) -> None:
        """Remove the backup codes. Raises ResourceNotFound."""
        await self._transport.request(
            "DELETE", "/users/{user_id}/backup_code", USER_ID, ids={"user_id": user_id}
        )

    # Email addresses

    async def create_email(
        self, user_id: str, email_address: str, *, verified: bool = False, primary: bool = False
    ) -> EmailAddress:
        """Add an address to a user. Raises IdentifierExists, ParameterInvalid, ResourceNotFound."""
        body = {
            "user_id": user_id,
            "email_address": email_address,
            "verified": verified,
            "primary": primary,
        }
        return await self._transport.request("POST", "/email_addresses", EMAIL_ADDRESS, body=body)

    async def verify_email(self, email_address_id: str) -> EmailAddress:
        """Mark an address as verified. Raises ResourceNotFound."""
        return await self._transport.request(
            "PATCH",
            "/email_addresses/{email_address_id}",
            EMAIL_ADDRESS,
            ids={"email_address_id": email_address_id},
            body={"verified": True},
        )

    async def replace_email(self, user_id: str, address: str, *, status: EmailStatus) -> EmailAddress:
        """Put one address, the primary one, in place of all that the user has.

        Raises IdentifierExists when another user has it, ParameterInvalid, ResourceNotFound.
        """
        return await self._transport.request(
            "PUT",
            "/users/{user_id}/email_address",
            EMAIL_ADDRESS,
            ids={"user_id": user_id},
            body={"email_address": address, "identification_status": status},
        )

    async def delete_email(self, email_address_id: str) -> DeletedObject:
        """Raises ResourceNotFound, also when an earlier attempt got through (`maybe_applied`)."""
        return await self._transport.request(
            "DELETE",
            "/email_addresses/{email_address_id}",
            DELETED_OBJECT,
            ids={"email_address_id": email_address_id},
        )

    # Sign-in tokens and sessions

    async def create_sign_in_token(
        self, user_id: str, *, expires_in_seconds: int | None = None
    ) -> SignInToken:
        """A token with which the user signs in once, without a password. Raises ResourceNotFound."""
        body = _sent(user_id=user_id, expires_in_seconds=expires_in_seconds)
        return await self._transport.request("POST", "/sign_in_tokens", SIGN_IN_TOKEN, body=body)

    async def revoke_sign_in_token(self, sign_in_token_id: str) -> SignInToken:
        """Raises ResourceNotFound."""
        return await self._transport.request(
            "POST",
            "/sign_in_tokens/{sign_in_token_id}/revoke",
            SIGN_IN_TOKEN,
            ids={"sign_in_token_id": sign_in_token_id},
            idempotent=True,
        )

    async def list_sessions(
        self, user_id: str, *, status: SessionStatus | None = None, limit: int = PAGE, offset: int = 0
    ) -> list[Session]:
        """A user's sessions, the newest first."""
        query = [("user_id", user_id), ("limit", str(limit)), ("offset", str(offset))]
        if status is not None:
            query.append(("status", status))
        return await self._transport.request("GET", "/sessions", SESSIONS, query=query)

    async def revoke_session(self, session_id: str) -> Session:
        """Raises ResourceNotFound."""
        return await self._transport.request(
            "POST", "/sessions/{session_id}/revoke", SESSION, ids={"session_id": session_id}, idempotent=True
        )

    # The instance

    async def get_instance(self) -> Instance:
        """The instance that the key belongs to."""
        return await self._transport.request("GET", "/instance", INSTANCE)

    async def list_domains(self) -> tuple[Domain, ...]:
        """The instance's domains, the primary one among them."""
        return (await self._transport.request("GET", "/domains", DOMAINS)).data


def _sent(**fields: object) -> dict[str, object]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def _included(external_id: str) -> str:
    """An external ID as the list's filter takes it, where a `-` or `+` in front means exclude or include."""
    return f"+{external_id}" if external_id.startswith(("+", "-")) else external_id


def _rfc3339(moment: datetime) -> str:
    return moment.replace(tzinfo=moment.tzinfo or UTC).isoformat()
