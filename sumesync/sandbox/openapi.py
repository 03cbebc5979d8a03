"""The sandbox's own OpenAPI document, made from the kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sumesync.model import Json
from sumesync.sandbox import uploads
from sumesync.sandbox.kinds import KINDS, Field, Kind
from sumesync.sandbox.settings import Idempotency, Settings

_SPECIAL: Mapping[str, Mapping[str, Json]] = {
    "urls": {"type": "array", "items": {"type": "string", "format": "uri"}},
    "strings": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
    "uploaded_url": {"type": "string", "format": "uri"},
    "upload_id": {"type": "string"},
}
_READS = ("/me", "/credits", "/jobs", "/jobs/{id}", "/jobs/{id}/result")


def document(settings: Settings, server: str) -> dict[str, Json]:
    """OpenAPI 3.1. It declares Idempotency-Key only where the settings honour it."""
    paths: dict[str, dict[str, Json]] = {route: {"get": _operation(route)} for route in _READS}
    for kind in KINDS.values():
        paths.setdefault(kind.route, {})["post"] = _create(kind, settings)
    presign: dict[str, Json] = {"operationId": "presign_upload", "requestBody": _body(uploads.FIELDS)}
    paths["/uploads/presign"] = {"post": {**presign, "responses": {"200": {"description": "OK"}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sume Public API (sandbox)", "version": "v1"},
        "servers": [{"url": server}],
        "security": [{"bearer": []}],
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
        "paths": {**paths},
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
    return {
        "operationId": f"create_{kind.type}",
        "parameters": parameters,
        "requestBody": _body(kind.fields),
        "responses": {"202": {"description": "Accepted"}},
    }


def _body(fields: Sequence[Field]) -> dict[str, Json]:
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {field.name: _schema(field) for field in fields},
        "required": [field.name for field in fields if field.required],
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _schema(field: Field) -> dict[str, Json]:
    if field.type in _SPECIAL:
        return dict(_SPECIAL[field.type])
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
