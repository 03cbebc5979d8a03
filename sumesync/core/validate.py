"""What is wrong with a document, by its JSON Schema and by rules that no schema can say. Pure.

Findings carry a pointer into the document; ``core.spec`` turns them into located problems.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sumesync.core.locate import Locator
from sumesync.core.proof import Proof, prove
from sumesync.core.text import printable, suggest
from sumesync.errors import Problem
from sumesync.model import Pointer

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

# The key alone decides the workspace; Sume refuses these in a body, and a committed file never needs them.
IDENTITY_FIELDS = frozenset({"workspace_id", "user_id", "email", "api_key"})
# Refused in what is sent; in [meta] an owner is an ordinary note.
_OWNER_FIELDS = frozenset({"owner", "owner_id"})
_KEY_VALUE = re.compile(r"(?<![A-Za-z0-9])sume_(live|test|sandbox)_[A-Za-z0-9_\-]{4,}")

KEY_HINT = "everyone who can clone a project reads it: revoke that key and use SUME_API_KEY"

_TYPES = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "an array",
    dict: "a table",
    datetime.datetime: "a date and time",
    datetime.date: "a date",
    datetime.time: "a time",
}
SCHEMA_TYPES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "an array",
    "object": "a table",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong at ``pointer``."""

    pointer: Pointer
    what: str
    hint: str = ""


MOST_PROBLEMS = 50
"""Told of one file: more are not read by anybody."""
MOST_FOUND = 1_000
"""Looked for: a hostile file has as many as it has bytes, and each takes a while to word."""


def located(path: str, text: str, findings: Sequence[Finding]) -> tuple[Problem, ...]:
    """``findings`` in the text of a file, each at its line and column, in their order."""
    locator = Locator(text)
    placed = [(locator.find(finding.pointer) or (1, 1), finding) for finding in findings]
    placed.sort(key=lambda pair: pair[0])
    problems = [Problem(path, f.what, f.hint, line, column) for (line, column), f in placed[:MOST_PROBLEMS]]
    if len(placed) > MOST_PROBLEMS:
        left = "many" if len(placed) == MOST_FOUND else str(len(placed) - MOST_PROBLEMS)
        problems.append(Problem(path, f"and {left} more", "", problems[-1].line, problems[-1].column))
    return tuple(problems)


def dotted(pointer: Pointer) -> str:
    """``extra.list[2]``, as people write it; items count from 1."""
    text = ""
    for part in pointer:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{printable(part, 60)}" if text else printable(part, 60)
    return text


def unknown_fields(
    table: Mapping[str, Any], known: Iterable[str], of: str, base: Pointer = (), hint: str = ""
) -> Iterator[Finding]:
    """Every key of ``table`` that is not in ``known``. A typo must not cost money."""
    names = frozenset(known)
    for key in table:
        if key not in names and key not in IDENTITY_FIELDS:
            what = f"{printable(key, 60)} is not a field of {of}"
            yield Finding((*base, key), what, suggest(key, sorted(names)) or hint)


class Rules:
    """A JSON Schema, ready to be held against many values. Made once: that costs more than using it."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema

    @cached_property
    def validator(self) -> Validator:
        from jsonschema import Draft202012Validator

        validator: Validator = Draft202012Validator(dict(self._schema))
        return validator

    @cached_property
    def proof(self) -> Proof:
        return prove(dict(self._schema), self._schema)


def by_schema(value: Any, rules: Rules, base: Pointer = ()) -> Iterator[Finding]:
    """Every violation of ``rules``, unknown fields excepted (``unknown_fields`` tells them better)."""
    if rules.proof(value):
        return
    seen = set()
    for error in rules.validator.iter_errors(value):
        if error.validator in ("unevaluatedProperties", "additionalProperties", "oneOf"):
            continue
        finding = _finding(error, base)
        if finding.pointer not in seen:
            seen.add(finding.pointer)
            yield finding


def _finding(error: ValidationError, base: Pointer) -> Finding:
    pointer = (*base, *error.absolute_path)
    name = dotted(pointer) or "the document"
    say = _SAYINGS.get(str(error.validator), _as_is)
    what, hint = say(name, error)
    return Finding(pointer, printable(what, 300), printable(hint, 300))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 40 else value[:39] + "…", ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else type_name(value)


def type_name(value: Any) -> str:
    """What ``value`` is, in a reader's words."""
    return _TYPES.get(type(value), "something else")


def _type(name: str, error: ValidationError) -> tuple[str, str]:
    wanted = SCHEMA_TYPES.get(str(error.validator_value), str(error.validator_value))
    got = type_name(error.instance)
    hint = ""
    if isinstance(error.instance, str) and ("number" in wanted or error.instance in ("true", "false")):
        hint = "write it without quotes"
    elif error.validator_value == "array" and not isinstance(error.instance, dict):
        hint = f"put it in brackets: [{_shown(error.instance)}]"
    return f"{name} is {got}; it must be {wanted}", hint


def _enum(name: str, error: ValidationError) -> tuple[str, str]:
    allowed = error.validator_value
    values = list(allowed) if isinstance(allowed, list) else [allowed]
    words = [value for value in values if isinstance(value, str)]
    close = suggest(error.instance, words) if isinstance(error.instance, str) else ""
    shown = ", ".join(_shown(value) for value in values)
    return f"{name} is {_shown(error.instance)}", f"{close} Allowed: {shown}" if close else f"allowed: {shown}"


def _range(name: str, error: ValidationError) -> tuple[str, str]:
    schema = error.schema if isinstance(error.schema, dict) else {}
    low, high = schema.get("minimum"), schema.get("maximum")
    allowed = f"at least {low}" if high is None or high > 10**9 else f"{low} to {high}"
    return f"{name} is {error.instance}", f"allowed: {allowed}"


def _pattern(name: str, error: ValidationError) -> tuple[str, str]:
    pattern = str(error.validator_value)
    if pattern == "\\S":
        return f"{name} is empty", "say what to make"
    if "https" in pattern:
        return f"{name} is {_shown(error.instance)}", "it must be an https:// URL"
    schema = error.schema if isinstance(error.schema, dict) else {}
    return f"{name} is {_shown(error.instance)}", str(schema.get("description", f"it must match {pattern}"))


def _media(name: str, error: ValidationError) -> tuple[str, str]:
    """The union of what stands for media: which of its forms was meant is a guess, so all of them are told."""
    value = error.instance
    if isinstance(value, dict) and "from" in value and value.get("output") in _NO_OUTPUTS:
        return f"{name}: output is {_shown(value['output'])}", "outputs count from 1"
    return f"{name} is {_shown(value) if not isinstance(value, dict) else _keys(value)}", _MEDIA_FORMS


_MEDIA_FORMS = 'an https:// URL, { file = "…" } or { from = "….sume.toml", output = 1 }'


_NO_OUTPUTS = (0, -1)
"""What people write who count from elsewhere."""


def _keys(table: dict[str, Any]) -> str:
    pairs = (f"{key} = {_shown(value)}" for key, value in table.items())
    return f"{{ {', '.join(pairs)} }}" if table else "an empty table"


def _as_is(_name: str, error: ValidationError) -> tuple[str, str]:
    return str(error.message), ""


def _twice(name: str, error: ValidationError) -> tuple[str, str]:
    items = error.instance if isinstance(error.instance, list) else []
    for later, item in enumerate(items):
        if (first := items.index(item)) < later:
            return f"{name}[{later + 1}] is the same as {name}[{first + 1}]", "keep one of them"
    return f"{name} has an item twice", "keep one of them"


def _empty(name: str, _error: ValidationError) -> tuple[str, str]:
    return f"{name} is empty", "fill it in"


_SAYINGS: dict[str, Callable[[str, ValidationError], tuple[str, str]]] = {
    "type": _type,
    "enum": _enum,
    "const": _enum,
    "minimum": _range,
    "maximum": _range,
    "pattern": _pattern,
    "minLength": _empty,
    "minItems": _empty,
    "uniqueItems": _twice,
    "anyOf": _media,
}


def forbidden(value: Any, pointer: Pointer = ()) -> Iterator[Finding]:
    """Identity fields and API keys, anywhere in a committed file."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in IDENTITY_FIELDS or (key in _OWNER_FIELDS and pointer[:1] != ("meta",)):
                here = (*pointer, key)
                yield Finding(here, f"{dotted(here)} has no place in a project", _identity_hint(key))
            elif holds_key(key):
                yield Finding(pointer, "an API key as a name", KEY_HINT)
            elif isinstance(item, dict | list) or (isinstance(item, str) and holds_key(item)):
                yield from forbidden(item, (*pointer, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from forbidden(item, (*pointer, index))
    elif isinstance(value, str) and holds_key(value):
        yield Finding(pointer, f"{dotted(pointer)} holds an API key", KEY_HINT)


def innocent(value: Any) -> bool:
    """Whether ``forbidden`` surely finds nothing: it takes longer to look."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in IDENTITY_FIELDS or key in _OWNER_FIELDS or "sume_" in key:
                return False
            if "sume_" in item if type(item) is str else not innocent(item):
                return False
        return True
    if isinstance(value, list):
        return all(map(innocent, value))
    return not isinstance(value, str) or "sume_" not in value


def holds_key(text: str) -> bool:
    """Whether ``text`` has something in it that looks like an API key of Sume."""
    return "sume_" in text and _KEY_VALUE.search(text) is not None


def _identity_hint(key: str) -> str:
    if key == "api_key":
        return "a project is read by everyone who can clone it: set SUME_API_KEY or use --api-key-file"
    return "the API key alone decides the workspace"


def not_json(value: Any, pointer: Pointer) -> Iterator[Finding]:
    """Values that TOML has and JSON has not."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(item, str | int):
                yield from not_json(item, (*pointer, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from not_json(item, (*pointer, index))
    elif isinstance(value, float) and not math.isfinite(value):
        yield Finding(pointer, f"{dotted(pointer)} is {value}, which is not a JSON number")
    elif isinstance(value, datetime.date | datetime.time):
        yield Finding(pointer, f"{dotted(pointer)} is {_TYPES[type(value)]}", "put it in quotes to send it as text")
