"""The application, assembled."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from bff import cookies, openapi
from bff.api import Endpoint
from bff.challenges import Challenges
from bff.database import Database
from bff.devices import Devices
from bff.gui.pages import Pages
from bff.health import HealthRoutes
from bff.identity import Identity
from bff.legacy.login import LegacyLogin
from bff.legacy.signup import LegacySignup
from bff.limits import Limits
from bff.login.clerk import DEADLINE, ClerkLogin
from bff.login.routes import LoginRoutes
from bff.login.service import LoginService
from bff.mail import Mailer
from bff.observability import Metrics, observer
from bff.origins import origin_check
from bff.outcomes import Responder
from bff.session_routes import SessionRoutes
from bff.sessions import Sessions
from bff.signup.clerk import ClerkSignup
from bff.signup.routes import SignupRoutes
from bff.signup.service import SignupService
from bff.tokens import ClientTokenCipher
from toolkit.clerk import BackendClient, ClerkConfig, ClerkNotConfigured, FrontendClient
from toolkit.database import queries
from toolkit.environment import Environment
from toolkit.errors import ToolkitError
from toolkit.sweep.runner import Sweep
from toolkit.sweep.signups import Signups

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
    database = Database(
        environment.database_url,
        settings.database_connections,
        sandbox=environment.playbook.embedded_sandbox,
    )
    frontend = FrontendClient(config, deadline=DEADLINE) if config else None
    sessions = Sessions(settings.session, cipher)
    backend = BackendClient(config, deadline=settings.signup.clerk_seconds) if config else None
    devices, limits = Devices(cipher), Limits(database)
    signups = Signups(database.connection, backend) if backend else None
    mailer = Mailer(environment.smtp_url, settings.mail.sender)
    legacy = LegacyLogin(environment.totp_key, _typical_digest(database), settings.login.legacy_slots)
    signup = SignupService(
        database,
        sessions,
        devices,
        limits,
        cipher,
        ClerkSignup(backend, frontend) if backend and frontend else None,
        signups,
        LegacySignup(database, sessions, legacy),
        mailer,
        settings.signup,
        settings.login,
        public_url=settings.public_url,
    )
    login = LoginService(
        database,
        sessions,
        Challenges(cipher),
        devices,
        limits,
        ClerkLogin(frontend),
        legacy,
        signup,
        settings.login,
        metrics,
    )
    metrics.legacy_busy.set_function(lambda: legacy.pending)
    if frontend is not None:
        breaker = frontend.breaker
        metrics.clerk_open.set_function(lambda: float(breaker.state != "closed"))
    responder = Responder(settings.trusted_proxies, secure)
    endpoints = [
        *LoginRoutes(login, responder).endpoints(),
        *SignupRoutes(signup, responder).endpoints(),
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
    Pages().mount(app)
    contexts = [context for context in (database, frontend, backend) if context is not None]
    tasks: list[Callable[[], Coroutine[Any, Any, None]]] = [partial(_tidy, database)]
    if backend is not None:
        tasks.append(
            partial(
                Sweep(database.connection, backend).forever,
                every=timedelta(seconds=settings.signup.sweep_seconds),
                unverified=timedelta(hours=settings.signup.unverified_hours),
            )
        )
    app.cleanup_ctx.append(_lifetime(contexts, tasks, [login.close, mailer.close], legacy))
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
        if endpoint.method == "GET":  # balancers probe with it
            app.router.add_route("HEAD", endpoint.path, endpoint.handler)
    app.router.add_get("/openapi.json", describe)


def _typical_digest(database: Database) -> Callable[[], Awaitable[str | None]]:
    async def find() -> str | None:
        async with database.connection() as connection:
            digest: str | None = await queries.typical_digest(connection)
        return digest

    return find


def _lifetime(
    contexts: Sequence[AbstractAsyncContextManager[object]],
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]],
    endings: Sequence[Callable[[], Awaitable[None]]],
    legacy: LegacyLogin,
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def live(app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for context in contexts:
                await stack.enter_async_context(context)
            stack.callback(legacy.close)
            for ending in endings:
                stack.push_async_callback(ending)
            running = [asyncio.create_task(task()) for task in tasks]
            yield
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

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
        except Exception:
            _log.exception("nothing was tidied up")
