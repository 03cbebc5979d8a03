"""One run at a time in a project, across its worktrees. The system releases it when a process dies, so a killed
CI leaves nothing stuck."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sumesync.core.text import printable
from sumesync.disk import atomic
from sumesync.errors import LocalStateError


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
                blocked(_holder(folder))
            try:
                lock.acquire(timeout=timeout, poll_interval=0.1)
            except Timeout:
                raise LocalStateError(
                    f"another sumesync is at work here: {_holder(folder)}",
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


def _holder(folder: Path) -> str:
    try:
        holder = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        age = max(0, int(time.time() - float(holder["since"])))
        named = f"sumesync {holder['command']}, process {int(holder['pid'])} on {holder['host']}, for {age} s"
    except (OSError, ValueError, KeyError, TypeError):
        return "its process is not known"
    return printable(named, 200)
