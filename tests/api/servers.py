"""A clock moved by hand, and raw servers on loopback that count connections and every byte."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from sumesync.api.client import SumeClient
from sumesync.api.transport import Limits

KEY = "sume_live_canary0123456789"
QUICK = Limits(connect=2.0, stall=2.0, read=20.0, submit=2.0, media_stall=2.0)


class HandClock:
    """``sleep`` moves it; so does every look at it, by ``tick``: an answer that drips takes its time."""

    def __init__(self, tick: float = 0.0) -> None:
        self.tick, self.time, self.slept = tick, 1_000.0, list[float]()

    def now(self) -> float:
        return 1_777_629_600.0 + self.time

    def monotonic(self) -> float:
        self.time += self.tick
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class Line:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.received, self.ready = sock, bytearray(), threading.Event()

    def read_request(self) -> bytes:
        """One whole request, b"" when the client went away before it."""
        request = bytearray()
        while b"\r\n\r\n" not in request or len(request) < _whole(request):
            data = self.sock.recv(65536)
            if not data:
                return b""
            request += data
            self.received += data
        return bytes(request)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def is_quiet(self) -> bool:
        """Whether no byte of the client's is waiting or was received."""
        assert self.ready.wait(2)
        return not self.received and not select.select([self.sock], [], [], 0.05)[0]


def _whole(request: bytearray) -> int:
    head, _, _ = bytes(request).partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return len(head) + 4 + (int(lengths[0]) if lengths else 0)


Script: TypeAlias = Callable[[Line], None]


class Server:
    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script, self._tls = script, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.lines: list[Line] = []
        self.connected = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def received(self) -> bytes:
        return b"".join(bytes(line.received) for line in self.lines)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(5)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        line = Line(sock)
        self.lines.append(line)
        self.connected.set()
        try:
            if self._tls:
                line.sock = sock = self._tls.wrap_socket(sock, server_side=True)
            line.ready.set()
            self._script(line)
        except OSError:
            pass
        finally:
            line.sock.close()

    def close(self) -> None:
        # Closing alone does not wake a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(script, tls)
    try:
        yield server
    finally:
        server.close()


def http(status: int, body: bytes = b"", length: int | None = None, **headers: str) -> bytes:
    """A whole HTTP answer. ``length`` lies about the body's."""
    fields = {"Content-Length": str(len(body) if length is None else length)}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Any", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answering(*answers: bytes) -> Script:
    """One answer for each request in turn, over all connections; the last for all later ones."""
    left = list(answers)

    def script(line: Line) -> None:
        while line.read_request():
            line.send(left.pop(0) if len(left) > 1 else left[0])

    return script


@contextmanager
def client_of(url: str, clock: HandClock | None = None, limits: Limits = QUICK, **options: Any) -> Iterator[SumeClient]:
    settings = {"version": "1.0", "environ": {}, "random": lambda: 0.0, **options}
    client = SumeClient(url, KEY, clock or HandClock(), limits=limits, **settings)
    try:
        yield client
    finally:
        client.close()
