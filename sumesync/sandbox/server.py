"""The world over real HTTP on loopback: two origins, the API and the media host."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BufferedIOBase
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from sumesync.errors import UsageError
from sumesync.sandbox import routes
from sumesync.sandbox.answers import Refusal, Request, Response, refusal_answer
from sumesync.sandbox.faults import Drop, Effects, Rule
from sumesync.sandbox.script import Script
from sumesync.sandbox.settings import Settings
from sumesync.sandbox.world import Seen, World

PREFIX = "/api/v1"
FAULTS = "faults.json"
"""Of the embedded sandbox, in its folder."""

_DRAIN = 64 << 20
"""Bytes of a body too large that are read and thrown away: a client that still writes hears no 413."""
_PATIENCE = 1.0
"""Seconds that closing waits for answers that are being drawn."""
_LINGER = "hh" if sys.platform == "win32" else "ii"
_HOSTS = ("127.0.0.1", "localhost", "::1")

_Answer = Callable[[Request, Effects], Response]
_Sleep = Callable[[float], None]


class Running:
    """A sandbox that answers. Close it, or use it as a context manager."""

    def __init__(self, world: World, api: _Origin, media: _Origin) -> None:
        self.world = world
        self._origins = (api, media)
        self._closed = threading.Event()
        self.base_url = f"{api.url}{PREFIX}"
        self.media_url = media.url

    @property
    def key(self) -> str:
        return self.world.key

    def wait(self, seconds: float | None = None) -> bool:
        """Until it is closed; True when it is."""
        return self._closed.wait(seconds)

    def close(self) -> None:
        """Answers in progress are broken off. May be called again."""
        self._closed.set()
        for origin in self._origins:
            origin.close()

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start(
    world: World,
    host: str = "127.0.0.1",
    port: int = 0,
    media_port: int = 0,
    *,
    faults: Script | None = None,
    sleep: _Sleep | None = None,
) -> Running:
    """Serve ``world`` in background threads; port 0 is any free one. ``sleep`` stands for scripted delays;
    unless given they are real, and end early when the sandbox is closed."""
    if host not in _HOSTS:
        raise UsageError(f"the sandbox serves this machine only, not {host}", "use 127.0.0.1")
    script = faults or Script()
    media = _Origin("media", (host, media_port), world, script, sleep)
    try:
        api = _Origin("api", (host, port), world, script, sleep)
    except BaseException:
        media.close()
        raise
    api.serve(routes.Api(world, f"{api.url}{PREFIX}", media.url).answer)
    media.serve(routes.Media(world).answer)
    return Running(world, api, media)


def embedded(folder: Path, settings: Settings | None = None, *, now: Callable[[], float] = time.time) -> Running:
    """The sandbox of a project: its world kept in ``folder`` (``.sume/sandbox``), with the faults that
    ``faults.json`` there asks for."""
    script = Script.load(folder / FAULTS) if (folder / FAULTS).is_file() else None
    return start(World.open(folder, settings, now=now), faults=script)


class _Origin(ThreadingMixIn, TCPServer):
    """One listening socket, its accepting thread, and the connections that are open."""

    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"  # there it would let two servers share a port
    request_queue_size = 128

    def __init__(self, name: str, address: tuple[str, int], world: World, script: Script, sleep: _Sleep | None) -> None:
        self.name = name
        self.world = world
        self.script = script
        self._closing = threading.Event()
        self.sleep = sleep or self._wait
        self.act: _Answer = lambda request, effects: Response(503)
        self._open: set[socket.socket] = set()
        self._guard = threading.Condition()
        self._thread: threading.Thread | None = None
        self._waker, self._wakee = socket.socketpair()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            self._waker.close()
            self._wakee.close()
            raise UsageError(f"cannot serve on port {address[1]}: {error.strerror}", "choose another port") from error
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        self.url = f"http://{shown}:{self.server_address[1]}"

    def serve(self, act: _Answer) -> None:
        self.act = act
        self._thread = threading.Thread(target=self._accept, name=f"sandbox-{self.name}", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        """socketserver's own loop looks twice a second whether it should end; this one is woken."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(self._wakee, selectors.EVENT_READ)
            while not self._closing.is_set():
                ready = [key.fileobj for key, _ in selector.select()]
                if self.socket in ready and not self._closing.is_set():
                    self._handle_request_noblock()  # type: ignore[attr-defined]  # not in typeshed

    def _wait(self, seconds: float) -> None:
        self._closing.wait(seconds)

    @property
    def closing(self) -> bool:
        return self._closing.is_set()

    def close(self) -> None:
        if self._closing.is_set():
            return
        self._closing.set()
        self._waker.send(b"x")
        if self._thread is not None:
            self._thread.join()
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._guard.wait_for(lambda: not self._open, _PATIENCE)
        self.server_close()
        self._waker.close()
        self._wakee.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._guard:
                self._open.discard(request)
                self._guard.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours; anything else is, and shows its trace."""
        if not self.closing and not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Dropped(Exception):
    """The script ended the connection."""


class _Body:
    """A request's body, as it comes."""

    def __init__(self, file: BufferedIOBase, length: int) -> None:
        self._file, self._left = file, length

    def read(self, most: int) -> bytes:
        """Up to ``most`` bytes; b"" at its end. Raises ConnectionResetError where it breaks off."""
        if not self._left or most <= 0:
            return b""
        chunk = self._file.read(min(most, self._left))
        if not chunk:
            raise ConnectionResetError("the client went away mid-body")
        self._left -= len(chunk)
        return chunk

    def whole(self) -> bytes:
        return b"".join(iter(lambda: self.read(1 << 16), b""))

    def drain(self, most: int | None = None) -> int:
        """Read and throw away what is left, at most so many bytes; how many are left then."""
        goal = 0 if most is None else max(0, self._left - most)
        with contextlib.suppress(ConnectionError):
            while self._left > goal:
                self.read(min(1 << 16, self._left - goal))
        return self._left


def _size(response: Response) -> int:
    return len(response.body) if response.file is None else response.file.stat().st_size


class _Handler(BaseHTTPRequestHandler):
    server: _Origin
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 600
    """Seconds that a kept-alive connection may stay silent."""

    def _respond(self) -> None:
        path, _, query = self.path.partition("?")
        path = self._route(path)
        seen = Seen(self.server.name, self.command, path, None)
        leak = self.server.name == "media" and "Authorization" in self.headers
        try:
            head = self.server.script.at_head(self.command, path)
            if head is not None:
                self._drop(head)
            response = self._answered(path, query)
            seen = Seen(self.server.name, self.command, path, response.status)
        except _Dropped:
            self.close_connection = True
            return
        finally:
            # Before a byte is sent: a test that has its answer may look at once.
            self.server.world.note(seen, leak=leak)
        self._send(response)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _respond

    def _route(self, path: str) -> str:
        """The path without the API's prefix; outside of it nothing is a route."""
        if self.server.name == "media":
            return path
        return path.removeprefix(PREFIX) if path.startswith(f"{PREFIX}/") else f"//{path}"

    def _answered(self, path: str, query: str) -> Response:
        length = self._length()
        if isinstance(length, Response):
            return length
        body = _Body(self.rfile, length)
        streamed = self.server.name == "media" and self.command == "PUT"
        if not streamed and length > self.server.world.settings.largest_body:
            self.close_connection = True
            body.drain(_DRAIN)
            return self._refused(413, "The request body is too large.")
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = Request(self.command, path, dict(parse_qsl(query)), headers, length=length)
        request = replace(told, read=body.read) if streamed else replace(told, body=body.whole())
        sent = self._acted(request, body)
        if body.drain(_DRAIN):
            self.close_connection = True
        return sent

    def _acted(self, request: Request, body: _Body) -> Response:
        """The answer that is sent, with what the script does to it."""
        script, server = self.server.script, self.server
        about = routes.subject(server.world, request) if script.rules else ("", "")
        effects = script.effects(self.command, request.path, *about)
        if rule := effects.drop(Drop.MID_BODY):
            body.drain(request.length // 2)
            self._drop(rule)
        if rule := effects.drop(Drop.AFTER_READING):
            body.drain()
            self._drop(rule)
        self._pause(effects.delay_before)
        right = effects.instead or server.act(request, effects)
        self._pause(effects.delay_after)
        if rule := effects.drop(Drop.AFTER_CREATING):
            self._drop(rule)
        sent = effects.spoil(right)
        if effects.drop(Drop.MID_ANSWER):
            sent = replace(sent, cut=_size(sent) // 2)
        return sent

    def _length(self) -> int | Response:
        """Bytes of the request's body; or the 400 or 411 for one that is not taken."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            self.close_connection = True
            return self._refused(411, "Send a Content-Length.")
        try:
            length = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            length = -1
        if length < 0:
            self.close_connection = True
            return self._refused(400, "Content-Length is not a number.")
        return length

    def _refused(self, status: int, message: str) -> Response:
        return refusal_answer(Refusal(status, message), f"req_{self.server.world.token()}")

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self.server.sleep(seconds)

    def _drop(self, rule: Rule) -> None:
        if rule.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
            # socketserver shuts a connection down politely before closing it, which would send a FIN first.
            self.connection.close()
        raise _Dropped

    def _send(self, response: Response) -> None:
        """Head and body in one segment: sent apart, the second waits for the client's delayed ACK."""
        bodiless = self.command == "HEAD" or response.status in (204, 304)
        cut = response.cut is not None or self.close_connection
        head = self._head(response, close=cut)
        body = b"" if bodiless else response.body[: response.cut]
        if response.drip:
            self._trickle(head, body, *response.drip)
        else:
            self.connection.sendall(head + body)
            if response.file is not None and not bodiless:
                self._copy(response.file, _size(response) if response.cut is None else response.cut)
            left = 0 if bodiless else response.pad
            while left > 0 and not self.server.closing:
                self.connection.sendall(bytes(min(left, 1 << 20)))
                left -= 1 << 20
        if cut:
            self.close_connection = True

    def _copy(self, path: Path, left: int) -> None:
        with path.open("rb") as file:
            while left > 0 and not self.server.closing and (chunk := file.read(min(left, 1 << 18))):
                self.connection.sendall(chunk)
                left -= len(chunk)

    def _trickle(self, head: bytes, body: bytes, step: int, pause: float) -> None:
        self.connection.sendall(head)
        for start in range(0, len(body), step):
            if self.server.closing:
                raise ConnectionResetError("the sandbox is closing")
            self._pause(pause)
            self.connection.sendall(body[start : start + step])

    def _head(self, response: Response, *, close: bool) -> bytes:
        phrase = HTTPStatus(response.status).phrase if response.status in HTTPStatus._value2member_map_ else ""
        fields = {
            "Server": "sume-sandbox",
            "Content-Type": response.content_type,
            "Content-Length": str(_size(response) + response.pad),
            **({"Connection": "close"} if close else {}),
            **response.headers,
        }
        lines = [f"HTTP/1.1 {response.status} {phrase}", *(f"{name}: {value}" for name, value in fields.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """The world keeps the log; the terminal is the program's."""
