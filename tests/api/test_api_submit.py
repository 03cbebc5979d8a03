"""The paid step: one POST, one connection, no byte before the hook, and no doubt called a no."""

from __future__ import annotations

import base64
import errno
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from http.client import NotConnected

import pytest
from urllib3.exceptions import ProtocolError
from urllib3.util import parse_url

from sumesync.answers import Accepted, NotSent, Order, Refused, SubmitResult, Throttled, Unclear
from sumesync.api.transport import Transport

from .conftest import Certificates
from .servers import KEY, QUICK, HandClock, Line, Script, Server, answering, client_of, http, serving

ORDER = Order(key="ab" * 32, route="/images/generations", body=b'{"prompt":"A caf\xc3\xa9"}')
OK = http(200, b'{"object":"image_generation","job":{"id":"job_1","status":"queued"}}')


def submit(script: Script, hook: Callable[[], None] = lambda: None) -> tuple[SubmitResult, Server]:
    with serving(script) as server, client_of(f"{server.url}/api/v1") as client:
        return client.submit(ORDER, hook), server


def test_exactly_the_order_is_sent() -> None:
    outcome, server = submit(answering(OK))
    assert outcome == Accepted(("job_1",))
    assert len(server.lines) == 1
    head, _, body = server.received.partition(b"\r\n\r\n")
    assert body == ORDER.body
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /api/v1/images/generations HTTP/1.1"
    assert dict(line.split(": ", 1) for line in lines[1:]) == {
        "Host": f"127.0.0.1:{server.port}",
        "Content-Length": str(len(ORDER.body)),
        "Authorization": f"Bearer {KEY}",
        "User-Agent": "sumesync/1.0",
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Idempotency-Key": ORDER.key,
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


# --- the table of outcomes ------------------------------------------------------------------------

REFUSED = (400, 401, 402, 403, 404, 413, 422)
UNCLEAR: tuple[int, ...] = (
    101,
    103,
    300,
    301,
    302,
    303,
    304,
    307,
    308,
    405,
    406,
    408,
    409,
    410,
    418,
    423,
    425,
    428,
    431,
)
UNCLEAR += (451, 499, 500, 501, 502, 503, 504, 507, 520, 524, 599, 600, 999)
ERROR = b'{"error":{"code":"some_code","message":"Some text."},"request_id":"req_1"}'


@pytest.mark.parametrize("status", REFUSED)
def test_a_definite_no_is_refused(status: int) -> None:
    outcome, server = submit(answering(http(status, ERROR, Retry_After="1")))
    assert outcome == Refused(status, "some_code", "Some text.", "req_1")
    assert len(server.lines) == 1


@pytest.mark.parametrize("status", UNCLEAR)
def test_whatever_leaves_a_doubt_is_unclear(status: int) -> None:
    body = b'{"job_id":"job_9","error":{"code":"x"}}' if status >= 200 and status != 304 else b""
    outcome, server = submit(answering(http(status, body, Location="/again", Retry_After="0")))
    assert isinstance(outcome, Unclear)
    assert server.received.count(b"POST ") == len(server.lines) == 1


def test_a_promise_of_an_answer_is_no_answer() -> None:
    with serving(answering(http(100))) as server, client_of(server.url, limits=replace(QUICK, submit=0.1)) as client:
        assert isinstance(client.submit(ORDER, lambda: None), Unclear)
    assert len(server.lines) == 1


def test_every_status_is_in_one_class() -> None:
    assert not set(REFUSED) & set(UNCLEAR)
    assert 429 not in {*REFUSED, *UNCLEAR}


@pytest.mark.parametrize(("told", "wait"), [("7", 7.0), ("21600", 60.0), ("0", 1.0), ("", 6.0), ("soon", 6.0)])
def test_429_is_throttled(told: str, wait: float) -> None:
    outcome, server = submit(answering(http(429, ERROR, Retry_After=told)))
    assert isinstance(outcome, Throttled)
    assert outcome.wait == wait
    assert len(server.lines) == 1


@pytest.mark.parametrize(
    ("left", "told", "wait"), [("0", "30", 30.0), ("1", "30", 0.0), ("0", "soon", 0.0), ("x" * 9_000, "", 0.0)]
)
def test_the_limits_that_an_answer_tells_hold_the_next_purchase_back(left: str, told: str, wait: float) -> None:
    answer = http(200, b'{"job_id":"a"}', RateLimit_Limit="10", RateLimit_Remaining=left, RateLimit_Reset=told)
    with serving(answering(answer)) as server, client_of(server.url) as client:
        assert client.hold() == 0
        assert client.submit(ORDER, lambda: None) == Accepted(("a",))
        assert client.hold() == wait


@pytest.mark.parametrize("status", [200, 201, 202, 207])
def test_any_2xx_with_a_job_is_accepted(status: int) -> None:
    assert submit(answering(http(status, b'{"job_ids":["a","b"]}')))[0] == Accepted(("a", "b"))


UNREADABLE = {
    "empty": http(200),
    "no content": http(204),
    "HTML": http(200, b"<!doctype html><title>Sign in</title>"),
    "no id": http(200, b'{"object":"image_generation"}'),
    "an id like a path": http(200, b'{"job_id":"../x"}'),
    "deeply nested": http(200, b'{"job":' * 100_000),
    "two answers in one": http(200, b'{"job_id":"a","job_id":"b"}'),
    "cut short": http(200, b'{"job_id":"a"}', length=500),
    "cut short in a chunk": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"job_id":"a"}',
    "a chunk without a size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 7\r\n\r\n{}",
    "too large": http(200, b" " * (8 * 1024 * 1024 + 1)),
    "not gzip": http(200, b"x", Content_Encoding="gzip"),
    "no HTTP": b"hello\r\n\r\n",
    "HTTP of another kind": b"HTTP/9.9 200 OK\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "headers only in part": b"HTTP/1.1 200 OK\r\nContent-Le",
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500,
    "nothing": b"",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_success_that_cannot_be_read_is_unclear(name: str) -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.send(UNREADABLE[name])

    outcome, server = submit(script)
    assert isinstance(outcome, Unclear), outcome
    assert server.received.count(b"POST ") == len(server.lines) == 1


def test_a_no_whose_body_broke_off_is_still_a_no() -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.send(http(401, b"{", length=100))

    assert submit(script)[0] == Refused(401, "http_401", "")


# --- what people are told -------------------------------------------------------------------------

TOLD: dict[str, tuple[bytes, SubmitResult]] = {
    "a server that failed": (
        http(503, ERROR),
        Unclear("Sume answered 503: some_code; Some text. (request req_1)", "req_1"),
    ),
    "a conflict": (http(409), Unclear("Sume answered 409")),
    "a limit": (
        http(429, ERROR, Retry_After="7"),
        Throttled(7.0, "Sume answered 429: some_code; Some text. (request req_1)"),
    ),
    "a refusal without a word": (http(404), Refused(404, "http_404", "")),
    "a success without a job": (
        http(200, b'{"request_id":"req_1"}'),
        Unclear("Sume answered 200, but the answer names no job", "req_1"),
    ),
    "a success that is a page": (
        http(200, b"<html>", X_Request_Id="req_2"),
        Unclear("Sume answered 200, but the answer is HTML, not JSON", "req_2"),
    ),
    "a success that names jobs in part": (
        http(200, b'{"job_ids":["job_1","../x","job_3"]}'),
        Unclear(
            "Sume answered 200, but the answer names a job by something that is not an id; it also names job_1, job_3"
        ),
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_each_outcome_is_told_with_what_sume_said(name: str) -> None:
    answer, result = TOLD[name]
    assert submit(answering(answer))[0] == result


def test_an_answer_that_broke_off_says_so() -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.send(http(200, b'{"job_id":"a"}', length=500))

    outcome = submit(script)[0]
    assert isinstance(outcome, Unclear)
    assert outcome.detail.startswith("Sume answered 200, but its answer broke off: ")


def test_a_wire_that_broke_says_so_without_secrets() -> None:
    outcome = submit(_close_at_once)[0]
    assert isinstance(outcome, Unclear)
    assert outcome.detail.startswith("the connection failed after the request was sent: ")
    assert len(outcome.detail) > 52, "and why"


def test_a_date_to_wait_for_is_counted_from_now() -> None:
    clock = HandClock()
    until = formatdate(clock.now() + 30, usegmt=True)
    with serving(answering(http(429, Retry_After=until))) as server, client_of(server.url, clock) as client:
        outcome = client.submit(ORDER, lambda: None)
    assert isinstance(outcome, Throttled)
    assert outcome.wait == pytest.approx(30, abs=2)


def test_the_workspace_is_a_secret_once_it_is_known() -> None:
    refusal = http(403, b'{"error":{"code":"x","message":"ws_secret_1 and ws_secret_1"}}')
    me = http(200, b'{"workspace":{"id":"ws_secret_1"}}')
    with serving(answering(me, refusal)) as server, client_of(server.url) as client:
        client.account()
        assert client.submit(ORDER, lambda: None) == Refused(403, "x", "[secret] and [secret]")


class Wire:
    """A connection that breaks where it is told to."""

    def __init__(self, sending: Exception | None, receiving: Exception | None) -> None:
        self.sending, self.receiving = sending, receiving

    def connect(self) -> None: ...

    def close(self) -> None: ...

    def request(self, *_: object, **__: object) -> None:
        if self.sending:
            raise self.sending

    def getresponse(self) -> object:
        assert self.receiving
        raise self.receiving


@pytest.mark.parametrize(
    ("sending", "receiving", "told"),
    [
        (None, ProtocolError("no answer"), "no answer"),
        (BrokenPipeError("a broken pipe"), ProtocolError("no answer"), "a broken pipe"),
        (BrokenPipeError("x" * 300), ProtocolError("no answer"), "x" * 199 + "…"),
    ],
)
def test_what_broke_first_is_told(
    monkeypatch: pytest.MonkeyPatch, sending: Exception | None, receiving: Exception, told: str
) -> None:
    monkeypatch.setattr(Transport, "fresh", lambda *_: Wire(sending, receiving))
    with client_of("http://127.0.0.1:1") as client:
        outcome = client.submit(ORDER, lambda: None)
    assert outcome == Unclear(f"the connection failed after the request was sent: {told}")


# --- the wire breaks ------------------------------------------------------------------------------


def _reset(line: Line) -> None:
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _reset_after_request(line: Line) -> None:
    line.read_request()
    _reset(line)


def _reset_in_the_answer(line: Line) -> None:
    line.read_request()
    line.send(OK[:-10])
    _reset(line)


def _close_at_once(line: Line) -> None:
    return


@pytest.mark.parametrize("script", [_reset_after_request, _reset_in_the_answer, _close_at_once])
def test_a_broken_wire_is_unclear_and_nothing_is_sent_again(script: Script) -> None:
    outcome, server = submit(script)
    assert isinstance(outcome, Unclear)
    assert len(server.lines) == 1
    assert server.received.count(b"POST ") <= 1


def test_silence_is_unclear() -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.sock.recv(1)  # until the client gives up

    with serving(script) as server, client_of(server.url, limits=replace(QUICK, submit=0.1)) as client:
        outcome = client.submit(ORDER, lambda: None)
    assert isinstance(outcome, Unclear)
    assert len(server.lines) == 1


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_an_answer_that_drips_ends(start: bytes) -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.send(start)
        while True:  # until the client closes
            line.send(b"H")

    limits = replace(QUICK, submit=100.0)
    with serving(script) as server, client_of(server.url, HandClock(tick=10.0), limits) as client:
        assert isinstance(client.submit(ORDER, lambda: None), Unclear)
    assert len(server.lines) == 1


def test_a_refusal_before_the_whole_body_was_taken() -> None:
    def script(line: Line) -> None:
        line.sock.recv(1000)
        line.send(http(413, ERROR))
        line.sock.shutdown(socket.SHUT_WR)
        while line.sock.recv(1 << 20):
            pass

    big = replace(ORDER, body=b"x" * 3_000_000)
    with serving(script) as server, client_of(server.url) as client:
        assert isinstance(client.submit(big, lambda: None), Refused)
    assert len(server.lines) == 1


def test_a_refusal_is_heard_although_sending_failed() -> None:
    """Linux keeps what was received before the reset; elsewhere the refusal may be lost, which is Unclear."""

    def script(line: Line) -> None:
        line.sock.recv(1000)
        line.send(http(413, ERROR))  # and closes, with most of the body unread: a reset

    with serving(script) as server, client_of(server.url) as client:
        outcome = client.submit(replace(ORDER, body=b"x" * 30_000_000), lambda: None)
    assert isinstance(outcome, Refused if sys.platform == "linux" else Refused | Unclear)
    assert len(server.lines) == 1


def test_nobody_listens() -> None:
    with serving(answering(OK)) as server:
        port = server.port
    called: list[int] = []
    with client_of(f"http://127.0.0.1:{port}") as client:
        assert isinstance(client.submit(ORDER, lambda: called.append(1)), NotSent)
    assert called == []


# --- the hook -------------------------------------------------------------------------------------


class DiskError(OSError):
    pass


@pytest.mark.parametrize(
    "raised",
    [
        DiskError(errno.ENOSPC, "no space"),
        TimeoutError("ours"),
        ConnectionResetError("ours"),
        BrokenPipeError("ours"),
        ValueError("ours"),
        KeyboardInterrupt(),
        SystemExit(3),
    ],
)
def test_what_the_hook_raises_passes_and_nothing_is_sent(raised: BaseException) -> None:
    def hook() -> None:
        raise raised

    with serving(answering(OK)) as server, client_of(server.url) as client:
        with pytest.raises(type(raised)) as caught:
            client.submit(ORDER, hook)
        assert caught.value is raised
        assert server.connected.wait(2)
    assert server.received == b""
    assert len(server.lines) == 1


def test_no_byte_goes_out_before_the_hook_returned() -> None:
    quiet: list[bool] = []
    with serving(answering(OK)) as server, client_of(server.url) as client:

        def hook() -> None:
            assert server.connected.wait(2)
            quiet.append(server.lines[0].is_quiet())

        assert client.submit(ORDER, hook) == Accepted(("job_1",))
    assert quiet == [True]
    assert len(server.lines) == 1


def test_a_connection_that_closed_during_the_hook_is_not_opened_again() -> None:
    with serving(_close_at_once) as server, client_of(server.url) as client:

        def hook() -> None:
            assert server.connected.wait(2)
            server._threads[-1].join(2)

        outcome = client.submit(ORDER, hook)
    assert isinstance(outcome, Unclear)
    assert len(server.lines) == 1


def test_a_fresh_connection_never_connects_by_itself() -> None:
    with serving(answering(OK)) as server:
        transport = Transport(HandClock(), QUICK, {})
        fresh = transport.fresh(parse_url(server.url), transport.pace(1, 1), None)
        with pytest.raises(NotConnected):
            fresh.request("POST", "/", b"{}")
        fresh.close()
    assert server.lines == []


def test_ctrl_c_while_waiting_for_the_answer_passes() -> None:
    class Interrupted(HandClock):
        sending = False

        def monotonic(self) -> float:
            if self.sending:
                raise KeyboardInterrupt
            return super().monotonic()

    clock = Interrupted()
    with serving(answering(OK)) as server, client_of(server.url, clock) as client, pytest.raises(KeyboardInterrupt):
        client.submit(ORDER, lambda: setattr(clock, "sending", True))


def test_every_order_has_its_own_connection() -> None:
    with serving(answering(OK)) as server, client_of(server.url) as client:
        for _ in range(3):
            client.account()
            client.submit(ORDER, lambda: None)
    posts = [line for line in server.lines if b"POST " in line.received]
    assert [bytes(line.received).count(b" HTTP/1.1\r\n") for line in posts] == [1, 1, 1]


@pytest.mark.parametrize(
    "order", [replace(ORDER, key="a\r\nX: y"), replace(ORDER, route="//x y"), replace(ORDER, key="")]
)
def test_an_order_that_is_no_request_never_connects(order: Order) -> None:
    with (
        serving(answering(OK)) as server,
        client_of(server.url) as client,
        pytest.raises(ValueError, match=r"^an order needs a plain route and key$"),
    ):
        client.submit(order, lambda: None)
    assert server.lines == []


# --- TLS and proxies ------------------------------------------------------------------------------


def test_tls_before_the_hook(certificates: Certificates) -> None:
    quiet: list[bool] = []
    with (
        serving(answering(OK), certificates.server) as server,
        client_of(server.url, tls=certificates.client) as client,
    ):

        def hook() -> None:
            quiet.append(server.lines[0].is_quiet())

        assert client.submit(ORDER, hook) == Accepted(("job_1",))
    assert quiet == [True]
    assert server.received.endswith(ORDER.body)


def test_a_certificate_that_is_not_trusted_gets_nothing(certificates: Certificates) -> None:
    called: list[int] = []
    with serving(answering(OK), certificates.server) as server, client_of(server.url) as client:
        assert isinstance(client.submit(ORDER, lambda: called.append(1)), NotSent)
    assert called == []
    assert server.received == b""


def test_garbage_in_place_of_tls_is_not_sent(certificates: Certificates) -> None:
    def script(line: Line) -> None:
        line.sock.recv(10)
        line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(script) as server:
        url = server.url.replace("http:", "https:")
        with client_of(url, tls=certificates.client) as client:
            assert isinstance(client.submit(ORDER, lambda: None), NotSent)


def test_garbage_in_tls_after_the_request_is_unclear(certificates: Certificates) -> None:
    def script(line: Line) -> None:
        line.read_request()
        plain = socket.socket(fileno=line.sock.detach())
        plain.sendall(b"no TLS record at all, and long enough")
        line.sock = plain

    with (
        serving(script, certificates.server) as server,
        client_of(server.url, tls=certificates.client) as client,
    ):
        assert isinstance(client.submit(ORDER, lambda: None), Unclear)
    assert len(server.lines) == 1


def tunnel(certificates: Certificates, answer: bytes = b"HTTP/1.1 200 Connected\r\n\r\n") -> Script:
    """A proxy that is its own origin behind CONNECT."""

    def script(line: Line) -> None:
        line.read_request()
        line.send(answer)
        if b" 200 " in answer:
            line.sock = certificates.server.wrap_socket(line.sock, server_side=True)
            answering(OK)(line)

    return script


def test_a_proxy_sees_connect_only_and_the_hook_comes_after_it(certificates: Certificates) -> None:
    seen: list[bytes] = []
    with serving(tunnel(certificates)) as proxy:
        environ = {"HTTPS_PROXY": f"http://ada:p%40ss@127.0.0.1:{proxy.port}"}
        with client_of("https://api.example.com/v1", environ=environ, tls=certificates.client) as client:

            def hook() -> None:
                seen.append(bytes(proxy.lines[0].received))

            assert client.submit(ORDER, hook) == Accepted(("job_1",))
    told = seen[0].split(b"\r\n")
    assert told[0].startswith(b"CONNECT api.example.com:443 HTTP/1.")
    assert b"roxy-" + b"Authorization: Basic " + base64.b64encode(b"ada:p@ss") in seen[0].replace(
        b"proxy-a", b"proxy-A"
    )
    assert KEY.encode() not in seen[0]
    assert b"POST /v1/images/generations" in proxy.received
    assert b"asic" not in proxy.received.partition(b"POST")[2]
    assert len(proxy.lines) == 1


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 No\r\n\r\n", b"HTTP/1.1 502 No\r\n\r\n", b"", b"junk\r\n"])
def test_a_proxy_that_refuses_is_not_sent(certificates: Certificates, answer: bytes) -> None:
    called: list[int] = []
    with serving(tunnel(certificates, answer)) as proxy:
        environ = {"HTTPS_PROXY": f"http://ada:hunter22@127.0.0.1:{proxy.port}"}
        with client_of("https://api.example.com", environ=environ, tls=certificates.client) as client:
            outcome = client.submit(ORDER, lambda: called.append(1))
    assert isinstance(outcome, NotSent)
    assert "hunter22" not in outcome.detail
    assert called == []


def test_loopback_is_never_proxied() -> None:
    with serving(answering(OK)) as server, serving(answering(OK)) as proxy:
        environ = {"HTTPS_PROXY": proxy.url, "ALL_PROXY": proxy.url, "HTTP_PROXY": proxy.url}
        with client_of(server.url, environ=environ) as client:
            assert client.submit(ORDER, lambda: None) == Accepted(("job_1",))
    assert proxy.lines == []


def test_no_secret_is_told() -> None:
    body = f'{{"error":{{"message":"bad {KEY} https://m/a?sig=1"}}}}'.encode()
    for status in (400, 429, 500):
        told = repr(submit(answering(http(status, body)))[0])
        assert KEY not in told
        assert "sig=1" not in told
