"""Nothing has changed: ``plan``, ``check`` and ``status`` beside ``git status`` on the same committed tree."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks import timing, tree
from tests.benchmarks.row import Row

SIZES = (10_000, 100_000)
ALLOWED = 3.0
COMMANDS = ("plan", "check", "status")


def rows() -> Iterator[Row]:
    for number in SIZES:
        root = tree.project(number)
        for name in COMMANDS:  # the first look reads everything; what it saw is remembered
            timing.once((*timing.SUMESYNC, name), root)
        commands = {"git status": ("git", "status"), **{name: (*timing.SUMESYNC, name) for name in COMMANDS}}
        took = timing.medians(commands, root, 11 if number <= 10_000 else 5)
        for name in COMMANDS:
            what = f"`{name}`, nothing changed, {number:,} specs"
            yield Row(what, took[name], "s", "`git status`", took["git status"], ALLOWED)
