"""A half of a long look is read by a child, and nobody can tell."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sumesync.core.config import Config
from sumesync.core.view import Project
from sumesync.disk import ahead, project, specs
from sumesync.disk.facts import Facts
from sumesync.disk.project import home
from tests.builders import SCHEMAS

SPECS = {
    "a": 'prompt = "A red cup."\n',
    "b": 'prompt = "Eine Tasse, größer als 漢字 \\U0001f3a8."\nquality = "high"\n'
    "[extra]\nseed = 18014398509481985\nscale = 0.30000000000000004\n",
    "c": 'prompt_file = "words.txt"\n',
    "d": 'prompt = "It turns."\nkind = "video"\nreference_image_urls = [{ from = "a.sume.toml" }]\n',
    "e": 'prompt = "A {size} jar."\n[matrix]\nsize = ["small", "large"]\n[meta]\ntags = ["spring"]\n',
    "f": "prompt = 3\n",
    "g": "prompt =\n",
    "h": 'prompt = "Elsewhere."\n[output]\ndir = "taken"\n',
    "i": 'prompt = "In a folder to come."\n[output]\ndir = "new/deep"\nname = "other"\n',
    "j": 'kind = "video"\nprompt = "One turns."\nreference_image_urls = ["https://media.example.com/a.png?token=abcdef123456"]\n',
    "k": 'kind = "video"\nprompt = "A file turns."\nreference_image_urls = [{ file = "there.png" }]\n',
    "l": 'kind = "video"\nprompt = "None turns."\nreference_image_urls = [{ file = "gone.png" }]\n',
    "m": 'prompt = "A red cup."\ntake = 2\n',
    "n": 'workspace_id = "ws_1"\nprompt = "Not ours to say."\n',
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sumesync.toml").write_text("")
    for name, text in SPECS.items():
        (tmp_path / f"{name}.sume.toml").write_text(text)
    (tmp_path / "words.txt").write_text("A cup in words.\n")
    (tmp_path / "there.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    (tmp_path / "taken").write_text("no folder\n")
    return tmp_path


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Children are made of any look, however short; how many were."""
    made: list[int] = []
    fork = os.fork

    def counted() -> int:
        if pid := fork():
            made.append(pid)
        return pid

    monkeypatch.setattr(ahead, "_MANY", 2)
    monkeypatch.setattr(ahead, "_may_copy", lambda: True)  # pytest's workers have a thread of their own
    monkeypatch.setattr(os, "fork", counted)
    return made


def read(
    root: Path, facts: Facts | None = None, shift: int = 0, meanwhile: Callable[[], object] | None = None
) -> Project:
    here = home(root)
    found = project.spec_paths(root)
    found = [*found[shift:], *found[:shift]]
    return specs.read_project(here, found, Config(), (), SCHEMAS, facts=facts or Facts(), meanwhile=meanwhile)


def gone(pids: list[int]) -> bool:
    """Whether no child is left, running or unwaited for."""
    for pid in pids:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return True


@pytest.mark.parametrize("shift", range(len(SPECS)))
def test_what_a_child_reads_is_what_is_read_here(
    root: Path, copies: list[int], shift: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = read(root, shift=shift)
    assert len(copies) == 1
    assert gone(copies)
    monkeypatch.setattr(ahead, "_may_copy", lambda: False)
    here = read(root, shift=shift)
    assert len(copies) == 1
    assert there == here
    assert [repr(wanted) for wanted in there.wanted] == [repr(wanted) for wanted in here.wanted]
    assert len(there.problems) > 4


def test_it_is_remembered_as_if_read_here(root: Path, copies: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    by_both, by_one = (Facts(root / name, 1 << 62) for name in ("both.json", "one.json"))
    read(root, by_both)
    monkeypatch.setattr(ahead, "_may_copy", lambda: False)
    read(root, by_one)
    assert len(copies) == 1
    by_both.keep()
    by_one.keep()
    one, both = (json.loads((root / name).read_text()) for name in ("one.json", "both.json"))
    assert both == one
    assert len(one["files"]) >= 5


def fails() -> Any:
    raise OSError("the disk is gone")


def dies() -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("work", [fails, dies, lambda: object(), lambda: sys.exit(0)])
def test_a_child_that_fails_tells_nothing_and_says_nothing(
    work: Callable[[], Any], copies: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    with ahead.ahead(work, True) as told:
        assert told() is None
    assert gone(copies)
    assert capfd.readouterr() == ("", "")


def test_what_is_to_be_done_meanwhile_is_done_where_a_child_reads(root: Path, copies: list[int]) -> None:
    whole, done = read(root), list[int]()
    assert read(root, meanwhile=lambda: done.append(len(copies))) == whole
    assert done == [2]
    found = project.spec_paths(root)[:1]
    specs.read_project(home(root), found, Config(), (), SCHEMAS, meanwhile=lambda: done.append(0))
    assert done == [2]


def test_what_fails_meanwhile_leaves_no_child(root: Path, copies: list[int]) -> None:
    with pytest.raises(OSError, match="the disk is gone"):
        read(root, meanwhile=fails)
    assert len(copies) == 1
    assert gone(copies)


def test_what_a_child_fails_at_is_read_here(root: Path, copies: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(root)
    monkeypatch.setattr(specs, "_plain", lambda *_: fails())
    assert read(root) == whole
    assert len(copies) == 2
    assert gone(copies)


@pytest.mark.parametrize("call", ["fork", "pipe"])
def test_where_the_system_has_no_room_for_a_child_all_is_read_here(
    root: Path, copies: list[int], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    whole, before = read(root), os.listdir("/dev/fd")
    monkeypatch.setattr(os, call, fails)
    assert read(root) == whole
    assert len(copies) == 1
    assert len(os.listdir("/dev/fd")) == len(before)


def test_a_look_that_breaks_off_leaves_no_child(copies: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt), ahead.ahead(lambda: signal.pause(), True):
        raise KeyboardInterrupt
    assert len(copies) == 1
    assert gone(copies)


def test_no_descriptor_is_left(copies: list[int]) -> None:
    before = os.listdir("/dev/fd")
    with ahead.ahead(lambda: "x" * 1_000_000, True) as told:  # more than a pipe holds
        assert told() == "x" * 1_000_000
    assert len(os.listdir("/dev/fd")) == len(before)


def test_nothing_is_copied_for_little_or_beside_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    many = list(range(5_001))
    assert ahead.shares(many) == (many[:2_500], many[2_500:])
    assert ahead.shares(many, 0.3) == (many[:1_500], many[1_500:])
    assert ahead.shares(many[:100]) == (many[:100], [])
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert ahead.shares(many) == (many, [])
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert ahead.shares(many) == (many, [])
