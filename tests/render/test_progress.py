"""What a run looks like while it runs: on a terminal, off it, and for programs."""

from __future__ import annotations

import io
import json

from rich.console import Console

from sumesync.model import EntryKey, Event, News
from sumesync.render.progress import JsonLines, Lines, LiveView, Silent
from tests.apply.desk import HandClock

HERO = EntryKey("launch/hero.sume.toml")
EVENTS = (
    Event(News.SUBMITTING, HERO),
    Event(News.ACCEPTED, HERO, "accepted", "job_1"),
    Event(News.STATUS, HERO, "running", "job_1"),
    Event(News.DOWNLOADING, HERO),
    Event(News.DONE, HERO, "launch/hero.png"),
    Event(News.FAILED, EntryKey("b.sume.toml"), "job_2 failed: content_policy"),
    Event(News.NOTE, None, "Sume asks to wait 7 s before the next request"),
    Event(News.UPLOADING, HERO, "take.mp4 (300 MB)"),
)


def test_off_a_terminal_one_plain_line_a_change() -> None:
    said: list[str] = []
    lines = Lines(said.append)
    for event in EVENTS:
        lines.tell(event)
    assert said == [
        "launch/hero.sume.toml: accepted job_1",
        "launch/hero.sume.toml: running job_1",
        "launch/hero.sume.toml: done launch/hero.png",
        "b.sume.toml: failed job_2 failed: content_policy",
        "Sume asks to wait 7 s before the next request",
        "launch/hero.sume.toml: uploading take.mp4 (300 MB)",
    ]


def test_quiet_tells_only_what_went_wrong() -> None:
    said: list[str] = []
    silent = Silent(said.append)
    for event in EVENTS:
        silent.tell(event)
    assert said == ["b.sume.toml: failed job_2 failed: content_policy"]


def test_for_programs_every_event_is_a_line_of_json() -> None:
    said: list[str] = []
    lines = JsonLines(said.append)
    for event in EVENTS:
        lines.tell(event)
    assert [json.loads(line)["event"] for line in said] == [str(event.news) for event in EVENTS]


def screen(view: LiveView) -> str:
    """What stands below the scrolled lines now."""
    paper = Console(file=io.StringIO(), width=80, color_system=None)
    with paper.capture() as seen:
        paper.print(view.view())
    return seen.get()


def test_on_a_terminal_each_job_has_its_state_and_time_and_the_counts_stand_on_one_line() -> None:
    clock = HandClock()
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True, color_system=None)
    view = LiveView(console, 3, clock)
    try:
        view.tell(EVENTS[0])
        view.tell(EVENTS[1])
        clock.sleep(7)
        view.tell(EVENTS[2])
        lines = screen(view).split("\n")
        assert "launch/hero.sume.toml" in lines[0]
        assert "running" in lines[0]
        assert "7 s" in lines[0]
        assert lines[1].startswith("0 of 3 done, 1 under way, 2 waiting  7 s")
        view.tell(EVENTS[4])
        view.tell(EVENTS[5])
        assert screen(view).startswith("1 of 3 done, 1 failed, 0 under way, 1 waiting")
    finally:
        view.close()


def test_more_jobs_than_lines_are_counted() -> None:
    console = Console(file=io.StringIO(), width=80, height=10, force_terminal=True, color_system=None)
    view = LiveView(console, 30, HandClock())
    try:
        for number in range(30):
            view.tell(Event(News.SUBMITTING, EntryKey(f"s{number:02}.sume.toml")))
        assert "and 24 more" in screen(view)
    finally:
        view.close()
