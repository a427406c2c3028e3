"""A bare aiohttp handler with the session check's one query: what the BFF is held against."""

import hashlib
import json
import sys
from collections.abc import AsyncIterator

import asyncpg
import uvloop
from aiohttp import web

from toolkit.database import queries

POOL = web.AppKey("pool", asyncpg.Pool)
QUERY = queries.session_by_token.sql.replace(":token_hash", "$1")


async def check(request: web.Request) -> web.Response:
    token = request.headers["Authorization"].removeprefix("Bearer ")
    record = await request.app[POOL].fetchrow(QUERY, hashlib.sha256(token.encode()).digest())
    return web.Response(
        text=json.dumps({name: str(value) for name, value in dict(record or {}).items()}),
        content_type="application/json",
    )


async def connect(app: web.Application) -> AsyncIterator[None]:
    async with asyncpg.create_pool(sys.argv[1], min_size=1, max_size=20) as pool:
        app[POOL] = pool
        yield


uvloop.install()
application = web.Application()
application.add_routes([web.get("/", check)])
application.cleanup_ctx.append(connect)
web.run_app(application, host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None)
