"""Every touch of the disk and the network that a process makes, and what is done to it at one of them.

The functions of ``os`` and ``socket`` through which a Python program changes files and talks are wrapped, whoever
calls them. What they are called with is the list of boundaries; nobody keeps one by hand. An audit hook, to which the
interpreter itself reports, notices what changes a file and went past the wrappers.

A touch has a label ("fsync .sume/ledger.jsonl", "send api POST /images/generations") and a number among those of its
label, so that the same boundary is found again in another run, whichever thread comes first.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import signal
import socket
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

from tests.crash.power import Power

_PART = re.compile(r"\.sumesync-[0-9a-f]+\.part")
_JOB = re.compile(r"job_\w+")
_CHANGING = {f"os.{name}" for name in ("rename", "remove", "mkdir", "rmdir", "link", "symlink", "truncate", "chmod")}
"""Events of the interpreter that say that something changed; ``open`` says it by its flags."""
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Deed(StrEnum):
    """What happens at a touch."""

    WATCH = "watch"
    """Nothing; the touches are written down."""
    KILL = "kill"
    """The process dies before it."""
    TEAR = "tear"
    """Half of what was to be written or sent goes out, then the process dies; anything else is done first."""
    LOSE = "lose"
    """The power goes before it: whatever was not synced is as it was."""
    SHRED = "shred"
    """The power goes before it: names are as they were last made, bytes that were not synced are half there."""
    FAIL = "fail"
    """It raises an OSError; of a write, after half of it was done."""


@dataclass(frozen=True)
class Touch:
    label: str
    number: int

    @property
    def network(self) -> bool:
        return self.label.split(" ", 1)[0] in ("connect", "send", "receive")

    def __str__(self) -> str:
        return f"{self.label} #{self.number}"


@dataclass(frozen=True)
class Orders:
    """What is to be done, and where. ``lasting``: every later touch of the same sort fails too."""

    deed: Deed = Deed.WATCH
    at: Touch | None = None
    errno: int = 0
    lasting: bool = False

    def __str__(self) -> str:
        error = f" {errno.errorcode[self.errno]}{' for good' if self.lasting else ''}" if self.errno else ""
        return f"{self.deed}{error} at {self.at}" if self.at else str(self.deed)


def packed(orders: Orders) -> str:
    return json.dumps(asdict(orders))


def unpacked(text: str) -> Orders:
    table = json.loads(text)
    at = Touch(**table["at"]) if table["at"] else None
    return Orders(Deed(table["deed"]), at, table["errno"], table["lasting"])


class Probe:
    """Wraps this process's own ``os`` and ``socket``: for a process that was forked for it."""

    def __init__(self, root: Path, origins: dict[int, str], orders: Orders) -> None:
        """``root``: the folder that counts. ``origins``: names of the ports that are talked to."""
        self.touches: list[Touch] = []
        self.strays: list[str] = []
        """Changes of files that went past the wrappers."""
        self._root = os.path.realpath(root)
        self._origins = origins
        self._orders = orders
        self._counts: Counter[str] = Counter()
        self._guard = threading.RLock()
        self._mine = threading.local()
        self._files: dict[int, str] = {}
        self._sockets: weakref.WeakKeyDictionary[socket.socket, dict[str, str]] = weakref.WeakKeyDictionary()
        """Where each goes, and what was asked there last."""
        self._power = Power()
        self._broken = False

    # --- What was touched ---------------------------------------------------------------------------

    def _inside(self, path: Any) -> str:
        """The full path, if it is one that counts; else empty."""
        if not isinstance(path, str | bytes | os.PathLike):
            return ""
        full = os.path.abspath(os.fsdecode(path))
        return full if full == self._root or full.startswith(self._root + os.sep) else ""

    def _name(self, full: str) -> str:
        return _PART.sub("*.part", os.path.relpath(full, self._root))

    def _meet(self, label: str) -> Touch:
        self._counts[label] += 1
        touch = Touch(label, self._counts[label])
        self.touches.append(touch)
        return touch

    def _touch(self, label: str, act: Callable[[], Any], half: Callable[[], object] | None = None) -> Any:
        """One touch: met, then done, unless the orders say otherwise. The network is not waited for under the guard."""
        with self._guard:
            touch = self._meet(label)
            if touch == self._orders.at:
                self._obey(act, half)
            elif self._broken and self._orders.at and touch.network is self._orders.at.network:
                raise OSError(self._orders.errno, os.strerror(self._orders.errno))
            if not touch.network:
                return self._really(act)
        return self._really(act)

    def _really(self, act: Callable[[], Any]) -> Any:
        before, self._mine.at_work = getattr(self._mine, "at_work", False), True
        try:
            return act()
        finally:
            self._mine.at_work = before

    def _obey(self, act: Callable[[], Any], half: Callable[[], object] | None) -> None:
        match self._orders.deed:
            case Deed.TEAR:
                with contextlib.suppress(OSError):
                    self._really(half or act)
            case Deed.LOSE:
                self._really(self._power.lose)
            case Deed.SHRED:
                self._really(self._power.shred)
            case Deed.FAIL:
                self._broken = self._orders.lasting
                if half is not None:
                    self._really(half)
                raise OSError(self._orders.errno, os.strerror(self._orders.errno))
        self._die()

    def _die(self) -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    # --- The wrappers -------------------------------------------------------------------------------

    def install(self) -> None:
        for name in ("open", "close", "write", "fsync", "ftruncate", "truncate", "replace", "rename", "link", "unlink"):
            self._wrap(os, name, getattr(self, f"_{name}"))
        self._wrap(os, "remove", self._unlink)
        self._wrap(os, "mkdir", self._mkdir)
        self._wrap(os, "rmdir", self._rmdir)
        self._wrap(io, "open", self._io_open)
        self._wrap(socket.socket, "connect", self._connect)
        self._wrap(socket.socket, "send", self._send)
        self._wrap(socket.socket, "sendall", self._send)
        self._wrap(socket.socket, "recv", self._receive)
        self._wrap(socket.socket, "recv_into", self._receive)
        sys.addaudithook(self._audit)

    def _wrap(self, home: Any, name: str, wrapper: Callable[..., Any]) -> None:
        real = getattr(home, name)

        def stand_in(*args: Any, **options: Any) -> Any:
            if getattr(self._mine, "at_work", False):  # within a touch, or ours
                return real(*args, **options)
            return wrapper(real, *args, **options)

        setattr(home, name, stand_in)

    def _open(self, real: Callable[..., int], path: Any, flags: int, *args: Any, **options: Any) -> int:
        full = self._inside(path)
        if not full:
            return real(path, flags, *args, **options)

        def act() -> int:
            made = bool(flags & os.O_CREAT) and not os.path.lexists(full)
            descriptor = real(path, flags, *args, **options)
            self._files[descriptor] = full
            if made:
                self._power.made(full)
            return descriptor

        return int(self._touch(f"open {self._name(full)}", act) if flags & _CHANGES else act())

    def _close(self, real: Callable[[int], None], descriptor: int) -> None:
        self._files.pop(descriptor, None)
        real(descriptor)

    def _write(self, real: Callable[..., int], descriptor: int, data: Any) -> int:
        full = self._files.get(descriptor)
        if full is None:
            return real(descriptor, data)
        self._power.changes(full)
        view = memoryview(data)
        label = f"write {self._name(full)}"
        return int(self._touch(label, lambda: real(descriptor, data), lambda: real(descriptor, view[: len(view) // 2])))

    def _fsync(self, real: Callable[[int], None], descriptor: int) -> None:
        full = self._files.get(descriptor)
        if full is None:
            real(descriptor)
            return

        def act() -> None:
            real(descriptor)
            self._power.synced(full)

        self._touch(f"fsync {self._name(full)}", act)

    def _ftruncate(self, real: Callable[[int, int], None], descriptor: int, length: int) -> None:
        full = self._files.get(descriptor)
        if full is None:
            real(descriptor, length)
            return
        self._power.changes(full)
        self._touch(f"truncate {self._name(full)}", lambda: real(descriptor, length))

    def _truncate(self, real: Callable[..., None], path: Any, length: int) -> None:
        full = self._inside(path)
        if full:
            self._power.changes(full)
        self._touch(f"truncate {self._name(full)}", lambda: real(path, length)) if full else real(path, length)

    def _replace(self, real: Callable[..., None], source: Any, target: Any, **options: Any) -> None:
        old, new = self._inside(source), self._inside(target)
        if not (old and new):
            real(source, target, **options)
            return

        def act() -> None:
            undo = self._power.renaming(old, new)
            real(source, target, **options)
            self._power.renamed(old, new, undo)

        self._touch(f"rename {self._name(new)}", act)

    _rename = _replace

    def _link(self, real: Callable[..., None], source: Any, target: Any, **options: Any) -> None:
        old, new = self._inside(source), self._inside(target)
        if not (old and new):
            real(source, target, **options)
            return

        def act() -> None:
            real(source, target, **options)
            self._power.linked(old, new)

        self._touch(f"link {self._name(new)}", act)

    def _unlink(self, real: Callable[..., None], path: Any, **options: Any) -> None:
        full = self._inside(path) if not options.get("dir_fd") else ""
        if not full:
            real(path, **options)
            return

        def act() -> None:
            undo = self._power.removing(full)
            real(path, **options)
            self._power.removed(full, undo)

        self._touch(f"unlink {self._name(full)}", act)

    def _mkdir(self, real: Callable[..., None], path: Any, *args: Any, **options: Any) -> None:
        full = self._inside(path)
        if not full:
            real(path, *args, **options)
            return

        def act() -> None:
            real(path, *args, **options)
            self._power.made(full)

        self._touch(f"mkdir {self._name(full)}", act)

    def _rmdir(self, real: Callable[..., None], path: Any, **options: Any) -> None:
        full = self._inside(path)
        self._touch(f"rmdir {self._name(full)}", lambda: real(path, **options)) if full else real(path, **options)

    def _io_open(self, real: Callable[..., Any], file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        """A file object's writes are C's own: its opening and all that follows is one touch."""
        full = self._inside(file)
        if not full or not set(mode) & set("wax+"):
            return real(file, mode, *args, **options)
        return self._touch(f"open {self._name(full)}", lambda: real(file, mode, *args, **options))

    # --- The network --------------------------------------------------------------------------------

    def _talk(self, sock: Any, label: str, act: Callable[[], Any], half: Callable[[], object] | None = None) -> Any:
        """A touch of the network. A connection that fails is of no further use, as it would be."""
        try:
            return self._touch(label, act, half)
        except OSError:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            raise

    def _connect(self, real: Callable[..., None], sock: Any, address: Any) -> None:
        origin = self._origins.get(address[1], "") if isinstance(address, tuple) else ""
        if not origin:
            real(sock, address)
            return
        self._talks(sock)["to"] = origin
        self._talk(sock, f"connect {origin}", lambda: real(sock, address))

    def _send(self, real: Callable[..., Any], sock: Any, data: Any, *flags: Any) -> Any:
        talk = self._talks(sock)
        if not talk:
            return real(sock, data, *flags)
        head = bytes(memoryview(data)[:200]).split(b" HTTP/1.1", 1)
        if len(head) == 2:
            talk["about"] = _route(head[0].decode("latin-1"))
        view = memoryview(data)
        label = f"send {talk['to']} {talk.get('about', '')}"
        whole, half = (lambda: real(sock, data, *flags)), (lambda: real(sock, view[: len(view) // 2], *flags))
        return self._talk(sock, label, whole, half)

    def _receive(self, real: Callable[..., Any], sock: Any, *args: Any) -> Any:
        talk = self._talks(sock)
        if not talk:
            return real(sock, *args)
        return self._talk(sock, f"receive {talk['to']} {talk.get('about', '')}", lambda: real(sock, *args))

    def _talks(self, sock: Any) -> dict[str, str]:
        return self._sockets.setdefault(sock, {})

    # --- What went past -----------------------------------------------------------------------------

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if getattr(self._mine, "at_work", False) or self._orders.deed is not Deed.WATCH:
            return
        if event == "open":
            path, mode, flags = args
            changes = bool(flags & _CHANGES) if isinstance(flags, int) else bool(set(mode or "") & set("wax+"))
            if changes and self._inside(path):
                self.strays.append(f"open {path}")
        elif event in _CHANGING:
            self.strays += [f"{event} {path}" for path in args if self._inside(path)]


def _route(line: str) -> str:
    """``POST /images/generations`` of a request line, without what differs from job to job."""
    method, _, target = line.partition(" ")
    path = target.partition("?")[0].removeprefix("/api/v1")
    return f"{method} {_JOB.sub('*', path)}" if not path.startswith("/media") else f"{method} media"
