"""The sandbox's own OpenAPI document, made from the kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sumesync.model import Json
from sumesync.sandbox import library, uploads
from sumesync.sandbox.kinds import KINDS, Field, Kind
from sumesync.sandbox.settings import Idempotency, Settings

_SPECIAL: Mapping[str, Mapping[str, Json]] = {
    "urls": {"type": "array", "items": {"type": "string", "format": "uri"}},
    "strings": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
    "uploaded_url": {"type": "string", "format": "uri"},
    "upload_id": {"type": "string"},
}
_PAGED: dict[str, Json] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": library.LIMIT},
    "cursor": {"type": "string"},
}
_SPAN: dict[str, Json] = {"type": "number", "minimum": 0}
_FILTERS: dict[str, Json] = {
    "search_mode": {"type": "string", "enum": list(library.MODES)},
    "source_type": {"type": "string", "enum": list(library.SOURCE_TYPES)},
    "segment_type": {"type": "string", "enum": list(library.SEGMENT_TYPES)},
    "sort": {"type": "string", "enum": list(library.SORTS)},
    "cta_present": {"type": "boolean"},
    "min_duration_seconds": _SPAN,
    "max_duration_seconds": _SPAN,
    **_PAGED,
}
READS: dict[str, dict[str, Json]] = {
    "/me": {},
    "/credits": {},
    "/brand": {},
    "/brand/current": {},
    "/avatars": {},
    "/avatars/{id}": {},
    "/assets": {name: _FILTERS.get(name, {"type": "string"}) for name in library.FILTERS},
    "/assets/{id}": {},
    "/jobs": {**_PAGED, "type": {"type": "string"}, "status": {"type": "string"}},
    "/jobs/{id}": {},
    "/jobs/{id}/result": {},
}
"""Every route that is read, with the schemas of its query."""


def document(settings: Settings, server: str) -> dict[str, Json]:
    """OpenAPI 3.1. It declares Idempotency-Key only where the settings honour it."""
    paths: dict[str, dict[str, Json]] = {route: {"get": _operation(route)} for route in READS}
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
    parameters: list[Json] = [{"name": name, "in": "query", "schema": schema} for name, schema in READS[route].items()]
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
