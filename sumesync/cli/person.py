"""Somebody at the terminal who is asked, and who may take their time: lines are read beside everything else."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from sumesync.ports import Clock

TOO_SOON = "(too soon)"
_TOO_SOON = 0.5
"""Seconds in which nobody has read a question: what comes so soon was typed for another one."""


class Person:
    """``wake`` is called, from another thread, when there is a line."""

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        self._clock, self._wake = clock, wake
        self._lines: deque[tuple[float, str | None]] = deque()
        self._asked_at = 0.0
        self._reader: threading.Thread | None = None

    def listen(self) -> None:
        """A question is put: only what is typed from now on answers it."""
        _forget_typed()
        self._lines.clear()
        self._asked_at = self._clock.monotonic()
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, name="answers", daemon=True)
            self._reader.start()

    def line(self) -> str | None:
        """What was typed; "" is an empty line, None nothing. Raises KeyboardInterrupt at the end of the input."""
        if not self._lines:
            return None
        at, text = self._lines.popleft()
        if text is None:
            raise KeyboardInterrupt
        return text if at >= self._asked_at + _TOO_SOON else TOO_SOON

    def _read(self) -> None:
        """The descriptor itself: a thread that stands in a read of sys.stdin could not be left at the end."""
        left = b""
        while True:
            try:
                data = os.read(sys.stdin.fileno(), 4096)
            except (OSError, ValueError):
                data = b""
            *whole, left = (left + data).split(b"\n")
            self._lines.extend((self._clock.monotonic(), line.decode("utf-8", "replace")) for line in whole)
            if not data:
                self._lines.append((self._clock.monotonic(), None))
            self._wake()
            if not data:
                return


def _forget_typed() -> None:
    with suppress(ImportError, OSError, ValueError):
        import termios

        try:
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        except termios.error:
            return
