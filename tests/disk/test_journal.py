"""The paid steps in progress: what is written reads back, and what does not read is told, never skipped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sumesync.disk.journal import LocalJournal
from sumesync.errors import Exit, LocalStateError
from sumesync.model import Step
from tests.builders import submission
from tests.values import HERO, HERO_UNKNOWN, RED, TEASER

ACCEPTED = replace(submission(TEASER, Step.ACCEPTED, "job_1", "job_2"), workspace="sha256:w", detail="Straße\n☕")
WAITING = submission(RED, Step.INTENT, sent_at=None)


@pytest.mark.parametrize("each", [HERO_UNKNOWN, ACCEPTED, WAITING])
def test_what_is_written_reads_back(tmp_path: Path, each: object) -> None:
    journal = LocalJournal(tmp_path)
    journal.write(each)  # type: ignore[arg-type]
    assert LocalJournal(tmp_path).list() == (each,)


def test_a_step_replaces_the_one_before(tmp_path: Path) -> None:
    journal = LocalJournal(tmp_path)
    for step in (Step.INTENT, Step.SENDING, Step.UNKNOWN):
        journal.write(submission(HERO, step))
    assert journal.list() == (HERO_UNKNOWN,)
    assert journal.find(HERO_UNKNOWN.key) == HERO_UNKNOWN


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
