"""Downloads of media: public hosts only, size and time bounded, and never a key."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urljoin

import urllib3
from urllib3.util import Url

from sumesync.api.hosts import Hosts
from sumesync.api.reading import shown
from sumesync.api.transport import NETWORK, PlainConnection, lower_names
from sumesync.errors import MediaError

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 256 * 1024
_Place: TypeAlias = "tuple[str | None, str | None, int | None]"
_HOSTS = 8
"""Of so many hosts connections are kept: media come from few, and a stranger's redirects may name any number."""
_IDLE_SECONDS = 15.0
"""After that the way to the host may have been forgotten by something in between, which nobody would tell."""


class Idle:
    """Connections over which a whole file has come, so that another may: shaking hands takes longer than a picture."""

    def __init__(self, now: Callable[[], float]) -> None:
        """``now``: monotonic seconds."""
        self._now = now
        self._by_host: OrderedDict[_Place, list[tuple[float, PlainConnection]]] = OrderedDict()
        self._guard = threading.Lock()

    def take(self, place: _Place) -> PlainConnection | None:
        """One that is still open, and on which nothing has come that nobody asked for."""
        while True:
            with self._guard:
                kept = self._by_host.get(place)
                if not kept:
                    return None
                since, connection = kept.pop()
            if self._now() - since < _IDLE_SECONDS and connection.is_connected:
                return connection
            connection.close()

    def give(self, place: _Place, connection: PlainConnection) -> None:
        with self._guard:
            self._by_host.setdefault(place, []).append((self._now(), connection))
            self._by_host.move_to_end(place)
            left = self._by_host.popitem(last=False)[1] if len(self._by_host) > _HOSTS else []
        for _, each in left:
            each.close()

    def close(self) -> None:
        with self._guard:
            left = [connection for kept in self._by_host.values() for _, connection in kept]
            self._by_host.clear()
        for each in left:
            each.close()


@dataclass(frozen=True, slots=True)
class Downloader:
    """GET of media."""

    hosts: Hosts
    user_agent: str
    idle: Idle

    def download(self, url: str, write: Callable[[bytes], None]) -> str:
        """Stream ``url`` into ``write``, at most ``media_bytes`` of the limits; returns the Content-Type.

        Redirects are followed by hand, each hop checked like the first. Raises MediaError; what
        ``write`` raises passes through.
        """
        for _ in range(MAX_REDIRECTS + 1):
            moved = self._hop(self.hosts.checked(url, "a media URL", _FRESH), write)
            if isinstance(moved, _Done):
                return moved.content_type
            url = _joined(url, moved)
        raise MediaError(f"a media URL was redirected more than {MAX_REDIRECTS} times", _FRESH)

    def _hop(self, url: Url, write: Callable[[bytes], None]) -> str | _Done:
        """One request: either where it was redirected to, or the end."""
        connection, response = self._asked(url)
        whole = False
        try:
            if response.status in _REDIRECTS and response.headers.get("location"):
                return response.headers["location"]
            done = self._body(url, response, write)
            whole = True
            return done
        finally:
            response.close()
            if whole:
                self.idle.give(_place(url), connection)
            else:
                connection.close()

    def _asked(self, url: Url) -> tuple[PlainConnection, urllib3.HTTPResponse]:
        """The beginning of an answer. Its host may just have given a kept connection up: then over a new one."""
        if (kept := self.idle.take(_place(url))) is not None:
            with suppress(*NETWORK):
                return kept, self._ask(kept, url)
        try:
            connection = self.hosts.connection(url)
            return connection, self._ask(connection, url)
        except NETWORK as error:
            raise self._failed(url, error) from error

    def _ask(self, connection: PlainConnection, url: Url) -> urllib3.HTTPResponse:
        headers = {"User-Agent": self.user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        try:
            if connection.sock is None:
                connection.connect()
            connection.request("GET", url.request_uri, headers=headers, preload_content=False)
            return connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def _body(self, url: Url, response: urllib3.BaseHTTPResponse, write: Callable[[bytes], None]) -> _Done:
        headers = lower_names(response)
        size = self._expected(response.status, headers)
        received = 0
        while chunk := self._chunk(url, response):
            received += len(chunk)
            if received > self.hosts.limits.media_bytes:
                raise MediaError(f"a media file is larger than {self.hosts.limits.media_bytes:,} bytes")
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
        if int(told) > self.hosts.limits.media_bytes:
            raise MediaError(f"a media file is larger than {self.hosts.limits.media_bytes:,} bytes")
        return int(told)

    def _chunk(self, url: Url, response: urllib3.BaseHTTPResponse) -> bytes:
        try:
            return response.read(_CHUNK, decode_content=False)
        except NETWORK as error:
            raise self._failed(url, error) from error

    def _failed(self, url: Url, error: BaseException) -> MediaError:
        host = shown(url.host or "", limit=80)
        return MediaError(f"media could not be fetched from {host}: {self.hosts.reason(error)}", _FRESH)


def _place(url: Url) -> _Place:
    return url.scheme, url.host, url.port


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class _Done:
    content_type: str


_FRESH = "run apply or fetch again: it asks Sume for a fresh URL"
