"""A session of watch in this process: real looks and passes before a stage's Sume, hints and time by hand."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sumesync.cli import wiring
from sumesync.cli.options import Common
from sumesync.cli.rounds import Rounds
from sumesync.cli.session import Session as CommandSession
from sumesync.cli.talk import Talk
from sumesync.core.schedule import Pace
from sumesync.core.watching import Ask, Rules
from sumesync.disk import memory
from sumesync.render.watching import JsonView
from sumesync.watch import Watcher

from .stage import Stage, same_tool

_MANY = 400
"""Steps without a wait: it spins."""


@dataclass
class HandClock:
    """Monotonic and wall time, moved by hand."""

    at: float = 1000.0
    asleep: float = 0.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return 1_800_000_000.0 + self.at + self.asleep

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing sleeps here")


@dataclass
class HandHints:
    """What the test says was heard."""

    clock: HandClock
    heard: set[str] = field(default_factory=set)
    wrote: list[str] = field(default_factory=list)

    def wait(self, timeout: float) -> frozenset[str]:
        found, self.heard = frozenset(self.heard), set()
        if not found:
            self.clock.at += timeout
        return found


@dataclass
class AskedRounds(Rounds):
    """A person who answers."""

    answers: list[bool] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None
    """What happens while the question stands."""
    thinking: bool = False
    """The answer takes its time."""
    withdrawn: int = 0
    within: Callable[[], object] = lambda: None
    """What happens at each look, also at that of a pass."""

    def ask(self, ask: Ask) -> None:
        super().ask(ask)
        self.asked.append(ask)
        self.meanwhile()

    def answer(self) -> bool | None:
        return None if self.thinking else self.answers.pop(0)

    def withdraw(self) -> None:
        super().withdraw()
        self.withdrawn += 1

    def _looked(self, recalling: bool = False) -> CommandSession:
        seen = super()._looked(recalling)
        self.within()
        return seen


class Session:
    """One session. ``later(seconds)`` lets time pass in it."""

    def __init__(
        self, stage: Stage, answers: list[bool] | None = None, max_credits: float | None = None, **rules: Any
    ) -> None:
        self.stage = stage
        self.clock = HandClock()
        self.hints = HandHints(self.clock)
        self.events: list[dict[str, Any]] = []
        usual: dict[str, Any] = {"every": 60.0, "pace": Pace(5, 20)}
        usual |= {"applies": answers is None, "asks": answers is not None}
        with self._played():
            common = Common(stage.root, Talk(as_json=True), True)
            place = wiring.find(common)
            self.desk = AskedRounds(common, place, (), (), JsonView(self._say), max_credits, answers=answers or [])
            self.desk.wrote = self.hints.wrote.extend
            self.watcher = Watcher(self.desk, self.hints, self.desk, self.clock, Rules(**{**usual, **rules}))

    def hear(self, *paths: str) -> None:
        self.hints.heard.update(paths)

    def later(self, seconds: float) -> None:
        """Time passes, and the session does what it does meanwhile."""
        ends = self.clock.at + seconds
        busy = 0
        with self._played():
            if self.hints.heard:
                self.watcher.wait(self.clock.at)
            while not self.desk.ended:
                until = self.watcher.turn()
                busy = busy + 1 if until is None else 0
                assert busy < _MANY, "it spins"
                if until is not None and until > ends:
                    self.clock.at = ends
                    return
                if until is not None:
                    self.watcher.wait(until)

    def told(self, event: str) -> list[dict[str, Any]]:
        return [item for item in self.events if item["event"] == event]

    def _say(self, line: str) -> None:
        self.stage.said.append(line)
        self.events.append(json.loads(line))

    @contextlib.contextmanager
    def _played(self) -> Iterator[None]:
        err = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(err):
            for name in set(os.environ):
                patch.delenv(name)
            for name, value in self.stage.environment().items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO())
            patch.setattr(memory, "tool", same_tool)
            yield
        self.stage.said.append(err.getvalue())
