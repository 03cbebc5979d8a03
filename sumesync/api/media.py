"""Downloads of media: public hosts only, size and time bounded, and never a key."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urljoin

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.util import Url, parse_url

from sumesync.api.origin import address_of, is_loopback, is_public
from sumesync.api.proxies import Proxy
from sumesync.api.reading import shown
from sumesync.api.transport import (
    NETWORK,
    Limits,
    PlainConnection,
    TlsConnection,
    Transport,
    lower_names,
    reason_of,
)
from sumesync.errors import MediaError

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 256 * 1024


class NotPublic(HTTPError):
    """A media host with an address that is not reachable from the whole internet."""


def _admit(address: str, loopback: bool, only_loopback: bool) -> None:
    """Raises NotPublic unless media may come from ``address``."""
    found = address_of(address)
    local = is_loopback(address)
    if found is None or not ((local and loopback) or (is_public(found) and not only_loopback)):
        raise NotPublic("its host has an address that is not public")


class _Checked(HTTPConnection):
    """Checks the peer that it is really connected to, before TLS and before any byte: a name that
    resolved to something else a moment ago changes nothing."""

    admit: Callable[[str], None]

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        try:
            self.admit(str(made.getpeername()[0]))
        except BaseException:
            made.close()
            raise
        return made


class _CheckedPlain(_Checked, PlainConnection):
    def __init__(self, *args: Any, admit: Callable[[str], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self.admit = admit


class _CheckedTls(_Checked, TlsConnection):
    def __init__(self, *args: Any, admit: Callable[[str], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self.admit = admit


def resolve(host: str) -> list[str]:
    """All addresses of ``host``. Raises OSError."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Downloader:
    """``loopback``: the API itself is on this machine, so media may be as well, even over http."""

    transport: Transport
    limits: Limits
    user_agent: str
    loopback: bool
    secrets: Callable[[], tuple[str, ...]] = field(default=tuple)
    resolve: Callable[[str], list[str]] = resolve

    def download(self, url: str, write: Callable[[bytes], None]) -> str:
        """Stream ``url`` into ``write``, at most ``limits.media_bytes``; returns the Content-Type.

        Redirects are followed by hand, each hop checked like the first. Raises MediaError; what
        ``write`` raises passes through.
        """
        for _ in range(MAX_REDIRECTS + 1):
            moved = self._hop(self._checked(url), write)
            if isinstance(moved, _Done):
                return moved.content_type
            url = _joined(url, moved)
        raise MediaError(f"a media URL was redirected more than {MAX_REDIRECTS} times", _FRESH)

    def _checked(self, url: str) -> Url:
        try:
            parsed = parse_url(url)
        except (HTTPError, ValueError):
            parsed = Url()
        host = parsed.host or ""
        if not host or not host.isascii() or parsed.scheme not in ("https", "http") or parsed.port == 0:
            raise MediaError("a media URL is not an https address", _FRESH)
        if parsed.auth:
            raise MediaError("a media URL holds a user name", _FRESH)
        if parsed.scheme == "http" and not (self.loopback and is_loopback(host)):
            raise MediaError(f"media at {shown(host, limit=80)} is offered without https", _FRESH)
        return parsed

    def _hop(self, url: Url, write: Callable[[bytes], None]) -> str | _Done:
        """One request: either where it was redirected to, or the end."""
        connection: PlainConnection | None = None
        response: urllib3.BaseHTTPResponse | None = None
        try:
            try:
                connection = self._connection(url)
                connection.connect()
                connection.request("GET", url.request_uri, headers=self._headers(), preload_content=False)
                response = connection.getresponse()
            except NETWORK as error:
                raise self._failed(url, error) from error
            if response.status in _REDIRECTS and response.headers.get("location"):
                return response.headers["location"]
            return self._body(url, response, write)
        finally:
            for closable in (response, connection):
                if closable is not None:
                    closable.close()

    def _connection(self, url: Url) -> PlainConnection:
        limits = self.limits
        admit = partial(_admit, loopback=self.loopback, only_loopback=url.scheme == "http")
        pace = self.transport.pace(limits.media_stall, limits.media_grace, limits.media_rate)
        proxy = self._proxy(url, admit)
        if proxy:
            return self.transport.fresh(url, pace, proxy)
        plain, secure = partial(_CheckedPlain, admit=admit), partial(_CheckedTls, admit=admit)
        return self.transport.fresh(url, pace, None, plain, secure)

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": self.user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        return {**headers, "Connection": "close"}

    def _proxy(self, url: Url, admit: Callable[[str], None]) -> Proxy | None:
        """With a proxy the peer is the proxy, so the addresses of the name itself are checked."""
        host = url.host or ""
        proxy = self.transport.proxy(url)
        literal = address_of(host) is not None
        for address in [host.strip("[]")] if literal else self.resolve(host) if proxy else []:
            admit(address)
        return proxy

    def _body(self, url: Url, response: urllib3.BaseHTTPResponse, write: Callable[[bytes], None]) -> _Done:
        headers = lower_names(response)
        size = self._expected(response.status, headers)
        received = 0
        while chunk := self._chunk(url, response):
            received += len(chunk)
            if received > self.limits.media_bytes:
                raise MediaError(f"a media file is larger than {self.limits.media_bytes:,} bytes")
            write(chunk)
        if not received:
            raise MediaError("a media file was empty", _FRESH)
        if size is not None and received != size:
            raise MediaError(f"a media file broke off after {received:,} of {size:,} bytes", _FRESH)
        return _Done(shown(headers.get("content-type", ""), limit=100))

    def _expected(self, status: int, headers: dict[str, str]) -> int | None:
        """The size that is announced. Raises MediaError for what is not to be read at all."""
        if status != 200:
            raise MediaError(f"a media host answered {status}", _FRESH, status=status)
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise MediaError("a media file came compressed although that was not asked for", _FRESH)
        told = headers.get("content-length", "").strip()
        if not told or "chunked" in headers.get("transfer-encoding", "").lower():
            return None
        if not told.isdecimal() or len(told) > 18:
            raise MediaError("a media host told an impossible size", _FRESH)
        if int(told) > self.limits.media_bytes:
            raise MediaError(f"a media file is larger than {self.limits.media_bytes:,} bytes")
        return int(told)

    def _chunk(self, url: Url, response: urllib3.BaseHTTPResponse) -> bytes:
        try:
            return response.read(_CHUNK, decode_content=False)
        except NETWORK as error:
            raise self._failed(url, error) from error

    def _failed(self, url: Url, error: BaseException) -> MediaError:
        # The path is left out too: of private media it is a secret.
        reason = shown(reason_of(error), self.secrets(), 160)
        host = shown(url.host or "", limit=80)
        return MediaError(f"media could not be fetched from {host}: {reason}", _FRESH)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class _Done:
    content_type: str


_FRESH = "run apply or fetch again: it asks Sume for a fresh URL"
