"""Ways to spoil an answer. Each takes the right one and gives the one that is sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sumesync.model import Json
from sumesync.sandbox.answers import Response, json_answer

Garble = Callable[[Response, "Terms"], Response]

_HTML = b"<!doctype html><title>502 Bad Gateway</title><script>alert(1)</script><h1>Bad gateway \x1b[31m</h1>"


@dataclass(frozen=True)
class Terms:
    """What a rule may add to the name of a way: a text, a number of bytes, seconds."""

    value: str = ""
    bytes: int = 0
    seconds: float = 0.0


def _html(right: Response, terms: Terms) -> Response:
    """A page; ``value`` is its Content-Type, so that it can pose as a picture."""
    return Response(right.status, _HTML, terms.value or "text/html; charset=utf-8")


def _garbage(right: Response, terms: Terms) -> Response:
    """Bytes that are no text, under the right Content-Type."""
    return replace(right, body=bytes(range(255, 127, -1)) * 4)


def _empty(right: Response, terms: Terms) -> Response:
    return replace(right, body=b"")


def _no_id(right: Response, terms: Terms) -> Response:
    """The right answer, with every key that holds a job id taken out."""
    return _edited(right, lambda key, value: None if key in _ID_KEYS else value)


def _job_id(right: Response, terms: Terms) -> Response:
    """The right answer, with ``value`` (``../x`` unless told) for every job id."""
    return _edited(right, lambda key, value: (terms.value or "../x") if key in _ID_KEYS else value)


def _deep(right: Response, terms: Terms) -> Response:
    """JSON nested deeper than parsers recurse; ``bytes`` deep, or 100,000."""
    depth = terms.bytes or 100_000
    return replace(right, body=b'{"job":' * depth + b"{}" + b"}" * depth)


def _short(right: Response, terms: Terms) -> Response:
    """The connection ends after ``bytes``, or half, of what Content-Length said."""
    return replace(right, cut=terms.bytes or len(right.body) // 2)


def _oversize(right: Response, terms: Terms) -> Response:
    """The right body and then ``bytes`` of zeros, or 5 GB."""
    return replace(right, pad=terms.bytes or 5 * 10**9)


def _gzip_bomb(right: Response, terms: Terms) -> Response:
    """A small body that claims to be gzip and unpacks to ``bytes``, or 64 MiB."""
    bomb = gzip.compress(bytes(terms.bytes or 64 << 20), compresslevel=1)
    return replace(right, body=bomb, headers={**right.headers, "Content-Encoding": "gzip"})


def _drip(right: Response, terms: Terms) -> Response:
    """``bytes`` (1) at a time with ``seconds`` (1) between."""
    return replace(right, drip=(terms.bytes or 1, terms.seconds or 1.0))


def _wrong_type(right: Response, terms: Terms) -> Response:
    """The right body under the Content-Type ``value``."""
    return replace(right, content_type=terms.value or "application/octet-stream")


GARBLES: Mapping[str, Garble] = {
    "html": _html,
    "garbage": _garbage,
    "empty": _empty,
    "no-id": _no_id,
    "job-id": _job_id,
    "deep": _deep,
    "short": _short,
    "oversize": _oversize,
    "gzip-bomb": _gzip_bomb,
    "drip": _drip,
    "type": _wrong_type,
}

_ID_KEYS = frozenset({"id", "job_id", "job_ids"})


def _edited(right: Response, edit: Callable[[str, Json], Json]) -> Response:
    """The answer with ``edit`` applied to every value under a key; None takes the key out."""
    return replace(json_answer(right.status, _edit(json.loads(right.body), edit)), headers=right.headers)


def _edit(value: Json, edit: Callable[[str, Json], Json]) -> Json:
    if isinstance(value, list):
        return [_edit(item, edit) for item in value]
    if not isinstance(value, dict):
        return value
    edited = {key: edit(key, _edit(item, edit)) for key, item in value.items()}
    return {key: item for key, item in edited.items() if item is not None or value[key] is None}
