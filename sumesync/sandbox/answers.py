"""Requests and answers as values, and the Sume documentation's error envelope. No sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sumesync.model import Json

JSON_TYPE = "application/json"

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    402: "insufficient_credits",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    413: "payload_too_large",
    422: "unprocessable",
    429: "rate_limit_exceeded",
}


@dataclass(frozen=True)
class Request:
    """``path`` has neither query nor the API's prefix; header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    read: Callable[[int], bytes] = lambda _: b""
    """Of a body that is too large to hold, and is not in ``body``: at most so many bytes more; b"" at its end."""
    length: int = 0
    """Bytes of the body that were announced."""


@dataclass(frozen=True)
class Response:
    """An answer, with what a faulty server does to it on the wire."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)
    pad: int = 0
    """Zero bytes sent after the body and counted in Content-Length: an answer too large to hold."""
    cut: int | None = None
    """The connection ends after this many bytes of the body."""
    file: Path | None = None
    """Its bytes are the body, in place of ``body``: streamed, never held."""
    drip: tuple[int, float] | None = None
    """Bytes at a time, and the seconds between."""


class Refusal(Exception):
    """What the API says no with."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        details: Mapping[str, Json] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or code_of(status)
        self.message = message
        self.details = dict(details or {})
        self.headers = dict(headers or {})


def code_of(status: int) -> str:
    """The usual error code of a status."""
    return _CODES.get(status, "internal_error" if status >= 500 else "bad_request")


def json_answer(status: int, document: Json, headers: Mapping[str, str] | None = None) -> Response:
    """ASCII JSON: a lone surrogate of a prompt has no UTF-8 form."""
    return Response(status, json.dumps(document).encode("ascii"), headers=headers or {})


def refusal_answer(refusal: Refusal, request_id: str) -> Response:
    error: dict[str, Json] = {"code": refusal.code, "message": refusal.message, "details": refusal.details}
    return json_answer(refusal.status, {"error": error, "request_id": request_id}, refusal.headers)
