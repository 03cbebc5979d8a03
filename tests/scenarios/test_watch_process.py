"""The real watch in a process of its own, with real events of real files. Nothing sleeps: each step waits for the line
that tells it."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Maker
from .stage import PATIENCE, POST, RESULT, Stage
from .test_watch import PNG, wired

QUICK = ("--settle", "0.2", "--debounce", "0.05")


class Watching:
    """A watch that is under way, and the events that it tells."""

    def __init__(self, stage: Stage, *args: str) -> None:
        self.stage = stage
        self.process: subprocess.Popen[str] = stage.begin("watch", "--apply", "--json", *QUICK, *args)
        self.events: list[dict[str, Any]] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, event: str, **values: object) -> dict[str, Any]:
        """The next event of this name with these values."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"no {event} {values} after {self.events}") from None
            assert line, f"it ended before {event} {values}: {self.events}\n{self._said()}"
            told = json.loads(line)
            self.events.append(told)
            if told["event"] == event and all(told.get(name) == value for name, value in values.items()):
                return dict(told)

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        assert self.until("end")["exit_code"] == 130
        assert self.process.wait(PATIENCE) == 130
        said = self._said()
        assert "Traceback" not in said

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.stage.said.append(line)
            self._lines.put(line)
        self._lines.put("")

    def _said(self) -> str:
        assert self.process.stderr is not None
        said = self.process.stderr.read() if self.process.poll() is not None else ""
        self.stage.said.append(said)
        return said


@pytest.fixture
def begun(stage: Stage) -> Iterator[Watching]:
    watching = Watching(stage)
    watching.until("idle")
    yield watching
    if watching.process.poll() is None:
        watching.end(signal.SIGTERM)


def test_a_life_of_saves_and_moves(stage: Stage, begun: Watching) -> None:
    stage.spec("hero", "A jar.")
    begun.until("done", path="hero.sume.toml")
    begun.until("idle", specs=1)
    stage.write("hero.tmp", 'prompt = "A lid."\n')
    stage.path("hero.tmp").replace(stage.path("hero.sume.toml"))  # as editors save
    begun.until("done", path="hero.sume.toml")
    begun.until("idle")
    stage.spec("deep/er/three", "A hand.")
    begun.until("done", path="deep/er/three.sume.toml")
    begun.until("idle", specs=2)
    stage.path("deep").rename(stage.path("high"))
    begun.until("free", path="high/er/three.sume.toml")
    begun.until("idle")
    stage.path("high/er/three.sume.png" if stage.has("high/er/three.sume.png") else "high/er/three.png").unlink()
    begun.until("done", path="high/er/three.sume.toml")
    begun.until("idle")
    begun.end(signal.SIGINT)
    assert stage.paid() == ["A jar.", "A lid.", "A hand."]
    stage.all_there()


def test_a_picture_the_film_of_it_and_a_card_of_two_variants(stage: Stage, begun: Watching) -> None:
    wired(stage)
    begun.until("idle", specs=5)
    stage.spec("hero", "A lid.")
    begun.until("done", path="film.sume.toml")
    begun.until("idle", specs=5)
    stage.write("in/take.png", PNG + b"two")
    begun.until("done", path="clip.sume.toml")
    begun.until("idle", specs=5)
    begun.end(signal.SIGTERM)
    assert len(stage.charges()) == 5 + 2 + 1
    stage.here("plan", "--exit-code", code=0)


def test_a_checkout_of_hundreds_of_files_is_followed(stage: Stage) -> None:
    stage.git("checkout", "-q", "-b", "many")
    for number in range(150):
        stage.write(f"many/{number:03}/x.sume.toml", f'prompt = "Picture {number % 3}."\n')
    stage.commit()
    stage.git("checkout", "-q", "main")
    watching = Watching(stage)
    watching.until("idle")
    stage.git("checkout", "-q", "many")
    watching.until("idle", specs=150)
    stage.git("stash", "-q", "-u")
    stage.git("checkout", "-q", "main")
    watching.until("idle", specs=0)
    watching.end(signal.SIGTERM)
    assert sorted(stage.paid()) == ["Picture 0.", "Picture 1.", "Picture 2."]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_the_middle_of_a_pass(make: Maker, number: int) -> None:
    """The paid request is out: its answer is still written down."""
    stage = make({**POST, "after": True, "delay": 1, "times": 1})
    watching = Watching(stage)
    watching.until("idle")
    stage.spec("hero", "A jar.")
    stage.sume.gate.reached()
    watching.process.send_signal(number)
    stage.sume.gate.open()
    assert watching.until("end")["exit_code"] == 130
    assert watching.process.wait(PATIENCE) == 130
    assert len(stage.charges()) == 1
    assert stage.charges()[0].job_id in stage.ledger() + json.dumps(stage.journal())
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == 1
    stage.all_there("hero")


def test_it_polls_where_events_do_not_come(stage: Stage) -> None:
    watching = Watching(stage, "--poll")
    watching.until("idle")
    stage.spec("hero", "A jar.")
    watching.until("done", path="hero.sume.toml")
    watching.until("idle", specs=1)
    watching.end(signal.SIGTERM)


def test_the_folder_that_vanishes_ends_it(stage: Stage, begun: Watching) -> None:
    aside = stage.root.with_name("aside")
    stage.root.rename(aside)
    told = begun.until("error")
    assert "folder is gone" in told["error"]["what"]
    assert begun.process.wait(PATIENCE) == 3
    aside.rename(stage.root)


# --- Beside an apply by hand --------------------------------------------------------------------------------------


@pytest.mark.fault(33)
def test_an_apply_beside_a_pass_of_watch_is_told_who_is_at_work(make: Maker) -> None:
    stage = make({**POST, "after": True, "delay": 1, "times": 1})
    watching = Watching(stage)
    watching.until("idle")
    stage.spec("hero", "A jar.")
    stage.sume.gate.reached()
    refused = stage.here("apply", "--yes", code=3)
    assert f"sumesync watch, process {watching.process.pid} on " in refused.err
    stage.sume.gate.open()
    watching.until("done", path="hero.sume.toml")
    watching.until("idle", specs=1)
    assert "Nothing to do" in stage.here("apply", "--yes", code=0).out
    watching.end(signal.SIGTERM)
    assert stage.paid() == ["A jar."]
    stage.nothing_lost()
    stage.all_there("hero")


@pytest.mark.fault(33)
def test_watch_waits_for_an_apply_by_hand_and_does_the_rest(make: Maker) -> None:
    stage = make({**RESULT, "delay": 1, "times": 1})
    stage.spec("hero", "A jar.")
    by_hand = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    watching = Watching(stage)
    told = watching.until("held")
    assert f"sumesync apply, process {by_hand.pid} on " in told["text"]
    stage.spec("side", "A lid.")
    stage.sume.gate.open()
    stage.end(by_hand, code=0)
    watching.until("done", path="side.sume.toml")
    watching.until("idle", specs=2)
    watching.end(signal.SIGTERM)
    assert sum(event["event"] == "held" for event in watching.events) == 1
    assert stage.paid() == ["A jar.", "A lid."]
    stage.nothing_lost()
    stage.all_there("hero", "side")


@pytest.mark.fault(33)
def test_between_two_looks_of_watch_at_its_job_an_apply_works(stage: Stage, begun: Watching) -> None:
    """The mutex is held for a pass, not while a job runs."""
    stage.slow()
    stage.spec("hero", "A jar.")
    begun.until("accepted", path="hero.sume.toml")
    stage.spec("side", "A lid.")
    stage.here("apply", "--yes", "--no-wait", "--lock-timeout", "300", "side", code=5)
    stage.later()
    begun.until("done", path="hero.sume.toml")
    begun.until("idle", specs=2)
    begun.end(signal.SIGTERM)
    assert sorted(stage.paid()) == ["A jar.", "A lid."]
    stage.all_there("hero", "side")
    stage.here("plan", "--exit-code", code=0)


def test_nothing_is_watched_where_it_may_not_be_paid_for(stage: Stage) -> None:
    result = stage.here("watch", "--apply", code=64, env={"SUME_API_KEY": None})
    assert "there is no API key" in result.err


def test_quiet_is_not_silent_of_what_is_wrong(stage: Stage) -> None:
    stage.write("sume.lock", "<<<<<<< ours\n")
    process = stage.begin("watch", "--apply", "--quiet", *QUICK)
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert first.startswith("sume.lock:1: merge conflict markers")
