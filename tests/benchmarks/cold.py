"""A plan of 10,000 specs of which nothing is remembered: all are read, parsed, held against the schema and decided
about, with their outputs, their metadata and the lock.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import tomli

from tests.benchmarks import disk, tree
from tests.benchmarks.row import Row

NUMBER = 10_000
SECONDS = 2.0
_ROUNDS = 5


def rows() -> Iterator[Row]:
    root = tree.project(NUMBER)
    for verb in ("plan", "check", "status"):
        took = _best(lambda verb=verb: _command(root, verb))  # type: ignore[misc]
        yield Row(f"`{verb}` of {NUMBER:,} achieved specs, cold", took, "s", "limit", SECONDS, 1.0)
    aside = disk.folder()
    for number, path in enumerate([root / "sume.lock", *root.rglob("*.sume.json"), *root.rglob("*.png")]):
        path.rename(aside / str(number))
    took = _best(lambda: _command(root, "plan"))
    yield Row(f"`plan` of {NUMBER:,} new specs, cold", took, "s", "limit", SECONDS, 1.0)
    yield Row("the same", took, "s", "tomli parses the same specs", _best(lambda: _parsed(root)))


def _best(work: Callable[[], None]) -> float:
    """The shortest of a few, in seconds of the wall: what comes on top is other programs' work."""
    return min(_timed(work) for _ in range(_ROUNDS))


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _command(root: Path, verb: str) -> None:
    command = [sys.executable, "-m", "sumesync", verb, "--no-cache"]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _parsed(root: Path) -> None:
    for path in root.rglob("*.sume.toml"):
        tomli.loads(path.read_text(encoding="utf-8"))
