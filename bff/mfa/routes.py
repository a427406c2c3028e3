"""Second factors, over HTTP."""

import io
import re
from dataclasses import dataclass
from datetime import datetime

import segno
from aiohttp import web
from pydantic import Field

from bff import refusals
from bff.events import EventKind
from bff.http.api import Answer, Body, Endpoint, Handler, answer, no_content, read
from bff.http.edge import Edge
from bff.http.fields import Code, PhoneNumber, Secret
from bff.mfa.factors import Enrolled
from bff.mfa.service import MfaService
from bff.sessions.identity import Identity

Refusals = tuple[type[refusals.Refusal], ...]


class PhoneView(Answer):
    """A verified phone number."""

    id: str
    number: str
    """Masked."""
    second_factor: bool
    default: bool


class OfferedView(Answer):
    """What may be enrolled."""

    totp: bool
    backup_code: bool
    sms: bool


class MfaView(Answer):
    """What is enrolled, and what may be."""

    totp: bool
    backup_codes: bool
    phones: tuple[PhoneView, ...]
    offered: OfferedView

    @classmethod
    def of(cls, enrolled: Enrolled) -> "MfaView":
        """What is shown of a user's second factors."""
        return cls(
            totp=enrolled.totp,
            backup_codes=enrolled.backup_codes,
            phones=tuple(
                PhoneView(
                    id=phone.id, number=phone.number, second_factor=phone.second_factor, default=phone.default
                )
                for phone in enrolled.phones
            ),
            offered=OfferedView(
                totp=enrolled.offered.totp,
                backup_code=enrolled.offered.backup_code,
                sms=enrolled.offered.sms,
            ),
        )


class TotpView(Answer):
    """An authenticator that is to be set up."""

    enrolment_id: str
    expires_at: datetime
    secret: str
    """Base32, to be typed."""
    uri: str
    """otpauth://, to be opened."""
    qr: str
    """The same as an SVG document, to be scanned."""


class PhoneEnrolmentView(Answer):
    """A number that a code was sent to."""

    enrolment_id: str
    expires_at: datetime
    sent_to: str
    """Masked."""
    resend_after: int
    """Seconds until another code may be asked for."""


class BackupCodesView(Answer):
    """Backup codes, shown once; null when there are no new ones."""

    backup_codes: tuple[str, ...] | None


class EventView(Answer):
    """What was done, and from where."""

    kind: EventKind
    at: datetime
    address: str | None
    user_agent: str | None


class EventListView(Answer):
    """Security events, the newest first."""

    events: tuple[EventView, ...]


class SignOutBody(Body):
    """Whether all other sessions end with it."""

    sign_out_others: bool = False


class FinishBody(SignOutBody):
    """The code that finishes an enrolment."""

    enrolment_id: Secret = Field(repr=False)
    code: Code = Field(repr=False)


class PhoneBody(Body):
    """A number to add."""

    number: PhoneNumber


class ResendBody(Body):
    """An enrolment whose code is to be sent again."""

    enrolment_id: Secret = Field(repr=False)


@dataclass(frozen=True)
class MfaRoutes:
    """Endpoints of the second factors."""

    service: MfaService
    identity: Identity
    edge: Edge
    pause: int
    """Seconds between two codes that are sent."""

    def endpoints(self) -> list[Endpoint]:
        always = (refusals.AuthenticationUnavailable, refusals.TooManyAttempts)
        proven = (refusals.ReauthenticationRequired, *always)
        codes = (refusals.CodeInvalid, refusals.ChallengeExpired, refusals.MethodEnrolled, *proven)
        gone = (refusals.NotFound, refusals.MethodUnavailable, *proven)
        enrol = (refusals.MethodEnrolled, refusals.MethodUnavailable, *proven)
        rows: list[tuple[str, str, Handler, str, dict[int, object], type[Body] | None, Refusals]] = [
            ("GET", "/auth/mfa", self.get, "The second factors", {200: MfaView}, None, proven),
            (
                "POST",
                "/auth/mfa/totp",
                self.begin_totp,
                "Begin to set up an authenticator",
                {201: TotpView},
                None,
                enrol,
            ),
            (
                "POST",
                "/auth/mfa/totp/verify",
                self.finish_totp,
                "Make the authenticator a second factor, by its first code",
                {200: BackupCodesView},
                FinishBody,
                codes,
            ),
            (
                "DELETE",
                "/auth/mfa/totp",
                self.remove_totp,
                "Remove the authenticator",
                {204: None},
                None,
                gone,
            ),
            (
                "POST",
                "/auth/mfa/backup-codes",
                self.make_backup_codes,
                "Make new backup codes in place of the old",
                {200: BackupCodesView},
                SignOutBody,
                gone,
            ),
            (
                "POST",
                "/auth/mfa/phones",
                self.begin_phone,
                "Send a code to a number that is to be added",
                {201: PhoneEnrolmentView},
                PhoneBody,
                (refusals.FieldsInvalid, *enrol),
            ),
            (
                "POST",
                "/auth/mfa/phones/resend",
                self.resend_phone,
                "Send another code to it",
                {204: None},
                ResendBody,
                (refusals.ChallengeExpired, *enrol),
            ),
            (
                "POST",
                "/auth/mfa/phones/verify",
                self.finish_phone,
                "Make the number a second factor, by the code that was sent",
                {200: BackupCodesView},
                FinishBody,
                codes,
            ),
            (
                "POST",
                "/auth/mfa/phones/{phone_id}/default",
                self.make_phone_default,
                "Let codes go to this number first",
                {204: None},
                None,
                gone,
            ),
            (
                "DELETE",
                "/auth/mfa/phones/{phone_id}",
                self.remove_phone,
                "Remove a number",
                {204: None},
                None,
                gone,
            ),
            ("GET", "/auth/events", self.events, "Security events", {200: EventListView}, None, ()),
        ]
        return [Endpoint(*row, signed_in=True) for row in rows]

    async def get(self, request: web.Request) -> web.StreamResponse:
        """GET /auth/mfa."""
        session = await self.identity.session(request)
        return answer(MfaView.of(await self.service.enrolled(session, self.edge.visitor(request))))

    async def begin_totp(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/mfa/totp."""
        session = await self.identity.session(request)
        enrolment = await self.service.begin_totp(session, self.edge.visitor(request))
        uri = enrolment.authenticator.uri
        return answer(
            TotpView(
                enrolment_id=enrolment.id,
                expires_at=enrolment.expires_at,
                secret=enrolment.authenticator.secret,
                uri=uri,
                qr=_qr(uri),
            ),
            201,
        )

    async def finish_totp(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/mfa/totp/verify."""
        session = await self.identity.session(request)
        body = await read(request, FinishBody)
        codes = await self.service.finish_totp(
            session,
            body.enrolment_id,
            body.code,
            self.edge.visitor(request),
            sign_out_others=body.sign_out_others,
        )
        return answer(BackupCodesView(backup_codes=codes))

    async def remove_totp(self, request: web.Request) -> web.StreamResponse:
        """DELETE /auth/mfa/totp."""
        session = await self.identity.session(request)
        await self.service.remove_totp(
            session, self.edge.visitor(request), sign_out_others=_wants_sign_out(request)
        )
        return no_content()

    async def make_backup_codes(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/mfa/backup-codes."""
        session = await self.identity.session(request)
        body = await read(request, SignOutBody)
        codes = await self.service.make_backup_codes(
            session, self.edge.visitor(request), sign_out_others=body.sign_out_others
        )
        return answer(BackupCodesView(backup_codes=codes))

    async def begin_phone(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/mfa/phones."""
        session = await self.identity.session(request)
        body = await read(request, PhoneBody)
        enrolment = await self.service.begin_phone(session, body.number, self.edge.visitor(request))
        return answer(
            PhoneEnrolmentView(
                enrolment_id=enrolment.id,
                expires_at=enrolment.expires_at,
                sent_to=enrolment.sent_to,
                resend_after=self.pause,
            ),
            201,
        )

    async def resend_phone(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/mfa/phones/resend."""
        session = await self.identity.session(request)
        body = await read(request, ResendBody)
        await self.service.resend_phone(session, body.enrolment_id, self.edge.visitor(request))
        return no_content()

    async def finish_phone(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/mfa/phones/verify."""
        session = await self.identity.session(request)
        body = await read(request, FinishBody)
        codes = await self.service.finish_phone(
            session,
            body.enrolment_id,
            body.code,
            self.edge.visitor(request),
            sign_out_others=body.sign_out_others,
        )
        return answer(BackupCodesView(backup_codes=codes))

    async def make_phone_default(self, request: web.Request) -> web.StreamResponse:
        """POST /auth/mfa/phones/{phone_id}/default."""
        session = await self.identity.session(request)
        await self.service.make_phone_default(session, _phone_id(request), self.edge.visitor(request))
        return no_content()

    async def remove_phone(self, request: web.Request) -> web.StreamResponse:
        """DELETE /auth/mfa/phones/{phone_id}."""
        session = await self.identity.session(request)
        await self.service.remove_phone(
            session,
            _phone_id(request),
            self.edge.visitor(request),
            sign_out_others=_wants_sign_out(request),
        )
        return no_content()

    async def events(self, request: web.Request) -> web.StreamResponse:
        """GET /auth/events."""
        session = await self.identity.session(request)
        return answer(
            EventListView(
                events=tuple(
                    EventView(
                        kind=event.kind, at=event.at, address=event.address, user_agent=event.user_agent
                    )
                    for event in await self.service.events(session)
                )
            )
        )


def _qr(text: str) -> str:
    """A QR code as an SVG that takes the size of what it is put into."""
    drawn = io.BytesIO()
    segno.make(text, error="m").save(drawn, kind="svg", xmldecl=False, border=2, omitsize=True)
    return drawn.getvalue().decode()


def _wants_sign_out(request: web.Request) -> bool:
    """Whether all other sessions end with it: ?sign_out_others=true, as a DELETE has no body."""
    return request.query.get("sign_out_others") == "true"


def _phone_id(request: web.Request) -> str:
    phone_id = request.match_info["phone_id"]
    if not re.fullmatch(r"[\w-]{1,64}", phone_id):
        raise refusals.NotFound
    return phone_id
