"""What is made once and lent to every feature: Postgres, Clerk, limits, mail, metrics; and what the server runs and serves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

from aiohttp import web

from bff.clerk_settings import ClerkSettings
from bff.database import Database
from bff.http.api import Endpoint
from bff.http.cookies import Cookie
from bff.http.edge import Edge
from bff.http.observability import Metrics
from bff.limits import Limits
from bff.mail.mailer import Mailer
from bff.mail.rendering import Templates
from bff.mail.smtp import Smtp
from bff.tokens import Cipher
from toolkit.clerk import BackendClient, ClerkConfig, ClerkNotConfigured, FrontendClient
from toolkit.environment import Environment

CLERK_SECONDS = 1.5
"""Seconds for a call to Clerk's Frontend API: a login is answered or refused within two."""


class Parts:
    """Features take from it what they need, and bring their own life with them: endpoints, tasks, endings.

    `frontend` and `backend` are None when Clerk is not configured, so that whoever is in Clerk is refused (invariant 3).
    Raises UsageError when something that the environment must have is missing or malformed.
    """

    def __init__(self, environment: Environment, app: web.Application) -> None:
        self.environment = environment
        self.settings = environment.playbook.bff
        self.app = app
        self.endpoints: list[Endpoint] = []
        self.edge = Edge(
            self.settings.trusted_proxies,
            session=Cookie.named(
                "ax_session", secure=environment.https, former=self.settings.session.former_cookie
            ),
            device=Cookie.named("ax_device", secure=environment.https),
        )
        self.metrics = Metrics()
        self.cipher = Cipher(environment.client_token_key)
        self.database = Database(
            environment.database_url,
            self.settings.database_connections,
            environment.expected,
        )
        self.limits = Limits(self.database, self.settings.limits)
        self.mailer = Mailer(
            self.database,
            self.cipher,
            Templates(self.settings.public_url),
            Smtp(environment.smtp_url, self.settings.mail.sender) if environment.smtp_url else None,
            self.metrics.registry,
        )
        self.frontend: FrontendClient | None = None
        self.backend: BackendClient | None = None
        self.keep(self.database)
        self.keep(self.mailer)
        config = clerk_config(environment)
        if config is not None:
            self.frontend = FrontendClient(config, deadline=CLERK_SECONDS)
            self.backend = BackendClient(config, deadline=self.settings.signup.clerk_seconds)
            self.keep(self.frontend)
            self.keep(self.backend)
            breaker = self.frontend.breaker
            self.metrics.clerk_open.set_function(lambda: float(breaker.state != "closed"))
        self.clerk_settings = ClerkSettings(self.frontend)

    def serve(self, endpoints: Iterable[Endpoint]) -> None:
        """Serve endpoints."""
        self.endpoints.extend(endpoints)

    def keep(self, context: AbstractAsyncContextManager[object]) -> None:
        """Keep a context open for as long as the server runs."""

        async def live(app: web.Application) -> AsyncIterator[None]:
            async with context:
                yield

        self.app.cleanup_ctx.append(live)

    def run(self, task: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task in the background for as long as the server runs."""

        async def live(app: web.Application) -> AsyncIterator[None]:
            running = asyncio.create_task(task())
            yield
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        self.app.cleanup_ctx.append(live)

    def at_end(self, ending: Callable[[], Awaitable[None]]) -> None:
        """Await something when the server stops; what was mounted last ends first."""

        async def live(app: web.Application) -> AsyncIterator[None]:
            yield
            await ending()

        self.app.cleanup_ctx.append(live)


def clerk_config(environment: Environment) -> ClerkConfig | None:
    """The Clerk instance; None when none is configured, or not wholly."""
    try:
        config = environment.clerk
    except ClerkNotConfigured:
        return None
    return config if config.frontend_api_url is not None else None
