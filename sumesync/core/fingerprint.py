"""Identity of a request: ``v1:`` + sha256 of its canonical JSON (RFC 8785). Values, never bytes.

v1 stays computable for ever: a new version of this module must never make a paid job anew, so
nothing here may change for values that v1 accepts.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from sumesync.model import Input, Json, LocalInput, Pointer

# RFC 8785 numbers are doubles: beyond this an integer need not survive.
_EXACT = 2**53 - 1
_TAG = "$int"
_TEXT = json.encoder.encode_basestring
_WORDS = {True: "true", False: "false", None: "null"}


def fingerprint(
    kind: str, request: Mapping[str, Json], take: int = 1, inputs: Mapping[Pointer, Input] = MappingProxyType({})
) -> str:
    """The fingerprint of ``request`` as it would be sent, what stands at the places of ``inputs`` excepted: there a
    file counts by its bytes, an upstream by its own fingerprint. Raises ValueError for NaN and infinity."""
    whole: dict[str, Any] = {"kind": kind, "request": dict(request), "take": take}
    if not inputs and (told := _plain(whole)) is not None:
        with suppress(UnicodeEncodeError):  # half a character, which RFC 8785 refuses in its own words
            return "v1:" + hashlib.sha256(told.encode()).hexdigest()
    import rfc8785

    value = {**whole, "request": identity(dict(request), inputs)}
    return "v1:" + hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def _plain(value: Any) -> str | None:
    """What RFC 8785 makes of ``value`` where that is its own identity and JSON of Python's says the same, in a tenth
    of the time; None elsewhere. They differ in fractions, and in the order of keys that are not ASCII."""
    sort = type(value)
    if sort is str:
        return _TEXT(value)
    if sort is bool or value is None:
        return _WORDS[value]
    if sort is int:
        return str(value) if -_EXACT <= int(value) <= _EXACT else None
    if sort is list:
        items = [_plain(item) for item in value]
        return None if None in items else f"[{','.join(filter(None, items))}]"
    if sort is not dict:
        return None
    members = []
    for key in value:
        if type(key) is not str or not key.isascii() or key.startswith("$"):
            return None
    for key in sorted(value):
        item = value[key]
        told = _TEXT(item) if type(item) is str else _plain(item)
        if told is None:
            return None
        members.append(f"{_TEXT(key)}:{told}")
    return f"{{{','.join(members)}}}"


def identity(value: Json, inputs: Mapping[Pointer, Input] = MappingProxyType({}), here: Pointer = ()) -> Any:
    """``value`` as RFC 8785 can say it, without merging two different values.

    Whole numbers beyond 2^53 (seeds) that a double cannot hold become ``{"$int": "…"}``, inputs ``{"$file": sha256}``
    or ``{"$from": fingerprint, "$output": n}``; keys that begin with ``$`` get another ``$``, so that no user's table
    can be mistaken for one of those.
    """
    if here in inputs:
        return _input(inputs[here])
    if isinstance(value, dict):
        return {
            ("$" + key if key.startswith("$") else key): identity(item, inputs, (*here, key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [identity(item, inputs, (*here, index)) for index, item in enumerate(value)]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        return _large(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a JSON number")
    return value


def _input(value: Input) -> dict[str, str | int]:
    if isinstance(value, LocalInput):
        return {"$file": value.sha256}
    return {"$from": value.fingerprint, "$output": value.output}


def _large(value: int) -> Any:
    try:
        double = float(value)
    except OverflowError:
        return {_TAG: str(value)}
    return double if int(double) == value else {_TAG: str(value)}


def submission_key(lineage: str, fingerprint_: str, attempt: int) -> str:
    """The idempotency key of one submission: 64 hex digits, the same for the same project, request and attempt."""
    return hashlib.sha256(f"{lineage}\n{fingerprint_}\n{attempt}".encode()).hexdigest()


def workspace_digest(workspace_id: str) -> str:
    """What the lock keeps of the workspace: enough to know it again, not to name it."""
    return "sha256:" + hashlib.sha256(b"sume workspace\n" + workspace_id.encode()).hexdigest()
