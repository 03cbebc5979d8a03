"""A folder that is watched: what it costs while nothing happens, and how soon a save is told."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.benchmarks import timing, tree
from tests.benchmarks.row import Row

_NUMBER = 10_000
_IDLE_SECONDS = 250.0
"""Longer than two of the looks that nobody asked for."""
_FEW = 10
_DEBOUNCE = 0.3
_SAVES = 7


def rows() -> Iterator[Row]:
    root = tree.project(_NUMBER)
    with _watching(root) as process:
        _told(process, "idle")
        _goes_on(process, 5.0)  # the look after the first one: what was remembered is compared, not made
        before, began = _used(process.pid), time.monotonic()
        _goes_on(process, _IDLE_SECONDS)
        share = 100 * (_used(process.pid) - before) / (time.monotonic() - began)
        yield Row(f"watch of {_NUMBER:,} specs while nothing happens, of one CPU", share, "%", "limit", 0.5, 1)
    with tempfile.TemporaryDirectory(dir="/var/tmp" if Path("/var/tmp").is_dir() else None) as name:
        root = Path(name, "project")
        tree.made(root, _FEW)
        took = [_saved(root, number) for number in range(_SAVES)]
    yield Row(
        "from a save to its plan, 300 ms of them debounce (--settle 0)",
        1000 * statistics.median(took),
        "ms",
        "debounce and 50 ms",
        1000 * _DEBOUNCE + 50,
        1,
    )


def _saved(root: Path, number: int) -> float:
    spec = next(root.glob("f*/*.sume.toml"))
    text = spec.read_text()
    with _watching(root, "--settle", "0") as process:
        _told(process, "idle")
        _goes_on(process, 1.0)
        began = time.monotonic()
        spec.write_text(text.replace('prompt = "', f'prompt = "number {number}, '))
        _told(process, "plan")
        took = time.monotonic() - began
    spec.write_text(text)
    return took


@contextmanager
def _watching(root: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    command = [*timing.SUMESYNC, "watch", "--json", *more]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _goes_on(process: subprocess.Popen[str], seconds: float) -> None:
    """Time passes. Raises RuntimeError where watch ends meanwhile."""
    with suppress(subprocess.TimeoutExpired):
        raise RuntimeError(f"watch ended with {process.wait(seconds)}")


def _told(process: subprocess.Popen[str], event: str) -> dict[str, Any]:
    """The next event of that name."""
    assert process.stdout is not None
    for line in process.stdout:
        told: dict[str, Any] = json.loads(line)
        if told["event"] == event:
            return told
    raise RuntimeError(f"watch ended before it told {event}")


def _used(pid: int) -> float:
    """CPU seconds of a process and of those that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
