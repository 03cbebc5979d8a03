"""Every job ever accepted: facts are added, the latest wins, and a damaged file is told, never guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sumesync.disk.journal import LocalJournal
from sumesync.disk.ledger import NAME, LocalLedger
from sumesync.errors import Exit, LocalStateError
from sumesync.model import EntryKey, Fact, JobState, Step
from tests.builders import examples, fact, job, output, submission
from tests.core.strategies import jobs
from tests.values import HERO, HERO_FAILED, HERO_IN_FLIGHT, HERO_JOB, RED, RED_JOB, TEASER, TEASER_JOB


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
def test_any_fact_reads_back(tmp_path: Path, found: list[tuple[object, str]]) -> None:
    (tmp_path / NAME).unlink(missing_ok=True)
    facts = [
        Fact(HERO.fingerprint, its, "image", EntryKey("a\n\u2028" + text), None, text)  # type: ignore[arg-type]
        for its, text in found
    ]
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
    assert [each.job.id for each in ledger(tmp_path).list()] == ["j"]


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
    with pytest.raises(LocalStateError, match="already being paid for"):
        ledger(tmp_path).claim(submission(HERO, Step.INTENT))
    assert LocalJournal(tmp_path).list() == (begun,)


def test_another_attempt_can_be_claimed(tmp_path: Path) -> None:
    LocalJournal(tmp_path).write(submission(HERO, Step.UNKNOWN))
    ledger(tmp_path).claim(submission(HERO, Step.INTENT, attempt=2))
    assert len(LocalJournal(tmp_path).list()) == 2
