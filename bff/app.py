"""The application, assembled."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress

import structlog
from aiohttp import web

from bff import cookies, openapi
from bff.api import Endpoint
from bff.challenges import Challenges
from bff.database import Database
from bff.devices import Devices
from bff.health import HealthRoutes
from bff.identity import Identity
from bff.legacy.login import LegacyLogin
from bff.limits import Limits
from bff.login.clerk import DEADLINE, ClerkLogin
from bff.login.routes import LoginRoutes
from bff.login.service import LoginService
from bff.observability import Metrics, observer
from bff.origins import origin_check
from bff.session_routes import SessionRoutes
from bff.sessions import Sessions
from bff.tokens import ClientTokenCipher
from toolkit.clerk import ClerkConfig, ClerkNotConfigured, FrontendClient
from toolkit.database import queries
from toolkit.environment import Environment
from toolkit.errors import ToolkitError

BODY_BYTES = 16 * 1024
TIDY_SECONDS = 600.0
"""Between two rounds of forgetting what has expired."""

_log = structlog.get_logger("bff")


def build(environment: Environment) -> web.Application:
    """The BFF of an environment. Raises UsageError when something that it needs is missing or malformed."""
    settings = environment.playbook.bff
    secure = not environment.playbook.embedded_sandbox
    config = clerk_config(environment)
    cipher = ClientTokenCipher(environment.client_token_key)
    metrics = Metrics()
    database = Database(environment.database_url, settings.database_connections)
    frontend = FrontendClient(config, deadline=DEADLINE) if config else None
    sessions = Sessions(settings.session, cipher)
    legacy = LegacyLogin(environment.totp_key, _typical_digest(database), settings.login.legacy_slots)
    login = LoginService(
        database,
        sessions,
        Challenges(cipher),
        Devices(cipher),
        Limits(database),
        ClerkLogin(frontend),
        legacy,
        settings.login,
        metrics,
    )
    metrics.legacy_busy.set_function(lambda: legacy.pending)
    if frontend is not None:
        breaker = frontend.breaker
        metrics.clerk_open.set_function(lambda: float(breaker.state != "closed"))
    endpoints = [
        *LoginRoutes(login, settings.trusted_proxies, secure).endpoints(),
        *SessionRoutes(Identity(database, sessions), login, settings.trusted_proxies, secure).endpoints(),
        *HealthRoutes(database, metrics, frontend is not None).endpoints(),
    ]
    app = web.Application(
        middlewares=[
            observer(metrics),
            origin_check(settings.origins, (cookies.SESSION, cookies.DEVICE), https=secure),
        ],
        client_max_size=BODY_BYTES,
    )
    _mount(app, endpoints)
    app.cleanup_ctx.append(_lifetime(database, frontend, login, legacy))
    return app


def clerk_config(environment: Environment) -> ClerkConfig | None:
    """The Clerk instance; None when none is configured, so that whoever is in Clerk is refused (invariant 3)."""
    try:
        config = environment.clerk
    except ClerkNotConfigured:
        return None
    if config.frontend_api_url is None:
        return None
    return config


def _mount(app: web.Application, endpoints: Sequence[Endpoint]) -> None:
    description = openapi.describe(endpoints)

    async def describe(request: web.Request) -> web.StreamResponse:
        return web.json_response(description)

    for endpoint in endpoints:
        app.router.add_route(endpoint.method, endpoint.path, endpoint.handler)
    app.router.add_get("/openapi.json", describe)


def _typical_digest(database: Database) -> Callable[[], Awaitable[str | None]]:
    async def find() -> str | None:
        async with database.connection() as connection:
            digest: str | None = await queries.typical_digest(connection)
        return digest

    return find


def _lifetime(
    database: Database, frontend: FrontendClient | None, login: LoginService, legacy: LegacyLogin
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def live(app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(database)
            if frontend is not None:
                await stack.enter_async_context(frontend)
            stack.callback(legacy.close)
            stack.push_async_callback(login.close)
            tidying = asyncio.create_task(_tidy(database))
            yield
            tidying.cancel()
            with suppress(asyncio.CancelledError):
                await tidying

    return live


async def _tidy(database: Database) -> None:
    """Forget what has expired, now and then; any replica may."""
    while True:
        await asyncio.sleep(TIDY_SECONDS)
        try:
            async with database.connection() as connection:
                await queries.forget_expired_challenges(connection)
                await queries.forget_expired_devices(connection)
                await queries.forget_old_attempts(connection)
        except ToolkitError as error:
            _log.warning("nothing was tidied up", error=str(error))
