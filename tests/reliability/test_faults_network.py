"""The way to Sume and back: names, connections, TLS, slow and swollen answers, and what the media host may try."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sumesync.sandbox.settings import Idempotency
from tests.api.conftest import Certificates
from tests.api.servers import Line, serving
from tests.reliability import laws
from tests.reliability.machine import Fast, Ticking, directory, machine
from tests.scenarios.conftest import Maker
from tests.scenarios.stage import MEDIA, POST, RESULT, Stage


def a_hero(make: Maker, *rules: Any, **settings: Any) -> Stage:
    stage = make(*rules, git=False, **settings)
    stage.spec("hero", "A jar.")
    return stage


def port_of(stage: Stage) -> int:
    return urlsplit(stage.sume.running.base_url).port or 0


# --- Names and connections ----------------------------------------------------------------------------------

LOST_WAYS = [
    pytest.param("unknown", id="dns", marks=pytest.mark.fault(35)),
    pytest.param("refused", id="refused", marks=pytest.mark.fault(36)),
]


@pytest.mark.parametrize("fault", LOST_WAYS)
def test_a_paid_request_that_cannot_connect_is_not_sent_and_tried_again(make: Maker, fault: str) -> None:
    stage = a_hero(make)
    with machine(Fast()), directory(port_of(stage), fault, times=2):
        result = stage.here("apply", "--yes", code=0)
    assert result.err.count("not sent") == 2
    assert stage.posts() == len(stage.charges()) == 1
    laws.finish(stage)


@pytest.mark.parametrize("fault", LOST_WAYS)
def test_where_it_never_connects_nothing_is_paid_and_nothing_stays_open(make: Maker, fault: str) -> None:
    stage = a_hero(make)
    stage.spec("other", "A lid.")
    with machine(Fast()), directory(port_of(stage), fault) as looked:
        result = stage.here("apply", "--yes", code=1)
    assert "nothing was paid for; run apply again" in result.text
    assert len(looked) > 4, "it was tried again"
    assert not stage.posts()
    assert not stage.journal()
    laws.finish(stage, charges=2)
    assert {job["attempt"] for entry in stage.lock().values() for job in entry["jobs"]} == {1}


@pytest.mark.parametrize("fault", LOST_WAYS)
def test_where_sume_cannot_be_reached_at_all(make: Maker, fault: str) -> None:
    stage = a_hero(make)
    with machine(client=Fast()), directory(port_of(stage), fault, first=1):
        result = stage.here("apply", "--yes", code=1)
    assert "SUME_API_BASE_URL" in result.err
    assert not stage.world.requests
    laws.finish(stage)


# --- TLS ----------------------------------------------------------------------------------------------------


def relayed(stage: Stage, request: bytes) -> bytes:
    """The sandbox's answer to a request that came another way."""
    with socket.create_connection(("127.0.0.1", port_of(stage)), timeout=20) as sock:
        sock.sendall(request)
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        body = answer.read()
    kept = [f"{name}: {value}" for name, value in answer.getheaders() if name.lower() != "content-length"]
    head = [f"HTTP/1.1 {answer.status} {answer.reason}", *kept, f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def front(stage: Stage, certificates: Certificates, garbage: str = "") -> Callable[[Line], None]:
    """HTTPS before the sandbox. ``garbage``: in place of the handshake of the first paid connection, or of the
    answer to the first paid request."""
    connections, spoiled = list[Line](), list[Line]()

    def script(line: Line) -> None:
        connections.append(line)
        if garbage == "handshake" and len(connections) == 2:  # the first is that of the reads
            line.sock.recv(10)
            line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return
        line.sock = certificates.server.wrap_socket(line.sock, server_side=True)
        while request := line.read_request():
            answer = relayed(stage, request)
            if garbage == "answer" and request.startswith(b"POST") and not spoiled:
                spoiled.append(line)
                line.sock = socket.socket(fileno=line.sock.detach())
                line.send(b"no TLS record at all, and long enough to be read as one")
                return
            line.send(answer)

    return script


def over_tls(stage: Stage, certificates: Certificates, garbage: str, code: int, trusted: bool = True) -> str:
    with serving(front(stage, certificates, garbage)) as server, machine(Fast(), client=Fast()):
        env: dict[str, str | None] = {"SUME_API_BASE_URL": f"https://127.0.0.1:{server.port}/api/v1"}
        if trusted:
            env["SSL_CERT_FILE"] = str(certificates.file)
        return stage.here("apply", "--yes", code=code, env=env).text


@pytest.mark.fault(37)
def test_over_tls_all_is_as_ever(make: Maker, certificates: Certificates) -> None:
    stage = a_hero(make)
    over_tls(stage, certificates, "", 0)
    laws.finish(stage)


@pytest.mark.fault(37)
def test_tls_that_fails_before_the_request_is_not_sent(make: Maker, certificates: Certificates) -> None:
    stage = a_hero(make)
    assert "not sent" in over_tls(stage, certificates, "handshake", 0)
    assert stage.posts() == 1
    laws.finish(stage)


@pytest.mark.fault(37)
@pytest.mark.parametrize("documented", [False, True])
def test_garbage_in_tls_after_the_request_was_read_is_unknown(
    make: Maker, certificates: Certificates, documented: bool
) -> None:
    """The same exception as before the request; what counts is where we were."""
    stage = a_hero(make, idempotency=Idempotency.DOCUMENTED if documented else Idempotency.IGNORED)
    text = over_tls(stage, certificates, "answer", 0 if documented else 4)
    assert "not sent" not in text
    assert len(stage.charges()) == 1
    assert stage.posts() == 1 + documented
    laws.answer(stage)
    laws.finish(stage)


@pytest.mark.fault(37)
def test_a_certificate_that_is_not_trusted_gets_no_key(make: Maker, certificates: Certificates) -> None:
    stage = a_hero(make)
    text = over_tls(stage, certificates, "", 1, trusted=False)
    assert "certificate" in text
    assert not stage.world.requests
    laws.finish(stage)


# --- Polls and ends of jobs ---------------------------------------------------------------------------------


@pytest.mark.fault(53)
def test_a_job_that_sume_does_not_know_stays_recorded(make: Maker) -> None:
    stage = a_hero(make, {"method": "GET", "route": "/jobs/*", "answer": {"status": 404}})
    stage.slow()
    with machine(Fast(speed=50)):
        result = stage.here("apply", "--yes", code=1)
    [charge] = stage.charges()
    assert f"Sume does not know job {charge.job_id} now" in result.text
    assert stage.lock()["hero.sume.toml"]["jobs"][0]["state"] == "accepted"
    stage.faults()
    stage.later()
    laws.finish(stage)


@pytest.mark.fault(54)
def test_a_job_that_never_ends_is_left_in_flight(make: Maker) -> None:
    stage = a_hero(make, {**POST, "job": {"never_ends": True}})
    with machine(Fast(speed=5000)):
        result = stage.here("apply", "--yes", code=5)
    [charge] = stage.charges()
    assert charge.job_id in result.text
    stage.here("apply", "--yes", "--deadline", "0.1", code=5)
    stage.world.finish(charge.job_id)
    laws.finish(stage)


@pytest.mark.fault(55)
def test_a_job_that_fails_is_not_paid_for_again_unasked(make: Maker) -> None:
    stage = a_hero(make, {**POST, "job": {"ends_as": "failed", "error_code": "content_policy"}, "times": 1})
    for _ in range(2):
        assert "--retry-failed" in stage.here("apply", "--yes", code=1).text
    assert len(stage.charges()) == 1
    stage.here("apply", "--yes", "--retry-failed", code=0)
    laws.finish(stage, charges=2)
    assert [job["attempt"] for job in stage.lock()["hero.sume.toml"]["jobs"]] == [1, 2]


@pytest.mark.parametrize("code", [429, 500, 502, 408])
def test_a_poll_that_fails_is_no_failed_job(make: Maker, code: int) -> None:
    stage = a_hero(make, {"method": "GET", "route": "/jobs/*", "answer": {"status": code}, "times": 9})
    with machine(Fast(), client=Fast()):
        stage.here("apply", "--yes", code=0)
    laws.finish(stage)


# --- Media --------------------------------------------------------------------------------------------------

WRONG_MEDIA = [
    pytest.param({**RESULT, "links": {"expired": True}}, id="expired", marks=pytest.mark.fault(56)),
    pytest.param({**MEDIA, "garble": "short"}, id="short", marks=pytest.mark.fault(57)),
    pytest.param({**MEDIA, "drop": "mid-answer"}, id="broken-off", marks=pytest.mark.fault(57)),
    pytest.param({**MEDIA, "garble": "empty"}, id="empty", marks=pytest.mark.fault(57)),
    pytest.param(
        {**MEDIA, "answer": {"status": 200, "body": "\x00\x00\x00\x18ftypisom", "type": "video/mp4"}},
        id="a-video-for-a-picture",
        marks=pytest.mark.fault(58),
    ),
    pytest.param({**MEDIA, "garble": "garbage"}, id="no-media-at-all", marks=pytest.mark.fault(58)),
    pytest.param({**MEDIA, "garble": "html"}, id="html", marks=pytest.mark.fault(59)),
    pytest.param(
        {**MEDIA, "garble": {"way": "html", "value": "image/png"}}, id="html-as-png", marks=pytest.mark.fault(59)
    ),
    pytest.param({**MEDIA, "garble": "oversize"}, id="too-large-by-its-word", marks=pytest.mark.fault(61)),
    pytest.param(
        {**MEDIA, "garble": {"way": "oversize", "bytes": 1 << 20}}, id="too-large", marks=pytest.mark.fault(61)
    ),
    pytest.param(
        {**RESULT, "garble": {"way": "oversize", "bytes": 9 << 20}},
        id="a-result-too-large",
        marks=pytest.mark.fault(61),
    ),
    pytest.param({**MEDIA, "garble": "gzip-bomb"}, id="media-compressed", marks=pytest.mark.fault(62)),
    pytest.param({**RESULT, "garble": "gzip-bomb"}, id="a-result-bomb", marks=pytest.mark.fault(62)),
    pytest.param({**MEDIA, "redirect": "http://10.0.0.1/x.png"}, id="to-http", marks=pytest.mark.fault(63)),
    pytest.param({**MEDIA, "redirect": "https://10.0.0.1/x.png"}, id="to-private", marks=pytest.mark.fault(63)),
    pytest.param({**MEDIA, "redirect": "https://169.254.169.254/x"}, id="to-metadata", marks=pytest.mark.fault(63)),
    pytest.param({**MEDIA, "redirect": "http://sume.example/x.png"}, id="to-http-public", marks=pytest.mark.fault(63)),
    pytest.param({**MEDIA, "redirect": "file:///etc/passwd"}, id="to-a-file", marks=pytest.mark.fault(63)),
]


@pytest.mark.parametrize("rule", WRONG_MEDIA)
def test_media_that_cannot_be_had_come_for_free_later(make: Maker, rule: dict[str, Any]) -> None:
    stage = a_hero(make, rule)
    with machine(Fast(), limits={"media_bytes": 1 << 19, "tries": 2}):
        result = stage.here("apply", "--yes", code=1)
    assert "<script>" not in result.text
    assert not stage.has("hero.png")
    assert not list(stage.root.rglob("*.part"))
    assert len(stage.seen("GET", "/jobs/.*/result")) > 1, "a fresh URL was asked for"
    laws.hold(stage)
    stage.faults()
    laws.finish(stage)


def dripping(stage: Stage) -> None:
    """Scripted pauses are just long enough that the client sees each byte alone; its clock does the rest."""
    for origin in stage.sume.running._origins:
        origin.sleep = lambda _seconds: void(threading.Event().wait(0.003))


def void(_value: object) -> None:
    return None


@pytest.mark.fault(60)
@pytest.mark.parametrize("route", [MEDIA, RESULT], ids=["media", "result"])
def test_an_answer_that_drips_is_given_up(make: Maker, route: dict[str, str]) -> None:
    """Each byte comes in good time, and all of them would take for ever."""
    stage = a_hero(make, {**route, "garble": "drip"})
    dripping(stage)
    with machine(Fast(), client=Ticking(tick=3.0), limits={"tries": 2}):
        result = stage.here("apply", "--yes", code=1)
    assert "too long" in result.text
    assert not stage.has("hero.png")
    stage.faults()
    laws.finish(stage)


@pytest.mark.fault(60)
def test_a_paid_answer_that_drips_is_unknown(make: Maker) -> None:
    stage = a_hero(make, {**POST, "garble": "drip", "times": 1})
    dripping(stage)
    with machine(client=Ticking(tick=3.0)):
        stage.here("apply", "--yes", "--no-wait", code=4)
    assert len(stage.charges()) == 1
    laws.answer(stage)
    laws.finish(stage)


NAMES = ["../../evil.png", "..%2f..%2fevil.png", "%2fetc%2fevil.png", "/etc/evil.png", "evil%00.png", "CON.png",
         ".git%2fevil", "%5cevil.png", "x" * 300 + ".png"]  # fmt: skip


@pytest.mark.fault(64)
@pytest.mark.parametrize("name", NAMES)
def test_names_from_the_server_are_never_used(make: Maker, name: str) -> None:
    header = {**MEDIA, "headers": {"Content-Disposition": f'attachment; filename="{name}"'}}
    stage = a_hero(make, {**RESULT, "links": {"name": name}}, header)
    before = {path for path in stage.root.parent.rglob("*") if ".sume" not in path.parts}
    with machine(Fast()):  # a path that leads upwards is another than was signed: the host refuses it
        stage.here("apply", "--yes", code=1 if name.startswith("../") else 0)
    now = {path for path in stage.root.parent.rglob("*") if ".sume" not in path.parts}
    made = {path.relative_to(stage.root).as_posix() for path in now - before}
    assert made <= {"hero.png", "hero.sume.json", "sume.lock"}
    stage.faults()
    laws.finish(stage)


# --- What stands in the place -------------------------------------------------------------------------------


@pytest.mark.fault(65)
@pytest.mark.parametrize("dangling", [False, True])
def test_an_output_that_is_a_link_is_not_written_through(make: Maker, dangling: bool) -> None:
    stage = a_hero(make)
    outside = stage.root.parent / "precious.png"
    if not dangling:
        outside.write_bytes(b"precious")
    stage.path("hero.png").symlink_to(outside)
    stage.here("apply", "--yes", code=64)
    assert not stage.posts()
    assert outside.exists() != dangling
    stage.path("hero.png").unlink()
    laws.finish(stage)
    # Put there later: it is a person's, and told.
    data = stage.path("hero.png").read_bytes()
    stage.path("hero.png").unlink()
    outside.write_bytes(data)
    stage.path("hero.png").symlink_to(outside)
    stage.spec("hero", "Another jar.")
    stage.here("apply", "--yes")
    assert outside.read_bytes() == data
    assert stage.path("hero.png").is_symlink()


def a_foreign_file(target: Path, outside: Path) -> None:
    target.write_bytes(b"mine")


def a_link(target: Path, outside: Path) -> None:
    outside.write_bytes(b"mine")
    target.symlink_to(outside)


def a_link_to_nothing(target: Path, outside: Path) -> None:
    target.symlink_to(outside)


def a_folder(target: Path, outside: Path) -> None:
    target.mkdir()


@pytest.mark.fault(65, 66)
@pytest.mark.parametrize("swap", [a_foreign_file, a_link, a_link_to_nothing, a_folder])
@pytest.mark.parametrize("update", [False, True], ids=["new", "ours-before"])
def test_a_target_that_is_swapped_while_the_media_arrive(
    make: Maker, swap: Callable[[Path, Path], None], update: bool
) -> None:
    stage = a_hero(make)
    if update:
        stage.here("apply", "--yes", code=0)
        stage.spec("hero", "Another jar.")
    stage.faults({**MEDIA, "delay": 1, "after": True, "times": 1})
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    target, outside = stage.path("hero.png"), stage.root.parent / "outside.png"
    if update:
        target.unlink()
    swap(target, outside)
    stage.sume.gate.open()
    result = stage.end(process, code=0)
    job = stage.charges()[-1].job_id
    assert f"hero.{job}.png" in result.text
    assert outside.exists() == (swap is a_link)
    if swap in (a_foreign_file, a_link):
        assert target.read_bytes() == b"mine"
    laws.finish(stage, charges=1 + update)


@pytest.mark.fault(65)
def test_a_folder_that_becomes_a_link_while_the_media_arrive(make: Maker) -> None:
    stage = make({**MEDIA, "delay": 1, "times": 1}, git=False)
    stage.spec("shots/hero", "A jar.")
    outside = stage.root.parent / "elsewhere"
    outside.mkdir()
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    stage.path("shots").rename(stage.root.parent / "shots-before")
    stage.path("shots").symlink_to(outside, target_is_directory=True)
    stage.sume.gate.open()
    stage.end(process, code=3)
    assert os.listdir(outside) == []
    stage.path("shots").unlink()
    (stage.root.parent / "shots-before").rename(stage.path("shots"))
    laws.finish(stage)


# --- Texts --------------------------------------------------------------------------------------------------

EVIL = "\x1b]0;title\x07\x1b[31m\u202e\u009b31m<script>alert(1)</script>"


@pytest.mark.fault(67, 68)
def test_texts_of_sume_and_of_specs_reach_the_terminal_tamed(make: Maker) -> None:
    body = {"error": {"code": f"bad{EVIL}", "message": EVIL, "details": {}}, "request_id": f"req{EVIL}"}
    stage = make({**POST, "prompt": "fails", "job": {"ends_as": "failed", "error_code": EVIL, "message": EVIL}},
                 {**POST, "prompt": "refused", "answer": {"status": 422, "body": body}},
                 {**POST, "prompt": "status", "job": {"running_as": f"warm{EVIL}"}}, git=False)  # fmt: skip
    for word in ("fails", "refused", "status"):
        stage.spec(word, f"It {word}. {EVIL}")
    stage.here("apply", "--yes", code=1)
    for args in (("plan", "--verbose"), ("status",), ("check",), ("plan", "--json"), ("status", "--json")):
        stage.here(*args)
    said = "".join(stage.said)
    assert "alert(1)" in said, "it is told, and harmless as plain text"
    assert not set(said) & {"\x1b", "\x07", "\u202e", "\u009b"}
    recorded = stage.read("sume.lock") + stage.ledger()
    assert "<script>" not in recorded
    assert not set(recorded) & {"\x1b", "\x07", "\u202e", "\u009b"}


@pytest.mark.fault(67, 68)
@pytest.mark.parametrize("status", [200, 500, 403])
def test_a_page_in_place_of_an_answer_is_not_quoted_raw(make: Maker, status: int) -> None:
    page = {"status": status, "body": f"<html>{EVIL}</html>", "type": "text/html"}
    stage = a_hero(make, {**POST, "answer": page, "times": 1})
    result = stage.here("apply", "--yes", code=1 if status == 403 else 4)
    assert "<script>" not in result.text
    assert not set(result.text) & {"\x1b", "\x07", "\u202e", "\u009b"}
    laws.answer(stage)
    laws.finish(stage)
