"""The paid steps in progress: what is written reads back, and what does not read is told, never skipped."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sumesync.disk.journal import LocalJournal
from sumesync.errors import Exit, LocalStateError
from sumesync.model import EntryKey, Step, Submission
from tests.builders import submission
from tests.values import HERO, HERO_UNKNOWN, RED, TEASER

from .calls import Calls

ACCEPTED = replace(submission(TEASER, Step.ACCEPTED, "job_1", "job_2"), workspace="sha256:w", detail="Straße\n☕")
WAITING = submission(RED, Step.INTENT, sent_at=None)


@pytest.mark.parametrize("each", [HERO_UNKNOWN, ACCEPTED, WAITING])
def test_what_is_written_reads_back(tmp_path: Path, each: Submission) -> None:
    journal = LocalJournal(tmp_path)
    journal.write(each)
    assert LocalJournal(tmp_path).list() == (each,)


def test_the_file_is_pinned(tmp_path: Path) -> None:
    """Another version's run may have to settle it."""
    tall = replace(ACCEPTED, entry=EntryKey("launch/teaser.sume.toml", "tall"))
    LocalJournal(tmp_path).write(tall)
    (path,) = (tmp_path / "journal").iterdir()
    assert json.loads(path.read_text()) == {
        "format_version": 1,
        "key": tall.key,
        "step": "accepted",
        "origin": tall.origin,
        "route": tall.route,
        "kind": tall.kind,
        "entry": {"path": "launch/teaser.sume.toml", "variant": "tall"},
        "fingerprint": tall.fingerprint,
        "attempt": tall.attempt,
        "body_sha256": tall.body_sha256,
        "lineage": tall.lineage,
        "workspace": "sha256:w",
        "sent_at": tall.sent_at,
        "job_ids": ["job_1", "job_2"],
        "detail": "Straße\n☕",
    }


def test_a_step_replaces_the_one_before(tmp_path: Path) -> None:
    journal = LocalJournal(tmp_path)
    for step in (Step.INTENT, Step.SENDING, Step.UNKNOWN):
        journal.write(submission(HERO, step))
    assert journal.list() == (HERO_UNKNOWN,)
    assert journal.find(HERO_UNKNOWN.key) == HERO_UNKNOWN


def test_nothing_to_clear_touches_nothing(tmp_path: Path) -> None:
    LocalJournal(tmp_path / "nowhere").clear()
    assert not list(tmp_path.iterdir())


def test_several_stand_side_by_side_and_are_cleared_one_by_one(tmp_path: Path) -> None:
    journal = LocalJournal(tmp_path)
    for each in (HERO_UNKNOWN, ACCEPTED, WAITING):
        journal.write(each)
    journal.clear(ACCEPTED.key)
    journal.clear(ACCEPTED.key)
    assert set(journal.list()) == {HERO_UNKNOWN, WAITING}
    assert journal.find(ACCEPTED.key) is None


def test_no_folder_is_an_empty_journal(tmp_path: Path) -> None:
    assert LocalJournal(tmp_path / "nothing").list() == ()


def test_parts_of_a_killed_write_are_not_read(tmp_path: Path) -> None:
    journal = LocalJournal(tmp_path)
    journal.write(WAITING)
    (tmp_path / "journal" / ".sumesync-0123456789ab.part").write_bytes(b"{")
    assert journal.list() == (WAITING,)


def test_the_sweep_takes_parts_and_nothing_else(tmp_path: Path) -> None:
    journal = LocalJournal(tmp_path)
    journal.sweep()
    journal.write(WAITING)
    part = tmp_path / "journal" / ".sumesync-0123456789ab.part"
    part.write_bytes(b"{")
    journal.sweep()
    assert journal.list() == (WAITING,)
    assert not part.exists()


def _broken(**changes: object) -> bytes:
    good = {"format_version": 1, **json.loads(json.dumps(_table()))}
    return json.dumps({**good, **changes}).encode()


def _table() -> dict[str, object]:
    return {
        "key": "k",
        "step": "sending",
        "origin": "o",
        "route": "r",
        "kind": "image",
        "entry": {"path": "a.sume.toml", "variant": ""},
        "fingerprint": "v1:x",
        "attempt": 1,
        "body_sha256": "b",
        "lineage": "l",
        "workspace": None,
        "sent_at": 1.5,
        "job_ids": [],
        "detail": "",
    }


GARBAGE = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"null",
    b"3",
    b"[" * 100_000,
    _broken(format_version=2),
    _broken(step="paused"),
    _broken(entry=3),
    _broken(job_ids=3),
    _broken(attempt="1"),
    _broken(detail=None),
    _broken(extra="field"),
    json.dumps({"format_version": 1}).encode(),
]


@pytest.mark.parametrize("data", GARBAGE)
def test_what_does_not_read_is_refused_with_what_to_do(tmp_path: Path, data: bytes) -> None:
    journal = LocalJournal(tmp_path)
    journal.write(WAITING)
    path = tmp_path / "journal" / "bad.json"
    path.write_bytes(data)
    with pytest.raises(LocalStateError) as fault:
        journal.list()
    assert str(path) in fault.value.what
    assert "sumesync lock rebuild" in fault.value.hint
    assert fault.value.code is Exit.REFUSED
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (_broken(format_version=2), "a newer format: update sumesync"),
        (_broken(attempt="1"), "a value of the wrong type"),
        (_broken(detail=None), "a value of the wrong type"),
        (_broken(step="x" * 200), f"'{'x' * 79}"),
    ],
)
def test_why_it_does_not_read_is_said_in_short(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "journal" / "bad.json"
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(LocalStateError) as fault:
        LocalJournal(tmp_path).list()
    assert fault.value.what == f"{path}: a paid request in progress that cannot be read ({why})"
    assert fault.value.hint == (
        "see at Sume whether its job exists, move the file away, then run: sumesync lock rebuild"
    )


def test_a_journal_that_the_disk_does_not_give_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"")
    with pytest.raises(LocalStateError, match=re.escape(f"cannot read {tmp_path / 'journal'}: Not a directory")):
        LocalJournal(tmp_path).list()
    (tmp_path / "p" / "journal" / "k.json").mkdir(parents=True)
    path = tmp_path / "p" / "journal" / "k.json"
    for look in (LocalJournal(tmp_path / "p").list, lambda: LocalJournal(tmp_path / "p").find("k")):
        with pytest.raises(LocalStateError, match=re.escape(f"cannot read {path}: Is a directory")):
            look()


def test_every_step_is_durable_before_the_call_returns(tmp_path: Path, calls: Calls) -> None:
    journal = LocalJournal(tmp_path)
    journal.write(WAITING)
    calls.log.clear()
    journal.write(replace(WAITING, step=Step.SENDING))
    name = f"{WAITING.key}.json"
    assert calls.log == ["write part", "fsync part", f"replace part {name}", "fsync journal"]
    calls.log.clear()
    journal.clear(WAITING.key)
    assert calls.log == [f"unlink {name}", "fsync journal"]


def test_a_person_can_read_it(tmp_path: Path) -> None:
    LocalJournal(tmp_path).write(ACCEPTED)
    text = (tmp_path / "journal" / f"{ACCEPTED.key}.json").read_text()
    assert text.startswith('{\n "format_version": 1,\n "key": ')
    assert text.endswith("\n}\n")


def test_a_variant_is_kept_apart(tmp_path: Path) -> None:
    tall = replace(WAITING, entry=EntryKey("a.sume.toml", "tall"))
    LocalJournal(tmp_path).write(tall)
    assert LocalJournal(tmp_path).list() == (tall,)


def test_the_good_example_reads(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "k.json").write_bytes(_broken())
    (found,) = LocalJournal(tmp_path).list()
    assert (found.key, found.step, found.sent_at) == ("k", Step.SENDING, 1.5)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    journal = LocalJournal(tmp_path)
    journal.write(HERO_UNKNOWN)
    (path,) = (tmp_path / "journal").iterdir()
    text = path.read_bytes()
    for length in range(len(text) - 2):
        path.write_bytes(text[:length])
        with pytest.raises(LocalStateError):
            journal.list()


def test_what_a_person_settled_is_kept_beside_the_journal_till_it_is_forgotten(tmp_path: Path, calls: Calls) -> None:
    journal = LocalJournal(tmp_path)
    journal.settle(ACCEPTED.key)
    assert journal.settled() == ()
    journal.write(ACCEPTED)
    calls.log.clear()
    journal.settle(ACCEPTED.key)
    assert calls.log == [f"replace {ACCEPTED.key}.json {ACCEPTED.key}.settled", "fsync journal"]
    assert journal.list() == ()
    assert journal.find(ACCEPTED.key) is None
    assert journal.settled() == (replace(ACCEPTED, step=Step.UNKNOWN, job_ids=()),)
    journal.forget(ACCEPTED.key)
    journal.forget(ACCEPTED.key)
    assert journal.settled() == ()


def test_what_is_open_again_is_not_settled(tmp_path: Path) -> None:
    journal = LocalJournal(tmp_path)
    for each in (HERO_UNKNOWN, WAITING):
        journal.write(each)
        journal.settle(each.key)
    journal.write(HERO_UNKNOWN)
    assert journal.settled() == (replace(WAITING, step=Step.UNKNOWN),)
    assert journal.list() == (HERO_UNKNOWN,)
