"""Uploads: exactly the file's bytes to exactly the place that Sume named, with its headers alone, and never the key."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sumesync.answers import Presigned
from sumesync.api import wire
from sumesync.api.presigned import sendable
from sumesync.api.reading import Unreadable
from sumesync.errors import ApiError, MediaError, MediaRefused

from .conftest import Certificates
from .servers import KEY, QUICK, HandClock, Line, Script, answering, client_of, http, serving
from .test_api_wire import rows

BODY = bytes(range(256)) * 3000
SUME = "https://www.sume.so/api/v1"
OK = answering(http(200, b""))


def place(url: str, **headers: str) -> Presigned:
    return Presigned("upl_1", url, {name.replace("_", "-"): value for name, value in headers.items()})


def failure(script: Script, path: str = "/put?sig=s3cret", body: bytes = BODY, **headers: str) -> MediaError:
    """Of an upload to a loopback API's own media host."""
    with (
        serving(script) as server,
        client_of(server.url) as client,
        pytest.raises(MediaError) as caught,
    ):
        client.put(place(server.url + path, **headers), len(body), io.BytesIO(body).read)
    assert "s3cret" not in f"{caught.value.what} {caught.value.hint}"
    assert "/put" not in f"{caught.value.what} {caught.value.hint}"
    assert KEY.encode() not in server.received
    return caught.value


# --- asking where to ------------------------------------------------------------------------------


@rows("presigned")
def test_presign_answers(row: dict[str, Any]) -> None:
    if row["upload_id"] is None:
        with pytest.raises(Unreadable):
            wire.read_presigned(row["answer"])
        return
    wanted = Presigned(row["upload_id"], row["url"], row.get("headers", {}), row.get("media_url", ""))
    assert wire.read_presigned(row["answer"]) == wanted


def test_presign_says_what_the_file_is_and_tries_again() -> None:
    told = {"upload_id": "upl_1", "upload_url": "https://up.test/a"}
    script = answering(http(503), http(429, Retry_After="3"), http(200, json.dumps(told).encode()))
    clock = HandClock()
    with serving(script) as server, client_of(server.url, clock) as client:
        assert client.presign("täke 1.mp4", "video/mp4", 12, "asset") == Presigned("upl_1", "https://up.test/a")
    head, _, rest = server.received.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /uploads/presign HTTP/1.1\r\n")
    assert f"Authorization: Bearer {KEY}".encode() in head
    asked = json.loads(rest.partition(b"POST")[0])
    assert asked == {"file_name": "täke 1.mp4", "content_type": "video/mp4", "size_bytes": 12, "purpose": "asset"}
    assert clock.slept == [0.25, 3.0]


def test_presign_that_is_refused_says_why() -> None:
    says = {"error": {"code": "bad_request", "message": "no such purpose"}, "request_id": "req_1"}
    with (
        serving(answering(http(400, json.dumps(says).encode()))) as server,
        client_of(server.url) as client,
        pytest.raises(ApiError, match="no such purpose") as caught,
    ):
        client.presign("a.png", "image/png", 1, "other")
    assert (caught.value.status, caught.value.request_id) == (400, "req_1")


def test_what_is_secret_of_a_place_is_not_in_its_repr() -> None:
    shown = repr(Presigned("upl_1", "https://up.test/s3cret", {"x-a": "s3cret"}, "https://m.test/s3cret"))
    assert "s3cret" not in shown


# --- sending --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 204])
def test_the_bytes_and_the_headers_and_nothing_else(status: int) -> None:
    asked: list[int] = []
    file = io.BytesIO(BODY)

    def read(most: int) -> bytes:
        asked.append(most)
        return file.read(min(most, 100_000))

    with serving(answering(http(status, length=0))) as server, client_of(server.url) as client:
        there = place(f"{server.url}/put/a%2Fb?sig=a%2Fb+c#x", Content_Type="video/mp4", x_amz_a="1 2")
        client.put(there, len(BODY), read)
    head, _, body = server.received.partition(b"\r\n\r\n")
    assert body == BODY
    assert sorted(head.decode().split("\r\n")) == [
        f"Content-Length: {len(BODY)}",
        "Content-Type: video/mp4",
        f"Host: 127.0.0.1:{server.port}",
        "PUT /put/a%2Fb?sig=a%2Fb+c HTTP/1.1",
        "x-amz-a: 1 2",
    ]
    assert max(asked) <= 256 * 1024


def test_headers_that_http_sends_anyway_are_sent_once() -> None:
    with serving(OK) as server, client_of(server.url) as client:
        named = place(f"{server.url}/put", Host=f"127.0.0.1:{server.port}", content_length="3", User_Agent="storage/1")
        client.put(named, 3, io.BytesIO(b"abc").read)
    head = server.received.partition(b"\r\n\r\n")[0].lower()
    names = (b"\r\nhost:", b"\r\ncontent-length:", b"\r\nuser-agent: storage/1")
    assert [head.count(name) for name in names] == [1, 1, 1]


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 400, 403, 404, 409, 411, 413, 500, 503])
def test_any_other_status_is_a_failure_and_no_redirect_is_followed(status: int) -> None:
    with serving(OK) as other:
        error = failure(answering(http(status, Location=f"{other.url}/put")))
        assert (error.status, isinstance(error, MediaRefused)) == (status, status in (400, 411, 413))
        assert other.received == b""


@pytest.mark.parametrize("data", [b"", b"junk", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200])
def test_an_answer_that_is_none(data: bytes) -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.send(data)

    assert failure(script).status is None


def test_huge_headers_of_an_answer() -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.send(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n")

    assert failure(script).status is None


def test_a_host_that_refuses_early_is_heard() -> None:
    def script(line: Line) -> None:
        line.sock.recv(65536)
        line.send(http(403, b"no", Connection="close"))

    assert failure(script, body=bytes(30 << 20)).status in (403, None)  # None where the reset outran the answer


def test_a_host_that_breaks_off_midway() -> None:
    def script(line: Line) -> None:
        line.sock.recv(65536)

    assert failure(script, body=bytes(30 << 20)).status is None


def test_success_before_the_file_was_sent_is_none() -> None:
    def script(line: Line) -> None:
        line.sock.recv(65536)
        line.send(http(200, b"", Connection="close"))

    failure(script, body=bytes(30 << 20))


@pytest.mark.parametrize(
    ("size", "read"),
    [
        (10, lambda: io.BytesIO(b"abc").read),
        (10, lambda: io.BytesIO(b"").read),
        (3, lambda: lambda most: b"abcd"),
    ],
)
def test_a_file_that_has_another_size(size: int, read: Callable[[], Callable[[int], bytes]]) -> None:
    with (
        serving(OK) as server,
        client_of(server.url) as client,
        pytest.raises(MediaError, match="changed its size"),
    ):
        client.put(place(f"{server.url}/put"), size, read())


@pytest.mark.parametrize("size", [0, -1, QUICK.media_bytes + 1])
def test_a_size_that_is_none(size: int) -> None:
    with serving(OK) as server, client_of(server.url) as client, pytest.raises(MediaError):
        client.put(place(f"{server.url}/put"), size, io.BytesIO(BODY).read)
    assert server.lines == []


def test_a_file_that_is_longer_is_sent_up_to_its_size() -> None:
    with serving(OK) as server, client_of(server.url) as client:
        client.put(place(f"{server.url}/put"), 3, io.BytesIO(b"abcdef").read)
    assert server.received.endswith(b"\r\n\r\nabc")


@pytest.mark.parametrize("raised", [OSError(5, "disk"), TimeoutError("nfs"), KeyboardInterrupt()])
def test_what_read_raises_passes(raised: BaseException) -> None:
    def read(_: int) -> bytes:
        raise raised

    with serving(OK) as server, client_of(server.url) as client, pytest.raises(type(raised)) as caught:
        client.put(place(f"{server.url}/put"), 3, read)
    assert caught.value is raised


def test_a_slow_host_may_take_its_time_and_a_dead_one_not() -> None:
    limits = replace(QUICK, media_grace=5.0, media_rate=10_000.0)
    with serving(OK) as server, client_of(server.url, HandClock(tick=1.0), limits) as client:
        client.put(place(f"{server.url}/put"), len(BODY), io.BytesIO(BODY).read)
    with (
        serving(OK) as server,
        client_of(server.url, HandClock(tick=40.0)) as client,
        pytest.raises(MediaError),
    ):
        client.put(place(f"{server.url}/put"), len(BODY), io.BytesIO(BODY).read)


def test_a_host_that_reads_and_says_nothing_is_given_up() -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.sock.recv(1)

    with (
        serving(script) as server,
        client_of(server.url, limits=replace(QUICK, media_stall=0.1)) as client,
        pytest.raises(MediaError),
    ):
        client.put(place(f"{server.url}/put"), 3, io.BytesIO(b"abc").read)


# --- where to -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://media.sume.so/put?s3cret",
        "http://10.0.0.1/put?s3cret",
        "https://10.0.0.1/put?s3cret",
        "https://169.254.169.254/put?s3cret",
        "https://[::ffff:10.0.0.1]/put?s3cret",
        "https://127.0.0.1:1/put?s3cret",
        "https://localhost:1/put?s3cret",
        "ftp://media.sume.so/put?s3cret",
        "//media.sume.so/put?s3cret",
        "https://user:s3cret@media.sume.so/put",
        "https:///put?s3cret",
        "https://media.sume.so:0/put?s3cret",
        "put?s3cret",
        "",
        f"https://1.1.1.1/put?key={KEY}",
    ],
)
def test_places_that_nothing_is_sent_to(url: str) -> None:
    with client_of(SUME) as client, pytest.raises(MediaError) as caught:
        client.put(place(url), 3, io.BytesIO(b"abc").read)
    assert "s3cret" not in str(caught.value)
    assert "/put" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_place_is_checked_where_it_really_led_to() -> None:
    quiet: list[bool] = []
    with serving(lambda line: quiet.append(line.sock.recv(1) == b"")) as server, client_of(SUME) as client:
        with pytest.raises(MediaError, match="not public"):
            client.put(place(f"https://localhost:{server.port}/put"), 3, io.BytesIO(b"abc").read)
        assert server.connected.wait(2)
    assert quiet == [True]


def test_over_tls(certificates: Certificates) -> None:
    with serving(OK, certificates.server) as server, client_of(server.url, tls=certificates.client) as client:
        client.put(place(f"https://localhost:{server.port}/put"), len(BODY), io.BytesIO(BODY).read)
    assert server.received.endswith(BODY)
    with serving(OK, certificates.server) as server, client_of(server.url) as client, pytest.raises(MediaError):
        client.put(place(f"https://localhost:{server.port}/put"), 3, io.BytesIO(b"abc").read)


# --- headers --------------------------------------------------------------------------------------

_BAD = {
    "the key": {"Authorization": "Bearer x"},
    "a cookie": {"cookie": "a=1"},
    "of the connection": {"Connection": "keep-alive"},
    "of the transfer": {"Transfer-Encoding": "chunked"},
    "expect": {"Expect": "100-continue"},
    "upgrade": {"Upgrade": "h2c"},
    "te": {"TE": "trailers"},
    "a proxy's": {"Proxy-Authorization": "Basic x"},
    "another proxy's": {"Proxy-Anything": "x"},
    "another host": {"Host": "internal.test"},
    "another length": {"Content-Length": "1"},
    "forwarded": {"X-Forwarded-For": "127.0.0.1"},
    "another method": {"X-HTTP-Method-Override": "DELETE"},
    "a key of ours": {"x-note": f"a {KEY}"},
    "a key of ours as a name": {KEY: "x"},
    "idempotency": {"Idempotency-Key": "x"},
    "a line break in a value": {"x-a": "1\r\nAuthorization: Bearer x"},
    "a bare line feed": {"x-a": "1\nx"},
    "a line break in a name": {"x-a: 1\r\nx-b": "2"},
    "a colon in a name": {"x-a: y": "2"},
    "a folded line": {"x-a": "1\r\n 2"},
    "NUL": {"x-a": "\0"},
    "not ASCII": {"x-a": "é"},
    "a space at the end": {"x-a": "1 "},
    "an empty name": {"": "x"},
    "a huge value": {"x-a": "y" * 9_000},
    "too many": {f"x-{number}": "1" for number in range(60)},
    "one twice": {"X-A": "1", "x-a": "1"},
    "what would skip a header": {"Authorization ": "x"},
}


@pytest.mark.parametrize("name", sorted(_BAD))
def test_headers_that_no_file_needs(name: str) -> None:
    with serving(OK) as server, client_of(server.url) as client, pytest.raises(MediaError) as caught:
        client.put(Presigned("upl_1", f"{server.url}/put", _BAD[name]), 3, io.BytesIO(b"abc").read)
    assert server.lines == []
    assert "Bearer" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_headers_that_storages_want() -> None:
    wanted = {
        "Content-Type": "video/mp4",
        "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==",
        "Cache-Control": "private, max-age=0",
        "Content-Disposition": 'attachment; filename="a b.mp4"',
        "If-None-Match": "*",
        "x-amz-acl": "private",
        "x-amz-meta-empty": "",
        "x-goog-content-length-range": "0,12",
        "x-ms-blob-type": "BlockBlob",
    }
    assert sendable(wanted, 12, "h") == wanted
