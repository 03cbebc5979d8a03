"""Connections of urllib3's, bounded in time: pooled ones for reads, fresh ones for the paid POST and media.

Every byte that is received passes through ``_TimedReader``, so that an answer cannot outlast its
``Pace`` however slowly it drips, the status line and headers included.
"""

from __future__ import annotations

import http.client
import io
import logging
import socket
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import HTTPError
from urllib3.util import Url

from sumesync.api.answers import Answer
from sumesync.api.proxies import Proxy, proxy_for
from sumesync.ports import Clock

if TYPE_CHECKING:
    import ssl

# Its warnings and debug lines quote whole URLs, and a media URL's query is a signature.
logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)

NETWORK = (OSError, http.client.HTTPException, HTTPError)
"""What a network, a peer or TLS can make the libraries raise (ssl.SSLError is an OSError)."""

_SLICE = 64 * 1024


def reason_of(error: BaseException) -> str:
    """What really happened, without the wrappings of the libraries; not yet fit to be shown."""
    for _ in range(8):  # a chain may be a ring
        inner = error.__cause__ or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        error = inner or error
    return str(error) or type(error).__name__


class BadBody(HTTPError):
    """A body that is too large or cannot be decompressed: another try would not help."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes. ``stall``: without any byte; the others: in all."""

    connect: float = 10.0
    stall: float = 30.0
    read: float = 60.0
    submit: float = 120.0
    """For the whole answer to a paid POST, silence included: patience is cheaper than an UNKNOWN."""
    tries: int = 6
    patience: float = 180.0
    """For one read with all its retries."""
    json_bytes: int = 8 * 1024 * 1024
    media_bytes: int = 4 * 1024**3
    media_stall: float = 60.0
    media_grace: float = 120.0
    media_rate: float = 4096.0
    """Bytes a second, on average after the grace, below which a download is given up."""


class Pace:
    """How long a request and its answer may take: ``total`` seconds, and one more for each ``rate`` bytes moved."""

    def __init__(self, clock: Clock, stall: float, total: float, rate: float = 0.0) -> None:
        self._clock, self._stall, self._total, self._rate = clock, stall, total, rate
        self.restart()

    def restart(self) -> None:
        self._start, self.received, self.sent = self._clock.monotonic(), 0, 0

    def next_wait(self) -> float:
        """Seconds that the next byte may take. Raises TimeoutError when time is up."""
        earned = (self.received + self.sent) / self._rate if self._rate else 0.0
        left = self._total + earned - (self._clock.monotonic() - self._start)
        if left <= 0:
            raise TimeoutError("the answer took too long")
        return min(self._stall, left)


def _allow(sock: socket.socket, seconds: float) -> None:
    """Let the next step of ``sock`` take so long. To set what is set asks the system all the same, and lets another
    thread in."""
    if sock.gettimeout() != seconds:
        sock.settimeout(seconds)


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, raw: io.RawIOBase, pace: Pace) -> None:
        self._sock, self._raw, self._pace = sock, raw, pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        _allow(self._sock, self._pace.next_wait())
        count: int | None = self._raw.readinto(buffer)
        self._pace.received += count or 0
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, pace: Pace, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_TimedReader(sock, raw, pace))


class PlainConnection(HTTPConnection):
    """A connection whose sending and receiving keep to ``pace``, which restarts with each request."""

    def __init__(self, *args: Any, pace: Pace, **options: Any) -> None:
        super().__init__(*args, **options)
        self.pace = pace
        self._reading: _TimedResponse | None = None
        self.response_class = self._response  # type: ignore[assignment]  # declared a class, only called

    def _response(self, sock: socket.socket, *args: Any, **options: Any) -> _TimedResponse:
        self._reading = _TimedResponse(sock, *args, pace=self.pace, **options)
        return self._reading

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        try:
            return super().getresponse()
        except BaseException:
            # urllib3 drops a response that it cannot wrap, with the socket still open under it.
            if self._reading is not None:
                self._reading.close()
            raise

    def connect(self) -> None:
        self.pace.restart()
        super().connect()

    def request(self, *args: Any, **options: Any) -> None:
        self.pace.restart()
        super().request(*args, **options)

    def send(self, data: Any) -> None:
        if self.sock is None and self.auto_open:
            self.connect()
        for start in range(0, len(data), _SLICE):
            if self.sock is not None:
                _allow(self.sock, self.pace.next_wait())
            piece = data[start : start + _SLICE]
            super().send(piece)
            self.pace.sent += len(piece)


class TlsConnection(PlainConnection, HTTPSConnection):
    """Each has its own TLS context: truststore holds a lock of the context during the handshake, and one
    stalled server would hold up all others."""

    def __init__(self, *args: Any, tls: Callable[[], ssl.SSLContext], **options: Any) -> None:
        super().__init__(*args, ssl_context=tls(), **options)


def system_tls() -> ssl.SSLContext:
    """Trusts what the operating system trusts, corporate roots included."""
    import ssl

    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Transport:
    """Opens connections. It knows no key and no meaning of an answer."""

    def __init__(
        self,
        clock: Clock,
        limits: Limits,
        environ: Mapping[str, str],
        tls: Callable[[], ssl.SSLContext] = system_tls,
    ) -> None:
        self._clock, self._limits, self._environ, self._tls = clock, limits, environ, tls

    def pace(self, stall: float, total: float, rate: float = 0.0) -> Pace:
        return Pace(self._clock, stall, total, rate)

    def proxy(self, url: Url) -> Proxy | None:
        """The proxy by which ``url`` is to be reached; http is for loopback only, so never proxied."""
        return proxy_for(url.host or "", self._environ) if url.scheme == "https" else None

    def fresh(
        self,
        url: Url,
        pace: Pace,
        proxy: Proxy | None,
        plain: Callable[..., PlainConnection] = PlainConnection,
        secure: Callable[..., TlsConnection] = TlsConnection,
    ) -> PlainConnection:
        """A connection to the host of ``url``, not yet connected, that never reconnects by itself."""
        if url.scheme == "http":
            made = plain(url.host, url.port, timeout=self._limits.connect, pace=pace)
        elif proxy is None:
            made = secure(url.host, url.port, timeout=self._limits.connect, pace=pace, tls=self._tls)
        else:
            made = self._tunnel(url, pace, proxy, secure)
        # http.client reopens a connection that it finds closed and sends again: a second paid POST.
        made.auto_open = 0
        return made

    def _tunnel(self, url: Url, pace: Pace, proxy: Proxy, secure: Callable[..., TlsConnection]) -> PlainConnection:
        made = secure(
            proxy.url.host,
            proxy.url.port,
            timeout=self._limits.connect,
            pace=pace,
            tls=self._tls,
            proxy=proxy.url,
            proxy_config=ProxyConfig(
                ssl_context=self._proxy_tls(proxy),
                use_forwarding_for_https=False,
                assert_hostname=None,
                assert_fingerprint=None,
            ),
        )
        host = (url.host or "").strip("[]")
        made.set_tunnel(host, url.port or 443, proxy.headers, scheme=proxy.url.scheme or "http")
        return made

    def _proxy_tls(self, proxy: Proxy) -> ssl.SSLContext | None:
        return self._tls() if proxy.url.scheme == "https" else None

    def pool(self, url: Url, threads: int) -> urllib3.HTTPConnectionPool:
        """A pool of as many connections as there are threads, for reads from the API."""
        proxy = self.proxy(url)
        manager: urllib3.PoolManager
        if proxy:
            manager = urllib3.ProxyManager(
                proxy.url.url,
                proxy_headers=proxy.headers,
                proxy_ssl_context=self._proxy_tls(proxy),
                maxsize=threads,
                block=True,
            )
        else:
            manager = urllib3.PoolManager(maxsize=threads, block=True)
        pool = manager.connection_from_host(url.host, url.port, url.scheme)
        pool.ConnectionCls = self._timed(url.scheme == "https")  # type: ignore[assignment]  # only called
        return pool

    def _timed(self, secure: bool) -> Callable[..., PlainConnection]:
        def make(**options: Any) -> PlainConnection:
            pace = self.pace(self._limits.stall, self._limits.read)
            if not secure:
                return PlainConnection(pace=pace, **options)
            options.pop("ssl_context", None)
            return TlsConnection(pace=pace, tls=self._tls, **options)

        return make

    def ask(
        self, pool: urllib3.HTTPConnectionPool, target: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """GET, or POST of what costs nothing, once: no retry, no redirect. Raises one of NETWORK."""
        limits = self._limits
        response = pool.urlopen(
            "GET" if body is None else "POST",
            target,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=limits.connect, read=limits.stall),
            pool_timeout=int(limits.patience),
        )
        try:
            return Answer(response.status, lower_names(response), read_body(response, limits.json_bytes))
        except BaseException:
            response.close()
            raise
        finally:
            response.release_conn()


def lower_names(response: urllib3.BaseHTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def read_body(response: urllib3.BaseHTTPResponse, cap: int) -> bytes:
    """The whole body, decompressed, at most ``cap`` bytes before and after. Raises one of NETWORK."""
    parts, size = [], 0
    while chunk := response.read(_SLICE, decode_content=False):
        size += len(chunk)
        if size > cap:
            raise BadBody(f"the answer is larger than {cap:,} bytes")
        parts.append(chunk)
    return _decompressed(b"".join(parts), response.headers.get("content-encoding", ""), cap)


def _decompressed(body: bytes, encoding: str, cap: int) -> bytes:
    if not body or encoding.strip().lower() in ("", "identity"):
        return body
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        raise BadBody("the answer is compressed in an unknown way")
    unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, by its own header
    try:
        plain = unpacker.decompress(body, cap + 1)
    except zlib.error:
        raise BadBody("the answer cannot be decompressed") from None
    if len(plain) > cap or not unpacker.eof:
        raise BadBody(f"the answer is cut short, or larger than {cap:,} bytes when decompressed")
    return plain
