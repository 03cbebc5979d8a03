"""Reads: retried within bounds, never redirected, never endless, and errors that a person can act on."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate

import pytest

from sumesync.api.answers import Answer, Failure, api_error, failure_of, rate_limit
from sumesync.api.client import SumeClient, _is_certificate, check_origin
from sumesync.core.pacing import Told
from sumesync.errors import ApiError, Exit, SumesyncError, UsageError

from .conftest import Certificates
from .servers import KEY, QUICK, HandClock, Line, answering, client_of, http, serving

ME = http(200, b'{"workspace":{"id":"ws_secret_1"}}')
DOWN = http(503, b"<html>down</html>")


def requests(received: bytes) -> list[str]:
    lines = received.decode("latin-1").split("\r\n")
    return [line.rsplit(" ", 1)[0] for line in lines if line.endswith(" HTTP/1.1")]


def test_routes_are_asked_as_documented() -> None:
    calls: list[tuple[Callable[[SumeClient], object], str, bytes]] = [
        (lambda c: c.account(), "GET /api/v1/me", b"{}"),
        (lambda c: c.credits(), "GET /api/v1/credits", b"{}"),
        (lambda c: c.list_jobs(), "GET /api/v1/jobs?limit=100", b"[]"),
        (lambda c: c.list_jobs("a&b=/?", 5), "GET /api/v1/jobs?limit=5&cursor=a%26b%3D%2F%3F", b"[]"),
        (lambda c: c.job("job_1:2"), "GET /api/v1/jobs/job_1%3A2", b'{"id":"job_1:2"}'),
        (lambda c: c.result("job_1"), "GET /api/v1/jobs/job_1/result", b"{}"),
    ]
    for call, line, body in calls:
        with serving(answering(http(200, body))) as server, client_of(f"{server.url}/api/v1/") as client:
            call(client)
        assert requests(server.received) == [line]
        assert f"Authorization: Bearer {KEY}".encode() in server.received


SEEN = f"seen {KEY}"
THING = {"id": "x_1", **dict.fromkeys(("name", "title", "brand_name", "description", "summary", "type", "unit"), SEEN)}
ECHO = {**THING, "job_id": "x_1", "status": "failed", "error": {"code": "bad", "message": SEEN}, "balance": 5}
JOBS, THINGS = {"jobs": [ECHO]}, {"data": [THING]}


@pytest.mark.parametrize(
    ("call", "body", "tells"),
    [
        (lambda c: c.credits(), ECHO, "5"),
        (lambda c: c.list_jobs(), JOBS, "x_1"),
        (lambda c: c.job("x_1"), ECHO, "x_1"),
        (lambda c: c.result("x_1"), ECHO, "JobResult"),
        (lambda c: c.scenes({}), THINGS, "x_1"),
        (lambda c: c.scene("x_1"), THING, "x_1"),
        (lambda c: c.avatars(), THINGS, "x_1"),
        (lambda c: c.avatar("x_1"), THING, "x_1"),
        (lambda c: c.brand(), THING, "seen"),
    ],
)
def test_no_read_hands_on_the_key(call: Callable[[SumeClient], object], body: object, tells: str) -> None:
    """Whatever a server echoes of what we sent it."""
    with serving(answering(http(200, json.dumps(body).encode()))) as server, client_of(server.url) as client:
        told = repr(call(client))
    assert tells in told
    assert KEY not in told


def test_of_a_page_of_jobs_only_those_that_are_asked_for_are_read() -> None:
    asked = {"prompt": "a jar", "token_of_ours": "k" * 40}
    page = {"jobs": [{"id": f"job_{number}", "status": "queued", "request": asked} for number in range(5)]}
    with serving(answering(http(200, json.dumps(page).encode()))) as server, client_of(server.url) as client:
        (only,) = client.list_jobs(only={"job_3", "job_9"}).jobs
        assert (only.id, only.tokens, only.asked) == ("job_3", frozenset(), {})
        every = client.list_jobs().jobs
        assert [len(job.tokens) for job in every] == [1] * 5
        assert all(job.asked for job in every)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda c: c.openapi(), "the OpenAPI document"),
        (lambda c: c.presign("a.png", "image/png", 5, "reference_image"), "where to send a file"),
        (lambda c: c.scene("x_1"), "this asset"),
        (lambda c: c.avatars(), "the avatars"),
    ],
)
def test_a_read_that_fails_says_what_was_read(call: Callable[[SumeClient], object], says: str) -> None:
    with (
        serving(answering(http(200, b"<html>"))) as server,
        client_of(server.url) as client,
        pytest.raises(ApiError) as caught,
    ):
        call(client)
    assert f"for {says}, but" in caught.value.what


@pytest.mark.parametrize("job_id", ["../me", "a/b", "", "a..b", "x\r\ny"])
def test_what_is_no_job_id_is_not_asked_for(job_id: str) -> None:
    with serving(answering(ME)) as server, client_of(server.url) as client:
        with pytest.raises(ApiError, match="not a job id"):
            client.job(job_id)
        with pytest.raises(ApiError, match="not a job id"):
            client.result(job_id)
    assert server.lines == []


def test_a_connection_is_used_again() -> None:
    with serving(answering(ME)) as server, client_of(server.url) as client:
        for _ in range(3):
            client.account()
    assert len(server.lines) == 1


def test_many_threads_share_the_pool() -> None:
    with serving(answering(ME)) as server, client_of(server.url, threads=2) as client:
        threads = [threading.Thread(target=client.account) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
    assert len(requests(server.received)) == 8
    assert len(server.lines) <= 2


# --- trying again ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(status: int) -> None:
    clock = HandClock()
    with serving(answering(http(status), http(status), ME)) as server, client_of(server.url, clock) as client:
        assert client.account().workspace_id == "ws_secret_1"
    assert clock.slept == [0.25, 0.5]


def test_a_dropped_connection_is_tried_again() -> None:
    gone: list[int] = []

    def script(line: Line) -> None:
        line.read_request()
        if len(gone) < 2:
            gone.append(1)
            return
        line.send(ME)

    with serving(script) as server, client_of(server.url) as client:
        client.account()
    assert len(server.lines) == 3


def test_a_broken_body_is_tried_again() -> None:
    broken: list[int] = []

    def script(line: Line) -> None:
        line.read_request()
        line.send(ME if broken else http(200, b"{", length=50))
        broken.append(1)

    with serving(script) as server, client_of(server.url, threads=1) as client:
        client.account()
    assert len(server.lines) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422])
def test_a_no_is_not_tried_again(status: int) -> None:
    clock = HandClock()
    with (
        serving(answering(http(status))) as server,
        client_of(server.url, clock) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.account()
    assert caught.value.status == status
    assert len(requests(server.received)) == 1
    assert clock.slept == []


def test_the_tries_are_bounded() -> None:
    clock = HandClock()
    with (
        serving(answering(DOWN)) as server,
        client_of(server.url, clock) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.account()
    assert caught.value.status == 503
    assert len(requests(server.received)) == QUICK.tries
    assert clock.slept == [0.25, 0.5, 1.0, 2.0, 4.0]


def test_the_jitter_stretches_a_wait_to_its_double_at_most() -> None:
    clock = HandClock()
    with (
        serving(answering(DOWN)) as server,
        client_of(server.url, clock, random=lambda: 0.999) as client,
        pytest.raises(ApiError),
    ):
        client.account()
    assert clock.slept == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0], rel=0.01)


def test_retry_after_is_obeyed_but_capped_and_the_patience_ends() -> None:
    clock = HandClock()
    busy = http(429, b'{"error":{"code":"rate_limit_exceeded"}}', Retry_After="21600")
    with (
        serving(answering(busy)) as server,
        client_of(server.url, clock) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.account()
    assert clock.slept == [60.0, 60.0, 60.0]
    assert caught.value.retry_after == 60.0
    assert caught.value.error_code == "rate_limit_exceeded"


LIMITED = {"RateLimit_Limit": "2", "RateLimit_Remaining": "0", "RateLimit_Reset": "30"}


def test_the_limits_that_answers_tell_are_kept_and_purchases_have_their_own() -> None:
    clock = HandClock()
    with serving(answering(http(200, b"{}", None, **LIMITED))) as server, client_of(server.url, clock) as client:
        client.account()
        assert client.hold() == 0
        client.account()
        assert clock.slept == [30.0]


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize("told", ["", "soon", "-1", "1e9", "9" * 400, "\u0663"])
def test_limits_that_cannot_be_read_hold_nobody_back(name: str, told: str) -> None:
    assert rate_limit({"ratelimit-limit": "2", "ratelimit-remaining": "0", "ratelimit-reset": "1.5"}) == Told(2, 0, 1.5)
    headers = {each.replace("_", "-").lower(): value for each, value in {**LIMITED, name: told}.items()}
    assert rate_limit(headers) is None
    assert rate_limit({key: value for key, value in headers.items() if value}) is None


def test_no_limit_holds_for_longer_than_a_minute() -> None:
    told = rate_limit({"ratelimit-limit": "2", "ratelimit-remaining": "0", "ratelimit-reset": "999999999"})
    assert told == Told(2, 0, 60.0)


def test_nobody_listens() -> None:
    with serving(answering(ME)) as server:
        url = server.url
    clock = HandClock()
    with client_of(url, clock) as client, pytest.raises(ApiError, match=r"127.0.0.1 cannot be reached") as caught:
        client.account()
    assert caught.value.status is None
    assert "object at 0x" not in caught.value.what
    assert len(clock.slept) == QUICK.tries - 1


def test_a_stop_during_the_wait_passes() -> None:
    class Stopped(HandClock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    with (
        serving(answering(DOWN)) as server,
        client_of(server.url, Stopped()) as client,
        pytest.raises(KeyboardInterrupt),
    ):
        client.account()


def test_a_certificate_that_is_not_trusted_is_not_tried_again(certificates: Certificates) -> None:
    clock = HandClock()
    with (
        serving(answering(ME), certificates.server) as server,
        client_of(server.url, clock) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.account()
    assert "root" in caught.value.hint
    assert len(server.lines) == 1
    assert server.received == b""


def test_tls_and_a_proxy(certificates: Certificates) -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        line.sock = certificates.server.wrap_socket(line.sock, server_side=True)
        answering(ME)(line)

    with serving(script) as proxy:
        environ = {"https_proxy": f"127.0.0.1:{proxy.port}"}
        with client_of("https://api.example.com", environ=environ, tls=certificates.client) as client:
            client.account()
            client.account()
    assert len(proxy.lines) == 1
    assert KEY.encode() not in proxy.received.partition(b"\r\n\r\n")[0]


# --- answers that are traps -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_is_not_carried_to_another_place(status: int) -> None:
    with serving(answering(ME)) as other:
        moved = http(status, Location=f"{other.url}/me")
        with (
            serving(answering(moved)) as server,
            client_of(server.url) as client,
            pytest.raises(ApiError, match=str(status)) as caught,
        ):
            client.account()
    assert "SUME_API_BASE_URL" in caught.value.hint
    assert other.lines == []
    assert len(requests(server.received)) == 1


def test_gzip_is_read() -> None:
    with (
        serving(answering(http(200, gzip.compress(b"{}"), Content_Encoding="gzip"))) as server,
        client_of(server.url) as client,
    ):
        client.account()


@pytest.mark.parametrize(
    "answer",
    [
        http(200, gzip.compress(b" " * (9 * 1024 * 1024)), Content_Encoding="gzip"),
        http(200, b" " * (8 * 1024 * 1024 + 1)),
        http(200, gzip.compress(b"{}")[:-9], Content_Encoding="gzip"),
        http(200, b"{}", Content_Encoding="br"),
        http(200, b"<html>"),
        http(200, b"[]"),
        http(204),
    ],
    ids=["bomb", "large", "cut", "unknown", "html", "list", "empty"],
)
def test_an_answer_that_is_none(answer: bytes) -> None:
    with serving(answering(answer)) as server, client_of(server.url) as client, pytest.raises(ApiError) as caught:
        client.account()
    assert caught.value.code is Exit.FAILED
    assert len(requests(server.received)) == 1


def test_an_answer_that_drips_ends() -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while True:
            line.send(b" ")

    limits = replace(QUICK, tries=2)
    with (
        serving(script) as server,
        client_of(server.url, HandClock(tick=3.0), limits) as client,
        pytest.raises(ApiError, match="too long"),
    ):
        client.account()
    assert len(server.lines) == 2


def test_a_job_that_is_another() -> None:
    with (
        serving(answering(http(200, b'{"id":"job_2","status":"completed"}'))) as server,
        client_of(server.url) as client,
        pytest.raises(ApiError, match="another job"),
    ):
        client.job("job_1")


# --- what people read -----------------------------------------------------------------------------


def error_of(status: int, body: bytes = b"") -> SumesyncError:
    limits = replace(QUICK, tries=1)
    with (
        serving(answering(http(status, body))) as server,
        client_of(server.url, limits=limits) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.job("job_1")
    return caught.value


def test_a_refused_key() -> None:
    error = error_of(401, b'{"error":{"code":"unauthorized"},"request_id":"req_9"}')
    assert error.what == "Sume does not accept the key: unauthorized (request req_9)"
    assert "SUME_API_KEY" in error.hint


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 407, 408, 409, 429, 500, 302])
def test_every_error_says_what(status: int) -> None:
    error = error_of(status, b'{"error":{"code":"some_code","message":"Some text."}}')
    assert error.what.endswith(": some_code; Some text.")
    assert error.what[0].isupper() or error.what.startswith("the proxy")


def test_no_secret_is_told() -> None:
    text = f'{{"error":{{"message":"{KEY} of ws_secret_1, https://m/a?sig=1"}}}}'.encode()
    with serving(answering(ME, http(403, text))) as server, client_of(server.url) as client:
        client.account()
        with pytest.raises(ApiError) as caught:
            client.credits()
    assert caught.value.what.endswith("[secret] of [secret], https://m/…")


READS: list[tuple[str, Callable[[SumeClient], object]]] = [
    ("this account", lambda c: c.account()),
    ("the credits", lambda c: c.credits()),
    ("the jobs", lambda c: c.list_jobs()),
    ("this job", lambda c: c.job("job_1")),
    ("the result of this job", lambda c: c.result("job_1")),
    ("the assets", lambda c: c.scenes({})),
    ("this asset", lambda c: c.scene("asset_1")),
    ("the avatars", lambda c: c.avatars()),
    ("this avatar", lambda c: c.avatar("av_1")),
    ("a brand", lambda c: c.brand()),
]
ADDRESS = "check SUME_API_BASE_URL"


@pytest.mark.parametrize(("subject", "call"), READS, ids=[subject for subject, _ in READS])
def test_every_read_says_what_it_was_about(subject: str, call: Callable[[SumeClient], object]) -> None:
    for answer, what, hint, status in [
        (http(404), f"Sume does not know {subject}", f"if every request fails so, {ADDRESS}", 404),
        (http(300), f"Sume answered 300 in place of {subject}", f"{ADDRESS}: redirects are not followed", 300),
        (http(200, b"<html>"), f"Sume answered 200 for {subject}, but the answer is HTML, not JSON", ADDRESS, 200),
        (
            http(200, b"x", Content_Encoding="br"),
            f"{subject} could not be read: the answer is compressed in an unknown way",
            ADDRESS,
            None,
        ),
    ]:
        with serving(answering(answer)) as server, client_of(server.url) as client:
            with pytest.raises(ApiError) as caught:
                call(client)
            assert (caught.value.what, caught.value.hint, caught.value.status) == (what, hint, status)


def test_a_host_that_cannot_be_reached_is_named_with_what_to_check() -> None:
    with serving(answering(ME)) as server:
        url = server.url
    with client_of(url, limits=replace(QUICK, tries=1)) as client, pytest.raises(ApiError) as caught:
        client.account()
    assert caught.value.what.startswith("127.0.0.1 cannot be reached: ")
    assert caught.value.hint == "check the connection, HTTPS_PROXY and SUME_API_BASE_URL"


STATUSES = [
    (300, "Sume answered 300 in place of x", f"{ADDRESS}: redirects are not followed"),
    (399, "Sume answered 399 in place of x", f"{ADDRESS}: redirects are not followed"),
    (400, "Sume refused the request (400)", ""),
    (401, "Sume does not accept the key", "check SUME_API_KEY"),
    (402, "Sume says that the credits do not suffice", "see sumesync credits"),
    (403, "Sume denies this key access", "check the key's scopes and the workspace's plan"),
    (404, "Sume does not know x", f"if every request fails so, {ADDRESS}"),
    (407, "the proxy wants a password", "check HTTPS_PROXY"),
    (408, "Sume did not get the request in time", "try again"),
    (429, "Sume asks for fewer requests", "wait a minute and try again"),
    (499, "Sume refused the request (499)", ""),
    (500, "Sume failed (500)", "try again in a while; what was paid for is recorded"),
    (503, "Sume failed (503)", "try again in a while; what was paid for is recorded"),
]


@pytest.mark.parametrize(("status", "what", "hint"), STATUSES)
def test_what_a_status_means_and_what_to_do(status: int, what: str, hint: str) -> None:
    assert failure_of(status, "x") == Failure(what, hint)


def test_without_a_subject_it_is_this() -> None:
    assert failure_of(404).what == "Sume does not know this"


def test_an_error_carries_what_the_answer_told() -> None:
    body = b'{"error":{"code":"c","message":"m"},"request_id":"req_1"}'
    later = "Thu, 01 Jan 1970 00:01:30 GMT"
    error = api_error(Answer(429, {"retry-after": later}, body), "x", now=60.0)
    assert error.what == "Sume asks for fewer requests: c; m (request req_1)"
    assert (error.status, error.error_code, error.request_id, error.retry_after) == (429, "c", "req_1", 30.0)
    bare = api_error(Answer(500), "x", now=0.0)
    assert (bare.what, bare.error_code, bare.request_id, bare.retry_after) == ("Sume failed (500)", "", None, None)


def test_a_date_to_wait_for_is_counted_from_now() -> None:
    clock = HandClock()
    until = formatdate(clock.now() + 30, usegmt=True)
    with (
        serving(answering(http(503, Retry_After=until), ME)) as server,
        client_of(server.url, clock) as client,
    ):
        client.account()
    assert clock.slept == pytest.approx([30], abs=2)


def test_a_list_ends_where_its_cursor_goes_nowhere() -> None:
    body = b'{"data":[{"id":"job_1","status":"running"}],"next_cursor":"a"}'
    with serving(answering(http(200, body))) as server, client_of(server.url) as client:
        assert client.list_jobs().cursor == "a"
        assert client.list_jobs("a").cursor is None
        client.list_jobs(limit=1)
        client.list_jobs(limit=0)
    assert [line.rpartition("limit=")[2] for line in requests(server.received)] == ["100", "100&cursor=a", "1", "1"]


def test_what_was_sent_is_no_result() -> None:
    body = b'{"images":[{"url":"https://m/sent.png"},{"url":"https://m/made.png"}]}'
    with serving(answering(http(200, body))) as server, client_of(server.url) as client:
        assert client.result("job_1").urls == ("https://m/sent.png", "https://m/made.png")
        assert client.result("job_1", frozenset({"https://m/sent.png"})).urls == ("https://m/made.png",)


def test_a_read_asks_for_gzip() -> None:
    with serving(answering(ME)) as server, client_of(server.url) as client:
        client.account()
    assert b"\r\nAccept-Encoding: gzip\r\n" in server.received


def test_what_is_no_job_id_is_shown_in_short() -> None:
    with serving(answering(ME)) as server, client_of(server.url) as client, pytest.raises(ApiError) as caught:
        client.job("/" * 99)
    assert caught.value.what == "/" * 59 + "… is not a job id"


def test_a_client_is_closed_at_the_end_of_its_block() -> None:
    with serving(answering(ME)) as server:
        with SumeClient(server.url, KEY, HandClock(), version="1", limits=QUICK, environ={}) as client:
            assert client.origin == server.url
            client.account()
        with pytest.raises(ApiError, match="Pool is closed"):
            client.account()


def wrapping(outer: BaseException, **links: BaseException) -> BaseException:
    for name, value in links.items():
        setattr(outer, f"__{name}__", value)
    return outer


def chain(length: int) -> BaseException:
    error: BaseException = ssl.SSLCertVerificationError("no")
    for _ in range(length):
        error = wrapping(OSError(), cause=error)
    return error


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (lambda: ssl.SSLCertVerificationError("no"), True),
        (lambda: wrapping(OSError(), cause=ssl.SSLCertVerificationError("no")), True),
        (lambda: wrapping(OSError(), context=ssl.SSLCertVerificationError("no")), True),
        (lambda: OSError("text", ssl.SSLCertVerificationError("no")), True),
        (lambda: wrapping(OSError("text", ssl.SSLCertVerificationError("no")), context=OSError()), False),
        (lambda: OSError("text"), False),
        (lambda: chain(7), True),
        (lambda: chain(8), False),
    ],
)
def test_a_certificate_is_found_behind_the_wrappings_of_the_libraries(
    error: Callable[[], BaseException], found: bool
) -> None:
    assert _is_certificate(error()) is found


# --- the OpenAPI document -------------------------------------------------------------------------

DOCUMENT = b'{"paths":{"/api/v1/x":{"post":{"parameters":[{"in":"header","name":"Idempotency-Key"}]}}}}'


def test_the_openapi_document_is_asked_for_once() -> None:
    with serving(answering(http(200, DOCUMENT))) as server, client_of(f"{server.url}/api/v1") as client:
        assert client.declares_idempotency("/x")
        assert not client.declares_idempotency("/y")
    assert requests(server.received) == ["GET /api/v1/openapi.json"]


@pytest.mark.parametrize("answer", [http(404), http(401), http(200, b"<html>"), http(302), DOWN])
def test_without_an_openapi_document_nothing_is_declared(answer: bytes) -> None:
    with serving(answering(answer)) as server, client_of(server.url) as client:
        assert not client.declares_idempotency("/x")
        before = len(requests(server.received))
        assert not client.declares_idempotency("/x")
        assert len(requests(server.received)) == before


# --- what it is made of ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "a b", "a\nb", "ключ", "a\x00"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        SumeClient("https://www.sume.so/api/v1", key, HandClock(), version="1", environ={})
    assert caught.value.what == "the API key holds characters that no key has"
    assert caught.value.hint == "check SUME_API_KEY"
    assert not key or key not in caught.value.what


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://www.sume.so/api/v1", "https://www.sume.so/api/v1"),
        ("HTTPS://WWW.Sume.so:443/api/v1/", "https://www.sume.so/api/v1"),
        ("https://sume.example:8443", "https://sume.example:8443"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://127.8.9.10", "http://127.8.9.10"),
        ("http://[::1]:99/api", "http://[::1]:99/api"),
        ("http://localhost", "http://localhost"),
        ("http://LOCALHOST:80//", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("https://[2001:db8::1]/api", "https://[2001:db8::1]/api"),
        (" https://www.sume.so ", "https://www.sume.so"),
    ],
)
def test_origins(url: str, origin: str) -> None:
    assert check_origin(url) == origin


ODD = "it holds characters that no address has"
NO_HTTPS = "it does not begin with https://"
NOT_PLAIN = "its host, port or path is not plain"


@pytest.mark.parametrize(
    ("url", "shown", "why"),
    [
        ("https://www.sume.so/a b", "https://www.sume.so/a b", ODD),
        ("https://www.sume.so\\x", "https://www.sume.so\\x", ODD),
        ("https://www.su\tme.so", "https://www.su\\tme.so", ODD),
        ("https://ѕume.so", "https://ѕume.so", ODD),
        ("www.sume.so", "www.sume.so", NO_HTTPS),
        ("ftp://www.sume.so", "ftp://www.sume.so", NO_HTTPS),
        ("https:/x", "https:/x", NO_HTTPS),
        ("https://@www.sume.so", "https://@www.sume.so", "it holds a user name"),
        ("https://u:p@www.sume.so", "https://www.sume.so", "it holds a user name"),
        ("https://www.sume.so/a?", "https://www.sume.so/a", "it holds a query or a fragment"),
        ("https://www.sume.so/a#x", "https://www.sume.so/a", "it holds a query or a fragment"),
        ("https://:443", "https://:443", NOT_PLAIN),
        ("https://-x", "https://-x", NOT_PLAIN),
        ("https://www.sume.so:0", "https://www.sume.so:0", NOT_PLAIN),
        ("https://www.sume.so/..", "https://www.sume.so/..", NOT_PLAIN),
        ("http://www.sume.so", "http://www.sume.so", "http would show the key to the network"),
        ("ftp://" + "x" * 200, "ftp://" + "x" * 113 + "…", NO_HTTPS),
    ],
)
def test_why_it_is_no_origin_is_said_and_what_one_looks_like(url: str, shown: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_origin(url)
    assert caught.value.what == f"{shown} cannot be the address of the Sume API: {why}"
    assert caught.value.hint == "SUME_API_BASE_URL must look like https://www.sume.so/api/v1"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "www.sume.so",
        "http://www.sume.so/api/v1",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://127.0.0.1.evil.com",
        "http://localhost.evil.com",
        "http://127.1",
        "https://key:hunter22@www.sume.so",
        "https://@www.sume.so",
        "https://www.sume.so/api?key=hunter22",
        "https://www.sume.so/api?",
        "https://www.sume.so/api#x",
        "https://www.sume.so/../x",
        "https://www.sume.so//x",
        "https://www.sume.so/a/./b",
        "https://www.sume.so/%2e%2e",
        "https://www.sume.so:99999",
        "https://www.sume.so:0",
        "https://www.sume.so:x",
        "https://www.su\tme.so",
        "https://www.sume.so\\@evil.com",
        "https://ѕume.so",
        "https://",
        "https:///x",
        "https://-x",
        "https://[::1",
        "ftp://www.sume.so",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_origin(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_origin(url)
    assert "SUME_API_BASE_URL" in caught.value.hint
    assert "hunter22" not in caught.value.what
    assert caught.value.code is Exit.USAGE
