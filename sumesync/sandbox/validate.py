"""Whether a create body is one that the API takes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NoReturn
from urllib.parse import urlsplit

from sumesync.model import Json
from sumesync.sandbox.answers import Refusal
from sumesync.sandbox.kinds import Field

# The key alone decides whose a request is.
_IDENTITY = ("workspace_id", "user_id", "email", "owner", "owner_id")
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "urls": (list,),
    "strings": (list,),
    "uploaded_url": (str,),
    "upload_id": (str,),
}


LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


_KIND_OF = {
    "urls": "an array of URLs",
    "strings": "an array of strings",
    "uploaded_url": "a URL",
    "upload_id": "the id of an upload",
}


def body(data: bytes, fields: Sequence[Field]) -> dict[str, Json]:
    """Raises Refusal 400 with every error found. Unknown fields are taken: what the API does with
    them is not documented."""
    value = _object(data)
    errors: list[Json] = [
        {"path": name, "message": "is decided by the API key and must not be sent"}
        for name in _IDENTITY
        if name in value
    ]
    for field in fields:
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
        return f"must be {_KIND_OF.get(field.type, f'of type {field.type}')}"
    if isinstance(given, list):
        return _wrong_list(field, given)
    if field.type == "uploaded_url":
        return "" if _is_url(given) else "must be an https URL"
    if isinstance(given, str):
        return _wrong_text(field, given)
    if isinstance(given, int | float) and not (field.low or 0) <= given <= (field.high or given):
        return f"must be at least {field.low or 0:g}" + (f" and at most {field.high:g}" if field.high else "")
    return ""


def _wrong_list(field: Field, given: list[Json]) -> str:
    if field.type == "urls":
        return "" if all(map(_is_url, given)) else "must hold https URLs"
    if not all(isinstance(item, str) and item.strip() for item in given) or len(set(map(str, given))) < len(given):
        return "must hold distinct names"
    low, high = field.low or 0, field.high or len(given)
    return "" if low <= len(given) <= high else f"must hold {low:g} to {high:g} names"


def _wrong_text(field: Field, given: str) -> str:
    if field.choices and given not in field.choices:
        return f"must be one of {', '.join(field.choices)}"
    if field.pattern and not re.fullmatch(field.pattern, given):
        return "has not the right form"
    if field.high and len(given) > field.high:
        return f"must not be longer than {field.high:g} characters"
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
    return scheme == "http" and host in LOOPBACK
