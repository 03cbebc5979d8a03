"""Time that hops wherever a command in this process would only wait for it to pass.

A retry's pause, and the loop's pause between two polls while no answer is on its way, end at once, and the monotonic
clock has moved by as much. An answer that is on its way is waited for in real time. The wall clock stays right; that of
an embedded sandbox moves along, so that its jobs end when the loop thinks that they have.
"""

from __future__ import annotations

import functools
import threading
import time

import pytest

import sumesync.cli.embedded
import sumesync.cli.execution
import sumesync.cli.wiring
import sumesync.sandbox.server
from sumesync.host import SystemClock, ThreadWorkers
from sumesync.model import Done

_guard = threading.Lock()
_hopped = 0.0
"""Seconds, in the whole process: what an embedded sandbox wrote is never in the future of the next command."""


def _hop(seconds: float) -> None:
    global _hopped
    with _guard:
        _hopped += max(0.0, seconds)


def _shifted() -> float:
    return time.time() + _hopped


class Clock(SystemClock):
    def monotonic(self) -> float:
        return time.monotonic() + _hopped

    def sleep(self, seconds: float) -> None:
        _hop(seconds)


class Workers(ThreadWorkers):
    def next(self, timeout: float | None) -> Done | None:
        if self.busy or timeout is None:
            return super().next(timeout)
        _hop(timeout)
        return super().next(0)


def hopping(patch: pytest.MonkeyPatch) -> None:
    """From now on; but where the test put a clock of its own, that one stays."""
    for module in (sumesync.cli.execution, sumesync.cli.wiring, sumesync.cli.embedded):
        for theirs, ours in ((SystemClock, Clock), (ThreadWorkers, Workers)):
            if vars(module).get(theirs.__name__) is theirs:
                patch.setattr(module, theirs.__name__, ours)
    real = sumesync.sandbox.server.embedded
    patch.setattr(sumesync.sandbox.server, "embedded", functools.partial(real, now=_shifted))
