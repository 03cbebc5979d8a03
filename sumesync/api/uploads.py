"""Uploads: a file's bytes to the place that Sume named, once, with that place's own headers only and never a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import urllib3
from urllib3.util import SKIP_HEADER, Url

from sumesync.answers import Presigned
from sumesync.api.hosts import Hosts
from sumesync.api.presigned import sendable
from sumesync.api.reading import Unreadable, shown
from sumesync.api.transport import NETWORK, PlainConnection
from sumesync.errors import MediaError, MediaRefused

_CHUNK = 256 * 1024
_FRESH = "run apply again: it asks Sume for a fresh place to send it to"
_ASK = "ask Sume about it: its storage refuses what Sume asked for"
# What is not about the place, which may have expired (403, 404, 410), nor about the moment.
_NEVER = {
    400: _ASK,
    405: _ASK,
    411: _ASK,
    413: "make the file smaller",
    415: "save it as another type",
    422: _ASK,
    501: _ASK,
}


class _Source:
    """The file as chunks, exactly as long as it was said to be."""

    def __init__(self, size: int, read: Callable[[int], bytes]) -> None:
        self._size, self._read = size, read
        self.failed: BaseException | None = None
        """What ``read`` raised."""

    def __iter__(self) -> Iterator[bytes]:
        left = self._size
        while left:
            try:
                chunk = self._read(min(_CHUNK, left))
            except BaseException as error:
                self.failed = error
                raise
            if not 0 < len(chunk) <= left:
                raise MediaError("a file changed its size while it was sent", "run apply again when it is still")
            left -= len(chunk)
            yield chunk


@dataclass(frozen=True, slots=True)
class Uploader:
    """PUT of media. ``key`` must not leave this process by it."""

    hosts: Hosts
    key: str

    def put(self, presigned: Presigned, size: int, read: Callable[[int], bytes]) -> None:
        """See Library. No redirect is followed: the bytes go where Sume said, or nowhere."""
        if not 0 < size <= self.hosts.limits.media_bytes:
            raise MediaError(f"a file of {size:,} bytes cannot be uploaded")
        url = self.hosts.checked(presigned.url, "an upload URL", _FRESH)
        try:
            headers = sendable(presigned.headers, size, url.netloc or "", [self.key])
        except Unreadable as error:
            raise MediaError(f"Sume's answer about an upload cannot be used: {error}") from None
        if self.key in presigned.url:
            raise MediaError("Sume's answer about an upload cannot be used: it asks for a secret of ours")
        status = self._sent(url, headers, size, _Source(size, read))
        if status in _NEVER:
            raise MediaRefused(f"{_host(url)} answered {status} to an upload", _NEVER[status], status=status)
        if not 200 <= status < 300:
            raise MediaError(f"{_host(url)} answered {status} to an upload", _FRESH, status=status)

    def _sent(self, url: Url, headers: dict[str, str], size: int, source: _Source) -> int:
        """The status of the answer."""
        connection: PlainConnection | None = None
        response: urllib3.BaseHTTPResponse | None = None
        try:
            connection = self.hosts.connection(url)
            connection.connect()
            response = self._answer(connection, url, _whole(headers, size), source)
            return response.status
        except NETWORK as error:
            if error is source.failed:
                raise
            raise MediaError(f"a file could not be sent to {_host(url)}: {self.hosts.reason(error)}", _FRESH) from error
        finally:
            for closable in (response, connection):
                if closable is not None:
                    closable.close()

    def _answer(
        self, connection: PlainConnection, url: Url, headers: dict[str, str], source: _Source
    ) -> urllib3.BaseHTTPResponse:
        unsent: OSError | None = None
        try:
            connection.request("PUT", url.request_uri, body=source, headers=headers, preload_content=False)
        except OSError as error:
            # A host that refuses early closes its side while we still send; its answer may be there.
            if error is source.failed:
                raise
            unsent = error
        try:
            response = connection.getresponse()
        except NETWORK as error:
            raise error if unsent is None else unsent from None
        if unsent is not None and response.status < 300:
            response.close()
            raise unsent
        return response


def _whole(headers: dict[str, str], size: int) -> dict[str, str]:
    """With what HTTP needs, and without what the libraries would add."""
    given = {name.lower() for name in headers}
    skipped = {name: SKIP_HEADER for name in ("User-Agent", "Accept-Encoding") if name.lower() not in given}
    return {**skipped, **headers, "Content-Length": str(size)}


def _host(url: Url) -> str:
    return shown(url.host or "", limit=80)
