"""Clerk's Frontend API: https://clerk.com/docs/reference/frontend-api, spoken as a native application does.

No cookies: the client token goes in the header `Authorization`, and the newest comes back in it. Clerk counts its
limits by the end user's address; behind a proxy of one's own that is told with Clerk's proxy headers
(https://clerk.com/docs/guides/dashboard/dns-domains/proxy-fapi).
"""

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Literal, Self, TypeVar

from pydantic import TypeAdapter

from toolkit.clerk.breaker import CircuitBreaker
from toolkit.clerk.config import ClerkConfig
from toolkit.clerk.errors import ClerkAnswerUnexpected, ClerkNotConfigured
from toolkit.clerk.frontend import resources
from toolkit.clerk.frontend.resources import (
    Client,
    Envelope,
    Factor,
    FrontendEmailAddress,
    FrontendSession,
    FrontendUser,
    PhoneNumber,
    SessionVerification,
    SignIn,
    SignInResource,
    Totp,
)
from toolkit.clerk.frontend.settings import INSTANCE_SETTINGS, PROXY_HEALTH, InstanceSettings, ProxyHealth
from toolkit.clerk.transport import DEADLINE, Method, Transport

T = TypeVar("T")
Level = Literal["first_factor", "second_factor", "multi_factor"]

_NATIVE = ("_is_native", "1")


class FrontendClient:
    """The Frontend API of one instance; an async context manager, one for a process.

    `deadline` is in seconds, for each call. Every call may raise ClerkUnavailable (ClerkCircuitOpen when Clerk was out
    just now), ClerkRateLimited (the end user's limit, never waited for) or a ClerkApiError. Raises ClerkNotConfigured
    when the configuration does not say where the API is.
    """

    def __init__(
        self, config: ClerkConfig, *, deadline: float = DEADLINE, breaker: CircuitBreaker | None = None
    ) -> None:
        if config.frontend_api_url is None:
            raise ClerkNotConfigured(
                "CLERK_PUBLISHABLE_KEY is not set; it tells where the instance's settings are to be read. Copy the "
                "publishable key from Clerk's Dashboard (API keys) and export it."
            )
        self.breaker = breaker or CircuitBreaker()
        self._config = config
        self._transport = Transport(
            config.frontend_api_url,
            variable="CLERK_PUBLISHABLE_KEY (or CLERK_FRONTEND_API_URL)",
            headers={"Clerk-API-Version": config.api_version},
            secrets=(config.secret_key.get_secret_value(),),
            deadline=deadline,
        )

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.__aexit__()

    async def environment(self) -> InstanceSettings:
        async with self.breaker.call():
            return await self._transport.request("GET", "/environment", INSTANCE_SETTINGS, query=[_NATIVE])

    async def proxy_health(self, domain_id: str, *, address: str) -> ProxyHealth:
        """What Clerk makes of a request for an end user at this address."""
        async with self.breaker.call():
            return await self._transport.request(
                "GET",
                "/proxy-health",
                PROXY_HEALTH,
                query=[("domain_id", domain_id)],
                headers=self._proxied(address),
            )

    def device(self, client_token: str | None, *, address: str | None) -> "Device":
        """An end user's device, at an IP address; without a client token Clerk makes a new client."""
        return Device(self._transport, self.breaker, self._proxied(address), client_token, _network(address))

    def _proxied(self, address: str | None) -> Mapping[str, str]:
        """What tells Clerk an end user's address, where there is a proxy."""
        if address is None or self._config.proxy_url is None:
            return {}
        return {
            "Clerk-Proxy-Url": self._config.proxy_url,
            "Clerk-Secret-Key": self._config.secret_key.get_secret_value(),
            "X-Forwarded-For": address,
        }


class Device:
    """One end user's device: a client, in Clerk's words. `client_token` is the newest after each call.

    Methods are Clerk's operations. `prepare_…` has a code sent; `attempt_…` and `verify_…` try one, and raise
    IncorrectCode, or VerificationFailed when another must be sent. What changes a user's password or factors raises
    ReverificationRequired when the last proof is too old.
    """

    def __init__(
        self,
        transport: Transport,
        breaker: CircuitBreaker,
        headers: Mapping[str, str],
        client_token: str | None,
        network: str | None,
    ) -> None:
        self.client_token = client_token
        self._transport = transport
        self._breaker = breaker
        self._headers = headers
        self._network = network

    # Signing in

    async def create_sign_in(self, identifier: str, password: str) -> SignIn:
        """Try a password. Raises IdentifierNotFound, IncorrectPassword, UserLocked, UserBanned, SessionExists, …"""
        form = {"strategy": "password", "identifier": identifier, "password": password}
        return await self._sign_in("POST", "/client/sign_ins", form, secrets=(password,))

    async def create_sign_in_with_ticket(self, ticket: str) -> SignIn:
        """Use a sign-in token of the Backend API, once."""
        form = {"strategy": "ticket", "ticket": ticket}
        return await self._sign_in("POST", "/client/sign_ins", form, secrets=(ticket,))

    async def begin_sign_in(self, identifier: str) -> SignIn:
        """Begin a sign-in that proves nothing yet; it tells with which factors that may be done."""
        return await self._sign_in("POST", "/client/sign_ins", {"identifier": identifier})

    async def get_sign_in(self, sign_in_id: str) -> SignIn:
        return await self._sign_in("GET", "/client/sign_ins/{id}", None, ids={"id": sign_in_id})

    async def prepare_first_factor(self, sign_in_id: str, factor: Factor) -> SignIn:
        path = "/client/sign_ins/{id}/prepare_first_factor"
        return await self._sign_in("POST", path, _factor(factor), ids={"id": sign_in_id})

    async def attempt_first_factor(
        self, sign_in_id: str, strategy: str, *, code: str | None = None, password: str | None = None
    ) -> SignIn:
        path = "/client/sign_ins/{id}/attempt_first_factor"
        form = _given(strategy=strategy, code=code, password=password)
        return await self._sign_in("POST", path, form, ids={"id": sign_in_id}, secrets=(code, password))

    async def prepare_second_factor(self, sign_in_id: str, factor: Factor) -> SignIn:
        path = "/client/sign_ins/{id}/prepare_second_factor"
        return await self._sign_in("POST", path, _factor(factor), ids={"id": sign_in_id})

    async def attempt_second_factor(self, sign_in_id: str, strategy: str, code: str) -> SignIn:
        path = "/client/sign_ins/{id}/attempt_second_factor"
        form = {"strategy": strategy, "code": code}
        return await self._sign_in("POST", path, form, ids={"id": sign_in_id}, secrets=(code,))

    async def reset_password(
        self, sign_in_id: str, password: str, *, sign_out_of_other_sessions: bool = True
    ) -> SignIn:
        """Set a new password, once a code of the reset was right, or Clerk wants a new password of the user.

        Raises PasswordRejected, PasswordPwned, after which another may be tried.
        """
        path = "/client/sign_ins/{id}/reset_password"
        form = {"password": password, "sign_out_of_other_sessions": _flag(sign_out_of_other_sessions)}
        return await self._sign_in("POST", path, form, ids={"id": sign_in_id}, secrets=(password,))

    # The client and its sessions

    async def get_client(self) -> Client | None:
        """The client; None when there is none yet."""
        return (await self._call("GET", "/client", resources.CLIENT)).response

    async def sign_out(self) -> None:
        """End all sessions of the client."""
        await self._call("DELETE", "/client/sessions", resources.NOTHING)

    async def get_session(self, session_id: str) -> FrontendSession:
        return await self._session("GET", "/client/sessions/{id}", session_id)

    async def touch_session(self, session_id: str) -> FrontendSession:
        """Note that the session is in use."""
        return await self._session("POST", "/client/sessions/{id}/touch", session_id)

    async def end_session(self, session_id: str) -> FrontendSession:
        """Sign out of a session."""
        return await self._session("POST", "/client/sessions/{id}/end", session_id)

    async def remove_session(self, session_id: str) -> FrontendSession:
        """Sign out of a session and forget it."""
        return await self._session("POST", "/client/sessions/{id}/remove", session_id)

    # Reverification

    async def verify(self, session_id: str, level: Level) -> SessionVerification:
        """Begin a reverification."""
        return await self._verification(session_id, "", {"level": level})

    async def prepare_verification_first_factor(self, session_id: str, factor: Factor) -> SessionVerification:
        return await self._verification(session_id, "/prepare_first_factor", _factor(factor))

    async def attempt_verification_first_factor(
        self, session_id: str, strategy: str, *, code: str | None = None, password: str | None = None
    ) -> SessionVerification:
        form = _given(strategy=strategy, code=code, password=password)
        return await self._verification(session_id, "/attempt_first_factor", form, secrets=(code, password))

    async def prepare_verification_second_factor(
        self, session_id: str, factor: Factor
    ) -> SessionVerification:
        return await self._verification(session_id, "/prepare_second_factor", _factor(factor))

    async def attempt_verification_second_factor(
        self, session_id: str, strategy: str, code: str
    ) -> SessionVerification:
        form = {"strategy": strategy, "code": code}
        return await self._verification(session_id, "/attempt_second_factor", form, secrets=(code,))

    # The signed-in user

    async def me(self, session_id: str) -> FrontendUser:
        return (await self._call("GET", "/me", resources.USER, session_id=session_id)).response

    async def update_names(
        self, session_id: str, *, first_name: str | None = None, last_name: str | None = None
    ) -> FrontendUser:
        """Change names; None leaves one as it is."""
        form = _given(first_name=first_name, last_name=last_name)
        return (await self._call("PATCH", "/me", resources.USER, form, session_id=session_id)).response

    async def change_password(
        self,
        session_id: str,
        current_password: str | None,
        new_password: str,
        *,
        sign_out_of_other_sessions: bool = True,
    ) -> FrontendUser:
        """Set a new password. Raises IncorrectPassword, PasswordRejected, PasswordPwned, ReverificationRequired."""
        form = _given(
            current_password=current_password,
            new_password=new_password,
            sign_out_of_other_sessions=_flag(sign_out_of_other_sessions),
        )
        secrets = (current_password, new_password)
        path = "/me/change_password"
        answer = await self._call("POST", path, resources.USER, form, session_id=session_id, secrets=secrets)
        return answer.response

    async def list_sessions(self, session_id: str) -> list[FrontendSession]:
        """All sessions of the user, on all devices."""
        async with self._breaker.call(self._network):
            return await self._transport.request(
                "GET",
                "/me/sessions",
                resources.SESSIONS,
                query=[_NATIVE, ("_clerk_session_id", session_id)],
                headers=self._all_headers(),
                answered=self._take_token,
            )

    async def revoke_session(self, session_id: str, other: str) -> FrontendSession:
        """End a session of the user on another device."""
        path = "/me/sessions/{id}/revoke"
        ids = {"id": other}
        return (await self._call("POST", path, resources.SESSION, ids=ids, session_id=session_id)).response

    async def create_email_address(self, session_id: str, address: str) -> FrontendEmailAddress:
        """Add an address, to be verified."""
        form = {"email_address": address}
        return await self._email("POST", "/me/email_addresses", session_id, form=form)

    async def prepare_email_address(self, session_id: str, email_address_id: str) -> FrontendEmailAddress:
        path = "/me/email_addresses/{id}/prepare_verification"
        return await self._email("POST", path, session_id, email_address_id, {"strategy": "email_code"})

    async def verify_email_address(
        self, session_id: str, email_address_id: str, code: str
    ) -> FrontendEmailAddress:
        path = "/me/email_addresses/{id}/attempt_verification"
        return await self._email("POST", path, session_id, email_address_id, {"code": code}, (code,))

    async def delete_email_address(self, session_id: str, email_address_id: str) -> None:
        path, ids = "/me/email_addresses/{id}", {"id": email_address_id}
        await self._call("DELETE", path, resources.DELETED, ids=ids, session_id=session_id)

    async def create_phone_number(
        self, session_id: str, number: str, *, reserved_for_second_factor: bool = False
    ) -> PhoneNumber:
        """Add a number (E.164), to be verified."""
        form = {"phone_number": number, "reserved_for_second_factor": _flag(reserved_for_second_factor)}
        return await self._phone("POST", "/me/phone_numbers", session_id, form=form)

    async def prepare_phone_number(self, session_id: str, phone_number_id: str) -> PhoneNumber:
        path = "/me/phone_numbers/{id}/prepare_verification"
        return await self._phone("POST", path, session_id, phone_number_id, {"strategy": "phone_code"})

    async def verify_phone_number(self, session_id: str, phone_number_id: str, code: str) -> PhoneNumber:
        path = "/me/phone_numbers/{id}/attempt_verification"
        return await self._phone("POST", path, session_id, phone_number_id, {"code": code}, (code,))

    async def reserve_for_second_factor(
        self, session_id: str, phone_number_id: str, *, reserved: bool = True, default: bool | None = None
    ) -> PhoneNumber:
        """Use a number as second factor, or no longer."""
        form = {"reserved_for_second_factor": _flag(reserved)}
        if default is not None:
            form["default_second_factor"] = _flag(default)
        return await self._phone("PATCH", "/me/phone_numbers/{id}", session_id, phone_number_id, form)

    async def delete_phone_number(self, session_id: str, phone_number_id: str) -> None:
        path, ids = "/me/phone_numbers/{id}", {"id": phone_number_id}
        await self._call("DELETE", path, resources.DELETED, ids=ids, session_id=session_id)

    async def create_totp(self, session_id: str) -> Totp:
        """Begin to set up an authenticator; the answer has its secret and URI."""
        return (await self._call("POST", "/me/totp", resources.TOTP, session_id=session_id)).response

    async def verify_totp(self, session_id: str, code: str) -> Totp:
        """Try the authenticator's first code, which makes it a second factor."""
        path, form = "/me/totp/attempt_verification", {"code": code}
        answer = await self._call("POST", path, resources.TOTP, form, session_id=session_id, secrets=(code,))
        return answer.response

    async def delete_totp(self, session_id: str) -> None:
        await self._call("DELETE", "/me/totp", resources.DELETED, session_id=session_id)

    async def create_backup_codes(self, session_id: str) -> tuple[str, ...]:
        """Make new backup codes, in place of the old."""
        answer = await self._call("POST", "/me/backup_codes", resources.BACKUP_CODES, session_id=session_id)
        return answer.response.codes

    async def _sign_in(
        self,
        method: Method,
        path: str,
        form: Mapping[str, str] | None,
        *,
        ids: Mapping[str, str] | None = None,
        secrets: Sequence[str | None] = (),
    ) -> SignIn:
        answer = await self._call(method, path, resources.SIGN_IN, form, ids=ids, secrets=secrets)
        return _with_session(answer)

    async def _session(self, method: Method, path: str, session_id: str) -> FrontendSession:
        return (await self._call(method, path, resources.SESSION, ids={"id": session_id})).response

    async def _verification(
        self, session_id: str, step: str, form: Mapping[str, str], secrets: Sequence[str | None] = ()
    ) -> SessionVerification:
        path = f"/client/sessions/{{id}}/verify{step}"
        answer = await self._call(
            "POST", path, resources.SESSION_VERIFICATION, form, ids={"id": session_id}, secrets=secrets
        )
        return answer.response

    async def _email(
        self,
        method: Method,
        path: str,
        session_id: str,
        email_address_id: str | None = None,
        form: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
    ) -> FrontendEmailAddress:
        ids = {"id": email_address_id} if email_address_id is not None else None
        answer = await self._call(
            method, path, resources.EMAIL_ADDRESS, form, ids=ids, session_id=session_id, secrets=secrets
        )
        return answer.response

    async def _phone(
        self,
        method: Method,
        path: str,
        session_id: str,
        phone_number_id: str | None = None,
        form: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
    ) -> PhoneNumber:
        ids = {"id": phone_number_id} if phone_number_id is not None else None
        answer = await self._call(
            method, path, resources.PHONE_NUMBER, form, ids=ids, session_id=session_id, secrets=secrets
        )
        return answer.response

    async def _call(
        self,
        method: Method,
        path: str,
        answer: "TypeAdapter[Envelope[T]]",
        form: Mapping[str, str] | None = None,
        *,
        ids: Mapping[str, str] | None = None,
        session_id: str | None = None,
        secrets: Sequence[str | None] = (),
    ) -> Envelope[T]:
        query = [_NATIVE, *([("_clerk_session_id", session_id)] if session_id is not None else [])]
        async with self._breaker.call(self._network):
            return await self._transport.request(
                method,
                path,
                answer,
                ids=ids,
                query=query,
                form=form,
                headers=self._all_headers(),
                secrets=(*secrets, self.client_token),
                answered=self._take_token,
            )

    def _all_headers(self) -> dict[str, str]:
        token = {"Authorization": self.client_token} if self.client_token else {}
        return {**self._headers, **token}

    def _take_token(self, headers: Mapping[str, str]) -> None:
        token = headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if token:
            self.client_token = token


def _network(address: str | None) -> str | None:
    """What one person has of addresses: of IPv6 a whole /64."""
    if address is None or ":" not in address:
        return address
    return str(ip_network((address, 64), strict=False))


def _with_session(answer: Envelope[SignInResource]) -> SignIn:
    sign_in = answer.response
    if not re.fullmatch(r"[\w-]+", sign_in.id):
        raise ClerkAnswerUnexpected("Clerk's sign-in has no id.")
    created = sign_in.created_session_id
    session = answer.client.session(created) if answer.client is not None and created is not None else None
    return SignIn(
        sign_in.id,
        sign_in.status,
        sign_in.identifier,
        sign_in.supported_first_factors or (),
        sign_in.supported_second_factors or (),
        session,
    )


def _factor(factor: Factor) -> dict[str, str]:
    return _given(
        strategy=factor.strategy,
        email_address_id=factor.email_address_id,
        phone_number_id=factor.phone_number_id,
    )


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _flag(value: bool) -> str:
    return "true" if value else "false"
