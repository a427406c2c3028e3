"""The application: a list of features, each of which mounts itself."""

from collections.abc import Callable, Sequence

from aiohttp import web

from bff import tidying
from bff.gui.pages import Pages
from bff.http import openapi
from bff.http.api import Endpoint
from bff.http.health import HealthRoutes
from bff.http.observability import observer
from bff.http.origins import origin_check
from bff.legacy.feature import mount as legacy
from bff.login.feature import mount as login
from bff.mfa.feature import mount as mfa
from bff.parts import Parts
from bff.password.feature import mount as password
from bff.reauthentication.feature import mount as reauthentication
from bff.sessions.feature import mount as sessions
from bff.signup.feature import mount as signup
from toolkit.environment import Environment

BODY_BYTES = 16 * 1024

FEATURES: Sequence[Callable[[Parts], None]] = (
    legacy,
    signup,
    login,
    reauthentication,
    mfa,
    password,
    sessions,
    tidying.mount,
)
"""In the order in which they build on each other. Nothing else knows of `bff.legacy`, and without it the rest stands."""


def build(environment: Environment) -> web.Application:
    """The BFF of an environment. Raises UsageError when something that it needs is missing or malformed."""
    app = web.Application(client_max_size=BODY_BYTES)
    parts = Parts(environment, app)
    app.middlewares.extend(
        (
            observer(parts.metrics),
            origin_check(
                parts.settings.origins,
                (*parts.edge.session.names, *parts.edge.device.names),
                https=environment.https,
            ),
        )
    )
    for mount in FEATURES:
        mount(parts)
    parts.serve(HealthRoutes(parts.database, parts.metrics, parts.frontend is not None).endpoints())
    _route(app, parts.endpoints, parts.edge.session.name)
    Pages().mount(app)
    return app


def _route(app: web.Application, endpoints: Sequence[Endpoint], cookie: str) -> None:
    """Route requests to the endpoints, and describe them at /openapi.json."""
    description = openapi.describe(endpoints, cookie)

    async def describe(request: web.Request) -> web.StreamResponse:
        return web.json_response(description)

    for endpoint in endpoints:
        app.router.add_route(endpoint.method, endpoint.path, endpoint.handler)
        if endpoint.method == "GET":  # balancers probe with it
            app.router.add_route("HEAD", endpoint.path, endpoint.handler)
    app.router.add_get("/openapi.json", describe)
