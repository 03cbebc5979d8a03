"""The machine around a run, for the time of a block: its clocks, its patience, its directory of names, its disk."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import sumesync.api.client
import sumesync.cli.execution
import sumesync.cli.wiring
from sumesync.api.transport import Limits
from sumesync.host import SystemClock, ThreadWorkers
from sumesync.model import Done
from sumesync.ports import Clock

_PATIENCE = 300.0
"""Real seconds for a block: a wait that is too long by mistake fails, it does not hang."""


@dataclass
class Fast:
    """A clock that runs ``speed`` times as fast, and wherever somebody sleeps jumps to the end of it.

    ``wall`` is what the wall clock shows, given the right time; each look at it counts in ``looks``.
    """

    speed: float = 1000.0
    wall: Callable[[float, int], float] = lambda right, _looks: right
    slept: list[float] = field(default_factory=list)
    looks: int = 0

    def now(self) -> float:
        self.looks += 1
        return self.wall(time.time(), self.looks)

    def monotonic(self) -> float:
        return time.monotonic() * self.speed + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass
class Ticking(Fast):
    """A clock that moves by ``tick`` at each look: whatever is looked at often takes long."""

    tick: float = 1.0
    ticks: int = 0

    def monotonic(self) -> float:
        self.ticks += 1
        return self.ticks * self.tick + sum(self.slept)


@contextmanager
def machine(
    clock: Fast | None = None, client: Clock | None = None, limits: Mapping[str, float] | None = None
) -> Iterator[None]:
    """``clock`` is the loop's, ``client`` the one of the API's client, ``limits`` change the client's."""

    ends = time.monotonic() + _PATIENCE

    class Workers(ThreadWorkers):
        def next(self, timeout: float | None) -> Done | None:
            assert time.monotonic() < ends, "the run waits for ever"
            return super().next(timeout if timeout is None or clock is None else timeout / clock.speed)

    def changed(**usual: Any) -> Limits:
        return Limits(**{**usual, **(limits or {})})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sumesync.cli.execution, "SystemClock", lambda: clock or SystemClock())
        patch.setattr(sumesync.cli.execution, "ThreadWorkers", Workers)
        patch.setattr(sumesync.cli.wiring, "SystemClock", lambda: client or SystemClock())
        patch.setattr(sumesync.api.client, "Limits", changed)
        yield


@contextmanager
def directory(port: int, fault: str, times: int = 10**6, first: int = 2) -> Iterator[list[int]]:
    """Look-ups of the API at ``port`` go wrong from the ``first`` on: ``unknown`` names, or ``refused`` at a port
    where nobody listens. The first look-up is that of the reads, which keep their connection; each paid request
    makes one of its own. Yields a list with one item a look-up."""
    real, seen, guard = socket.getaddrinfo, list[int](), threading.Lock()
    with socket.socket() as nobody, pytest.MonkeyPatch.context() as patch:
        nobody.bind(("127.0.0.1", 0))

        def look_up(host: Any, service: Any, *args: Any, **options: Any) -> Any:
            if service != port:
                return real(host, service, *args, **options)
            with guard:
                seen.append(service)
                due = first <= len(seen) < first + times
            if due and fault == "unknown":
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return real("127.0.0.1", nobody.getsockname()[1] if due else service, *args, **options)

        patch.setattr(socket, "getaddrinfo", look_up)
        yield seen


@dataclass
class Trouble:
    """What is wrong with a disk: ``number`` is raised by ``calls`` where ``when`` holds of their path.

    ``when`` is asked only about what lies under ``under``; it is given the path and how many calls there were.
    """

    number: int
    calls: tuple[str, ...]
    under: str
    when: Callable[[str, int], bool] = lambda _path, _step: True
    steps: int = 0
    struck: int = 0


WRITES = ("open", "write", "mkdir", "link", "replace", "rename")
NO_SPACE = (errno.ENOSPC, ("open", "write", "mkdir", "link"))
IO_ERROR = (errno.EIO, ("fsync",))
READ_ONLY = (errno.EROFS, (*WRITES, "unlink", "remove"))


@contextmanager
def disk(trouble: Trouble) -> Iterator[Trouble]:
    """The calls that change a disk fail as ``trouble`` says."""
    guard = threading.Lock()

    def wrong(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **options: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **options)
            path = place_of(args)
            if not path.startswith(trouble.under):
                return real(*args, **options)
            with guard:
                trouble.steps += 1
                due = trouble.when(path, trouble.steps)
                trouble.struck += due
            if due:
                raise OSError(trouble.number, os.strerror(trouble.number))
            return real(*args, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in trouble.calls:
            patch.setattr(os, name, wrong(name))
        yield trouble


def place_of(args: tuple[Any, ...]) -> str:
    """The path that a call is about: its target, where it has two; of a descriptor the file that is open."""
    about = args[1] if len(args) > 1 and isinstance(args[1], str | Path) else args[0]
    if isinstance(about, int):
        try:
            return os.readlink(f"/proc/self/fd/{about}")
        except OSError:
            return ""
    return os.fspath(about) if isinstance(about, str | Path) else ""
