"""The sandbox's own OpenAPI document, made from the kinds."""

from __future__ import annotations

from sumesync.model import Json
from sumesync.sandbox.kinds import KINDS, Field, Kind
from sumesync.sandbox.settings import Idempotency, Settings

_READS = ("/me", "/credits", "/jobs", "/jobs/{id}", "/jobs/{id}/result")


def document(settings: Settings, server: str) -> dict[str, Json]:
    """OpenAPI 3.1. It declares Idempotency-Key only where the settings honour it."""
    paths: dict[str, Json] = {route: {"get": _operation(route)} for route in _READS}
    for kind in KINDS.values():
        paths[kind.route] = {"post": _create(kind, settings)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sume Public API (sandbox)", "version": "v1"},
        "servers": [{"url": server}],
        "security": [{"bearer": []}],
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
        "paths": paths,
    }


def _operation(route: str) -> dict[str, Json]:
    parameters: list[Json] = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in (("limit", "cursor", "type", "status") if route == "/jobs" else ())
    ]
    if "{id}" in route:
        parameters.append({"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
    return {"parameters": parameters, "responses": {"200": {"description": "OK"}}}


def _create(kind: Kind, settings: Settings) -> dict[str, Json]:
    parameters: list[Json] = []
    if settings.idempotency is Idempotency.DOCUMENTED:
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string"}})
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {field.name: _schema(field) for field in kind.fields},
        "required": [field.name for field in kind.fields if field.required],
    }
    return {
        "operationId": f"create_{kind.type}",
        "parameters": parameters,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"202": {"description": "Accepted"}},
    }


def _schema(field: Field) -> dict[str, Json]:
    if field.type == "urls":
        return {"type": "array", "items": {"type": "string", "format": "uri"}}
    names = ("minLength", "maxLength") if field.type == "string" else ("minimum", "maximum")
    schema: dict[str, Json] = {"type": field.type}
    schema.update(
        {name: value for name, value in zip(names, (field.low, field.high), strict=True) if value is not None}
    )
    if field.pattern:
        schema["pattern"] = f"^{field.pattern}$"
    if field.choices:
        schema["enum"] = list(field.choices)
    return schema
