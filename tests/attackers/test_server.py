"""Whoever answers in Sume's place, or in its media host's, controls names, types, lengths, redirects, bodies, ids."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from sumesync.api import client as client_module
from sumesync.api import reading, wire
from sumesync.api.origin import address_of, is_public
from sumesync.api.transport import Limits
from sumesync.apply import deliveries
from sumesync.errors import ApiError, MediaError
from tests.api.servers import answering, client_of, http, serving
from tests.attackers.test_pull_request import one_clear_error, outside
from tests.scenarios.conftest import Maker
from tests.scenarios.stage import Stage

SUME = "https://www.sume.so/api/v1"
POST = "/images/generations"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every try is made, none is waited for."""
    monkeypatch.setattr(deliveries, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(client_module, "_BACKOFF", (0.0, 0.0))


def applied(make: Maker, *faults: Any, code: int | None = None, **settings: Any) -> Stage:
    """One spec applied before a Sume that does this; nothing outside the project is touched."""
    stage = make(*faults, **settings)
    stage.spec("hero", "A jar.")
    before = outside(stage)
    one_clear_error(stage.here("apply", "--yes", code=code))
    assert outside(stage) == before
    return stage


# --- Ids and names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "job_id",
    ["../x", "/etc/x", "a/b", "..", "a..b", "x?y", "x#y", "a\x00b", "a\nb", "\u202ex", "CON/x", "x" * 300, "é"],
)
def test_a_job_id_that_leads_elsewhere_is_no_id(make: Maker, job_id: str) -> None:
    """The job may exist: it is UNKNOWN, and not sent again."""
    stage = applied(make, {"method": "POST", "route": POST, "garble": {"way": "job-id", "value": job_id}}, code=4)
    stage.here("apply", "--yes", code=4)
    assert stage.posts() == 1
    files = (path for path in stage.root.rglob("*") if path.is_file() and not {".git", ".sume"} & set(path.parts))
    assert {path.suffix for path in files} <= {"", ".toml", ".lock"}


@pytest.mark.parametrize(
    "name", ["../../x.png", "..%2f..%2fx.png", "%00.png", "CON.png", ".git/hooks/x", "x.sh", "a\\b.png", "x.png/"]
)
def test_a_servers_file_name_names_nothing(make: Maker, name: str) -> None:
    told = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": "text/x-sh"}
    stage = applied(make, {"links": {"name": f"/{name}"}}, {"route": "media", "headers": told})
    found = {path.relative_to(stage.root).as_posix() for path in stage.root.rglob("*") if path.is_file()}
    ours = {"hero.sume.toml", "hero.sume.json", "hero.png", "sume.lock", "sumesync.toml", ".gitignore"}
    assert {path for path in found if not path.startswith((".git/", ".sume/"))} <= ours


@pytest.mark.parametrize(
    "body", [b"#!/bin/sh\necho x\n", b"<svg onload=alert(1)>", b"MZ\x90\x00", b"%PDF-1.7", b"\x7fELF"]
)
def test_what_is_no_media_is_not_kept(make: Maker, body: bytes) -> None:
    fault = {"route": "media", "answer": {"status": 200, "body": body.decode("latin-1"), "type": "image/png"}}
    stage = applied(make, fault, code=1)
    assert not {path for path in stage.tree() if path.startswith("hero.")} - {"hero.sume.toml", "hero.sume.json"}
    assert len(stage.charges()) == 1


# --- Where media may come from -----------------------------------------------------------------------------

PRIVATE = [
    *("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0x7f000001", "0", "0.0.0.0"),
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1"),
    *("192.0.0.1", "255.255.255.255"),
    *("[::1]", "[::]", "[fc00::1]", "[fd12::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[::ffff:127.0.0.1]"),
    *("[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "[::10.0.0.1]", "[2001:db8::1]"),
    *("localhost", "LOCALHOST", "localhost.", "ip6-localhost"),
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_private_address_is_asked_for_nothing_in_any_spelling(host: str, scheme: str) -> None:
    """Port 1 answers nobody: what is refused is refused by its address, or has none. No byte is sent either way."""
    with client_of(SUME, limits=Limits(connect=0.5)) as client, pytest.raises(MediaError) as caught:
        client.download(f"{scheme}://{host}:1/private/path?sig=s3cret", lambda _: None)
    assert "s3cret" not in caught.value.what
    assert "private/path" not in caught.value.what


@pytest.mark.parametrize("host", [name for name in PRIVATE if address_of(name)])
def test_no_private_address_is_taken_for_a_public_one(host: str) -> None:
    address = address_of(host)
    assert address is not None
    assert not is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433"])
def test_a_name_or_number_that_resolves_to_this_machine_gets_no_byte(host: str) -> None:
    with serving(answering(http(200, b"x"))) as server, client_of(SUME) as client:
        with pytest.raises(MediaError):
            client.download(f"https://{host}:{server.port}/a", lambda _: None)
        assert server.received == b""


@pytest.mark.parametrize(
    "place",
    [
        *("http://10.0.0.1/x", "https://10.0.0.1/x", "https://169.254.169.254/latest/meta-data", "https://[::1]/x"),
        *("file:///etc/passwd", "gopher://127.0.0.1/x", "https://u:p@media.sume.so/x", "//10.0.0.1/x", "http://0/x"),
    ],
)
def test_media_that_are_redirected_to_a_forbidden_place_are_refused(make: Maker, place: str) -> None:
    stage = applied(make, {"route": "media", "redirect": place}, code=1)
    assert not stage.world.leaks
    assert not stage.has("hero.png")
    assert len(stage.charges()) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/me", "/jobs", "/jobs/job_1", "/jobs/job_1/result", "/assets", "/avatars", "/brand"])
def test_the_api_redirects_nobody_and_the_key_goes_nowhere(path: str, status: int) -> None:
    reads: dict[str, Callable[[Any], object]] = {
        "/me": lambda client: client.account(),
        "/jobs": lambda client: client.list_jobs(),
        "/jobs/job_1": lambda client: client.job("job_1"),
        "/jobs/job_1/result": lambda client: client.result("job_1"),
        "/assets": lambda client: client.scenes({}),
        "/avatars": lambda client: client.avatars(),
        "/brand": lambda client: client.brand(),
    }
    with serving(answering(http(200, b"{}"))) as elsewhere:
        moved = http(status, Location=f"{elsewhere.url}/steal")
        with serving(answering(moved)) as server, client_of(server.url) as client, pytest.raises(ApiError):
            reads[path](client)
        assert elsewhere.received == b""


# --- Bodies ------------------------------------------------------------------------------------------------


def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    with (
        serving(answering(http(200, bomb, Content_Encoding="gzip"))) as server,
        client_of(server.url) as client,
        pytest.raises(ApiError, match="larger than"),
    ):
        client.account()


def test_a_gzip_bomb_in_place_of_a_picture_is_refused(make: Maker) -> None:
    stage = applied(make, {"route": "media", "garble": {"way": "gzip-bomb", "bytes": 1 << 20}}, code=1)
    assert not stage.has("hero.png")


WIDE = {
    "numbers": b"[" + b"1," * 300_000 + b"1]",
    "objects": b'{"jobs": [' + b"{}," * 200_000 + b"{}]}",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "keys": b"{" + b",".join(b'"k%d": 1' % i for i in range(300_000)) + b"}",
}


@pytest.mark.parametrize("name", sorted(WIDE))
def test_an_answer_of_countless_values_is_none(name: str) -> None:
    with pytest.raises(reading.Unreadable):
        wire.parse(WIDE[name])
    assert isinstance(wire.submit_result(wire.Answer(200, {}, WIDE[name]), 0.0), object)


@pytest.mark.parametrize("garble", ["html", "garbage", "empty", "no-id", "deep", "oversize", "gzip-bomb", "short"])
@pytest.mark.parametrize("route", ["/me", "/credits", "/jobs", "/jobs/*", "/jobs/*/result"])
def test_a_spoilt_answer_of_any_read_is_one_line(make: Maker, route: str, garble: str) -> None:
    way: Any = {"way": garble, "bytes": 9 << 20} if garble in ("oversize", "gzip-bomb") else garble
    stage = make({"method": "GET", "route": route, "garble": way})
    stage.spec("hero", "A jar.")
    result = stage.here("apply", "--yes", "--deadline", "0")
    one_clear_error(result)
    assert result.code in (0, 1, 5)
    assert len(stage.charges()) <= 1
    stage.nothing_lost()


MARKUP = "\x1b[2J\x1b]0;t\x07\u202eevil\u2066\u200b<script>alert(1)</script>\x9b31m\r\nError: paid twice"


def test_what_a_server_says_is_shown_harmless(make: Maker) -> None:
    fate = {"ends_as": "failed", "error_code": MARKUP, "message": MARKUP, "running_as": MARKUP}
    stage = make({"method": "POST", "route": POST, "job": fate})
    stage.spec("hero", "A jar.")
    for args in (("apply", "--yes"), ("status",), ("plan", "-v"), ("plan", "--json")):
        one_clear_error(stage.here(*args))
    assert "\x1b" not in stage.read("sume.lock")
    assert json.loads(stage.read("hero.sume.json"))["jobs"] if stage.has("hero.sume.json") else True


def test_headers_of_a_server_are_shown_harmless(make: Maker) -> None:
    says = {"error": {"message": MARKUP, "code": MARKUP}, "request_id": "req_1\x1b[2J"}
    stage = applied(make, {"method": "POST", "answer": {"status": 400, "body": says}}, code=1)
    assert not stage.charges()
