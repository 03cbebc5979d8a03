"""``--version`` and ``--help`` beside a Python that does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import timing
from tests.benchmarks.row import Row

ALLOWED = 4.0


def rows() -> Iterator[Row]:
    commands = {"python": timing.PYTHON, **{flag: (*timing.SUMESYNC, flag) for flag in ("--version", "--help")}}
    took = timing.medians(commands, Path(), 31, warm=3)
    for flag in ("--version", "--help"):
        yield Row(f"`sumesync {flag}`", took[flag], "s", "`python -c pass`", took["python"], ALLOWED)
