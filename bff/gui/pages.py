"""The pages. Each is the same for everybody; its script asks the JSON API who is signed in, and everything else."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bff.http.api import Handler

FOLDER = Path(__file__).parent
STATIC = "/static"
PAGES: Mapping[str, str] = {
    "/": "home.html",
    "/forgot": "forgot.html",
    "/forgot/code": "reset-code.html",
    "/forgot/password": "new-password.html",
    "/login": "login.html",
    "/login/second-factor": "second-factor.html",
    "/security": "security.html",
    "/signup": "signup.html",
    "/signup/verify": "verify.html",
}
"""Path to template."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Pico's icons
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing from elsewhere, and no script or style in a page itself."""

WORKER = f"{STATIC}/strength.js"
WORKER_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""The worker is told passwords while they are typed: it loads our scripts, and can't speak to anybody."""


class Pages:
    """Renders the templates, once each: nothing in them changes."""

    def __init__(self) -> None:
        templates = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        templates.globals["static"] = lambda name: f"{STATIC}/{name}"
        self._rendered = {
            name: templates.get_template(name).render().encode()
            for name in (*PAGES.values(), "not-found.html")
        }

    def mount(self, app: web.Application) -> None:
        """Add the pages, and what they need, to an application."""
        for path, template in PAGES.items():
            app.router.add_get(path, self._page(template))
        app.router.add_static(STATIC, FOLDER / "static")
        app.middlewares.append(self._not_found())
        app.on_response_prepare.append(_protect)

    def _page(self, template: str) -> Handler:
        async def show(request: web.Request) -> web.StreamResponse:
            return self._answer(template)

        return show

    def _answer(self, template: str, status: int = 200) -> web.Response:
        body = self._rendered[template]
        response = web.Response(body=body, status=status, content_type="text/html", charset="utf-8")
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Cache-Control"] = "no-cache"
        response.etag = hashlib.sha256(body).hexdigest()[:16]
        return response

    def _not_found(self) -> Middleware:
        @web.middleware
        async def show(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            except OSError:  # a file's name that no file can have
                if not request.path.startswith(STATIC):
                    raise
                return self._answer("not-found.html", 404)
            except web.HTTPNotFound:
                if "text/html" not in request.headers.get("Accept", ""):
                    raise
                return self._answer("not-found.html", 404)

        return show


async def _protect(request: web.Request, response: web.StreamResponse) -> None:
    """Let browsers keep the pages' files, which are sent again when they changed; and keep the worker to itself."""
    if request.path.startswith(STATIC):
        response.headers["Cache-Control"] = "no-cache"
    if request.path == WORKER:
        response.headers["Content-Security-Policy"] = WORKER_POLICY
