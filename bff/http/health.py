"""Whether the BFF lives, can serve, and how it fares."""

from dataclasses import dataclass
from typing import Literal

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bff.database import Database
from bff.http.api import Answer, Endpoint, answer
from bff.http.observability import Metrics
from toolkit.database import queries


class AliveView(Answer):
    """It lives."""

    status: Literal["ok"] = "ok"


class ReadyView(Answer):
    """It can serve. Clerk being out is no reason to take it out of service: sessions and API keys work without."""

    status: Literal["ok"] = "ok"
    clerk: Literal["configured", "not_configured"]


@dataclass(frozen=True)
class HealthRoutes:
    """Endpoints for those who operate it."""

    database: Database
    metrics: Metrics
    clerk_configured: bool

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", "/healthz", self.alive, "The process lives", {200: AliveView}),
            Endpoint("GET", "/readyz", self.ready, "The database answers, and is migrated", {200: ReadyView}),
            Endpoint("GET", "/metrics", self.tell, "Metrics, as Prometheus reads them", {200: None}),
        ]

    async def alive(self, request: web.Request) -> web.StreamResponse:
        """GET /healthz."""
        return answer(AliveView())

    async def ready(self, request: web.Request) -> web.StreamResponse:
        """GET /readyz."""
        async with self.database.connection() as connection:
            await queries.check_schema(connection)
        return answer(ReadyView(clerk="configured" if self.clerk_configured else "not_configured"))

    async def tell(self, request: web.Request) -> web.StreamResponse:
        """GET /metrics."""
        return web.Response(
            body=generate_latest(self.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )
