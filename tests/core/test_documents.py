"""Results that are documents: their identity, what is kept of them, where they stand; and searches, which are free."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core import documents, metadata
from sumesync.core import lock as locks
from sumesync.core.action import Standing, Verb, Why
from sumesync.core.advance import search_record
from sumesync.core.documents import DocumentFault
from sumesync.core.merge import merge_locks, merge_metadata_texts
from sumesync.core.rebuild import rebuild
from sumesync.model import SANDBOX, Entry, EntryKey, JobRecord, JobState, Json, Output, Wanted
from tests.builders import LINEAGE, action_of, document, entry, examples, fact, file, held, job, lock, planned, wanted
from tests.core.test_metadata import validator
from tests.values import HERO, HERO_FILES, HERO_JOB

REEL = wanted("reel.sume.toml", kind="reference-analysis", url="https://www.tiktok.com/@a/video/1")
OTHER_REEL = wanted("reel.sume.toml", kind="reference-analysis", url="https://www.tiktok.com/@a/video/2")
MOVED = replace(REEL, key=EntryKey("hook.sume.toml"), stem="hook")
FOUND: dict[str, Json] = {"summary": "A hand opens a box.", "beats": [1, 2.5]}
REEL_JOB = job("job_reel", JobState.COMPLETED, held(REEL, FOUND))
REEL_DONE = entry(REEL, REEL_JOB)
HAS_IT = {"reel.sume.json": document(REEL, REEL_DONE, FOUND)}

CLIPS = wanted("clips.sume.toml", kind="asset-search", q="hands", limit=3)
SCENES = documents.scenes([{"id": "scene_1"}, {"id": "scene_2"}], more=False)
CLIPS_DONE = entry(CLIPS, search_record(CLIPS.fingerprint, (held(CLIPS, SCENES),)))
HAS_SCENES = {"clips.sume.json": document(CLIPS, CLIPS_DONE, SCENES)}
CHANGED_CLIPS = wanted("clips.sume.toml", kind="asset-search", q="faces", limit=3)
MOVED_CLIPS = replace(CLIPS, key=EntryKey("hands.sume.toml"), stem="hands")

DOCUMENTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@pytest.mark.parametrize(
    ("state", "verb", "why"),
    [
        ({}, Verb.CREATE, Why.NEW),
        ({"entries": [REEL_DONE], "documents": HAS_IT}, Verb.KEEP, Why.UNCHANGED),
        ({"entries": [REEL_DONE], "documents": HAS_IT, "store": "none"}, Verb.KEEP, Why.UNCHANGED),
        ({"entries": [REEL_DONE], "documents": HAS_IT, "refresh": True}, Verb.KEEP, Why.UNCHANGED),
        ({"entries": [REEL_DONE], "documents": {"reel.sume.json": None}}, Verb.FETCH, Why.MISSING),
        ({"entries": [REEL_DONE], "documents": {"reel.sume.json": None}, "store": "none"}, Verb.FETCH, Why.MISSING),
        ({"entries": [REEL_DONE], "documents": {"reel.sume.json": document(REEL, REEL_DONE)}}, Verb.FETCH, Why.MISSING),
        (
            {"entries": [REEL_DONE], "documents": {"reel.sume.json": metadata.MetadataFact(ours=False)}},
            Verb.FETCH,
            Why.MISSING,
        ),
        (
            {"entries": [REEL_DONE], "documents": {"reel.sume.json": metadata.MetadataFact(False, blocked=True)}},
            Verb.INVALID,
            Why.TAKEN,
        ),
        ({"facts": [fact(REEL, REEL_JOB)], "documents": HAS_IT}, Verb.KEEP, Why.RECORD),
        ({"facts": [fact(REEL, REEL_JOB)]}, Verb.FETCH, Why.REVERTED),
        ({"entries": [entry(REEL, replace(REEL_JOB, state=JobState.GONE))]}, Verb.ATTENTION, Why.GONE),
        ({"entries": [entry(REEL, accepted=(held(REEL, FOUND),))], "documents": HAS_IT}, Verb.KEEP, Why.METADATA),
        ({"entries": [entry(REEL, accepted=(held(REEL, FOUND),))]}, Verb.ATTENTION, Why.GONE),
        ({"entries": [entry(REEL, job("job_reel", JobState.ACCEPTED))]}, Verb.RESUME, Why.IN_FLIGHT),
        # A picture of that name is nobody's business: a document takes no place beside the spec but its metadata's.
        ({"files": {"reel.png": file("a stranger's")}}, Verb.CREATE, Why.NEW),
    ],
)
def test_what_is_done_for_an_analysis(state: dict[str, Any], verb: Verb, why: Why) -> None:
    action = action_of(planned(REEL, **state), "reel.sume.toml")
    assert (action.verb, action.reason.code) == (verb, why), action.reason.text
    assert action.pays == (1 if verb is Verb.CREATE else 0)
    assert action.replaces == action.removes == ()


def test_a_result_that_a_person_changed_is_fetched_again_and_never_theirs_to_lose() -> None:
    by_hand = document(REEL, entry(REEL, accepted=(held(REEL, {"summary": "mine"}),)), {"summary": "mine"})
    action = action_of(planned(REEL, entries=[REEL_DONE], documents={"reel.sume.json": by_hand}), "reel.sume.toml")
    assert (action.verb, action.reason.code, action.edited) == (Verb.FETCH, Why.MISSING, ())


def test_a_changed_analysis_is_paid_for_whatever_stands_in_its_metadata() -> None:
    action = action_of(planned(OTHER_REEL, entries=[REEL_DONE], documents=HAS_IT), "reel.sume.toml")
    assert (action.verb, action.pays, action.edited) == (Verb.UPDATE, 1, ())
    edited = {"reel.sume.json": document(REEL, entry(REEL, accepted=(held(REEL, {}),)), {})}
    assert action_of(planned(OTHER_REEL, entries=[REEL_DONE], documents=edited), "reel.sume.toml").pays == 1


@pytest.mark.parametrize("spec", [MOVED, MOVED_CLIPS])
def test_a_renamed_spec_takes_its_document_with_it(spec: Wanted) -> None:
    done, has = (REEL_DONE, HAS_IT) if spec is MOVED else (CLIPS_DONE, HAS_SCENES)
    action = action_of(planned(spec, entries=[done], documents=has), spec.key.path)
    assert (action.verb, action.reason.code, action.origin) == (Verb.MOVE, Why.RENAMED, done.key)
    (place,) = action.places
    assert (place.standing, place.source, place.target) == (
        Standing.ELSEWHERE,
        metadata.path_of(done.key),
        metadata.path_of(spec.key),
    )


@pytest.mark.parametrize("spec", [MOVED, MOVED_CLIPS])
def test_a_second_spec_of_the_same_request_has_a_copy(spec: Wanted) -> None:
    done, has, first = (REEL_DONE, HAS_IT, REEL) if spec is MOVED else (CLIPS_DONE, HAS_SCENES, CLIPS)
    found = planned(first, spec, entries=[done], documents=has)
    assert action_of(found, spec.key.path).verb is Verb.COPY
    assert action_of(found, first.key.path).verb is Verb.KEEP
    assert found.pays == 0


def test_an_entry_without_a_spec_names_no_file_to_remove() -> None:
    (orphan,) = planned(entries=[REEL_DONE], documents=HAS_IT, prune=True).orphans
    assert (orphan.outputs, orphan.unproven) == ((), ())


def test_the_picture_that_an_analysis_leaves_behind_is_told() -> None:
    spec = replace(REEL, key=HERO.key, stem="hero", folder="launch")
    action = action_of(planned(spec, entries=[entry(HERO, HERO_JOB)], files=HERO_FILES), HERO.key.path)
    assert (action.replaces, action.removes) == ((), ("launch/hero.png",))


@pytest.mark.parametrize(
    ("spec", "state", "verb", "why"),
    [
        (CLIPS, {}, Verb.FETCH, Why.NEW),
        (CLIPS, {"entries": [CLIPS_DONE], "documents": HAS_SCENES}, Verb.KEEP, Why.UNCHANGED),
        (CLIPS, {"entries": [CLIPS_DONE], "documents": HAS_SCENES, "refresh": True}, Verb.FETCH, Why.REFRESH),
        (CLIPS, {"refresh": True}, Verb.FETCH, Why.NEW),
        (CLIPS, {"entries": [CLIPS_DONE]}, Verb.FETCH, Why.MISSING),
        (CLIPS, {"entries": [CLIPS_DONE], "store": "none"}, Verb.FETCH, Why.MISSING),
        (CHANGED_CLIPS, {"entries": [CLIPS_DONE], "documents": HAS_SCENES}, Verb.FETCH, Why.CHANGED),
        (CLIPS, {"entries": [replace(CLIPS_DONE, endpoint=SANDBOX)], "documents": HAS_SCENES}, Verb.FETCH, Why.NEW),
        (CLIPS, {"documents": {"clips.sume.json": metadata.MetadataFact(False)}}, Verb.INVALID, Why.TAKEN),
        # Only a lock that somebody wrote by hand says such a thing.
        (CLIPS, {"entries": [entry(CLIPS, job("search-1", JobState.ACCEPTED))]}, Verb.FETCH, Why.MISSING),
        (CLIPS, {"entries": [entry(CLIPS, job("search-1", JobState.FAILED))]}, Verb.FETCH, Why.MISSING),
        (CLIPS, {"entries": [entry(CLIPS, job("search-1", JobState.GONE))]}, Verb.FETCH, Why.MISSING),
    ],
)
def test_what_is_done_for_a_search(spec: Wanted, state: dict[str, Any], verb: Verb, why: Why) -> None:
    found = planned(spec, **state)
    action = action_of(found, "clips.sume.toml")
    assert (action.verb, action.reason.code) == (verb, why), action.reason.text
    assert ("free" in action.reason.text) == (verb is Verb.FETCH)
    assert (found.pays, action.jobs, found.collects, found.unknown) == (0, (), (), ())


def test_a_search_that_no_spec_asks_for_is_never_waited_for() -> None:
    found = planned(entries=[entry(CLIPS, job("search-1", JobState.ACCEPTED))])
    assert found.collects == ()
    assert [orphan.in_flight for orphan in found.orphans] == [False]


def test_what_two_specs_hold_of_one_search_is_each_their_own() -> None:
    """One of them was made again and the other was not."""
    other = documents.scenes([{"id": "scene_9"}], more=False)
    second = entry(MOVED_CLIPS, search_record(CLIPS.fingerprint, (held(MOVED_CLIPS, other),)))
    has = {**HAS_SCENES, "hands.sume.json": document(MOVED_CLIPS, second, other)}
    found = planned(CLIPS, MOVED_CLIPS, entries=[CLIPS_DONE, second], documents=has)
    assert [action.verb for action in found.actions] == [Verb.KEEP, Verb.KEEP]


# --- The document itself -----------------------------------------------------------------------------------------


@given(DOCUMENTS)
@settings(max_examples=examples(60))
def test_a_document_survives_its_metadata_and_the_lock(found: dict[str, Json]) -> None:
    kept = documents.public(found, "x")
    done = entry(REEL, job("job_reel", JobState.COMPLETED, held(REEL, kept)))
    text = metadata.render(REEL, done, kept)
    text.encode()
    fact_ = metadata.read(text)
    assert fact_.result == kept
    assert fact_.output == done.outputs[0]
    assert locks.read(locks.render(lock(done))).lock == lock(done)
    assert documents.public(kept, "x") == kept
    assert rebuild(LINEAGE, None, [fact_.entry] if fact_.entry else []) == lock(done)


@given(DOCUMENTS)
@settings(max_examples=examples(30))
def test_neither_layout_nor_order_means_anything(found: dict[str, Json]) -> None:
    turned = dict(reversed(json.loads(json.dumps(found, indent=3)).items()))
    assert documents.output("a.sume.json", turned) == documents.output("a.sume.json", found)


def test_one_and_true_are_two_documents() -> None:
    assert documents.output("", {"a": 1}) != documents.output("", {"a": True})


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({"media_url": "https://media.sume.so/a.mp4?X-Signature=abc#t"}, {"media_url": "https://media.sume.so/a.mp4"}),
        ({"text": "see https://x.so/a?b=c now"}, {"text": "see https://x.so/a now"}),
        ({"a": [{"object_key": "u/1", "id": "s"}]}, {"a": [{"id": "s"}]}),
        ({"workspace_id": "ws", "workspaceId": "ws", "user_id": "u", "email": "a@b.c"}, {}),
        ({"upload_url": "https://s3/x", "upload_id": "up_1"}, {"upload_id": "up_1"}),
        ({"token": "t", "max_tokens": 5, "storageKey": "k"}, {"max_tokens": 5}),
        ({"author": {"account": "@brand"}}, {"author": {"account": "@brand"}}),
        ({"note": "sume_live_abcdefgh"}, {"note": "[key]"}),
        ({"half": "\ud800"}, {"half": "?"}),
        ({"score": math.nan, "far": math.inf}, {"score": None, "far": None}),
    ],
)
def test_what_is_kept_of_a_document(told: dict[str, Json], kept: dict[str, Json]) -> None:
    assert documents.public(told, "it") == kept


def test_a_document_has_a_largest_size() -> None:
    documents.public({"a": "x" * (documents.MAX_BYTES - 8)}, "the result")
    with pytest.raises(DocumentFault, match=r"^the result is 4\.0 MiB of text, more than the 4 MiB"):
        documents.public({"a": "x" * (documents.MAX_BYTES - 7)}, "the result")


def test_a_document_has_a_largest_depth() -> None:
    deep: Json = []
    for _ in range(64):
        deep = [deep]
    with pytest.raises(DocumentFault, match="nested"):
        documents.public({"a": deep}, "the result")


@pytest.mark.parametrize(
    ("kind", "found", "words"),
    [
        ("reference-analysis", {"summary": "x"}, "analysis"),
        ("reference-analysis", {"count": 3}, "analysis"),
        ("asset-upload", {}, "ingested"),
        ("asset-search", documents.scenes([], more=False), "0 scenes"),
        ("asset-search", documents.scenes([{"id": "a"}], more=True), "1 scene of more"),
        ("later-kind", {}, "result"),
    ],
)
def test_a_document_in_a_few_words(kind: str, found: Mapping[str, Json], words: str) -> None:
    assert documents.told(kind, found) == words


# --- Where it is written ------------------------------------------------------------------------------------------


def test_the_metadata_hold_only_the_result_that_the_entry_stands_for() -> None:
    assert json.loads(metadata.render(REEL, REEL_DONE, FOUND))["result"] == FOUND
    assert "result" not in json.loads(metadata.render(REEL, REEL_DONE, {"else": 1}))
    assert "result" not in json.loads(metadata.render(HERO, entry(HERO, HERO_JOB), FOUND))
    assert list(json.loads(metadata.render(REEL, REEL_DONE, FOUND)))[-1] == "result"


@pytest.mark.parametrize(
    ("spec", "done", "result"), [(REEL, REEL_DONE, FOUND), (CLIPS, CLIPS_DONE, SCENES), (HERO, entry(HERO), None)]
)
def test_the_schemas_are_true(spec: Wanted, done: Entry, result: Mapping[str, Json] | None) -> None:
    validator().validate(json.loads(metadata.render(spec, done, result)))


@pytest.mark.parametrize("odd", ['"\\ud800"', "1e999", "[" * 900 + "]" * 900, '"x", "y": -1e999'])
def test_a_result_that_could_not_be_written_again_is_none(odd: str) -> None:
    """A pull request can write metadata and a lock that agree."""
    text = metadata.render(REEL, REEL_DONE, FOUND).replace('"A hand opens a box."', odd)
    read = metadata.read(text)
    assert (read.result is None) is (read.output is None)
    if read.output is not None:
        agreed = entry(REEL, job("job_reel", JobState.COMPLETED, read.output))
        metadata.render(REEL, agreed, read.result).encode()


@pytest.mark.parametrize("path", ["README.md", "a.png", "a.json", "a.sume.toml", "sume.lock"])
def test_a_lock_that_calls_another_file_a_document_is_refused(path: str) -> None:
    forged = entry(REEL, JobRecord("job_1", JobState.COMPLETED, outputs=(replace(held(REEL, FOUND), path=path),)))
    with pytest.raises(locks.LockFault, match="no media file"):
        locks.read(locks.render(lock(forged)))


def test_a_lock_that_calls_metadata_a_picture_is_refused() -> None:
    forged = Output(1, "reel.sume.json", "0" * 64, 1, "image/png")
    with pytest.raises(locks.LockFault, match="no media file"):
        locks.read(locks.render(lock(entry(REEL, job("job_1", JobState.COMPLETED, forged)))))


@pytest.mark.parametrize("ours_is_done", [True, False])
def test_a_merge_keeps_the_result_of_the_side_that_has_it(ours_is_done: bool) -> None:
    under_way = entry(REEL, replace(REEL_JOB, state=JobState.ACCEPTED, outputs=()))
    done, waiting = metadata.render(REEL, REEL_DONE, FOUND), metadata.render(REEL, under_way)
    merged = merge_metadata_texts(None, *((done, waiting) if ours_is_done else (waiting, done)))
    assert merged is not None
    found = metadata.read(merged)
    assert (found.result, found.entry and found.entry.outputs) == (FOUND, REEL_DONE.outputs)


def test_of_two_searches_a_merge_keeps_one_whole() -> None:
    other = documents.scenes([{"id": "scene_9"}], more=False)
    again = entry(CLIPS, search_record(CLIPS.fingerprint, (held(CLIPS, other),)))
    merged = merge_metadata_texts(
        None, metadata.render(CLIPS, CLIPS_DONE, SCENES), metadata.render(CLIPS, again, other)
    )
    assert metadata.read(merged or "").result == SCENES
    locked = merge_locks(None, lock(CLIPS_DONE), lock(again)).entries[CLIPS.key]
    assert locked.outputs == CLIPS_DONE.outputs
