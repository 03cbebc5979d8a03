"""What a run writes down: when, in which order, and over whose files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sumesync.apply.record import Record
from sumesync.apply.run import Task, Tools
from sumesync.core import metadata, placement
from sumesync.core.action import Observed, Plan, Policy
from sumesync.core.lock import render
from sumesync.errors import LocalStateError
from sumesync.model import Fact, Lock, Step
from tests.apply.desk import Desk, Fuse, InlineWorkers, JournalView, MemoryStores, MemoryUploads, Telling
from tests.builders import KINDS, entry, lock, submission
from tests.values import HERO, HERO_DONE, HERO_IN_FLIGHT, HERO_JOB, TEASER, TEASER_DONE, WORKSPACE

PATH = "launch/hero.sume.json"
WAITING = submission(HERO, Step.INTENT)


class Book:
    """A Record over stores in memory; ``fuse.log`` has every write."""

    def __init__(self, known: Lock | None = None) -> None:
        self.desk = Desk([HERO, TEASER])
        self.clock, self.disk, self.fuse = self.desk.clock, self.desk.disk, Fuse()
        known = known or lock(workspace=WORKSPACE)
        self.disk.lock = render(known)
        self.disk.journal = {WAITING.key: WAITING}
        self.stores = MemoryStores(self.disk, self.fuse)
        task = Task(Plan(), {}, known, (), placement.ours(known, (), Observed()), KINDS, Policy())
        tools = Tools(
            self.desk.sume,
            self.stores,
            JournalView(self.stores),
            self.stores,
            self.stores,
            self.clock,
            InlineWorkers(self.clock),
            Telling(),
            self.desk.sume,
            MemoryUploads(self.disk, self.fuse),
        )
        self.record = Record(task, tools)


def test_the_lock_is_written_before_the_journal_is_cleared() -> None:
    book = Book()
    book.record.change(HERO.key, lambda _: HERO_DONE)
    book.record.cleared(WAITING.key)
    assert book.record.dirty
    book.record.flush()
    assert book.fuse.log == ["lock", "journal clear"]
    assert book.disk.journal == {}
    assert book.stores.read() == lock(HERO_DONE, workspace="sha256:" + "a" * 64)
    assert not book.record.dirty


def test_what_is_written_is_not_written_again() -> None:
    book = Book()
    book.record.change(HERO.key, lambda _: HERO_DONE)
    book.record.cleared(WAITING.key)
    for _ in range(2):
        book.record.flush(at_once=True)
    assert book.fuse.log == ["lock", "journal clear"]


def test_without_a_change_of_an_entry_the_lock_is_left_alone() -> None:
    book = Book()
    book.record.flush(at_once=True)
    assert book.fuse.log == []
    book.record.cleared(WAITING.key)
    assert book.record.dirty
    book.record.flush()
    assert book.fuse.log == ["journal clear"]


def test_between_two_writes_there_is_a_pause_unless_it_must_be_at_once() -> None:
    book = Book()
    book.record.change(HERO.key, lambda _: HERO_DONE)
    book.record.flush()
    book.record.change(TEASER.key, lambda _: TEASER_DONE)
    book.clock.at += book.record.pause - 0.001
    book.record.flush()
    assert book.fuse.log == ["lock"]
    assert book.record.dirty
    book.clock.at += 0.001
    book.record.flush()
    assert book.fuse.log == ["lock", "lock"]
    book.record.change(TEASER.key, lambda _: None)
    book.record.flush(at_once=True)
    assert book.fuse.log == ["lock", "lock", "lock"]
    assert 0 < book.record.pause <= 0.5


def test_a_lock_that_cannot_be_written_keeps_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book()

    def full(*_: Any) -> None:
        raise LocalStateError("no space left")

    monkeypatch.setattr(book.stores, "patch", full)
    book.record.change(HERO.key, lambda _: HERO_DONE)
    book.record.cleared(WAITING.key)
    with pytest.raises(LocalStateError):
        book.record.flush()
    assert book.disk.journal == {WAITING.key: WAITING}
    assert book.record.dirty


def test_changes_of_one_entry_are_made_one_after_the_other() -> None:
    book = Book(lock(TEASER_DONE))
    assert book.record.entries == {TEASER.key: TEASER_DONE}
    running = entry(HERO, HERO_IN_FLIGHT)
    book.record.change(HERO.key, lambda found: running if found is None else None)
    book.record.change(HERO.key, lambda found: HERO_DONE if found == running else None)
    assert book.record.entries == {TEASER.key: TEASER_DONE, HERO.key: HERO_DONE}
    book.record.flush()
    assert book.stores.read() == lock(TEASER_DONE, HERO_DONE)


def test_a_fact_is_in_the_ledger_at_once_with_the_project_and_its_workspace() -> None:
    book = Book()
    book.record.fact(HERO.fingerprint, "image", HERO.key, HERO_JOB)
    workspace = "sha256:" + "a" * 64
    lineage = lock().lineage
    assert book.disk.facts == [Fact(HERO.fingerprint, HERO_JOB, "image", HERO.key, workspace, lineage)]
    assert book.fuse.log == ["ledger"]
    book.record.facts([(each.fingerprint, each.kind, each.key, HERO_JOB) for each in (HERO, TEASER)])
    assert book.fuse.log == ["ledger", "ledger"], "many for one fsync"
    assert len(book.disk.facts) == 3


def test_metadata_say_what_the_entry_says_now() -> None:
    book = Book()
    book.record.change(HERO.key, lambda _: HERO_DONE)
    assert book.record.metadata(HERO) == ""
    assert book.disk.texts == {PATH: metadata.render(HERO, HERO_DONE)}
    book.record.remove_metadata(HERO.key)
    assert book.disk.texts == {}
    assert book.fuse.log == ["metadata", "unlink"]


def test_without_an_entry_there_are_no_metadata() -> None:
    book = Book()
    assert book.record.metadata(HERO) == ""
    assert book.disk.texts == {}


THEIRS = '{"name": "not ours"}'
OURS = metadata.render(HERO, HERO_DONE)


@pytest.mark.parametrize(
    ("known", "stands", "written"),
    [
        (lock(), None, True),
        (lock(), OURS, True),
        (lock(), THEIRS, False),
        (lock(HERO_DONE), THEIRS, True),
        (lock(HERO_DONE), OURS, True),
    ],
    ids=["nothing", "ours", "another's", "another's, over what the lock says is ours", "ours, known"],
)
def test_a_file_of_another_program_is_left_alone(known: Lock, stands: str | None, written: bool) -> None:
    book = Book(known)
    newer = replace(HERO_DONE, jobs=(HERO_IN_FLIGHT,))
    book.record.change(HERO.key, lambda _: newer)
    if stands is not None:
        book.disk.texts[PATH] = stands
    told = book.record.metadata(HERO)
    assert told == ("" if written else f"{PATH} is a file that sumesync did not write")
    assert book.disk.texts[PATH] == (metadata.render(HERO, newer) if written else stands)


def test_what_cannot_be_read_is_told_and_not_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book()

    def unreadable(_path: str) -> str:
        raise LocalStateError(f"{PATH} is a symbolic link")

    monkeypatch.setattr(book.stores, "read_text", unreadable)
    book.record.change(HERO.key, lambda _: HERO_DONE)
    assert book.record.metadata(HERO) == f"{PATH} is a symbolic link"
    assert book.disk.texts == {}


@pytest.mark.parametrize(("stands", "left"), [(None, None), (OURS, None), (THEIRS, THEIRS)])
def test_only_metadata_of_ours_are_removed(stands: str | None, left: str | None) -> None:
    book = Book()
    if stands is not None:
        book.disk.texts[PATH] = stands
    book.record.remove_metadata(HERO.key)
    assert book.disk.texts.get(PATH) == left
    assert book.fuse.log == (["unlink"] if stands == OURS else [])


def test_metadata_that_cannot_be_read_are_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book()

    def unreadable(_path: str) -> str:
        raise LocalStateError(f"{PATH} is a symbolic link")

    monkeypatch.setattr(book.stores, "read_text", unreadable)
    book.record.remove_metadata(HERO.key)
    assert book.fuse.log == []


def test_an_entry_without_metadata_leaves_nothing_to_remember() -> None:
    book = Book(lock(HERO_DONE))
    book.record.remember(TEASER.key)
    assert book.record.metadata(HERO) == ""
    assert set(metadata.read(book.disk.texts[PATH]).asked) == {HERO.fingerprint}


def test_what_another_entrys_metadata_tell_is_remembered() -> None:
    book = Book(lock(HERO_DONE))
    book.disk.texts[metadata.path_of(TEASER.key)] = metadata.render(TEASER, TEASER_DONE)
    book.record.remember(TEASER.key)
    past = replace(HERO_DONE, history=(TEASER_DONE.present,))
    assert book.record.metadata(HERO, past) == ""
    assert set(metadata.read(book.disk.texts[PATH]).asked) == {HERO.fingerprint, TEASER.fingerprint}
