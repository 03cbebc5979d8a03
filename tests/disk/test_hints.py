"""Hints of changed files: which count, what our own writes are, and what happens at the system's limits."""

from __future__ import annotations

import errno
import functools
import logging
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from watchdog.events import DirModifiedEvent, FileMovedEvent, FileOpenedEvent
from watchdog.observers import Observer, polling
from watchdog.observers.polling import PollingObserver

from sumesync.disk.hints import EVERYTHING, Bell, FolderHints, handler_of, matters
from sumesync.errors import LocalStateError

PATIENCE = 200.0


@pytest.fixture(autouse=True)
def polled_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once a second, as ``--poll`` of the real watch does in tests/scenarios/test_watch_process.py."""
    monkeypatch.setattr(polling, "PollingObserver", functools.partial(PollingObserver, timeout=0.02))


def until(hints: FolderHints, path: str) -> frozenset[str]:
    """Everything that was heard until this was."""
    heard: set[str] = set()
    for _ in range(200):
        heard |= hints.wait(PATIENCE / 200)
        if path in heard:
            return frozenset(heard)
    raise AssertionError(f"{path} is not heard of, but {heard}")


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("hero.sume.toml", True),
        ("deep/.hero.sume.toml.swp", True),
        ("sume.lock", True),
        (".git/index", False),
        (".git", False),
        (".sume/sandbox/world.jsonl", False),
        ("web/node_modules/x/y.js", False),
        ("deep/.sumesync-a582d7d3e16a.part", False),
    ],
)
def test_what_can_change_a_plan(path: str, counts: bool) -> None:
    assert matters(path) is counts


def test_a_bell_rings_once_for_many_and_wakes_whoever_waits() -> None:
    bell = Bell()
    for number in range(10_000):
        bell.ring(str(number))
    found = bell.wait(0)
    assert EVERYTHING in found
    assert len(found) < 5000
    assert bell.wait(0) == frozenset()
    ringer = threading.Timer(0.01, lambda: bell.ring("x"))
    ringer.start()
    assert bell.wait(PATIENCE) == {"x"}
    ringer.join()


def test_events_as_watchdog_has_them(tmp_path: Path) -> None:
    bell = Bell()
    handler = handler_of(tmp_path, bell)
    handler.dispatch(FileMovedEvent(f"{tmp_path}/a.tmp", f"{tmp_path}/deep/a.sume.toml"))
    handler.dispatch(FileOpenedEvent(f"{tmp_path}/read"))
    handler.dispatch(DirModifiedEvent(f"{tmp_path}/deep"))
    assert bell.wait(0) == {"a.tmp", "deep/a.sume.toml"}


@pytest.mark.parametrize("others", [0, 40])
@pytest.mark.parametrize("poll", [False, True])
def test_saves_moves_and_new_folders_are_heard_of(tmp_path: Path, poll: bool, others: int) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    for number in range(others):
        (tmp_path / f"other-{number}").mkdir()
    hints = FolderHints(tmp_path, poll, lambda *_told: None)
    try:
        (tmp_path / "one.sume.toml").write_text("x")
        until(hints, "one.sume.toml")
        (tmp_path / "deep/er/two.sume.toml").write_text("x")
        until(hints, "deep/er/two.sume.toml")
        (tmp_path / "fresh").mkdir()
        until(hints, "fresh")
        (tmp_path / "fresh/three.sume.toml").write_text("x")
        until(hints, "fresh/three.sume.toml")
        (tmp_path / "fresh").rename(tmp_path / "moved")
        until(hints, "moved")
        (tmp_path / "moved/three.sume.toml").write_text("y")
        until(hints, "moved/three.sume.toml")
    finally:
        hints.close()


def test_many_folders_at_the_top_have_one_watch_and_those_that_do_not_count_are_not_heard_of(tmp_path: Path) -> None:
    for name in (".git/objects", ".cache", "node_modules", "ignored", *(f"folder-{number}" for number in range(40))):
        (tmp_path / name).mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("ignored/\n")
    before = threading.active_count()
    hints = FolderHints(tmp_path, False, lambda *_told: None)
    try:
        assert threading.active_count() < before + 8
        hints.wait(0)
        for folder in (".cache", "node_modules", "ignored", ".git/objects", "folder-7"):
            (tmp_path / folder / "x.png").write_text("x")
        assert until(hints, "folder-7/x.png") <= {"folder-7/x.png", "folder-7", EVERYTHING}
    finally:
        hints.close()


def test_what_we_wrote_is_no_news_until_somebody_changes_it(tmp_path: Path) -> None:
    hints = FolderHints(tmp_path, False, lambda *_told: None)
    try:
        (tmp_path / "sume.lock").write_text("ours")
        hints.wrote(["sume.lock"])
        (tmp_path / "after").write_text("x")
        assert "sume.lock" not in until(hints, "after")
        (tmp_path / "sume.lock").write_text("another's")
        until(hints, "sume.lock")
    finally:
        hints.close()


@pytest.mark.parametrize(
    ("number", "limit"), [(errno.ENOSPC, "max_user_watches"), (errno.EMFILE, "max_user_instances")]
)
def test_at_the_limits_of_inotify_it_polls_and_says_which_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, limit: str
) -> None:
    def full(*_args: Any, **_options: Any) -> None:
        raise OSError(number, "limit reached")

    monkeypatch.setattr(Observer, "schedule", full)
    monkeypatch.setattr(PollingObserver, "schedule", _real_schedule, raising=False)
    told: list[tuple[str, str]] = []
    hints = FolderHints(tmp_path, False, lambda text, hint: told.append((text, hint)))
    try:
        assert limit in told[0][0]
        assert f"sysctl fs.inotify.{limit}" in told[0][1]
        (tmp_path / "one.sume.toml").write_text("x")
        until(hints, "one.sume.toml")
    finally:
        hints.close()


_real_schedule = PollingObserver.schedule


def test_a_folder_that_cannot_be_watched_is_an_error_that_names_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Observer, "schedule", broken)
    with pytest.raises(LocalStateError, match="cannot be watched") as error:
        FolderHints(tmp_path, False, lambda *_told: None)
    assert "--poll" in error.value.hint


def test_events_that_the_kernel_dropped_mean_that_anything_may_have_changed(tmp_path: Path) -> None:
    hints = FolderHints(tmp_path, False, lambda *_told: None)
    try:
        logging.getLogger("watchdog.observers.inotify").warning("Inotify queue overflowed")
        assert EVERYTHING in until(hints, EVERYTHING)
    finally:
        hints.close()
