"""Every job ever accepted: facts are added, the latest wins, and a damaged file is told, never guessed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sumesync.disk.journal import LocalJournal
from sumesync.disk.ledger import NAME, RETRACTING, LocalLedger
from sumesync.errors import Exit, LocalStateError
from sumesync.model import EntryKey, Fact, JobRecord, JobState, Step
from tests.builders import examples, fact, job, output, sha, submission
from tests.core.strategies import jobs
from tests.values import HERO, HERO_FAILED, HERO_IN_FLIGHT, HERO_JOB, RED, RED_JOB, TEASER, TEASER_JOB

from .calls import Calls


def ledger(folder: Path) -> LocalLedger:
    return LocalLedger(folder, LocalJournal(folder))


def test_what_is_recorded_is_told_again(tmp_path: Path) -> None:
    one, two = fact(HERO, HERO_JOB, workspace="sha256:w"), fact(TEASER, TEASER_JOB, lineage="")
    ledger(tmp_path).record([one])
    ledger(tmp_path).record([two])
    assert ledger(tmp_path).list() == (one, two)


def test_no_file_is_an_empty_ledger(tmp_path: Path) -> None:
    assert ledger(tmp_path / "nothing").list() == ()
    ledger(tmp_path / "nothing").record([])
    assert not (tmp_path / "nothing").exists()


def test_of_several_facts_about_one_job_the_end_counts(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.record([fact(HERO, HERO_IN_FLIGHT, workspace="sha256:w"), fact(HERO, HERO_JOB)])
    book.record([fact(HERO, HERO_IN_FLIGHT)])
    assert book.list() == (fact(HERO, HERO_JOB, workspace="sha256:w"),)


def test_one_job_id_under_two_requests_is_two_facts(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.record([fact(HERO, HERO_JOB), fact(RED, HERO_JOB)])
    assert len(book.list()) == 2


def test_media_that_moved_are_where_the_later_fact_says(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    moved = replace(HERO_JOB, outputs=(output("clips/hero.png", "the hero"),))
    book.record([fact(HERO, HERO_JOB), fact(HERO, moved)])
    assert [each.job for each in book.list()] == [moved]


@given(st.lists(st.tuples(jobs, st.text(st.characters(codec="utf-8"), max_size=4)), max_size=4))
@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_fact_reads_back(tmp_path: Path, found: list[tuple[JobRecord, str]]) -> None:
    (tmp_path / NAME).unlink(missing_ok=True)
    facts = [Fact(HERO.fingerprint, its, "image", EntryKey("a\n\u2028" + text), None, text) for its, text in found]
    book = ledger(tmp_path)
    book.record(facts)
    assert {each.job.id for each in book.list()} == {each.job.id for each in facts}
    if len(facts) == 1:
        assert book.list() == tuple(facts)


FACTS = [fact(HERO, HERO_IN_FLIGHT), fact(HERO, HERO_JOB), fact(TEASER, HERO_FAILED), fact(RED, RED_JOB)]


def test_every_truncation_reads_its_whole_lines_and_takes_the_next(tmp_path: Path) -> None:
    book, path = ledger(tmp_path), tmp_path / NAME
    book.record(FACTS)
    text = path.read_bytes()
    late = fact(TEASER, job("job_late", JobState.ACCEPTED))
    for length in range(0, len(text) + 1, 7):
        path.write_bytes(text[:length])
        whole = text[:length].count(b"\n")
        before = book.list()
        assert {each.job.id for each in before} == {each.job.id for each in FACTS[:whole]}
        book.record([late])
        assert book.list() == (*before, late)
        assert path.read_bytes().count(b"\n") == whole + 1


LINE = (
    b'{"format_version": 1, "fingerprint": "f", "kind": "k", "path": "p", "variant": "", "lineage": "", '
    b'"workspace": null, "job": {"id": "j", "state": "completed", "attempt": 1}}'
)
GARBAGE = [
    b"garbage",
    b"{}",
    b"[]",
    b"null",
    b"\xff",
    b"[" * 50_000,
    LINE.replace(b'"fingerprint": "f"', b'"fingerprint": 3'),
    LINE.replace(b'"workspace": null', b'"workspace": 3'),
    LINE.replace(b'"id": "j"', b'"id": "../x"'),
    LINE.replace(b'"state": "completed"', b'"state": "odd"'),
    LINE.replace(b'"job": {', b'"job": 3, "x": {'),
    LINE.replace(b'"attempt": 1', b'"attempt": null'),
]


def test_the_good_line_reads(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(LINE + b"\n\n")
    assert [(each.job.id, each.submission) for each in ledger(tmp_path).list()] == [("j", "")]


@pytest.mark.parametrize("line", GARBAGE)
def test_a_line_that_does_not_read_is_refused_and_named(tmp_path: Path, line: bytes) -> None:
    book, path = ledger(tmp_path), tmp_path / NAME
    book.record(FACTS[:1])
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(LocalStateError) as fault:
        book.list()
    assert f"{path}:2" in fault.value.what
    assert fault.value.hint == "run: sumesync lock rebuild"
    assert fault.value.code is Exit.REFUSED


@pytest.mark.parametrize("line", GARBAGE)
def test_a_salvage_keeps_every_line_that_reads_and_sets_the_rest_aside(tmp_path: Path, line: bytes) -> None:
    book, path = ledger(tmp_path), tmp_path / NAME
    book.record(FACTS[:2])
    path.write_bytes(line + b"\n" + path.read_bytes() + line)
    damaged = path.read_bytes()
    assert book.salvage() == 2
    assert book.list() == (fact(HERO, HERO_JOB),)
    assert [each.read_bytes() for each in tmp_path.iterdir() if "damaged" in each.name] == [damaged]


def test_a_line_of_a_newer_sumesync_is_refused_and_never_set_aside(tmp_path: Path) -> None:
    book, path = ledger(tmp_path), tmp_path / NAME
    book.record(FACTS[:1])
    path.write_bytes(path.read_bytes() + LINE.replace(b'"format_version": 1', b'"format_version": 3') + b"\n")
    before = path.read_bytes()
    for look in (book.list, book.salvage):
        with pytest.raises(LocalStateError) as fault:
            look()
        assert "newer" in fault.value.what
        assert "upgrade" in fault.value.hint
    assert path.read_bytes() == before


def test_a_salvage_of_a_sound_ledger_changes_nothing(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    assert book.salvage() == 0
    book.record(FACTS)
    before = (tmp_path / NAME).read_bytes()
    assert book.salvage() == 0
    assert (tmp_path / NAME).read_bytes() == before


def test_a_second_salvage_keeps_what_the_first_set_aside(tmp_path: Path) -> None:
    book, path = ledger(tmp_path), tmp_path / NAME
    for damage in (b"first damage\n", b"second damage\n"):
        path.write_bytes(damage)
        assert book.salvage() == 1
    kept = b"".join(each.read_bytes() for each in sorted(tmp_path.iterdir()))
    assert b"first damage" in kept
    assert b"second damage" in kept


def test_a_claim_is_an_intent_in_the_journal(tmp_path: Path) -> None:
    intent = submission(HERO, Step.INTENT)
    ledger(tmp_path).claim(intent)
    ledger(tmp_path).claim(intent)
    assert LocalJournal(tmp_path).list() == (intent,)


@pytest.mark.parametrize("step", [Step.SENDING, Step.UNKNOWN, Step.ACCEPTED])
def test_what_is_being_paid_for_cannot_be_claimed_again(tmp_path: Path, step: Step) -> None:
    begun = submission(HERO, step)
    LocalJournal(tmp_path).write(begun)
    with pytest.raises(LocalStateError) as fault:
        ledger(tmp_path).claim(submission(HERO, Step.INTENT))
    assert fault.value.what == f"{HERO.key}: this request is already being paid for (attempt 1)"
    assert fault.value.hint == "run apply again: it resumes what was begun"
    assert LocalJournal(tmp_path).list() == (begun,)


def test_another_attempt_can_be_claimed(tmp_path: Path) -> None:
    LocalJournal(tmp_path).write(submission(HERO, Step.UNKNOWN))
    ledger(tmp_path).claim(submission(HERO, Step.INTENT, attempt=2))
    assert len(LocalJournal(tmp_path).list()) == 2


def test_a_fact_is_durable_before_the_call_returns(tmp_path: Path, calls: Calls) -> None:
    book = ledger(tmp_path)
    book.record(FACTS[:2])
    assert calls.log == [f"write {NAME}", f"fsync {NAME}", f"fsync {tmp_path.name}"]
    calls.log.clear()
    book.record(FACTS[2:])
    assert calls.log == [f"write {NAME}", f"fsync {NAME}"]
    calls.log.clear()
    book.record([])
    assert calls.log == []


def test_a_salvage_sets_the_damaged_file_aside_before_it_writes_a_new_one(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / NAME).write_bytes(LINE + b"\ngarbage\n")
    calls.log.clear()
    assert ledger(tmp_path).salvage() == 1
    assert calls.log[0].startswith(f"replace {NAME} ledger.")
    assert calls.log[0].endswith(".damaged")
    assert calls.log[1:] == [
        f"fsync {tmp_path.name}",
        f"write {NAME}",
        f"fsync {NAME}",
        f"fsync {tmp_path.name}",
    ]


def test_what_one_fact_does_not_know_the_other_keeps(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    first = Fact(HERO.fingerprint, HERO_IN_FLIGHT, "image", HERO.key, "sha256:w", "lineage", "submission")
    book.record([first, Fact(HERO.fingerprint, HERO_JOB, "image", TEASER.key)])
    assert book.list() == (Fact(HERO.fingerprint, HERO_JOB, "image", TEASER.key, "sha256:w", "lineage", "submission"),)
    later = Fact(HERO.fingerprint, HERO_JOB, "video", HERO.key, "sha256:x", "other", "another")
    book.record([later])
    assert book.list() == (later,)


def test_a_ledger_that_the_disk_does_not_give_is_told(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(LocalStateError, match=f"cannot read .*{NAME}: Is a directory"):
        ledger(tmp_path).list()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (LINE.replace(b'"fingerprint": "f"', b'"fingerprint": 3'), "a value is not text"),
        (LINE.replace(b'"submission"', b'"x"').replace(b'"path": "p"', b'"path": null'), "a value is not text"),
        (LINE.replace(b'"lineage": "", ', b""), "'lineage'"),
        (LINE.replace(b'"attempt": 1', b'"attempt": "x"'), "ledger: attempt is missing or not a number"),
        (b"x" * 200, "Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_why_a_line_does_not_read_is_said(tmp_path: Path, line: bytes, why: str) -> None:
    (tmp_path / NAME).write_bytes(line + b"\n")
    with pytest.raises(LocalStateError) as fault:
        ledger(tmp_path).list()
    assert fault.value.what == f"{tmp_path / NAME}:1: not a ledger that reads ({why})"


def test_a_newer_format_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(LINE.replace(b'"format_version": 1', b'"format_version": 7') + b"\n")
    with pytest.raises(LocalStateError) as fault:
        ledger(tmp_path).list()
    assert fault.value.what == "the ledger has format 7, newer than this sumesync"
    assert fault.value.hint == "update sumesync: pip install --upgrade sumesync"


def test_a_line_is_ascii_and_says_all_of_its_fact(tmp_path: Path) -> None:
    told = Fact("f", HERO_IN_FLIGHT, "image", EntryKey("é.sume.toml", "tall"), "sha256:w", "l", "s")
    ledger(tmp_path).record([told])
    line = (tmp_path / NAME).read_bytes()
    assert line.isascii()
    assert json.loads(line) == {
        "format_version": 1,
        "fingerprint": "f",
        "kind": "image",
        "path": "é.sume.toml",
        "variant": "tall",
        "lineage": "l",
        "workspace": "sha256:w",
        "submission": "s",
        "written": False,
        "job": {"id": "job_hero", "state": "accepted", "attempt": 1},
    }
    assert ledger(tmp_path).list() == (told,)


def test_what_was_taken_back_counts_no_more_and_what_comes_after_it_does(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    told = Fact(HERO.fingerprint, HERO_JOB, "image", HERO.key, "sha256:w", "l", "s", frozenset({sha("the hero")}))
    voided = replace(HERO_JOB, state=JobState.VOID)
    back = replace(told, job=voided, retracted=True, workspace=None, submission="", written=frozenset())
    book.record([told, back])
    assert book.list() == (replace(back, written=told.written),), "what the job wrote stays ours"
    again = replace(told, job=HERO_IN_FLIGHT, submission="t", written=frozenset())
    book.record([again])
    assert book.list() == (replace(again, written=told.written),)


def test_a_line_that_takes_back_says_so_in_a_format_of_its_own(tmp_path: Path) -> None:
    back = Fact("f", replace(HERO_IN_FLIGHT, state=JobState.VOID), "image", HERO.key, retracted=True)
    ledger(tmp_path).record([back])
    table = json.loads((tmp_path / NAME).read_bytes())
    assert (table["format_version"], table["retracted"]) == (RETRACTING, True)
    assert ledger(tmp_path).list() == (back,)
