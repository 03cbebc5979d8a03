"""What an HTTP answer means: the outcome of a paid POST, the error of a read. No sockets.

The table of outcomes is the heart of the promise never to pay twice: a status says "not charged" only
when it is a definite no; whatever leaves a doubt is Unclear, and only a person or the API's own
idempotency may resolve it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sumesync.answers import Accepted, Refused, SubmitResult, Throttled, Unclear
from sumesync.api.jobs import created_cost, job_ids, request_id_of
from sumesync.api.reading import Unreadable, as_list, as_object, parse, private_texts, shown, text_of
from sumesync.core.pacing import Told
from sumesync.errors import ApiError
from sumesync.model import Json

REFUSALS = frozenset({400, 401, 402, 403, 404, 413, 422})
"""Not charged, and not to be tried again unchanged."""

WAIT_CAP = 60.0
"""Seconds; a server may ask for hours, but a person is waiting."""
_WAIT_DEFAULT = 6.0  # the published pace of creates: ten a minute
_WAIT_LEAST = 1.0
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Header names are lower-case. ``broken`` says why the body is not whole."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    broken: str = ""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error answer tells, safe to show; "" is "not told"."""

    code: str = ""
    message: str = ""
    request_id: str | None = None


def error_body(answer: Answer, secrets: Iterable[str] = ()) -> ErrorBody:
    """``{"error":{"code","message","details"},"request_id"}`` (seen); the id also as a header (sister);
    ``error`` also as a string; anything else, HTML or nothing included, tells only what headers tell.

    ``secrets``, and whatever the body itself calls private (``private_texts``), are taken out of the message.
    """
    try:
        payload = parse(answer.body)
    except Unreadable:
        payload = None
    root = as_object(payload)
    root = as_object(root.get("data")) if "error" not in root and "data" in root else root
    error = as_object(root.get("error"))
    told = error or root
    message = text_of(root, "error") or text_of(told, "message", "detail", "title")
    hidden = [*secrets, *private_texts(payload)]
    details = list(_details(told))
    parts = [message.rstrip(".") if details else message, *details]
    headers = answer.headers
    return ErrorBody(
        code=shown(text_of(told, "code", "type"), hidden, limit=80),
        message=shown("; ".join(filter(None, parts)), hidden),
        request_id=request_id_of(
            root.get("request_id"),
            error.get("request_id"),
            headers.get("x-sume-request-id"),
            headers.get("x-request-id"),
            secrets=hidden,
        ),
    )


def _details(error: Mapping[str, Json]) -> Iterator[str]:
    """The first of ``details.errors[] = {path, message}`` (sister), ``path`` a string or a list."""
    details = error.get("details")
    listed = as_list(as_object(details).get("errors")) or as_list(details)
    for item in map(as_object, listed[:3]):
        path = item.get("path")
        what, where = text_of(item, "message"), text_of(item, "path", "field")
        if isinstance(path, list):
            where = ".".join(str(part) for part in path[:8] if isinstance(part, str | int))
        if what:
            yield f"{where}: {what}" if where else what


def retry_after(headers: Mapping[str, str], now: float, cap: float = WAIT_CAP) -> float | None:
    """Seconds that ``Retry-After`` asks for (a number, or an HTTP date measured against the answer's own
    ``Date``, else ``now``), at least 0 and at most ``cap``; None when it asks for nothing readable."""
    told = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(told):
        return min(float(told), cap)
    until, sent = _http_date(told), _http_date(headers.get("date", ""))
    if until is None:
        return None
    return max(0.0, min(until - (now if sent is None else sent), cap))


def rate_limit(headers: Mapping[str, str]) -> Told | None:
    """What ``RateLimit-Limit``, ``-Remaining`` and ``-Reset`` tell (sister); None where they do not."""
    told = [headers.get(f"ratelimit-{name}", "").strip() for name in ("limit", "remaining", "reset")]
    if not all(_SECONDS.fullmatch(text) for text in told):
        return None
    limit, left, reset = map(float, told)
    return Told(int(limit), int(left), min(reset, WAIT_CAP))


def _http_date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def submit_result(answer: Answer, now: float, secrets: Iterable[str] = ()) -> SubmitResult:
    """The outcome of a paid POST that was answered. ``now``: seconds since the epoch."""
    status = answer.status
    if 200 <= status < 300:
        return _accepted(answer, secrets)
    told = error_body(answer, secrets)
    line = _line(f"Sume answered {status}", told)
    if status == 429:
        wait = retry_after(answer.headers, now)
        return Throttled(max(_WAIT_LEAST, _WAIT_DEFAULT if wait is None else wait), line)
    if status in REFUSALS:
        return Refused(status, told.code or f"http_{status}", told.message, told.request_id)
    return Unclear(line, told.request_id)


def _accepted(answer: Answer, secrets: Iterable[str]) -> Accepted | Unclear:
    why = answer.broken
    if not why:
        try:
            payload = parse(answer.body)
            ids = job_ids(payload)
        except Unreadable as error:
            why = f"{error}; it also names {', '.join(error.ids)}" if error.ids else str(error)
        else:
            if ids:
                return Accepted(ids, created_cost(payload))
            why = "the answer names no job"
    return Unclear(f"Sume answered {answer.status}, but {why}", error_body(answer, secrets).request_id)


@dataclass(frozen=True, slots=True)
class Failure:
    """How a failed read is put to a person."""

    what: str
    hint: str


def failure_of(status: int, subject: str = "this") -> Failure:
    """What a status that is no success means, and what to do about it. ``subject``: "this job"."""
    base_url = "check SUME_API_BASE_URL"
    if status < 400:
        hint = f"{base_url}: redirects are not followed"
        return Failure(f"Sume answered {status} in place of {subject}", hint)
    if status >= 500:
        return Failure(f"Sume failed ({status})", "try again in a while; what was paid for is recorded")
    known = {
        401: ("Sume does not accept the key", "check SUME_API_KEY"),
        402: ("Sume says that the credits do not suffice", "see sumesync credits"),
        403: ("Sume denies this key access", "check the key's scopes and the workspace's plan"),
        404: (f"Sume does not know {subject}", f"if every request fails so, {base_url}"),
        407: ("the proxy wants a password", "check HTTPS_PROXY"),
        408: ("Sume did not get the request in time", "try again"),
        429: ("Sume asks for fewer requests", "wait a minute and try again"),
    }
    what, hint = known.get(status, (f"Sume refused the request ({status})", ""))
    return Failure(what, hint)


def api_error(answer: Answer, subject: str, now: float, secrets: Iterable[str] = ()) -> ApiError:
    """The error of a read that was answered by no success."""
    told, failure = error_body(answer, secrets), failure_of(answer.status, subject)
    return ApiError(
        _line(failure.what, told),
        failure.hint,
        status=answer.status,
        error_code=told.code,
        request_id=told.request_id,
        retry_after=retry_after(answer.headers, now),
    )


def _line(lead: str, told: ErrorBody) -> str:
    said = "; ".join(filter(None, (told.code, told.message)))
    request = f" (request {told.request_id})" if told.request_id else ""
    return f"{lead}{': ' if said else ''}{said}{request}"
