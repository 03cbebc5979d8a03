"""One run at a time in a project, across its worktrees. The system releases it when a process dies, so a killed
CI leaves nothing stuck."""

from __future__ import annotations

import json
import math
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sumesync.core.text import printable
from sumesync.disk import atomic
from sumesync.errors import LocalStateError

_INSTANT = 0.2
"""Seconds that even who does not wait gives it: ``holder`` of another process takes it for an instant."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that is at work in a project. ``since``: seconds since the epoch."""

    pid: int
    host: str
    command: str
    since: float

    def __str__(self) -> str:
        age = max(0, int(time.time() - self.since)) if math.isfinite(self.since) else 0
        return printable(f"sumesync {self.command}, process {self.pid} on {self.host}, for {age} s", 200)


@contextmanager
def hold(folder: Path, command: str, timeout: float, blocked: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the mutex of the project whose shared folder is ``folder``.

    Waits up to ``timeout`` seconds, telling ``blocked`` once who holds it, then raises LocalStateError.
    """
    from filelock import FileLock, Timeout

    with atomic.explained("lock", folder):
        atomic.make_folder(folder)
        # Never the data file itself: it is replaced by renames, and a lock on it would be on the old one.
        lock = FileLock(folder / "run.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if blocked and timeout > 0:
                blocked(_told(folder))
            try:
                lock.acquire(timeout=max(timeout, _INSTANT), poll_interval=0.05)
            except Timeout:
                raise LocalStateError(
                    f"another sumesync is at work here: {_told(folder)}",
                    "wait for it, or give it time with --lock-timeout SECONDS",
                ) from None
    try:
        _say(folder, command)
        yield
    finally:
        lock.release()


def _say(folder: Path, command: str) -> None:
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": time.time()}
    # Only for the message of somebody who waits: failing to write it is no reason to stop.
    with suppress(OSError):
        (folder / "run.json").write_text(json.dumps(holder), encoding="utf-8")


def holder(folder: Path) -> Holder | None:
    """Another process that holds the mutex of ``folder`` now. None also where that cannot be told."""
    from filelock import FileLock, Timeout

    noted = _noted(folder)
    if noted is None or (noted.pid, noted.host) == (os.getpid(), socket.gethostname()):
        return None
    lock = FileLock(folder / "run.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _noted(folder)
    except OSError:
        return None
    lock.release()
    return None


def _noted(folder: Path) -> Holder | None:
    """Who said so when it took the mutex; it may have ended since."""
    try:
        note = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return Holder(int(note["pid"]), str(note["host"]), str(note["command"]), float(note["since"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _told(folder: Path) -> str:
    noted = _noted(folder)
    return str(noted) if noted else "its process is not known"
