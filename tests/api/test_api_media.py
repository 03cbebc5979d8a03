"""Downloads: whole or not at all, from public places only, and never with the key."""

from __future__ import annotations

import gzip
import ipaddress
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest

from sumesync.api.client import SumeClient
from sumesync.api.origin import is_loopback, is_public
from sumesync.api.proxies import proxy_for
from sumesync.errors import MediaError, UsageError

from .conftest import Certificates
from .servers import KEY, QUICK, HandClock, Line, Script, answering, client_of, http, serving

BODY = bytes(range(256)) * 3000
PNG = http(200, BODY, Content_Type="image/png")
SUME = "https://www.sume.so/api/v1"


def fetch(client: SumeClient, url: str) -> tuple[str, bytes]:
    parts: list[bytes] = []
    kind = client.download(url, parts.append)
    return kind, b"".join(parts)


def failure(script: Script, path: str = "/a.png?sig=s3cret", limits: object = None) -> MediaError:
    """Of a download from a loopback API's own media host."""
    used = limits if isinstance(limits, type(QUICK)) else QUICK
    with (
        serving(script) as server,
        client_of(server.url, limits=used) as client,
        pytest.raises(MediaError) as caught,
    ):
        fetch(client, server.url + path)
    assert "s3cret" not in caught.value.what
    return caught.value


def test_a_file_is_streamed_without_the_key() -> None:
    with serving(answering(PNG)) as server, client_of(server.url) as client:
        assert fetch(client, f"{server.url}/a.png?sig=a%2Fb+c#x") == ("image/png", BODY)
    assert server.received.startswith(b"GET /a.png?sig=a%2Fb+c HTTP/1.1\r\n")
    assert KEY.encode() not in server.received
    assert b"uthorization" not in server.received
    assert b"Accept-Encoding: identity" in server.received


def test_chunks_and_bodies_without_a_length() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    def closing(line: Line) -> None:
        line.read_request()
        line.send(b"HTTP/1.1 200 OK\r\n\r\nabcde")

    for script in (answering(chunked), closing):
        with serving(script) as server, client_of(server.url) as client:
            assert fetch(client, server.url) == ("", b"abcde")


def _once(data: bytes) -> Script:
    def script(line: Line) -> None:
        line.read_request()
        line.send(data)

    return script


@pytest.mark.parametrize(
    "data",
    [
        http(200, b"abc", length=10),
        http(200, b"", length=10),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nConte",
        b"junk",
        b"",
    ],
)
def test_what_broke_off_is_no_file(data: bytes) -> None:
    assert failure(_once(data)).status is None


def test_no_log_quotes_a_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    failure(_once(b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\n"))
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("status", [201, 204, 206, 304, 403, 404, 410, 500])
def test_only_200_is_a_file(status: int) -> None:
    assert failure(answering(http(status, b"abc" if status not in (204, 304) else b""))).status == status


def test_what_came_compressed_is_no_file() -> None:
    failure(answering(http(200, gzip.compress(BODY), Content_Encoding="gzip")))


def test_a_file_that_is_too_large_by_its_word_or_in_fact() -> None:
    small = replace(QUICK, media_bytes=1000)
    assert "1,000" in failure(answering(http(200, b"", length=1001)), limits=small).what
    assert "1,000" in failure(_once(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000), limits=small).what


def lines(*scripts: Script) -> tuple[list[bytes], int]:
    """What three downloads give from hosts that do so, each, and over how many connections."""
    left = list(scripts)

    def script(line: Line) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(line)

    with serving(script) as server, client_of(server.url) as client:
        return [fetch(client, f"{server.url}/{number}.png")[1] for number in range(3)], len(server.lines)


SHORT = http(200, b"abc")


@pytest.mark.parametrize(
    ("scripts", "connections"),
    [
        pytest.param([answering(SHORT)], 1, id="kept"),
        pytest.param([answering(http(200, b"abc", Connection="close"))], 3, id="the-host-closes-it-and-says-so"),
        pytest.param([_once(SHORT), answering(SHORT)], 2, id="the-host-closes-it-and-says-nothing"),
        pytest.param([_once(SHORT + b"HTTP/1.1 200 OK"), answering(SHORT)], 2, id="more-came-than-was-asked-for"),
        pytest.param([answering(SHORT, b"junk\r\n\r\n"), answering(SHORT)], 2, id="another-answer-cannot-be-read"),
    ],
)
def test_a_connection_serves_the_next_download_too(scripts: list[Script], connections: int) -> None:
    assert lines(*scripts) == ([b"abc"] * 3, connections)


@pytest.mark.parametrize(
    "answer", [http(404, b"no"), http(302, b"there", Location="/b.png"), http(200, b"abc", length=9)]
)
def test_a_connection_whose_answer_was_not_read_to_its_end_is_not_kept(answer: bytes) -> None:
    first = [answer]

    def script(line: Line) -> None:
        while line.read_request():
            line.send(first.pop() if first else SHORT)
            if answer.endswith(b"abc") and len(server.lines) == 1:
                return

    with serving(script) as server, client_of(server.url) as client:
        with suppress(MediaError):
            fetch(client, server.url)
        assert fetch(client, server.url)[1] == b"abc"
    assert len(server.lines) == 2


def test_what_nobody_asked_for_is_never_taken_for_the_next_file() -> None:
    done, more = threading.Event(), threading.Event()

    def script(line: Line) -> None:
        line.read_request()
        line.send(SHORT)
        if len(server.lines) == 1:
            assert done.wait(5)
            line.send(http(200, b"xyz"))
            more.set()
            line.read_request()

    with serving(script) as server, client_of(server.url) as client:
        assert fetch(client, server.url)[1] == b"abc"
        done.set()
        assert more.wait(5)
        assert fetch(client, server.url)[1] == b"abc"


@pytest.mark.parametrize(("seconds", "connections"), [(14.0, 1), (16.0, 2)])
def test_a_connection_is_not_kept_for_long(seconds: float, connections: int) -> None:
    clock = HandClock()
    with serving(answering(SHORT)) as server, client_of(server.url, clock) as client:
        fetch(client, server.url)
        clock.sleep(seconds)
        fetch(client, server.url)
        assert len(server.lines) == connections


def test_connections_are_kept_of_a_few_hosts_and_closed_at_the_end() -> None:
    left = threading.Semaphore(0)

    def script(line: Line) -> None:
        answering(SHORT)(line)
        left.release()  # the client closed it

    with ExitStack() as stack:
        hosts = [stack.enter_context(serving(script)) for _ in range(9)]
        with client_of(hosts[0].url) as client:
            for host in (*hosts, hosts[1], hosts[0]):
                assert fetch(client, host.url)[1] == b"abc"
        assert [len(host.lines) for host in hosts] == [2, *[1] * 8]
        assert all(left.acquire(timeout=2) for _ in range(10))


def test_what_write_raises_passes() -> None:
    raised = OSError(28, "no space")

    def write(_: bytes) -> None:
        raise raised

    with (
        serving(answering(PNG)) as server,
        client_of(server.url) as client,
        pytest.raises(OSError, match="no space") as caught,
    ):
        client.download(server.url, write)
    assert caught.value is raised


def test_a_file_that_drips_is_given_up() -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
        while True:
            line.send(b"x")

    with (
        serving(script) as server,
        client_of(server.url, HandClock(tick=40.0)) as client,
        pytest.raises(MediaError, match="too long"),
    ):
        fetch(client, server.url)


def test_a_large_file_may_take_its_time() -> None:
    clock = HandClock(tick=1.0)
    limits = replace(QUICK, media_grace=5.0, media_rate=10_000.0)
    with serving(answering(PNG)) as server, client_of(server.url, clock, limits) as client:
        assert fetch(client, server.url)[1] == BODY


def test_a_silent_host_is_given_up() -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.sock.recv(1)

    failure(script, limits=replace(QUICK, media_stall=0.1))


# --- redirects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_without_the_key(status: int) -> None:
    with serving(answering(PNG)) as other:
        moved = http(status, Location=f"{other.url}/b.png")
        with serving(answering(http(status, Location="/x?y=1"), moved)) as server, client_of(server.url) as client:
            assert fetch(client, f"{server.url}/a.png")[1] == BODY
    assert KEY.encode() not in server.received + other.received
    assert b"GET /x?y=1 " in server.received
    assert b"GET /b.png " in other.received


def test_redirects_end() -> None:
    with (
        serving(answering(http(302, Location="/a"))) as server,
        client_of(server.url) as client,
        pytest.raises(MediaError, match="more than 5"),
    ):
        fetch(client, server.url)
    assert len(server.lines) == 6


@pytest.mark.parametrize(
    "target",
    [
        "http://media.sume.so/a",
        "http://10.0.0.1/a",
        "https://10.0.0.1/a",
        "https://169.254.169.254/latest",
        "https://[::ffff:10.0.0.1]/a",
        "file:///etc/passwd",
        "ftp://media.sume.so/a",
        "//user@media.sume.so/a",
        "https://",
        "http://[",
    ],
)
def test_redirects_to_forbidden_places(target: str) -> None:
    failure(answering(http(302, Location=target)))


# --- where media may come from --------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_a_public_api_gets_nothing_from_this_machine(host: str, certificates: Certificates) -> None:
    with serving(answering(PNG), certificates.server) as server, client_of(SUME, tls=certificates.client) as client:
        for scheme in ("https", "http"):
            with pytest.raises(MediaError):
                fetch(client, f"{scheme}://{host}:{server.port}/a.png")
    assert server.received == b""


def test_a_name_is_checked_where_it_really_led_to() -> None:
    """No TLS hello, not one byte: the check is of the connected peer, before anything is said."""
    quiet: list[bool] = []
    with serving(lambda line: quiet.append(line.sock.recv(1) == b"")) as server, client_of(SUME) as client:
        with pytest.raises(MediaError, match="not public"):
            fetch(client, f"https://localhost:{server.port}/a.png")
        assert server.connected.wait(2)
    assert quiet == [True]


def test_https_on_loopback_for_a_loopback_api(certificates: Certificates) -> None:
    with (
        serving(answering(PNG), certificates.server) as server,
        client_of(server.url, tls=certificates.client) as client,
    ):
        for _ in range(3):
            assert fetch(client, f"https://localhost:{server.port}/a.png")[1] == BODY
    assert len(server.lines) == 1


@pytest.mark.parametrize("answers", [["10.0.0.1"], ["1.1.1.1", "192.168.0.1"], ["::1"], ["fe80::1%eth0"]])
def test_before_a_proxy_every_address_is_checked(answers: list[str]) -> None:
    with serving(answering(PNG)) as proxy:
        environ = {"HTTPS_PROXY": proxy.url}
        with (
            client_of(SUME, environ=environ, resolve=lambda _: answers) as client,
            pytest.raises(MediaError, match="not public"),
        ):
            fetch(client, "https://media.sume.so/a.png")
    assert proxy.lines == []


def test_through_a_proxy(certificates: Certificates) -> None:
    def script(line: Line) -> None:
        line.read_request()
        line.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        line.sock = certificates.server.wrap_socket(line.sock, server_side=True)
        answering(PNG)(line)

    with serving(script) as proxy:
        environ = {"HTTPS_PROXY": proxy.url}
        with client_of(SUME, environ=environ, tls=certificates.client, resolve=lambda _: ["1.1.1.1"]) as client:
            for _ in range(2):
                assert fetch(client, "https://api.example.com/a.png")[1] == BODY
    assert len(proxy.lines) == 1
    assert b"GET /a.png" in proxy.received
    assert KEY.encode() not in proxy.received


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("2002:808:808::1", True),
        ("64:ff9b::808:808", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("198.18.0.1", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:a00:1::1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b:1::a00:1", False),
        ("2001::1", False),
        ("2001:db8::1", False),
        ("fc00::1", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("LocalHost", True),
        ("localhost.", False),
        ("2002:7f00:1::1", True),
        ("64:ff9b::7f00:1", True),
        ("8.8.8.8", False),
        ("::ffff:127.0.0.1", True),
        ("[::1]", True),
        ("127.1", False),
        ("", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local


# --- proxies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "no_proxy", "proxied"),
    [
        ("www.sume.so", "", True),
        ("www.sume.so", "sume.so", False),
        ("www.sume.so", ".sume.so, x", False),
        ("www.sume.so", "*.sume.so", False),
        ("www.sume.so", "me.so", True),
        ("www.sume.so", "*", False),
        ("www.sume.so", "WWW.SUME.SO:443", False),
        ("1.2.3.4", "1.2.3.0/24", False),
        ("1.2.3.4", "1.2.3.5,junk", True),
        ("localhost", "", False),
        ("127.0.0.1", "", False),
    ],
)
def test_no_proxy(host: str, no_proxy: str, proxied: bool) -> None:
    assert (proxy_for(host, {"https_proxy": "http://p:1", "NO_PROXY": no_proxy}) is not None) is proxied


@pytest.mark.parametrize("value", ["socks5://u:hunter22@p:1", "http://", "://", "http://[u:hunter22"])
def test_what_is_no_proxy(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        proxy_for("www.sume.so", {"HTTPS_PROXY": value})
    assert "hunter22" not in caught.value.what + caught.value.hint


def test_no_proxy_is_asked_for() -> None:
    assert proxy_for("www.sume.so", {"HTTP_PROXY": "http://p:1"}) is None
