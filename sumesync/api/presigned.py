"""Reader of ``POST /uploads/presign``, and which of the headers that it asks for may be sent. No sockets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from sumesync.answers import Presigned
from sumesync.api.reading import Unreadable, as_list, as_object, snake, text_of
from sumesync.model import Json

_URLS = ("upload_url", "presigned_url", "signed_url", "put_url")
_IDS = ("upload_id", "id")
_MEDIA = ("media_url", "asset_url", "file_url", "public_url")
_HEADERS = ("required_headers", "headers", "upload_headers")
_WRAPPERS = ("data", "upload")
_ID = re.compile(r"[A-Za-z0-9_.:~/+=\-]{1,300}")
_URL_LIMIT = 8_000

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~\-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?|")
_HEADERS_MOST = 40
_HEADERS_BYTES = 8_000
# Whose the request is, how the connection is held, and what a host in between would act upon: no header of a file's.
_REFUSED = frozenset(
    [
        "authorization",
        "cookie",
        "cookie2",
        "set-cookie",
        "www-authenticate",
        "x-api-key",
        "api-key",
        "x-auth-token",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
        "forwarded",
        "via",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
    ]
)
_REFUSED_STARTS = ("proxy-", "x-forwarded-", "sec-", "idempotency-")


def read_presigned(payload: Json) -> Presigned:
    """Where to send a file: ``upload_url`` and ``required_headers`` (told), an id, and where the media will stand, each
    in the answer itself or inside ``data`` or ``upload`` (tolerated). Raises Unreadable without a URL and an id."""
    levels = list(_levels(payload))
    url, upload_id = _first(levels, _URLS), _first(levels, _IDS)
    method = _first(levels, ("method", "http_method", "upload_method")) or "PUT"
    if not 0 < len(url) <= _URL_LIMIT or not _ID.fullmatch(upload_id):
        raise Unreadable("the answer does not tell where to send the file")
    if method.upper() != "PUT":
        raise Unreadable("the answer wants the file in another way than by PUT")
    media_url = _first(levels, _MEDIA)
    return Presigned(upload_id, url, _headers(levels), media_url if len(media_url) <= _URL_LIMIT else "")


def _levels(payload: Json) -> Iterator[dict[str, Json]]:
    """The answer and what it wraps, their names spelt one way."""
    for _ in range(3):
        level = {snake(name): value for name, value in as_object(payload).items()}
        if not level:
            return
        yield level
        payload = next((level[name] for name in _WRAPPERS if isinstance(level.get(name), dict)), None)


def _first(levels: Iterable[Mapping[str, Json]], names: tuple[str, ...]) -> str:
    return next((text for name in names for level in levels if (text := text_of(level, name))), "")


def _headers(levels: list[dict[str, Json]]) -> dict[str, str]:
    """A table of texts, or a list of names and values; not told is none."""
    told = next((level[name] for name in _HEADERS for level in levels if level.get(name)), None)
    pairs: list[tuple[Json, Json]] = [*as_object(told).items()]
    pairs += [(item.get("name"), item.get("value")) for item in map(as_object, as_list(told))]
    if (told and not pairs) or len({str(name).lower() for name, _ in pairs}) != len(pairs):
        raise Unreadable("the headers that it asks for cannot be told apart")
    made: dict[str, str] = {}
    for name, value in pairs:
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, str | int):
            raise Unreadable("the headers that it asks for are not names and texts")
        made[name] = str(value)
    return made


def sendable(headers: Mapping[str, str], size: int, host: str, secrets: Iterable[str] = ()) -> dict[str, str]:
    """Those of ``headers`` that are to be sent beside what HTTP itself needs: its Host and Content-Length are left out
    where they say the same. Raises Unreadable for a header that no file needs, and for one that would end its line."""
    if len(headers) > _HEADERS_MOST or sum(len(n) + len(v) for n, v in headers.items()) > _HEADERS_BYTES:
        raise Unreadable("it asks for too many headers")
    if len({name.lower() for name in headers}) != len(headers):
        raise Unreadable("it asks for one header twice")
    hidden = tuple(secrets)
    made: dict[str, str] = {}
    for name, value in headers.items():
        low = name.lower()
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Unreadable("it asks for a header that is none")
        if low in _REFUSED or low.startswith(_REFUSED_STARTS):
            raise Unreadable(f"it asks for a header that must not be sent there ({low})")
        if any(secret in name or secret in value for secret in hidden):
            raise Unreadable("it asks for a secret of ours")
        if low not in ("host", "content-length"):
            made[name] = value
        elif value.lower() != {"host": host.lower(), "content-length": str(size)}[low]:
            raise Unreadable(f"it asks for a {low} that is not the request's own")
    return made
