"""The bytes of a paid request. Pure: the same request gives the same bytes, so that one whose outcome is
unknown can be sent again exactly, or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from sumesync.model import Json, Request


def body(request: Request) -> bytes:
    """``request`` as it is sent: UTF-8 JSON with sorted keys."""
    return json.dumps(
        dict(request), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def urls(request: Request) -> frozenset[str]:
    """The URLs that a request names: echoed back in a result they are not outputs."""
    return frozenset(_urls(dict(request)))


def _urls(value: Json) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(("https://", "http://")):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _urls(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _urls(item)
