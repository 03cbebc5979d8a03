"""A plan of 10,000 specs of which nothing is remembered: all are read, parsed, held against the schema and decided
about, with their outputs, their metadata and the lock.

In seconds of CPU, git's included: nothing waits here but for other programs.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import tomli

from tests.benchmarks import tree
from tests.benchmarks.row import Row

NUMBER = 10_000
SECONDS = 2.0
_ROUNDS = 3


def rows() -> Iterator[Row]:
    with tree.project(NUMBER) as root:
        for verb in ("plan", "check", "status"):
            took = _best(lambda verb=verb: _command(root, verb))  # type: ignore[misc]
            yield Row(f"`{verb}` of {NUMBER:,} achieved specs, cold", took, "s", "limit", SECONDS, 1.0)
        (root / "sume.lock").unlink()
        for path in (*root.rglob("*.sume.json"), *root.rglob("*.png")):
            path.unlink()
        took = _best(lambda: _command(root, "plan"))
        yield Row(f"`plan` of {NUMBER:,} new specs, cold", took, "s", "limit", SECONDS, 1.0)
        yield Row("the same", took, "s", "tomli parses the same specs", _best(lambda: _parsed(root)))


def _best(work: Callable[[], None]) -> float:
    """The shortest of a few: what comes on top is other programs' work."""
    return min(_timed(work) for _ in range(_ROUNDS))


def _timed(work: Callable[[], None]) -> float:
    begun = _used()
    work()
    return _used() - begun


def _used() -> float:
    """Of this process and of those that it waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def _command(root: Path, verb: str) -> None:
    command = [sys.executable, "-m", "sumesync", verb, "--no-cache"]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _parsed(root: Path) -> None:
    for path in root.rglob("*.sume.toml"):
        tomli.loads(path.read_text(encoding="utf-8"))
