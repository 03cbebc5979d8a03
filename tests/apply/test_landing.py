"""Results on their way into their places: what stays, what is copied, and what is told of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sumesync.answers import JobResult
from sumesync.core import lock as locks
from sumesync.core.action import Policy
from sumesync.errors import LocalStateError
from sumesync.model import FileFact, JobState, News, Output, Wanted
from sumesync.ports import Part

from .desk import HERO, Desk, MemoryPart, MemoryStores, want
from .test_documents import HOOK, REEL, analyst

PAIR = want("a/pair.sume.toml", "two bottles", image_count=2)


def pairs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sume makes two pictures of each request."""

    def result(job_id: str, _sent: frozenset[str] = frozenset(), **_: bool) -> JobResult:
        return JobResult((f"https://media/{job_id}/1", f"https://media/{job_id}/2"))

    def download(url: str, write: Callable[[bytes], None]) -> str:
        desk.sume.requests.append("media")
        write(b"\x89PNG\r\n\x1a\n" + url.encode())
        return "image/png"

    monkeypatch.setattr(desk.sume, "result", result)
    monkeypatch.setattr(desk.sume, "download", download)


def outputs(desk: Desk, path: str) -> list[Output]:
    entries = locks.read(desk.disk.lock or "").lock.entries
    return [output for key, entry in entries.items() if key.path == path for output in entry.outputs]


def blocked(_self: MemoryStores, path: str) -> str | None:
    raise LocalStateError(f"{path} is a folder")


def test_of_two_outputs_the_one_that_is_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk([PAIR])
    pairs(desk, monkeypatch)
    desk.apply()
    whole, recorded = dict(desk.disk.files), outputs(desk, PAIR.key.path)
    assert sorted(whole) == ["a/pair-2.png", "a/pair.png"]
    del desk.disk.files["a/pair-2.png"]
    renamed: list[str] = []
    real = MemoryStores.place

    def place(self: MemoryStores, part: Part, target: str, expected: FileFact | None) -> bool:
        renamed.append(target)
        return real(self, part, target, expected)

    monkeypatch.setattr(MemoryStores, "place", place)
    outcome, _ = desk.apply()
    assert (desk.disk.files, outputs(desk, PAIR.key.path)) == (whole, recorded)
    assert renamed == outcome.written == ["a/pair-2.png"]


def test_what_a_second_spec_has_already_stays_too(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk([PAIR, want("b/other.sume.toml", "two bottles", image_count=2)])
    pairs(desk, monkeypatch)
    desk.apply()
    whole = dict(desk.disk.files)
    assert sorted(whole) == ["a/pair-2.png", "a/pair.png", "b/other-2.png", "b/other.png"]
    for path in ("a/pair-2.png", "b/other-2.png"):
        del desk.disk.files[path]
    outcome, _ = desk.apply()
    assert desk.disk.files == whole
    assert sorted(outcome.written) == ["a/pair-2.png", "b/other-2.png"]
    assert len(desk.sume.jobs) == 1


def test_a_second_spec_of_one_request_has_a_copy_of_its_own() -> None:
    twin = want("b/twin.sume.toml", "a bottle")
    desk = Desk([HERO, twin])
    outcome, telling = desk.apply()
    assert desk.disk.files["a/hero.png"] == desk.disk.files["b/twin.png"]
    assert [output.path for output in outputs(desk, twin.key.path)] == ["b/twin.png"]
    assert sorted(outcome.written) == ["a/hero.png", "b/twin.png"]
    assert sorted(event.text for event in telling.events if event.news is News.DONE) == ["a/hero.png", "b/twin.png"]


def test_what_changed_before_it_was_copied_is_told_and_copied_by_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = want("b/twin.sume.toml", "a bottle")
    desk = Desk([HERO, twin])
    with monkeypatch.context() as patch:
        patch.setattr(MemoryStores, "copy", lambda *_: None)
        outcome, _ = desk.apply()
    assert [(trouble.key, trouble.text) for trouble in outcome.failed] == [(twin.key, "a/hero.png changed meanwhile")]
    assert [output.path for output in outputs(desk, HERO.key.path)] == ["a/hero.png"]
    desk.apply()
    assert desk.disk.files["a/hero.png"] == desk.disk.files["b/twin.png"]
    assert len(desk.sume.jobs) == 1


def test_each_spec_of_one_analysis_has_it_at_its_own_metadata() -> None:
    desk = analyst(REEL, HOOK)
    desk.apply()
    assert [output.path for output in outputs(desk, "hook.sume.toml")] == ["hook.sume.json"]
    assert [output.path for output in outputs(desk, "reel.sume.toml")] == ["reel.sume.json"]


def test_a_document_whose_metadata_cannot_be_written_is_not_recorded_as_there(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = analyst(REEL)
    with monkeypatch.context() as patch:
        patch.setattr(MemoryStores, "read_text", blocked)
        outcome, _ = desk.apply()
    assert [trouble.text for trouble in outcome.failed] == ["reel.sume.json is a folder"]
    assert outputs(desk, "reel.sume.toml") == []
    desk.apply()
    assert [output.path for output in outputs(desk, "reel.sume.toml")] == ["reel.sume.json"]
    assert len(desk.sume.jobs) == 1


def test_a_picture_whose_metadata_cannot_be_written_is_recorded_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk([HERO])
    with monkeypatch.context() as patch:
        patch.setattr(MemoryStores, "read_text", blocked)
        outcome, _ = desk.apply()
    assert [trouble.text for trouble in outcome.failed] == ["a/hero.sume.json is a folder"]
    assert [output.path for output in outputs(desk, HERO.key.path)] == ["a/hero.png"]


def test_a_place_that_was_taken_meanwhile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk([HERO])
    real = MemoryStores.part

    def part(self: MemoryStores, folder: str) -> object:
        desk.disk.files.setdefault("a/hero.png", b"a stranger's")
        return real(self, folder)

    monkeypatch.setattr(MemoryStores, "part", part)
    outcome, telling = desk.apply()
    (path,) = outcome.written
    assert path == "a/hero.job_1.png"
    notes = [event.text for event in telling.events if event.news is News.NOTE]
    assert notes == [f"a/hero.png is taken by a file that is not ours: it is {path}"]
    assert desk.disk.files["a/hero.png"] == b"a stranger's"


def test_the_ledger_knows_the_bytes_before_they_stand_in_their_place() -> None:
    desk = Desk([replace(HERO, folder="c")])
    desk.apply()
    (fact,) = [fact for fact in desk.disk.facts if fact.job.outputs]
    (output,) = fact.job.outputs
    assert (output.path, fact.written) == ("c/hero.png", frozenset({output.sha256}))
    assert Path(output.path).suffix == ".png"


def changed(of: Wanted, prompt: str) -> Wanted:
    return want(of.key.path, prompt)


def test_the_ledger_says_of_whom_a_result_is() -> None:
    desk = Desk([HERO])
    desk.apply()
    told = [(fact.kind, fact.key, fact.fingerprint) for fact in desk.disk.facts if fact.job.outputs]
    assert told == [("image", HERO.key, HERO.fingerprint)]


def test_an_edit_that_a_person_gave_up_is_replaced() -> None:
    desk = Desk([HERO])
    desk.apply()
    ours = desk.disk.files["a/hero.png"]
    desk.disk.files["a/hero.png"] = b"a person's"
    desk.apply(Policy(restore_edited=True))
    assert desk.disk.files == {"a/hero.png": ours}
    assert len(desk.sume.jobs) == 1


def test_what_is_not_needed_of_a_download_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk([PAIR])
    pairs(desk, monkeypatch)
    desk.apply()
    del desk.disk.files["a/pair-2.png"]
    thrown: list[object] = []
    real = MemoryPart.discard

    def discard(self: MemoryPart) -> None:
        thrown.append(self)
        real(self)

    monkeypatch.setattr(MemoryPart, "discard", discard)
    desk.apply()
    assert len(thrown) == 1


def test_what_a_person_accepted_stays_accepted_beside_what_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk([PAIR])
    pairs(desk, monkeypatch)
    desk.apply()
    made = outputs(desk, PAIR.key.path)
    mine = replace(made[0], sha256=hashlib.sha256(b"a person's").hexdigest(), size=len(b"a person's"))
    desk.disk.files["a/pair.png"] = b"a person's"
    accepted = (mine, made[1])
    entry = locks.read(desk.disk.lock or "").lock.entries[PAIR.key]
    desk.disk.lock = locks.patch(desk.disk.lock or "", {PAIR.key: replace(entry, accepted=accepted)})
    del desk.disk.files["a/pair-2.png"]
    desk.apply()
    after = locks.read(desk.disk.lock or "").lock.entries[PAIR.key]
    assert (after.accepted, after.jobs) == (accepted, entry.jobs)
    assert desk.disk.files["a/pair.png"] == b"a person's"
    assert sorted(desk.disk.files) == ["a/pair-2.png", "a/pair.png"]


def test_without_an_edit_nothing_counts_as_accepted() -> None:
    desk = Desk([HERO])
    desk.apply()
    entry = locks.read(desk.disk.lock or "").lock.entries[HERO.key]
    assert (entry.accepted, [job.state for job in entry.jobs]) == ((), [JobState.COMPLETED])


def test_the_metadata_keep_what_the_entry_was_before() -> None:
    desk = Desk([HERO])
    desk.apply()
    desk.specs = [changed(HERO, "a jar of glass")]
    desk.apply()
    told = json.loads(desk.disk.texts["a/hero.sume.json"])
    assert [past["fingerprint"] for past in told["history"]] == [HERO.fingerprint]
    assert told["jobs"][0]["id"] == "job_2"


def test_a_copy_takes_the_place_of_what_the_second_spec_had_before() -> None:
    twin = want("b/twin.sume.toml", "a bottle")
    desk = Desk([HERO, twin])
    desk.apply()
    before = desk.disk.files["b/twin.png"]
    desk.specs = [changed(HERO, "a jar of glass"), changed(twin, "a jar of glass")]
    desk.apply()
    assert desk.disk.files["b/twin.png"] == desk.disk.files["a/hero.png"] != before
    assert sorted(desk.disk.files) == ["a/hero.png", "b/twin.png"]


def test_a_copy_whose_place_was_taken_meanwhile_lands_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = want("b/twin.sume.toml", "a bottle")
    desk = Desk([HERO, twin])
    real = MemoryStores.copy

    def copy(self: MemoryStores, source: str, folder: str, sha256: str) -> Part | None:
        desk.disk.files["b/twin.png"] = b"a stranger's"
        return real(self, source, folder, sha256)

    monkeypatch.setattr(MemoryStores, "copy", copy)
    desk.apply()
    assert [output.path for output in outputs(desk, twin.key.path)] == ["b/twin.job_1.png"]
    assert desk.disk.files["b/twin.png"] == b"a stranger's"
