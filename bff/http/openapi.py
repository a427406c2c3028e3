"""/openapi.json, made of the endpoints themselves."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from inspect import cleandoc
from typing import Any

from pydantic import TypeAdapter

from bff import refusals
from bff.http.api import Endpoint
from bff.http.problems import CONTENT_TYPE, STATUSES
from bff.refusals import Refusal

_REF = "#/components/schemas/{model}"


def describe(endpoints: Sequence[Endpoint], cookie: str) -> dict[str, Any]:
    """The OpenAPI 3.1 description of these endpoints; a session may come in the cookie of this name."""
    schemas: dict[str, Any] = {"Problem": _problem_schema()}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "AX authentication", "version": version("postgres-to-clerk")},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "cookie": {"type": "apiKey", "in": "cookie", "name": cookie},
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A session token, or an API key (ax_…).",
                },
            },
        },
    }


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "responses": {
            str(status): {"description": endpoint.summary, **_content(model, schemas)}
            for status, model in endpoint.answers.items()
        },
    }
    for refusal in _refusals(endpoint):
        response = operation["responses"].setdefault(
            str(STATUSES[refusal]),
            {
                "description": "",
                "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        )
        told = f"`{refusal.code}`: {cleandoc(refusal.__doc__ or '')}"
        response["description"] += f"{' ' if response['description'] else ''}{told}"
    if endpoint.signed_in:
        operation["security"] = [{"cookie": []}, {"bearer": []}]
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, **_content(endpoint.body, schemas)}
    names = re.findall(r"{(\w+)}", endpoint.path)
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    return operation


def _refusals(endpoint: Endpoint) -> list[type[Refusal]]:
    """Its own, and what may be answered to any request of its kind, by the server or by a middleware."""
    found = [
        *endpoint.refusals,
        refusals.RequestInvalid,
        refusals.InternalError,
        refusals.DatabaseUnavailable,
    ]
    if endpoint.signed_in:
        found.append(refusals.SessionRequired)
    if endpoint.changes_something:
        found.append(refusals.OriginMismatch)
    if endpoint.signed_in or endpoint.changes_something:
        found.append(refusals.CookiesAmbiguous)
    if endpoint.body is not None:
        found.extend((refusals.MediaTypeUnsupported, refusals.RequestTooLarge))
    return found


def _content(model: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if model is None:
        return {}
    schema = TypeAdapter(model).json_schema(ref_template=_REF, mode="serialization")
    schemas.update(schema.pop("$defs", {}))
    return {"content": {"application/json": {"schema": schema}}}


def _problem_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "RFC 9457.",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string", "enum": [refusal.code for refusal in STATUSES]},
            "detail": {"type": "string"},
            "request_id": {"type": "string"},
            "methods": {
                "type": "array",
                "description": "What a re-authentication begins with.",
                "items": {"type": "string"},
            },
            "errors": {
                "type": "array",
                "description": "What is wrong with which field.",
                "items": {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in ("field", "code", "detail")},
                    "required": ["field", "code", "detail"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "additionalProperties": False,
    }
