"""Answers are lines that were typed after the question, and long enough after it to have been read."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from sumesync.cli.person import TOO_SOON, Person
from tests.scenarios.stage import PATIENCE
from tests.scenarios.watcher import HandClock


class Keyboard:
    """A pipe in place of the terminal."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.heard = threading.Semaphore(0)
        self.person = Person(self.clock, self.heard.release)
        reads, self.writes = os.pipe()
        self.stdin = io.TextIOWrapper(io.FileIO(reads), encoding="utf-8")

    def type(self, text: str) -> None:
        os.write(self.writes, text.encode())
        assert self.heard.acquire(timeout=PATIENCE)

    def end(self) -> None:
        os.close(self.writes)
        assert self.heard.acquire(timeout=PATIENCE)


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyboard]:
    made = Keyboard()
    monkeypatch.setattr(sys, "stdin", made.stdin)
    yield made
    made.end()
    with pytest.raises(KeyboardInterrupt):
        made.person.line()
    made.stdin.close()


def test_a_line_is_an_answer(keyboard: Keyboard) -> None:
    keyboard.person.listen()
    assert keyboard.person.line() is None
    keyboard.clock.at += 1
    keyboard.type("y")
    assert keyboard.person.line() is None, "not before Enter"
    keyboard.type("es\n\n")
    assert (keyboard.person.line(), keyboard.person.line(), keyboard.person.line()) == ("yes", "", None)


def test_what_was_typed_for_another_question_is_no_answer(keyboard: Keyboard) -> None:
    keyboard.person.listen()
    keyboard.clock.at += 1
    keyboard.type("y\n")
    keyboard.person.listen()
    assert keyboard.person.line() is None, "typed before it"
    keyboard.clock.at += 0.1
    keyboard.type("y\n")
    assert keyboard.person.line() == TOO_SOON, "typed before it could be read"
    keyboard.clock.at += 1
    keyboard.type("y\n")
    assert keyboard.person.line() == "y"
