"""Downloads of media: public hosts only, size and time bounded, and never a key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Downloader:
    """GET of media."""

    hosts: Hosts
    user_agent: str

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
        connection: PlainConnection | None = None
        response: urllib3.BaseHTTPResponse | None = None
        try:
            try:
                connection = self.hosts.connection(url)
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

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": self.user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        return {**headers, "Connection": "close"}

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


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class _Done:
    content_type: str


_FRESH = "run apply or fetch again: it asks Sume for a fresh URL"
