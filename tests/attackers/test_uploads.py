"""Whoever answers a presign chooses where a file of the project goes, and with which headers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from sumesync.answers import Presigned
from sumesync.api.client import SumeClient
from sumesync.errors import ApiError, MediaError
from sumesync.host import SystemClock
from sumesync.sandbox.server import Running
from sumesync.sandbox.world import World
from tests import canaries
from tests.api.servers import KEY, answering, client_of, http, serving
from tests.canaries import PLANTED, caught, nets, plant
from tests.sandbox.client import Clock, site, tokens

FILE = b"\x89PNG\r\n\x1a\n" + bytes(5_000)
SUME = "https://www.sume.so/api/v1"


def send(client: SumeClient, told: Any, data: bytes = FILE) -> Presigned:
    """Ask where to, of a server that says ``told``; then send it there."""
    where = client.presign("a.png", "image/png", len(data), "reference_image")
    client.put(where, len(data), io.BytesIO(data).read)
    return where


def refused(told: Callable[[str], Any]) -> ApiError:
    """What comes of a presign answer, made from the URL of a storage that would take anything. Nothing of the file
    and nothing of ours gets there."""
    with serving(answering(http(200))) as storage:
        answer = json.dumps(told(storage.url)).encode()
        with (
            serving(answering(http(200, answer))) as api,
            client_of(api.url) as client,
            pytest.raises(ApiError) as caught_,
        ):
            send(client, told)
        assert storage.received == b""
    said = f"{caught_.value.what} {caught_.value.hint}"
    assert "s3cret" not in said
    assert KEY not in said
    assert "\n" not in said
    return caught_.value


HOSTILE: dict[str, Callable[[str], Any]] = {
    "http to a stranger": lambda _: "http://storage.evil.test/a?s3cret",
    "a private address": lambda _: "https://10.0.0.1/a?s3cret",
    "the cloud's own address": lambda _: "http://169.254.169.254/latest?s3cret",
    "the same, mapped": lambda _: "https://[::ffff:169.254.169.254]/a?s3cret",
    "a user name": lambda url: url.replace("://", "://user:s3cret@") + "/a",
    "another scheme": lambda _: "file:///etc/passwd?s3cret",
    "no host": lambda _: "https://?s3cret",
    "a path": lambda _: "/api/v1/images/generations?s3cret",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_places_that_a_file_does_not_go_to(name: str) -> None:
    refused(lambda url: {"upload_id": "u_1", "upload_url": HOSTILE[name](url)})


HEADERS: dict[str, dict[str, Any]] = {
    "the key's": {"Authorization": "Bearer s3cret"},
    "the key's, spelt otherwise": {"aUTHORIZATION": "s3cret"},
    "a cookie": {"Cookie": "s=s3cret"},
    "an injected line": {"x-a": "1\r\nAuthorization: s3cret"},
    "an injected request": {"x-a": "1\r\n\r\nGET /s3cret HTTP/1.1"},
    "an injected name": {"x-a: 1\r\nAuthorization": "s3cret"},
    "a smuggled length": {"Content-Length": "0"},
    "a smuggled length, signed": {"Content-Length": f"+{len(FILE)}"},
    "a smuggled encoding": {"transfer-encoding": "chunked"},
    "another host": {"Host": "evil.test"},
    "expect": {"Expect": "100-continue"},
    "a proxy's": {"Proxy-Connection": "keep-alive"},
    "huge": {"x-a": "s3cret" * 10_000},
    "countless": {f"x-{number}": "s3cret" for number in range(5_000)},
    "of no text": {"x-a": {"s3cret": 1}},
    "bidirectional": {"x-a": "\u202es3cret"},
}


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_headers_that_are_not_sent(name: str) -> None:
    refused(lambda url: {"upload_id": "u_1", "upload_url": f"{url}/a?s3cret", "required_headers": HEADERS[name]})


@pytest.mark.parametrize("location", ["", "https://10.0.0.1/a", "/api/v1/images/generations"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_storage_that_sends_elsewhere(status: int, location: str) -> None:
    with serving(answering(http(200))) as elsewhere:
        moved = http(status, Location=location or f"{elsewhere.url}/a")
        with serving(answering(moved)) as storage, client_of(storage.url) as client, pytest.raises(MediaError):
            client.put(Presigned("u_1", f"{storage.url}/a"), len(FILE), io.BytesIO(FILE).read)
        assert len(storage.lines) == 1
        assert elsewhere.received == b""


def test_a_line_break_in_the_url_is_no_header() -> None:
    with serving(answering(http(200))) as storage, client_of(storage.url) as client:
        url = f"{storage.url}/a?b=1 HTTP/1.1\r\nAuthorization: s3cret\r\nx: "
        client.put(Presigned("u_1", url), len(FILE), io.BytesIO(FILE).read)
    head = storage.received.partition(b"\r\n\r\n")[0]
    assert [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]] == [b"host", b"content-length"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"upload_url":' * 100_000,
        json.dumps({"upload_id": "u", "upload_url": "x" * 9_000}).encode(),
    ],
)
def test_answers_that_tell_nothing(answer: bytes) -> None:
    with serving(answering(http(200, answer))) as api, client_of(api.url) as client, pytest.raises(ApiError):
        client.presign("a.png", "image/png", 1, "asset")


def client_for(running: Running) -> SumeClient:
    return SumeClient(running.base_url, running.key, SystemClock(), version="1", environ={})


def test_a_storage_that_says_every_secret() -> None:
    """And wants a secret header, which it gets; what is said of a failure has none of it."""
    world = World(now=Clock(), token=tokens(), key=canaries.KEY)
    with site(world=world) as s:
        plant(s.running)
        with client_for(s.running) as client:
            where = send(client, None)
            assert s.world.upload(where.upload_id).completed
            assert not caught(repr(where).encode(), nets(PLANTED))
            wrong = Presigned(where.upload_id, where.url, {**where.headers, "x-more": "1"})
            with pytest.raises(MediaError) as failed:
                client.put(wrong, len(FILE), io.BytesIO(FILE).read)
            assert failed.value.status == 403
            with pytest.raises(ApiError) as told:
                client.presign("a.png", "text/html", 1, "asset")
    for error in (failed.value, told.value):
        assert not caught(f"{error!r} {error.what} {error.hint} {error.__cause__!r}".encode(), nets(PLANTED))
    assert s.world.leaks == []
