"""A second processor for a half of a long look.

What is read there comes back as JSON has it. It is as good as read here: the child is a copy of this very process, made
when its half was about to be read.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

_MANY: Final = 2_000
"""Fewer are read sooner than a process is copied."""

Item = TypeVar("Item")


def shares(items: Sequence[Item], here: float = 0.5) -> tuple[Sequence[Item], Sequence[Item]]:
    """What to read here, this part of all, and what in a child: nothing, where there are few."""
    middle = int(len(items) * here) if is_worth(len(items)) else len(items)
    return items[:middle], items[middle:]


def is_worth(number: int) -> bool:
    """Whether to look at so many specs, or at what belongs to them, is worth a child, where one can be had."""
    return number >= _MANY and _may_copy()


def _may_copy() -> bool:
    """Whether there is a second processor, and no other thread, of which a copy would know nothing."""
    return hasattr(os, "fork") and threading.active_count() == 1 and (os.cpu_count() or 1) > 1


@contextmanager
def ahead(work: Callable[[], Any], worth: bool) -> Iterator[Callable[[], Any]]:
    """Begin ``work`` in a child, if it is ``worth`` one. What is given waits for it and returns what it returned, of
    JSON's types; None where it failed, or there is no child: then it is done here."""
    child = _child(work) if worth else None
    if child is None:
        yield lambda: None
        return
    pid, reading = child
    waited = False

    def told() -> Any:
        nonlocal waited
        with open(reading, "rb", closefd=False) as file:
            said = file.read()
        _, status = os.waitpid(pid, 0)
        waited = True
        try:
            return json.loads(said) if status == 0 else None
        except ValueError:
            return None

    try:
        yield told
    finally:
        os.close(reading)
        if not waited:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _child(work: Callable[[], Any]) -> tuple[int, int] | None:
    """Its number, and where what it tells can be read; None where the system has no room for it."""
    try:
        reading, writing = os.pipe()
    except OSError:
        return None
    try:
        pid = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        return None
    if pid:
        os.close(writing)
        return pid, reading
    code = 1
    try:
        os.close(reading)
        said = json.dumps(work(), ensure_ascii=False, check_circular=False).encode("utf-8", "surrogatepass")
        with open(writing, "wb") as file:
            file.write(said)
        code = 0
    finally:
        os._exit(code)  # nothing of this process's ending is the child's: no word, no file
