"""The control API below /_sandbox, which Clerk does not have."""

import resource
from typing import TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.sandbox.emulator.faults import Fault
from toolkit.sandbox.emulator.instance import Instance
from toolkit.sandbox.emulator.settings import Settings
from toolkit.sandbox.emulator.store import clock_ahead_ms, now_ms

M = TypeVar("M", bound=BaseModel)

INSTANCE = web.AppKey("instance", Instance)


class ClockChange(BaseModel):
    """The body of `POST /_sandbox/clock`."""

    model_config = ConfigDict(extra="forbid")

    advance_seconds: float = Field(default=0, ge=0, le=400 * 24 * 3600)
    reset: bool = False


def routes() -> list[web.RouteDef]:
    return [
        web.get("/_sandbox/stats", get_stats),
        web.get("/_sandbox/outbox", get_outbox),
        web.get("/_sandbox/settings", get_settings),
        web.post("/_sandbox/settings", change_settings),
        web.get("/_sandbox/faults", get_faults),
        web.post("/_sandbox/faults", add_fault),
        web.delete("/_sandbox/faults", clear_faults),
        web.get("/_sandbox/clock", get_clock),
        web.post("/_sandbox/clock", change_clock),
        web.get("/_sandbox/traffic", get_traffic),
        web.post("/_sandbox/reset", reset),
        web.route("*", "/_sandbox/{path:.*}", no_such_path),
    ]


async def get_stats(request: web.Request) -> web.Response:
    """Users, requests by operation and status, those in flight, and the most memory it ever took (MiB)."""
    instance = request.app[INSTANCE]
    requests: dict[str, dict[str, int]] = {}
    for (operation, status), count in sorted(instance.requests.items()):
        requests.setdefault(operation, {})[str(status)] = count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return _json(
        {
            "users": instance.store.users,
            "requests": requests,
            "in_flight": instance.in_flight,
            "peak_memory_mib": round(peak, 1),
        }
    )


async def get_outbox(request: web.Request) -> web.Response:
    """Emails and SMS that were sent, newest last; with `?to=` those to one address."""
    to = request.query.get("to")
    return _json([mail for mail in request.app[INSTANCE].outbox if to in (None, mail["to"])])


async def get_settings(request: web.Request) -> web.Response:
    return _json(request.app[INSTANCE].settings.model_dump())


async def change_settings(request: web.Request) -> web.Response:
    """Change those that are given."""
    instance = request.app[INSTANCE]
    given = await _read_object(request)
    settings = _validate(Settings, {**instance.settings.model_dump(), **given})
    instance.change_settings(settings)
    await instance.store.written()
    return _json(settings.model_dump())


async def get_faults(request: web.Request) -> web.Response:
    """The faults that are still to come."""
    return _json([fault.model_dump() for fault in request.app[INSTANCE].faults])


async def add_fault(request: web.Request) -> web.Response:
    """Add a fault."""
    fault = _validate(Fault, await _read_object(request))
    request.app[INSTANCE].faults.append(fault)
    return _json(fault.model_dump())


async def clear_faults(request: web.Request) -> web.Response:
    """Forget all faults."""
    request.app[INSTANCE].faults.clear()
    return _json([])


async def get_clock(request: web.Request) -> web.Response:
    """The instance's time (milliseconds since 1970), and how far it was put forward."""
    return _json({"now": now_ms(), "ahead_seconds": clock_ahead_ms() // 1000})


async def change_clock(request: web.Request) -> web.Response:
    """`{"advance_seconds": 601}` puts the clock forward, `{"reset": true}` back to the real time."""
    change = _validate(ClockChange, await _read_object(request))
    instance = request.app[INSTANCE]
    instance.put_clock(0 if change.reset else clock_ahead_ms() + round(change.advance_seconds * 1000))
    await instance.store.written()
    return await get_clock(request)


async def get_traffic(request: web.Request) -> web.StreamResponse:
    """The exchanges that are kept, one line of JSON each."""
    response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
    await response.prepare(request)
    for exchange in list(request.app[INSTANCE].traffic):
        await response.write(exchange.as_line())
    return response


async def reset(request: web.Request) -> web.Response:
    """Forget everything; the settings are those of the start again."""
    instance = request.app[INSTANCE]
    instance.reset()
    await instance.store.written()
    return _json({})


async def no_such_path(request: web.Request) -> web.Response:
    """Answer 404, in the control API's own form."""
    return web.json_response({"error": f"There is no {request.method} {request.path}."}, status=404)


async def _read_object(request: web.Request) -> dict[str, object]:
    try:
        content = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise _bad_request("The body must be a JSON object.")
    return content


def _validate(model: type[M], content: dict[str, object]) -> M:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise _bad_request("; ".join(faults)) from None


def _bad_request(why: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(body=orjson.dumps({"error": why}), content_type="application/json")


def _json(content: object) -> web.Response:
    return web.Response(body=orjson.dumps(content), content_type="application/json")
