"""Whether a create body is one that the API takes."""

from __future__ import annotations

import json
import re
from typing import NoReturn
from urllib.parse import urlsplit

from sumesync.model import Json
from sumesync.sandbox.answers import Refusal
from sumesync.sandbox.kinds import Field, Kind

# The key alone decides whose a request is.
_IDENTITY = ("workspace_id", "user_id", "email", "owner", "owner_id")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "urls": (list,),
}


def body(data: bytes, kind: Kind) -> dict[str, Json]:
    """Raises Refusal 400 with every error found. Unknown fields are taken: what the API does with
    them is not documented."""
    value = _object(data)
    errors: list[Json] = [
        {"path": name, "message": "is decided by the API key and must not be sent"}
        for name in _IDENTITY
        if name in value
    ]
    for field in kind.fields:
        what = _wrong(field, value)
        if what:
            errors.append({"path": field.name, "message": what})
    if errors:
        raise Refusal(400, "The request body is not valid.", details={"errors": errors})
    return value


def _object(data: bytes) -> dict[str, Json]:
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Refusal(
            400,
            "The request body is not a JSON object.",
            details={"errors": [{"path": "", "message": "not a JSON object"}]},
        )
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _wrong(field: Field, value: dict[str, Json]) -> str:
    """What is wrong with one field, "" when nothing is."""
    if field.name not in value:
        return "is required" if field.required else ""
    given = value[field.name]
    if not isinstance(given, _TYPES[field.type]) or (isinstance(given, bool) and field.type != "boolean"):
        return f"must be {'an array of URLs' if field.type == 'urls' else f'of type {field.type}'}"
    if isinstance(given, list):
        return "" if all(map(_is_url, given)) else "must hold https URLs"
    if isinstance(given, str):
        return _wrong_text(field, given)
    if isinstance(given, int | float) and not (field.low or 0) <= given <= (field.high or given):
        return f"must be from {field.low:g} to {field.high:g}"
    return ""


def _wrong_text(field: Field, given: str) -> str:
    if field.choices and given not in field.choices:
        return f"must be one of {', '.join(field.choices)}"
    if field.pattern and not re.fullmatch(field.pattern, given):
        return "has not the right form"
    return "must not be empty" if field.low and len(given) < field.low else ""


def _is_url(value: Json) -> bool:
    """https, or the sandbox's own media: they are on loopback."""
    try:
        url = urlsplit(value) if isinstance(value, str) else None
        return (
            url is not None and bool(url.hostname) and (url.scheme == "https" or _on_loopback(url.scheme, url.hostname))
        )
    except ValueError:
        return False


def _on_loopback(scheme: str, host: str | None) -> bool:
    return scheme == "http" and host in _LOOPBACK
