"""The machine's clock, threads and signals: the adapters of the ports that are neither disk nor network."""

from __future__ import annotations

import gc
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

from sumesync.model import Done

_LONGEST_WAIT = 0.5


_SELDOM: Final = 50_000


def prepare_process(looks: bool = False) -> None:
    """Before anything else: a standard stream that is closed is /dev/null, or the next file that is opened, a lock
    perhaps, would take its number and everything written to it. SIGTERM and a closed terminal end a command as Ctrl-C
    does; while a run is under way ``Stop`` hears them.

    The collector of circular garbage works seldom, and never where a command only ``looks``: a look at thousands of
    specs makes a million values, none of them in a circle, and by default they are gone through again for every 700
    that come. What is freed late is small."""
    if looks:
        gc.disable()
    gc.set_threshold(_SELDOM, 50, 50)
    with suppress(OSError):
        while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(null, True)
        os.close(null)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP, and stays so
            signal.signal(number, signal.default_int_handler)


class SystemClock:
    """The Clock port."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ThreadWorkers:
    """The Workers port: a few daemon threads, so that leaving at once never waits for a slow answer."""

    def __init__(self, threads: int = 100) -> None:
        self._most = threads
        self._tasks: queue.SimpleQueue[tuple[object, Callable[[], object]] | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[Done | None] = queue.SimpleQueue()
        self._threads = 0
        self._busy = 0

    @property
    def busy(self) -> int:
        return self._busy

    def start(self, tag: object, task: Callable[[], object]) -> None:
        self._busy += 1
        self._tasks.put((tag, task))
        if self._threads < min(self._most, self._busy):
            self._threads += 1
            threading.Thread(target=self._work, name=f"sumesync-{self._threads}", daemon=True).start()

    def next(self, timeout: float | None) -> Done | None:
        # Never for long at a time: a signal that comes right before the wait begins is only heard after it.
        timeout = _LONGEST_WAIT if timeout is None else min(timeout, _LONGEST_WAIT)
        try:
            done = self._ended.get(timeout=timeout)
        except queue.Empty:
            return None
        if done is not None:
            self._busy -= 1
        return done

    def wake(self) -> None:
        """End a wait of ``next`` early. Safe in a signal handler."""
        self._ended.put(None)

    def close(self) -> None:
        """No more tasks: each thread ends after the one that it has."""
        for _ in range(self._threads):
            self._tasks.put(None)

    def _work(self) -> None:
        while (given := self._tasks.get()) is not None:
            tag, task = given
            try:
                self._ended.put(Done(tag, task()))
            except BaseException as error:  # noqa: BLE001 - it is handed to the loop, which raises it
                self._ended.put(Done(tag, error=error))


class Stop:
    """Somebody asked to stop: Ctrl-C, SIGTERM or a closed terminal. The first time it is noted, so that the loop
    can end well; the second time the process leaves at once, which loses nothing either."""

    def __init__(self) -> None:
        self.asked = False
        self._wakers: list[Callable[[], None]] = []

    def __call__(self) -> bool:
        return self.asked

    def also(self, wake: Callable[[], None]) -> None:
        self._wakers.append(wake)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Catch the signals for the time of the block. Only in the main thread."""
        names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        if "SIGHUP" in names and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            names.remove("SIGHUP")  # nohup
        before = {name: signal.signal(getattr(signal, name), self._heard) for name in names}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(getattr(signal, name), handler)

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            with suppress(OSError, ValueError):  # a closed terminal
                if sys.__stderr__ is not None:
                    os.write(sys.__stderr__.fileno(), b"\nLeft at once. Run again to resume.\n")
            os._exit(130)
        self.asked = True
        for wake in self._wakers:
            wake()
