"""Logs with a request id, and metrics. Nothing secret is in either: no body, no header, no query."""

import logging
import random
import re
import time
from contextlib import suppress
from functools import lru_cache

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bff.http.api import Handler
from bff.http.problems import of_server, problem
from bff.refusals import DatabaseUnavailable, InternalError, Refusal
from toolkit.errors import ToolkitError

REQUEST_ID = web.RequestKey("request_id", str)
_GIVEN_ID = re.compile(r"[\w-]{8,64}")

_log = structlog.get_logger("bff")


class Metrics:
    """What /metrics tells."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "bff_requests", "Answers.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "bff_request_seconds", "Time that answers took.", ["method", "route"], registry=self.registry
        )
        self._children = lru_cache(maxsize=1024)(
            self._make_children
        )  # looking labels up costs more than counting
        self.clerk_open = Gauge(
            "bff_clerk_circuit_open",
            "1 while Clerk is left alone after too many failures.",
            registry=self.registry,
        )
        self.changes_unsettled = Gauge(
            "bff_changes_unsettled",
            "Changes of passwords and second factors of which it is not known whether they were made.",
            registry=self.registry,
        )

    def note(self, method: str, route: str, status: int, took: float) -> None:
        """Count an answer."""
        count, seconds = self._children(method, route, status)
        count.inc()
        seconds.observe(took)

    def _make_children(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        return self.requests.labels(method, route, status), self.seconds.labels(method, route)


def configure_logging(level: str) -> None:
    """JSON lines on standard output."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    server = logging.getLogger("aiohttp.server")
    server.handlers[:] = [_Sparing()]
    server.propagate = False


class _Sparing(logging.Handler):
    """What aiohttp itself complains about, by its kind alone: its words quote the request, cookies and all."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        _log.warning("server", error=type(error).__name__ if error else record.levelname)


def observer(metrics: Metrics) -> Middleware:
    """The outermost middleware: an id, a log line and a count for each request, and no failure without an answer."""

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
        request[REQUEST_ID] = request_id
        started = time.perf_counter()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = await _answer(request, handler, request_id)
        response.headers["X-Request-Id"] = request_id
        took = time.perf_counter() - started
        route = _route(request)
        metrics.note(request.method, route, response.status, took)
        _log.info(
            "request", method=request.method, route=route, status=response.status, ms=round(took * 1000, 1)
        )
        return response

    return observe


async def _answer(request: web.Request, handler: Handler, request_id: str) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return problem(refusal, request_id)
    except web.HTTPException as error:
        return of_server(error, request_id)
    except ToolkitError as error:  # Postgres is away, or not prepared
        _log.error("database", error=str(error))
        return problem(DatabaseUnavailable(), request_id)
    except Exception:
        _log.exception("unexpected")
        return problem(InternalError(), request_id)


def _route(request: web.Request) -> str:
    """The path with the names of its parameters in place of values, so that metrics have few labels."""
    with suppress(AttributeError):
        resource = request.match_info.route.resource
        if resource is not None:
            return resource.canonical
    return "unknown"
