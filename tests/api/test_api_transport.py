"""Connections without a network: what urllib3 is asked for, how long an answer may take, and what a body may be."""

from __future__ import annotations

import gzip
import io
import ssl
import zlib
from collections.abc import Callable
from http.client import ResponseNotReady
from typing import Any

import pytest
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ProtocolError
from urllib3.util import Timeout, parse_url

from sumesync.api.proxies import Proxy, proxy_for
from sumesync.api.transport import (
    BadBody,
    Limits,
    Pace,
    PlainConnection,
    TlsConnection,
    Transport,
    _TimedReader,
    lower_names,
    read_body,
    reason_of,
)
from sumesync.errors import UsageError

from .servers import HandClock

LIMITS = Limits(connect=3.0, stall=7.0, read=11.0, patience=13.5, json_bytes=100)
PLAIN = "Basic YWRhOnBAc3M="  # ada:p@ss


def context() -> ssl.SSLContext:
    return ssl.create_default_context()


def transport(environ: dict[str, str] | None = None) -> Transport:
    return Transport(HandClock(), LIMITS, environ or {}, context)


# --- Which proxy ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "url", "headers", "secrets"),
    [
        ("http://p:3128", "http://p:3128", {}, ()),
        ("p:3128", "http://p:3128", {}, ()),
        ("http://p", "http://p:80", {}, ()),
        ("https://p", "https://p:443", {}, ()),
        ("https://p:8443", "https://p:8443", {}, ()),
        ("http://ada:p%40ss@p", "http://p:80", {"proxy-authorization": PLAIN}, ("p@ss", "ada:p%40ss", PLAIN)),
        (
            "http://ada:a:b@p",
            "http://p:80",
            {"proxy-authorization": "Basic YWRhOmE6Yg=="},
            ("a:b", "ada:a:b", "Basic YWRhOmE6Yg=="),
        ),
        ("http://ada@p", "http://p:80", {"proxy-authorization": "Basic YWRh"}, ("ada", "Basic YWRh")),
    ],
)
def test_a_proxy_and_what_must_never_be_shown_of_it(
    told: str, url: str, headers: dict[str, str], secrets: tuple[str, ...]
) -> None:
    proxy = proxy_for("www.sume.so", {"HTTPS_PROXY": told})
    assert proxy is not None
    assert proxy.url.url == url
    assert dict(proxy.headers) == headers
    assert proxy.secrets == secrets


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({"https_proxy": "http://a", "HTTPS_PROXY": "http://b", "all_proxy": "http://c", "ALL_PROXY": "http://d"}, "a"),
        ({"HTTPS_PROXY": "http://b", "all_proxy": "http://c", "ALL_PROXY": "http://d"}, "b"),
        ({"https_proxy": "", "all_proxy": "http://c", "ALL_PROXY": "http://d"}, "c"),
        ({"ALL_PROXY": "http://d"}, "d"),
        ({"ALL_PROXY": "http://d", "NO_PROXY": "xxxx", "no_proxy": ""}, "d"),
        ({"ALL_PROXY": "http://d", "no_proxy": "other.org", "NO_PROXY": "www.sume.so"}, "d"),
        ({"ALL_PROXY": "http://d", "no_proxy": "www.sume.so", "NO_PROXY": "other.org"}, None),
        ({"ALL_PROXY": "http://d", "NO_PROXY": "www.sume.so"}, None),
        ({}, None),
    ],
)
def test_the_more_particular_variable_wins(environ: dict[str, str], host: str | None) -> None:
    proxy = proxy_for("www.sume.so", environ)
    assert (proxy and proxy.url.host) == host


def test_without_no_proxy_no_host_goes_round_it() -> None:
    assert proxy_for("xxxx", {"ALL_PROXY": "http://d"}) is not None


@pytest.mark.parametrize(
    ("host", "no_proxy", "round_it"),
    [
        ("api.example.com.", "api.example.com", True),
        ("X.org", "x.org", True),
        ("api.example.com", "b.org, api.example.com", True),
        ("10.0.0.1", "junk, 10.0.0.0/8", True),
        ("10.0.0.1", "10.0.0.7/8", True),
        ("10.0.0.1", "11.0.0.0/8, 12.0.0.0/8", False),
        ("[2001:db8::1]", "[2001:db8::1]", True),
        ("2001:db8::1", "2001:db8::/32", True),
    ],
)
def test_who_goes_round_the_proxy(host: str, no_proxy: str, round_it: bool) -> None:
    assert (proxy_for(host, {"HTTPS_PROXY": "http://p", "NO_PROXY": no_proxy}) is None) is round_it


def test_what_is_no_proxy_says_how_one_looks() -> None:
    with pytest.raises(UsageError) as caught:
        proxy_for("www.sume.so", {"HTTPS_PROXY": "socks5://p:1"})
    assert caught.value.what == "HTTPS_PROXY does not name an http or https proxy"
    assert caught.value.hint == "it must look like http://host:port"


# --- A fresh connection -----------------------------------------------------------------------------


def fresh(url: str, proxy: str = "") -> Any:
    used = proxy_for("www.sume.so", {"HTTPS_PROXY": proxy}) if proxy else None
    made = transport()
    return made.fresh(parse_url(url), made.pace(1, 1), used)


def test_a_plain_connection_goes_straight_to_its_host() -> None:
    made = fresh("http://127.0.0.1:81")
    assert type(made) is PlainConnection
    assert (made.host, made.port, made.timeout, made.auto_open) == ("127.0.0.1", 81, 3.0, 0)


def test_a_secure_one_has_a_context_of_its_own() -> None:
    one, other = fresh("https://www.sume.so:444"), fresh("https://www.sume.so:444")
    assert type(one) is TlsConnection
    assert (one.host, one.port, one.timeout, one.auto_open) == ("www.sume.so", 444, 3.0, 0)
    assert one.ssl_context is not other.ssl_context


@pytest.mark.parametrize(
    ("url", "proxy", "target", "scheme", "secured"),
    [
        ("https://www.sume.so", "http://ada:p%40ss@p:3128", ("www.sume.so", 443), "http", False),
        ("https://www.sume.so:444", "https://p:3128", ("www.sume.so", 444), "https", True),
        ("https://[2001:db8::1]", "http://p:3128", ("2001:db8::1", 443), "http", False),
    ],
)
def test_through_a_proxy_by_connect_only(
    url: str, proxy: str, target: tuple[str, int], scheme: str, secured: bool
) -> None:
    made = fresh(url, proxy)
    assert (made.host, made.port, made.timeout, made.auto_open) == ("p", 3128, 3.0, 0)
    assert made.proxy.url == f"{scheme}://p:3128"
    assert (made._tunnel_host.strip("[]"), made._tunnel_port, made._tunnel_scheme) == (*target, scheme)
    headers = {name.lower(): value for name, value in made._tunnel_headers.items()}
    assert headers.get("proxy-authorization") == (PLAIN if "@" in proxy else None)
    assert made.proxy_config.use_forwarding_for_https is False
    assert (made.proxy_config.ssl_context is not None) is secured


# --- One GET ----------------------------------------------------------------------------------------


class Response:
    """Of urllib3's, as far as it is used: pieces of a body, or an error in its middle."""

    def __init__(self, *pieces: bytes | Exception, **headers: str) -> None:
        self.status = 200
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pieces = list(pieces)
        self.asked: list[tuple[Any, ...]] = []
        self.ends: list[str] = []

    def read(self, amount: int | None = None, decode_content: bool | None = None) -> bytes:
        self.asked.append((amount, decode_content))
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.ends.append("close")

    def release_conn(self) -> None:
        self.ends.append("release")


class Pool:
    def __init__(self, response: Response) -> None:
        self.response, self.asked = response, list[tuple[Any, ...]]()

    def urlopen(self, method: str, target: str, **options: Any) -> Response:
        self.asked.append((method, target, options))
        return self.response


def test_a_get_is_made_once_bounded_and_never_redirected() -> None:
    pool: Any = Pool(Response(b"{", b"}", X_One="1"))
    answer = transport().ask(pool, "/x", {"A": "b"})
    assert (answer.status, answer.headers, answer.body) == (200, {"x-one": "1"}, b"{}")
    ((method, target, options),) = pool.asked
    assert (method, target, options["headers"]) == ("GET", "/x", {"A": "b"})
    for name in ("retries", "redirect", "preload_content", "decode_content"):
        assert options[name] is False, name
    assert isinstance(options["timeout"], Timeout)
    assert (options["timeout"].connect_timeout, options["timeout"].read_timeout) == (3.0, 7.0)
    assert options["pool_timeout"] == 13
    assert pool.response.ends == ["release"]
    assert {amount is not None and decode is False for amount, decode in pool.response.asked} == {True}


def test_an_answer_that_breaks_off_is_closed_and_its_place_given_back() -> None:
    pool: Any = Pool(Response(b"{", ProtocolError("broken")))
    with pytest.raises(ProtocolError):
        transport().ask(pool, "/x", {})
    assert pool.response.ends == ["close", "release"]


def test_names_of_headers_are_lower() -> None:
    answer: Any = Response(ETag="x", X_Y="z")
    assert lower_names(answer) == {"etag": "x", "x-y": "z"}


@pytest.mark.parametrize("proxied", [False, True])
def test_a_pool_has_as_many_places_as_there_are_threads_and_its_own_tls(proxied: bool) -> None:
    made = transport({"HTTPS_PROXY": "https://ada:p%40ss@p"} if proxied else {})
    pool: Any = made.pool(parse_url("https://www.sume.so:444"), 3)
    assert (pool.host, pool.port, pool.scheme) == ("www.sume.so", 444, "https")
    assert (pool.pool.maxsize, pool.block) == (3, True)
    assert (pool.proxy and pool.proxy.host) == ("p" if proxied else None)
    assert dict(pool.proxy_headers) == ({"proxy-authorization": PLAIN} if proxied else {})
    if proxied:
        assert pool.proxy_config.ssl_context is not None
    one, other = pool._new_conn(), pool._new_conn()
    assert isinstance(one, TlsConnection)
    assert one.ssl_context is not other.ssl_context
    assert (one.pace._stall, one.pace._total, one.pace._rate) == (7.0, 11.0, 0.0)


def test_a_plain_pool_has_plain_connections() -> None:
    pool: Any = transport().pool(parse_url("http://127.0.0.1:81"), 2)
    assert type(pool._new_conn()) is PlainConnection
    assert (pool.pool.maxsize, pool.block) == (2, True)


@pytest.mark.parametrize(
    ("url", "proxied"), [("https://www.sume.so", True), ("http://www.sume.so", False), ("https://127.0.0.1", False)]
)
def test_only_https_beyond_this_machine_is_proxied(url: str, proxied: bool) -> None:
    found = transport({"HTTPS_PROXY": "http://p"}).proxy(parse_url(url))
    assert isinstance(found, Proxy) is proxied


# --- Time -------------------------------------------------------------------------------------------


def test_a_pace_ends_with_its_time_and_is_stretched_by_what_came() -> None:
    clock = HandClock()
    pace = Pace(clock, stall=5.0, total=10.0, rate=2.0)
    assert pace.next_wait() == 5.0
    clock.time += 7
    assert pace.next_wait() == 3.0
    clock.time += 3
    with pytest.raises(TimeoutError, match=r"^the answer took too long$"):
        pace.next_wait()
    pace.received += 8
    assert pace.next_wait() == 4.0
    pace.restart()
    assert (pace.received, pace.next_wait()) == (0, 5.0)


def test_without_a_rate_nothing_is_earned() -> None:
    clock = HandClock()
    pace = Pace(clock, 5.0, 10.0)
    pace.received = 10**9
    clock.time += 10
    with pytest.raises(TimeoutError):
        pace.next_wait()


class Sock:
    """``waits``: what it was told a step may take, each time that it was told."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def gettimeout(self) -> float | None:
        return self.waits[-1] if self.waits else None

    def settimeout(self, seconds: float) -> None:
        self.waits.append(seconds)


def test_each_byte_counts_for_the_pace_and_a_reader_closes_once() -> None:
    class Raw(io.BytesIO):
        closes = 0

        def close(self) -> None:
            type(self).closes += 1
            super().close()

    sock: Any = Sock()
    raw: Any = Raw(b"abcdef")
    clock = HandClock()
    pace = Pace(clock, 5.0, 10.0)
    reader = _TimedReader(sock, raw, pace)
    assert reader.readable()
    assert reader.readinto(bytearray(4)) == 4
    clock.sleep(7)
    assert reader.readinto(bytearray(4)) == 2
    assert reader.readinto(bytearray(4)) == 0
    assert (sock.waits, pace.received) == ([5.0, 3.0], 6), "told again where it changes"
    reader.close()
    reader.close()
    assert Raw.closes == 1


def test_sending_keeps_to_the_pace_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    class Out(Sock):
        sent = b""

        def sendall(self, data: bytes) -> None:
            self.sent += data
            clock.time += 4

    clock = HandClock()
    made = PlainConnection("127.0.0.1", 81, pace=Pace(clock, 5.0, 8.0))
    made.sock = out = Out()
    made.send(b"x" * 100_000)
    assert (out.waits, len(out.sent)) == ([5.0, 4.0], 100_000)
    with pytest.raises(TimeoutError):
        made.send(b"x" * 100_000)
    monkeypatch.setattr(HTTPConnection, "connect", lambda _: None)
    made.connect()
    assert made.pace.next_wait() == 5.0, "a new connection has all of its time"


def test_a_read_that_would_block_counts_nothing() -> None:
    class Raw(io.RawIOBase):
        def readinto(self, _buffer: Any) -> None:
            return None

    sock: Any = Sock()
    pace = Pace(HandClock(), 5.0, 10.0)
    assert _TimedReader(sock, Raw(), pace).readinto(bytearray(1)) is None
    assert pace.received == 0


def test_what_fails_before_there_is_an_answer_passes() -> None:
    made = fresh("http://127.0.0.1:81")
    with pytest.raises(ResponseNotReady):
        made.getresponse()
    made.close()


# --- Bodies -----------------------------------------------------------------------------------------

DEFLATED = zlib.compress(b"body")


@pytest.mark.parametrize(
    ("pieces", "encoding", "body"),
    [
        ((b"bo", b"dy"), "", b"body"),
        ((b"bo", b"dy"), " Identity ", b"body"),
        ((), "br", b""),
        ((gzip.compress(b"body"),), "gzip", b"body"),
        ((gzip.compress(b"body"),), " X-GZIP ", b"body"),
        ((DEFLATED[:3], DEFLATED[3:]), "deflate", b"body"),
        ((b"x" * 60, b"x" * 40), "", b"x" * 100),
        ((gzip.compress(b"x" * 100),), "gzip", b"x" * 100),
    ],
)
def test_a_body_is_whole_and_decompressed(pieces: tuple[bytes, ...], encoding: str, body: bytes) -> None:
    response: Any = Response(*pieces)
    response.headers = {"content-encoding": encoding} if encoding else {}
    assert read_body(response, 100) == body


@pytest.mark.parametrize(
    ("pieces", "encoding", "why"),
    [
        ((b"x" * 101,), "", "the answer is larger than 100 bytes"),
        ((b"x" * 60, b"x" * 41), "", "the answer is larger than 100 bytes"),
        ((b"x",), "br", "the answer is compressed in an unknown way"),
        ((b"not gzip",), "gzip", "the answer cannot be decompressed"),
        (
            (gzip.compress(b"x" * 101),),
            "gzip",
            "the answer is cut short, or larger than 100 bytes when decompressed",
        ),
        (
            (gzip.compress(b"body")[:-1],),
            "gzip",
            "the answer is cut short, or larger than 100 bytes when decompressed",
        ),
    ],
)
def test_what_is_no_body(pieces: tuple[bytes, ...], encoding: str, why: str) -> None:
    response: Any = Response(*pieces)
    response.headers = {"content-encoding": encoding}
    with pytest.raises(BadBody) as bad:
        read_body(response, 100)
    assert str(bad.value) == why


def test_a_bomb_is_not_blown_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Unpacker:
        eof = False

        def decompress(self, _body: bytes, most: int) -> bytes:
            asked.append(most)
            return b""

    monkeypatch.setattr(zlib, "decompressobj", lambda wbits: Unpacker())
    response: Any = Response(b"x")
    response.headers = {"content-encoding": "gzip"}
    with pytest.raises(BadBody):
        read_body(response, 100)
    assert asked == [101]


# --- What really happened ---------------------------------------------------------------------------


def caused(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


def ring() -> BaseException:
    one, other = OSError("one"), OSError("other")
    one.__cause__, other.__cause__ = other, one
    return one


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (lambda: OSError("plain"), "plain"),
        (lambda: caused(OSError("outer"), OSError("inner")), "inner"),
        (lambda: OSError("wrapped", ConnectionRefusedError("refused")), "refused"),
        (lambda: TimeoutError(), "TimeoutError"),
        (ring, "one"),
    ],
)
def test_the_reason_is_the_innermost(error: Callable[[], BaseException], reason: str) -> None:
    assert reason_of(error()) == reason
