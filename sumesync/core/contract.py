"""Requests held against the API's own OpenAPI document: what differs is told, and decides nothing. Pure.

The document is a stranger's. Of a body's schema a copy is made that stands alone: ``$ref``s are followed within the
document only, circles and whatever is beyond a budget admit anything, and of the keywords only those are kept whose
checking cannot be made to take long (a ``pattern`` can).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sumesync.core.kinds import Kind
from sumesync.core.text import printable, suggest
from sumesync.core.validate import SCHEMA_TYPES, Finding, dotted
from sumesync.model import Input, Json, Pointer, Request

if TYPE_CHECKING:
    from jsonschema import ValidationError

_T = TypeVar("_T")

FORMAT: Final = 1
MAX_BYTES: Final = 8 << 20
"""Of a kept copy."""
_NODES = 3_000
"""Of a copied schema; a body of Sume's has a few dozen."""
_DEPTH = 24
_HOPS = 8
_WORK = 3_000_000
"""Schema nodes times values of a request: beyond it nothing is compared."""
_MOST = 20
"""Differences of one request that are told."""
_CHOICES = 200
_SUME = "Sume's API description"
_UNKNOWN = f"is no field that {_SUME} knows"
_TYPES = frozenset({*SCHEMA_TYPES, "null"})
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
_STAND_IN = "https://media.invalid/file"


@dataclass(frozen=True, slots=True)
class Contract:
    """A kept copy of an OpenAPI document, the origin it came from, and when, in ISO 8601."""

    origin: str
    fetched_at: str
    document: Json


class Unfit(ValueError):
    """What is no OpenAPI document, or no copy of one. Its text is ours."""


def check(document: Json) -> None:
    """Raises Unfit for what is plainly no OpenAPI 3 document."""
    version = document.get("openapi") if isinstance(document, dict) else None
    if not isinstance(version, str) or not version.startswith("3."):
        raise Unfit("it is no OpenAPI 3 document")
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise Unfit("it describes no routes")


def render(contract: Contract) -> str:
    """The text of a copy. Raises Unfit for a document that is too large or too deep to keep."""
    table = {
        "format_version": FORMAT,
        "origin": contract.origin,
        "fetched_at": contract.fetched_at,
        "document": contract.document,
    }
    try:
        text = json.dumps(table, separators=(",", ":")) + "\n"
    except RecursionError:
        raise Unfit("it is nested too deeply") from None
    if len(text) > MAX_BYTES:
        raise Unfit(f"it has more than {MAX_BYTES:,} bytes")
    return text


def read(data: bytes) -> Contract:
    """The copy in ``data``. Raises Unfit."""
    try:
        table = json.loads(data)
    except (ValueError, RecursionError):
        raise Unfit("it is not JSON") from None
    if not isinstance(table, dict) or table.get("format_version") != FORMAT:
        raise Unfit("it is not a copy that this version of sumesync keeps")
    origin, fetched_at = table.get("origin"), table.get("fetched_at")
    if not isinstance(origin, str) or not isinstance(fetched_at, str):
        raise Unfit("it does not say where it came from")
    check(table.get("document"))
    return Contract(origin, fetched_at, table.get("document"))


def differences(document: Json, route: str, request: Request, base: str = "") -> tuple[Finding, ...]:
    """What of a POST to ``route`` differs from what ``document`` says of its body: unknown and missing fields, wrong
    types, values and ranges. ``base`` is the path of the API's base (``/api/v1``): the document may spell its paths
    with or without it. () where it says nothing."""
    operation = _operation(document, route, base)
    if operation is None:
        return (Finding((), f"{_SUME} has no POST {printable(route, 80)}"),)
    copy = _Copy(document)
    schema = copy.of(_body(document, operation))
    known, open_ = _fields(schema)
    if copy.nodes > _NODES or copy.nodes * _values(request) > _WORK:
        return ()
    found = [] if open_ or not known else list(_unknown(request, known))
    found += islice(_violations(schema, request), _MOST)
    return tuple(found[:_MOST])


def describes(document: Json, route: str, base: str = "") -> bool:
    """Whether ``document`` knows a POST to ``route``."""
    return _operation(document, route, base) is not None


def stood_in(request: Request, inputs: Mapping[Pointer, Input], kind: Kind) -> Request:
    """``request`` as a body would be, where it takes media: a URL in the place of each, or an upload's id under the
    name that it is sent by."""
    if not inputs:
        return request
    shown: Json = dict(request)
    for pointer in inputs:
        shown = _put(shown, pointer)
    assert isinstance(shown, dict)
    for field in {pointer[0] for pointer in inputs}:
        takes = kind.inputs.get(str(field))
        name = takes.sent_as.removeprefix("upload_id:") if takes else ""
        if name not in ("", "url", field):
            shown[name] = shown.pop(str(field))
    return shown


def _put(value: Json, pointer: Pointer) -> Json:
    if not pointer:
        return _STAND_IN
    first = pointer[0]
    if isinstance(value, dict) and first in value:
        return {**value, str(first): _put(value[str(first)], pointer[1:])}
    if isinstance(value, list) and isinstance(first, int) and 0 <= first < len(value):
        return [_put(item, pointer[1:]) if index == first else item for index, item in enumerate(value)]
    return value


# --- The document -----------------------------------------------------------------------------------------


def _operation(document: Json, route: str, base: str) -> dict[str, Json] | None:
    paths = _object(_object(document).get("paths"))
    for path, item in paths.items():
        plain = path.rstrip("/")
        before = plain.removesuffix(route)
        if plain.endswith(route) and (not before or base.rstrip("/").endswith(before)):
            post = followed(document, item).get("post")
            if isinstance(post, dict):
                return followed(document, post)
    return None


def _body(document: Json, operation: Mapping[str, Json]) -> Json:
    content = _object(followed(document, operation.get("requestBody")).get("content"))
    for name, media in content.items():
        if "json" in name.lower():
            return followed(document, media).get("schema", True)
    return True


def followed(document: Json, value: Json) -> dict[str, Json]:
    """``value`` as a table, its ``$ref`` followed inside ``document``; {} for a circle, and for what is not there."""
    for _ in range(_HOPS):
        found = _object(value)
        ref = found.get("$ref")
        if not isinstance(ref, str):
            return found
        value = _at(document, ref)
    return {}


def _at(document: Json, ref: str) -> Json:
    """What a ``$ref`` names inside the document; None for any other place: nothing is ever fetched."""
    if not ref.startswith("#/") or len(ref) > 1_000:
        return None
    value = document
    for part in ref[2:].split("/"):
        value = _object(value).get(part.replace("~1", "/").replace("~0", "~"))
    return value


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


class _Copy:
    """Copies schemas, counting what it makes."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self.nodes = 0

    def of(self, schema: Json, above: tuple[str, ...] = (), depth: int = 0) -> Any:
        self.nodes += 1
        if not isinstance(schema, dict) or depth > _DEPTH or self.nodes > _NODES:
            return schema is not False
        made: dict[str, Any] = {**_plain(schema), **self._parts(schema, above, depth + 1)}
        ref = schema.get("$ref")
        if isinstance(ref, str) and ref not in above and len(above) < _HOPS:
            target = self.of(_at(self._document, ref), (*above, ref), depth + 1)
            return {"allOf": [target, made]} if made else target
        return made

    def _parts(self, schema: dict[str, Json], above: tuple[str, ...], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        properties = schema.get("properties")
        if isinstance(properties, dict):
            made["properties"] = {name: self.of(item, above, depth) for name, item in self._left(properties.items())}
        for name in ("items", "additionalProperties"):
            if isinstance(schema.get(name), dict | bool):
                made[name] = self.of(schema[name], above, depth)
        every = self._list(schema.get("allOf"), above, depth)
        # Of a oneOf, too, that one fits is enough: which of them is meant is not ours to judge.
        every += [
            {"anyOf": some} for name in ("anyOf", "oneOf") if (some := self._list(schema.get(name), above, depth))
        ]
        if every:
            made["allOf"] = every
        return made

    def _list(self, value: Json, above: tuple[str, ...], depth: int) -> list[Any]:
        return [self.of(item, above, depth) for item in self._left(value)] if isinstance(value, list) else []

    def _left(self, items: Iterable[_T]) -> Iterator[_T]:
        """As many as the budget has room for."""
        for item in items:
            if self.nodes > _NODES:
                return
            yield item


def _plain(schema: dict[str, Json]) -> dict[str, Any]:
    """The keywords of a schema that hold no other."""
    made: dict[str, Any] = {}
    told = schema.get("type")
    told = told if isinstance(told, list) else [told]
    types = [name for name in told if isinstance(name, str) and name in _TYPES]
    if types:
        made["type"] = [*types, "null"] if schema.get("nullable") is True else types
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(choices, list) and 0 < len(choices) <= _CHOICES and all(map(_is_scalar, choices)):
        made["enum"] = [*choices, None] if schema.get("nullable") is True else choices
    for name in _NUMBERS:
        value = schema.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            made[name] = value
    for name in _COUNTS:
        value = schema.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            made[name] = value
    for name, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(name) is True and plain in made:  # as OpenAPI 3.0 says it
            made[name] = made.pop(plain)
    required = schema.get("required")
    if isinstance(required, list):
        made["required"] = [name for name in required[:_CHOICES] if isinstance(name, str)]
    return made


def _is_scalar(value: Json) -> bool:
    return value is None or isinstance(value, str | int | float)


def _fields(schema: Any) -> tuple[frozenset[str], bool]:
    """The fields that a body may have, and whether it may have others by the document's own word. That it may not is
    taken out of ``schema``: unknown fields are told once, by name."""
    if not isinstance(schema, dict):
        return frozenset(), False
    names = set(schema.get("properties", ()))
    more = schema.get("additionalProperties")
    open_ = more is True or isinstance(more, dict)
    if more is False:
        del schema["additionalProperties"]
    for part in [*schema.get("allOf", ()), *schema.get("anyOf", ())]:
        inner, inner_open = _fields(part)
        names |= inner
        open_ = open_ or inner_open
    return frozenset(names), open_


def _values(value: Json | Request) -> int:
    """How many values a request has."""
    count, stack = 0, [value]
    while stack:
        item = stack.pop()
        count += 1
        if isinstance(item, Mapping):
            stack += item.values()
        elif isinstance(item, list):
            stack += item
    return count


# --- What differs -----------------------------------------------------------------------------------------


def _unknown(request: Request, known: Iterable[str]) -> Iterator[Finding]:
    names = sorted(known)
    for name in request:
        if name not in names:
            shown = ", ".join(printable(one, 40) for one in names[:12])
            hint = suggest(name, names) or f"Sume takes: {shown}{', …' if len(names) > 12 else ''}"
            yield Finding((name,), f"{printable(name, 60)} {_UNKNOWN}", printable(hint, 400))


def _violations(schema: Any, request: Request) -> Iterator[Finding]:
    from jsonschema import Draft202012Validator

    seen = set()
    for error in Draft202012Validator(schema).iter_errors(dict(request)):
        for finding in _told(error):
            if finding not in seen:
                seen.add(finding)
                yield finding


def _told(error: ValidationError) -> Iterator[Finding]:
    pointer: Pointer = tuple(error.absolute_path)
    name = dotted(pointer) or "the request"
    limit: Any = error.validator_value
    word = str(error.validator)
    instance = error.instance
    if word == "required" and isinstance(instance, dict):
        for missing in limit:
            if missing not in instance:
                where = dotted((*pointer, missing))
                yield Finding(pointer, f"{where} is missing; {_SUME} requires it")
        return
    if word == "additionalProperties" and isinstance(instance, dict):
        schema = error.schema if isinstance(error.schema, dict) else {}
        for extra in instance:
            if extra not in schema.get("properties", {}):
                yield Finding((*pointer, extra), f"{dotted((*pointer, extra))} {_UNKNOWN}")
        return
    yield Finding(pointer, f"{name} {_saying(word, limit)}, says {_SUME}")


def _saying(word: str, limit: Any) -> str:
    if word == "type":
        return "must be " + " or ".join(SCHEMA_TYPES.get(kind, kind) for kind in limit)
    if word == "enum":
        some = [printable(json.dumps(value, ensure_ascii=False), 40) for value in limit[:12]]
        return f"must be one of {', '.join(some)}{', …' if len(limit) > 12 else ''}"
    saying = _LIMITS.get(word)
    return saying.format(printable(f"{limit}", 40)) if saying else "has no form that Sume takes"


_LIMITS = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
}
