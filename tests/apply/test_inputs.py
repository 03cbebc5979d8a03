"""Files and upstream outputs that a request takes in: what is sent, how often, when, and what stops it for nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from sumesync.answers import JobResult, Refused, SubmitResult, Throttled, Unclear, Uploaded
from sumesync.apply.inputs import Body, InputError, Inputs, Left, is_pointer
from sumesync.apply.paid import Payment
from sumesync.apply.recovery import body_again
from sumesync.apply.run import Task, Tools
from sumesync.core import lock as locks
from sumesync.core import metadata, placement, request
from sumesync.core.action import Observed, Plan, Policy, Verb
from sumesync.errors import ApiError, Exit, LocalStateError, MediaError, MediaRefused
from sumesync.model import Entry, EntryKey, JobState, Json, Lock, News, Output, Step, Wanted
from tests.apply.desk import (
    CLIP,
    HERO,
    LINEAGE,
    SIDE,
    Crash,
    Desk,
    Fuse,
    InlineWorkers,
    JournalView,
    MemoryStores,
    MemoryUploads,
    Telling,
    local,
    lose_request,
    output_of,
    taking,
)
from tests.apply.test_loop import answering
from tests.apply.test_payments import Counter
from tests.builders import KINDS, job
from tests.builders import output as out

PICTURE = b"\x89PNG\r\n\x1a\n a picture of ours"
FILE = local("in/take.png", PICTURE)
CHAIN = taking("b/film.sume.toml", "it turns", output_of(HERO))
MADE = taking("b/cut.sume.toml", "it falls", FILE)


def a_desk(*specs: Wanted) -> Desk:
    desk = Desk(list(specs))
    desk.disk.files[FILE.path] = PICTURE
    return desk


def bodies(desk: Desk) -> list[dict[str, Any]]:
    return [json.loads(job.request) for job in desk.sume.jobs]


def taken(desk: Desk, prompt: str) -> Any:
    return next(body["reference_image_urls"] for body in bodies(desk) if body["prompt"] == prompt)


def entry(desk: Desk, of: Wanted) -> Entry:
    return locks.read(desk.disk.lock or "").lock.entries[of.key]


# --- Files -------------------------------------------------------------------------------------------------


def test_a_file_is_uploaded_and_named_by_its_url() -> None:
    desk = a_desk(MADE)
    outcome, _ = desk.apply()
    assert outcome.done == [MADE.key]
    assert desk.sume.uploads == {"up_1": PICTURE}
    assert desk.sume.presigned == [("take.png", FILE.media_type, FILE.size, FILE.purpose)]
    assert desk.disk.uploads[0] == ("begun", Uploaded(FILE.sha256, FILE.purpose, "up_1"))
    assert taken(desk, "it falls") == ["https://media/up_1"]


def test_each_step_of_an_upload_is_durable_before_the_next_and_all_of_it_before_the_intent() -> None:
    desk, fuse = a_desk(MADE), Fuse()
    desk.apply(fuse=fuse)
    wanted = ["lock", "presign", "upload begun", "put", "upload whole", "journal intent", "connect", "journal sending"]
    assert fuse.log[: len(wanted)] == wanted


def test_the_same_bytes_are_sent_once_for_two_specs_and_two_runs() -> None:
    other = local("in/copy.png", PICTURE)
    desk = a_desk(MADE, taking("b/two.sume.toml", "it stands", other))
    desk.disk.files[other.path] = PICTURE
    desk.apply()
    desk.specs.append(taking("b/three.sume.toml", "it lies", other))
    desk.apply()
    assert len(desk.sume.jobs) == 3
    assert desk.sume.puts == ["up_1"]


def test_what_goes_out_is_told_before_it_does_each_file_once_and_not_what_is_there_already() -> None:
    desk = a_desk(MADE, taking("b/two.sume.toml", "it stands", FILE, output_of(HERO)), HERO)
    first = inputs(desk)
    assert list(first.outgoing(MADE)) == ["in/take.png (26 bytes)"]
    assert list(first.outgoing(desk.specs[1])) == []
    desk.apply()
    assert list(inputs(desk).outgoing(MADE)) == []


def test_a_list_of_uploads_that_cannot_be_read_is_told_where_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LocalStateError("cannot read uploads.jsonl")

    desk = a_desk(MADE)
    made = inputs(desk)
    monkeypatch.setattr(made.tools.uploads, "find", fail)
    assert list(made.outgoing(MADE)) == []
    with pytest.raises(LocalStateError):
        made.body(MADE, {})


def test_a_file_that_changed_since_the_plan_stops_its_purchase_and_no_other() -> None:
    desk = a_desk(MADE, HERO)
    desk.disk.files[FILE.path] = PICTURE.replace(b"ours", b"mine")
    outcome, _ = desk.apply()
    assert [str(trouble.key) for trouble in outcome.failed] == ["b/cut.sume.toml"]
    assert "in/take.png is not the file any more" in outcome.failed[0].text
    assert outcome.failed[0].hint == "look at the new plan: sumesync plan"
    assert outcome.codes() == {Exit.FAILED}
    assert desk.sume.puts == []
    assert [body["prompt"] for body in bodies(desk)] == ["a bottle"]
    assert desk.disk.journal == {}


@pytest.mark.parametrize("there", [PICTURE + b"!", PICTURE[:-1], b""])
def test_neither_a_longer_nor_a_shorter_file_is_sent_whole(there: bytes) -> None:
    desk = a_desk(MADE)
    desk.disk.files[FILE.path] = there
    outcome, _ = desk.apply()
    assert outcome.failed
    assert desk.sume.puts == []
    assert desk.sume.jobs == []


def test_a_file_that_is_not_there_any_more_is_told() -> None:
    desk = a_desk(MADE)
    del desk.disk.files[FILE.path]
    outcome, _ = desk.apply()
    assert "No such file" in outcome.failed[0].text
    assert outcome.failed[0].hint == "put it back, then run apply again"
    assert desk.sume.submits == 0


def test_a_git_lfs_pointer_is_never_uploaded() -> None:
    desk = a_desk(MADE)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{FILE.sha256}\nsize {FILE.size}\n"
    desk.disk.files[FILE.path] = pointer.encode()
    outcome, _ = desk.apply()
    assert outcome.failed[0].hint == "git lfs pull --include in/take.png"
    assert (desk.sume.uploads, desk.sume.submits) == ({}, 0)


def test_a_pointer_to_bytes_that_are_at_sume_already_does_no_harm() -> None:
    desk = a_desk(MADE)
    desk.apply()
    desk.disk.files[FILE.path] = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1\n"
    desk.specs.append(taking("b/two.sume.toml", "it stands", FILE))
    outcome, _ = desk.apply()
    assert not outcome.failed
    assert desk.sume.puts == ["up_1"]


def test_an_upload_that_breaks_is_tried_again_and_then_fails_its_spec_alone() -> None:
    desk = a_desk(MADE, HERO)
    desk.sume.unready = [MediaError("the host broke off")] * 3
    outcome, told = desk.apply()
    assert set(outcome.done) == {MADE.key, HERO.key}
    assert sum("trying again" in event.text for event in told.events) == 3
    desk = a_desk(MADE, HERO)
    desk.sume.unready = [ApiError("no answer")] * 4
    outcome, _ = desk.apply()
    assert [trouble.key for trouble in outcome.failed] == [MADE.key]
    assert outcome.done == [HERO.key]


LAST = taking("c/last.sume.toml", "it rests", FILE)


@pytest.mark.parametrize(
    ("error", "others"),
    [
        *((ApiError("no", status=status), True) for status in (400, 402, 404, 409, 413, 422)),
        *((ApiError("no", status=status), False) for status in (401, 403)),
        (MediaRefused("no", status=401), True),
    ],
)
def test_what_sume_refuses_to_take_is_not_tried_again(error: ApiError, others: bool) -> None:
    """Where it is the key that is refused, the others would fare the same."""
    desk = a_desk(MADE, LAST)
    desk.sume.unready = [error]
    outcome, told = desk.apply(capacity=1)
    assert [(trouble.key, trouble.text, trouble.hint) for trouble in outcome.failed] == [
        (MADE.key, "no", "nothing was paid for; run apply again")
    ]
    assert not any(event.news is News.NOTE and event.key == MADE.key for event in told.events)
    assert outcome.done == ([LAST.key] if others else [])
    assert outcome.not_begun == ([] if others else [LAST.key])


def test_a_refusal_says_what_to_do_where_sume_said_it() -> None:
    desk = a_desk(MADE)
    desk.sume.unready = [ApiError("no", "ask for access", status=403)]
    outcome, _ = desk.apply()
    assert [trouble.hint for trouble in outcome.failed] == ["ask for access"]


@pytest.mark.parametrize("status", [None, 408, 429, 500, 503])
@pytest.mark.parametrize(
    ("asked", "waits"), [(None, (2, 4, 8)), (1.0, (2, 4, 8)), (30.0, (30, 30, 30)), (999.0, (60, 60, 60))]
)
def test_an_input_that_is_not_ready_is_asked_for_again_ever_later(
    status: int | None, asked: float | None, waits: tuple[int, ...]
) -> None:
    desk = a_desk(MADE)
    desk.sume.unready = [ApiError("busy", status=status, retry_after=asked)] * 3
    began = desk.clock.at
    outcome, told = desk.apply()
    notes = [(event.key, event.text) for event in told.events if event.news is News.NOTE]
    assert notes == [(MADE.key, f"an input is not ready (busy); trying again in {wait} s") for wait in waits]
    assert outcome.done == [MADE.key]
    assert desk.sume.jobs[0].ends - desk.sume.seconds == pytest.approx(began + sum(waits), abs=0.5)


def test_what_comes_after_a_refused_key_opens_nothing_again() -> None:
    counter = Counter(MADE, LAST, taking("d/rest.sume.toml", "it lies", FILE), capacity=2)
    counter.payments.start(100.0, 0)
    first, second = (task[0][1] for task in counter.workers.tasks)
    counter.payments.unmade(first, ApiError("no", status=401))
    counter.payments.unmade(second, InputError("it changed"))
    assert counter.ground.closed
    assert not counter.payments.can_start(0)


@pytest.mark.parametrize(
    ("error", "tries", "told"),
    [
        (MediaRefused("the storage answered 413", status=413), 1, None),
        (MediaError("the storage answered 403", status=403), 4, None),
        (MediaError("the storage answered 503", status=503), 4, 503),
        (MediaError("the host broke off"), 4, 0),
        (ApiError("no answer"), 4, 0),
        (ApiError("no", status=422), 1, 422),
    ],
)
def test_how_often_an_upload_is_tried_and_what_is_heard_of_sume(error: ApiError, tries: int, told: int | None) -> None:
    desk = a_desk(MADE)
    desk.sume.unready = [error] * 9
    outcome, _ = desk.apply()
    assert len(desk.sume.unready) == 9 - tries
    assert [trouble.status for trouble in outcome.failed] == [told]
    assert desk.sume.submits == 0


def test_a_list_of_uploads_that_cannot_be_written_stops_the_run_and_nothing_was_paid_for() -> None:
    desk = a_desk(MADE)

    class Full(Fuse):
        def burn(self, name: str, effect: Callable[[], object] = lambda: None) -> None:
            if name.startswith("upload"):
                raise LocalStateError("no space left")
            super().burn(name, effect)

    outcome, _ = desk.apply(fuse=Full())
    assert outcome.codes() == {Exit.REFUSED}
    assert desk.sume.submits == 0


def test_a_remembered_upload_that_is_not_taken_any_more_is_sent_anew_by_the_next_run() -> None:
    desk = a_desk(MADE)
    desk.apply()
    desk.specs.append(taking("b/two.sume.toml", "it stands", FILE))
    desk.sume.script = {1: answering(Refused(422, "unknown_upload", "no such media"))}
    outcome, _ = desk.apply()
    assert "uploaded anew" in outcome.failed[0].hint
    outcome, _ = desk.apply()
    assert not outcome.failed
    assert taken(desk, "it stands") == ["https://media/up_2"]


@pytest.mark.parametrize(("status", "dropped"), [(400, False), (404, True), (405, False), (422, False), (402, False)])
def test_of_what_was_uploaded_just_now_only_a_404_says_that_it_is_gone(status: int, dropped: bool) -> None:
    made = asset("b/asset.sume.toml", "a take")
    desk = a_desk(made)
    desk.sume.script = {0: answering(Refused(status, "x", "no"))}
    outcome, _ = desk.apply()
    hint = "run apply again: what it takes in is uploaded anew; or change the spec. Nothing was paid for"
    assert (outcome.failed[0].hint == hint) == dropped
    assert any(step == "dropped" for step, _ in desk.disk.uploads) == dropped


def test_what_was_uploaded_just_now_is_not_to_blame_for_a_refusal() -> None:
    desk = a_desk(MADE)
    desk.sume.script = {0: answering(Refused(422, "bad_request", "no"))}
    outcome, _ = desk.apply()
    assert "uploaded anew" not in outcome.failed[0].hint
    desk.apply()
    assert desk.sume.puts == ["up_1"]


def test_a_second_attempt_does_not_trust_what_the_first_one_named() -> None:
    desk = a_desk(MADE)
    desk.sume.fates = {"falls": "failed"}
    desk.apply()
    desk.sume.fates = {}
    desk.apply(Policy(retry_failed=True))
    assert [body["reference_image_urls"] for body in bodies(desk)] == [["https://media/up_1"], ["https://media/up_2"]]


def test_after_a_429_the_same_upload_is_named_again() -> None:
    desk = a_desk(MADE)
    desk.sume.script = {0: answering(Throttled(30.0))}
    desk.apply()
    assert desk.sume.puts == ["up_1"]
    assert len(desk.sume.jobs) == 1


READY = Body(b"{}")


@pytest.mark.parametrize(
    "result", [Unclear("the answer was lost"), Throttled(30.0), Refused(402, "insufficient_credits", "no")]
)
def test_what_happened_while_the_inputs_were_made_ready_holds_the_purchase_back(result: SubmitResult) -> None:
    counter = Counter(CLIP, MADE)
    counter.payments.start(100.0, 0)
    (paid, _), (making, _) = counter.workers.tasks
    assert (paid[0], making[0]) == ("pay", "make")
    assert counter.payments.can_start(0)
    counter.payments.ended(paid[1], Payment(paid[2], result))
    counter.payments.made(making[1], READY)
    assert len(counter.workers.tasks) == 2
    assert MADE.key in {action.key for action in counter.payments.leave()}


def test_purchases_that_are_made_ready_count_among_those_at_once() -> None:
    many = [taking(f"b/{number}.sume.toml", f"{number}", FILE) for number in range(6)]
    counter = Counter(*many, capacity=3)
    counter.payments.start(100.0, 1)
    assert len(counter.workers.tasks) == 2
    assert counter.payments.sending == 0
    counter = Counter(*many)
    counter.payments.start(100.0, 0)
    assert len(counter.workers.tasks) == 4
    assert len(counter.payments.leave()) == 6


# --- Uploads that are sent by their id ---------------------------------------------------------------------


def asset(path: str, title: str, source: Any = FILE) -> Wanted:
    """As the kind declares it: its media go as the id of an upload."""
    made = taking(path, title, source)
    purpose = replace(source, purpose="asset")
    body: dict[str, Json] = {"media": {"file": "x"}, "title": title}
    return replace(made, kind="asset-upload", request=body, inputs={("media",): purpose})


def inputs(desk: Desk, fuse: Fuse | None = None, stopped: Callable[[], bool] = lambda: False) -> Inputs:
    stores, clock = MemoryStores(desk.disk, fuse or Fuse()), desk.clock
    tools = Tools(
        desk.sume,
        stores,
        JournalView(stores),
        stores,
        stores,
        clock,
        InlineWorkers(clock),
        Telling(),
        desk.sume,
        MemoryUploads(desk.disk, fuse or Fuse()),
    )
    wanted = {spec.key: spec for spec in desk.specs}
    lock = Lock(LINEAGE)
    task = Task(Plan(), wanted, lock, (), placement.ours(lock, (), Observed()), KINDS, Policy())
    return Inputs(task, tools, stopped)


def test_an_upload_is_sent_by_its_id_where_the_kind_says_so() -> None:
    desk = a_desk()
    made = inputs(desk).body(asset("a/lib.sume.toml", "A jar"), {})
    assert json.loads(made.data) == {"title": "A jar", "upload_id": "up_1"}
    assert made.spent == ("up_1",)


def test_an_upload_that_is_finalised_belongs_to_one_request() -> None:
    desk = a_desk()
    these = inputs(desk)
    one, two = asset("a/one.sume.toml", "One"), asset("a/two.sume.toml", "Two")
    ids = [json.loads(these.body(wanted, {}).data)["upload_id"] for wanted in (one, two, one, two)]
    assert ids == ["up_1", "up_2", "up_1", "up_2"]


def test_an_upload_that_was_finalised_is_not_used_again() -> None:
    desk = a_desk()
    these = inputs(desk)
    spent = these.body(asset("a/one.sume.toml", "One"), {}).spent
    for upload_id in spent:
        these.tools.uploads.drop(upload_id)
    assert inputs(desk).body(asset("a/two.sume.toml", "Two"), {}).spent == ("up_2",)


def test_an_upload_of_a_run_that_died_is_finalised_by_the_next() -> None:
    desk = a_desk()
    inputs(desk).body(asset("a/one.sume.toml", "One"), {})
    made = inputs(desk).body(asset("a/one.sume.toml", "One"), {})
    assert (made.spent, made.remembered, desk.sume.puts) == (("up_1",), ("up_1",), ["up_1"])


# --- What is done side by side -------------------------------------------------------------------------------


def test_two_purchases_that_need_the_same_bytes_at_once_upload_them_once() -> None:
    desk = a_desk()
    these, entered = inputs(desk), threading.Barrier(2)
    real, seen, another = desk.sume.presign, [], threading.Event()

    def slow(*args: Any) -> Any:
        seen.append(args)
        if len(seen) > 1:
            another.set()
        another.wait(0.1)  # as long as a second one would need to come: none does
        return real(*args)

    desk.sume.presign = slow  # type: ignore[method-assign,assignment]  # a fake
    made: list[Body] = []

    def task(wanted: Wanted) -> None:
        entered.wait()
        made.append(these.body(wanted, {}))

    specs = [taking(f"b/{name}.sume.toml", name, FILE) for name in ("one", "two")]
    threads = [threading.Thread(target=task, args=(wanted,)) for wanted in specs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1
    assert {url for body in made for url in body.named} == {"https://media/up_1"}


def test_an_upload_ends_when_the_run_is_stopped() -> None:
    desk = a_desk()
    asked: list[None] = []

    def stopped() -> bool:
        asked.append(None)
        return len(asked) > 3

    with pytest.raises(Left):
        inputs(desk, stopped=stopped).body(MADE, {})
    assert desk.sume.puts == []
    assert desk.disk.uploads[-1][0] == "begun"


@pytest.mark.parametrize(
    ("when", "steps"),
    [
        pytest.param(lambda _: True, [], id="before anything"),
        pytest.param(lambda desk: bool(desk.sume.uploads), [], id="when it has a place"),
        pytest.param(lambda desk: bool(desk.sume.puts), ["begun"], id="when all of it was sent"),
    ],
)
def test_nothing_is_written_of_an_upload_after_the_run_was_stopped(
    when: Callable[[Desk], bool], steps: list[str]
) -> None:
    desk = a_desk()
    with pytest.raises(Left):
        inputs(desk, stopped=lambda: when(desk)).body(MADE, {})
    assert [step for step, _ in desk.disk.uploads] == steps


@pytest.mark.parametrize("at", ["presign", "upload begun", "put"])
def test_a_run_that_is_stopped_while_its_inputs_are_made_ready_pays_for_nothing(at: str) -> None:
    desk = a_desk(MADE)

    class Stopping(Fuse):
        def burn(self, name: str, effect: Callable[[], object] = lambda: None) -> None:
            super().burn(name, effect)
            desk.stopping |= name == at

    outcome, _ = desk.apply(fuse=Stopping())
    assert (outcome.interrupted, outcome.not_begun, outcome.failed) == (True, [MADE.key], [])
    assert (desk.sume.submits, desk.disk.journal) == (0, {})
    desk.stopping = False
    outcome, _ = desk.apply()
    assert outcome.done == [MADE.key]
    assert len(desk.sume.jobs) == 1


def test_what_was_left_is_still_there_to_be_bought() -> None:
    counter = Counter(MADE)
    counter.payments.start(100.0, 0)
    (tag, _), *_ = counter.workers.tasks
    counter.payments.unmade(tag[1], Left())
    assert counter.ground.outcome.failed == []
    assert counter.payments.can_start(0)
    assert [action.key for action in counter.payments.leave()] == [MADE.key]


def test_a_list_of_the_lock_that_cannot_be_written_leaves_the_purchase_among_those_not_begun() -> None:
    desk = a_desk(HERO)
    desk.apply(wait=False)
    desk.specs.append(CHAIN)

    class Full(Fuse):
        def burn(self, name: str, effect: Callable[[], object] = lambda: None) -> None:
            if name == "lock":
                raise LocalStateError("no space left")
            super().burn(name, effect)

    desk.clock.at += 100
    outcome, _ = desk.apply(fuse=Full())
    assert outcome.refused
    assert outcome.not_begun == [CHAIN.key]


def test_a_signed_url_is_shared_for_a_while_and_never_remembered() -> None:
    desk = a_desk()
    real = desk.sume.presign

    def signed(*args: Any) -> Any:
        made = real(*args)
        return replace(made, media_url=made.media_url + "?sig=1")

    desk.sume.presign = signed  # type: ignore[method-assign,assignment]  # a fake
    these = inputs(desk)
    assert these.body(MADE, {}).named == these.body(MADE, {}).named
    desk.clock.at += 600
    desk.disk.uploads = [(step, replace(it, media_url="")) for step, it in desk.disk.uploads]  # as the disk keeps it
    assert these.body(MADE, {}).named == {"https://media/up_2?sig=1"}


def test_where_sume_does_not_tell_where_an_upload_stands_it_is_no_use_as_a_url() -> None:
    desk = a_desk()
    real = desk.sume.presign
    desk.sume.presign = lambda *args: replace(real(*args), media_url="")  # type: ignore[method-assign]  # a fake
    with pytest.raises(InputError, match=r"^Sume does not tell where an upload stands") as told:
        inputs(desk).body(MADE, {})
    assert told.value.hint == "name it by an https URL instead"


# --- Chains ----------------------------------------------------------------------------------------------------


def test_a_dependant_is_begun_when_its_upstream_is_done_and_recorded() -> None:
    desk, fuse = a_desk(CHAIN, HERO), Fuse()
    outcome, _ = desk.apply(fuse=fuse)
    assert outcome.done == [HERO.key, CHAIN.key]
    assert [body["prompt"] for body in bodies(desk)] == ["a bottle", "it turns"]
    second = [place for place, name in enumerate(fuse.log) if name == "journal intent"][1]
    assert fuse.log[second - 1] == "lock"
    assert "rename" in fuse.log[:second]
    assert desk.sume.wrong == []


def test_the_url_is_asked_for_afresh_and_stored_nowhere() -> None:
    desk = a_desk(HERO)
    desk.apply()
    desk.clock.at += 10_000
    desk.specs.append(CHAIN)
    desk.apply()
    assert desk.sume.wrong == []
    assert taken(desk, "it turns")[0].startswith("https://media/job_1?at=")
    stored = repr((desk.disk.lock, desk.disk.facts, desk.disk.texts, desk.disk.uploads))
    assert "?at=" not in stored
    assert "https://" not in stored


def test_a_dependant_waits_for_a_download_too() -> None:
    """The run before died when the ledger had heard of the job's end, and the lock had not."""
    desk = a_desk(HERO)
    with pytest.raises(Crash):
        desk.apply(fuse=Fuse(11, after=True))
    assert [fact.job.state for fact in desk.disk.facts][-1] is JobState.COMPLETED
    desk.specs.append(CHAIN)
    assert desk.plan().of(Verb.FETCH)
    desk.ordered = False
    outcome, _ = desk.apply()
    assert outcome.done == [HERO.key, CHAIN.key]


def test_with_room_for_one_job_a_chain_still_comes_to_its_end() -> None:
    last = taking("c/last.sume.toml", "it ends", output_of(CHAIN))
    desk = a_desk(last, CHAIN, HERO)
    outcome, _ = desk.apply(capacity=1)
    assert outcome.done == [HERO.key, CHAIN.key, last.key]
    assert not outcome.not_begun


@pytest.mark.parametrize("upstream", [HERO, replace(HERO, key=EntryKey("a/twin.sume.toml"), stem="twin")])
def test_a_twin_is_an_upstream_as_the_first_is_and_its_dependants_are_twins(upstream: Wanted) -> None:
    twin = replace(HERO, key=EntryKey("a/twin.sume.toml"), stem="twin")
    one = taking("b/film.sume.toml", "it turns", output_of(HERO))
    other = taking("b/other.sume.toml", "it turns", output_of(twin))
    alone = taking("b/alone.sume.toml", "it falls", output_of(upstream))
    desk = a_desk(one, other, alone, HERO, twin)
    outcome, _ = desk.apply()
    assert one.fingerprint == other.fingerprint
    assert len(desk.sume.jobs) == 3
    assert set(outcome.done) == {spec.key for spec in desk.specs}


def told_why(told: Telling, of: Wanted) -> str:
    return next(event.text for event in told.events if event.key == of.key and event.news is News.NOTE)


def test_where_the_upstream_fails_its_dependant_is_not_begun_and_is_told() -> None:
    desk = a_desk(CHAIN, HERO, SIDE)
    desk.sume.fates = {"bottle": "failed"}
    outcome, told = desk.apply()
    assert outcome.not_begun == [CHAIN.key]
    assert told_why(told, CHAIN) == "not begun: it waits for a/hero.sume.toml, which failed"
    assert outcome.done == [SIDE.key]
    assert outcome.codes() == {Exit.FAILED}


def test_where_the_upstream_is_refused_or_unknown_its_dependant_is_not_begun() -> None:
    desk = a_desk(CHAIN, HERO)
    desk.sume.script = {0: answering(Refused(400, "bad_request", "no"))}
    outcome, _ = desk.apply()
    assert (outcome.not_begun, outcome.codes()) == ([CHAIN.key], {Exit.FAILED})
    desk = a_desk(CHAIN, HERO)
    desk.sume.script = {0: lose_request}
    outcome, told = desk.apply()
    assert (outcome.not_begun, outcome.codes()) == ([CHAIN.key], {Exit.ATTENTION})
    assert "unknown outcome" in told_why(told, CHAIN)


BOTH = taking("b/both.sume.toml", "they turn", output_of(HERO), output_of(SIDE))


@pytest.mark.parametrize(
    ("fates", "lost", "why"),
    [
        ({}, None, "a/hero.sume.toml, which is not done yet"),
        ({"jar": "failed"}, None, "a/side.sume.toml, which failed"),
        ({"bottle": "failed"}, None, "a/hero.sume.toml, which failed"),
        ({}, "a jar", "a/side.sume.toml, whose paid request has an unknown outcome"),
    ],
)
def test_of_several_upstreams_the_one_that_did_not_end_well_is_told(
    fates: dict[str, str], lost: str | None, why: str
) -> None:
    desk = a_desk(BOTH, HERO, SIDE)
    desk.sume.fates = fates
    desk.sume.script = {number: lose_request for number in (1,) if lost}
    outcome, told = desk.apply(deadline=None if fates or lost else 1.0)
    assert outcome.not_begun == [BOTH.key]
    assert told_why(told, BOTH) == f"not begun: it waits for {why}"


@pytest.mark.parametrize("how", [{"wait": False}, {"deadline": 1.0}])
def test_a_run_that_does_not_wait_leaves_dependants_for_the_next(how: dict[str, Any]) -> None:
    desk = a_desk(CHAIN, HERO)
    outcome, _ = desk.apply(**how)
    assert outcome.not_begun == [CHAIN.key]
    assert outcome.codes() == {Exit.RUNNING}
    outcome, _ = desk.apply()
    assert outcome.done == [HERO.key, CHAIN.key]
    assert len(desk.sume.jobs) == 2


def test_a_run_that_is_stopped_leaves_dependants() -> None:
    desk = a_desk(CHAIN, HERO)

    class Stopping(Fuse):
        def burn(self, name: str, effect: Callable[[], object] = lambda: None) -> None:
            super().burn(name, effect)
            desk.stopping |= name == "rename"

    outcome, _ = desk.apply(fuse=Stopping())
    assert outcome.interrupted
    assert outcome.not_begun == [CHAIN.key]
    assert len(desk.sume.jobs) == 1


def test_an_accepted_edit_is_uploaded_in_the_place_of_the_result() -> None:
    desk = a_desk(HERO)
    desk.apply()
    edit = b"\x89PNG\r\n\x1a\n made brighter"
    accept(desk, HERO, edit)
    desk.specs.append(CHAIN)
    desk.apply()
    assert desk.sume.uploads == {"up_1": edit}
    assert taken(desk, "it turns") == ["https://media/up_1"]


def accept(desk: Desk, of: Wanted, data: bytes) -> None:
    """A person edits the picture and blesses that."""
    path = entry(desk, of).outputs[0].path
    fact = desk.disk.files[path] = data
    del fact
    look = MemoryStores(desk.disk, Fuse()).look(path)
    assert look is not None
    blessed = Output(1, path, look.sha256, look.size, "image/png")

    def change(known: Entry | None) -> Entry | None:
        return replace(known, accepted=(blessed,)) if known else None

    MemoryStores(desk.disk, Fuse()).patch({of.key: [change]}, LINEAGE)
    found = locks.read(desk.disk.lock or "").lock.entries[of.key]
    desk.disk.texts[metadata.path_of(of.key)] = metadata.render(of, found)


def test_an_edit_after_the_acceptance_is_not_what_was_accepted() -> None:
    desk = a_desk(HERO)
    desk.apply()
    accept(desk, HERO, b"\x89PNG\r\n\x1a\n made brighter")
    wanted, these = CHAIN, inputs(desk)
    desk.disk.files[entry(desk, HERO).outputs[0].path] = b"\x89PNG\r\n\x1a\n made darker??"
    with pytest.raises(InputError, match="not the file any more"):
        these.body(wanted, {HERO.key: entry(desk, HERO)})
    assert desk.sume.puts == []


def test_where_sume_has_the_result_no_more_the_file_that_was_loaded_is_uploaded() -> None:
    desk = a_desk(HERO)
    desk.apply()
    desk.sume.gone = {"job_1"}
    desk.specs.append(CHAIN)
    desk.apply()
    assert taken(desk, "it turns") == ["https://media/up_1"]
    assert desk.sume.uploads["up_1"] == desk.disk.files[entry(desk, HERO).outputs[0].path]


def test_where_neither_sume_nor_the_disk_has_it_the_dependant_fails_for_nothing() -> None:
    desk = a_desk(HERO)
    desk.apply()
    desk.sume.gone = {"job_1"}
    these = inputs(desk)
    del desk.disk.files[entry(desk, HERO).outputs[0].path]
    with pytest.raises(InputError, match="Sume no longer has output 1 of a/hero") as told:
        these.body(CHAIN, {HERO.key: entry(desk, HERO)})
    assert told.value.hint == "put it back, then run apply again"


def test_after_a_failed_attempt_an_upstreams_file_is_uploaded_anew_too() -> None:
    desk = a_desk(HERO, CLIP)
    desk.apply()
    desk.sume.gone = {"job_1", "job_2"}
    its = {of.key: entry(desk, of) for of in (HERO, CLIP)}
    wanted = (CHAIN, swap(CLIP), asset("a/lib.sume.toml", "A jar", output_of(HERO)))
    for number, each in enumerate(wanted, 1):
        inputs(desk).body(each, its)
        inputs(desk).body(each, its)
        assert len(desk.sume.puts) == number
    for each in wanted:
        inputs(desk).body(each, its, again=True)
    assert len(desk.sume.puts) == 2 * len(wanted)


def test_what_an_upstreams_own_request_named_is_not_taken_for_its_output() -> None:
    """Its result may echo that: the reader of the result is told of it."""
    desk = a_desk(MADE)
    desk.apply()
    told: list[frozenset[str]] = []
    real = desk.sume.result

    def result(job_id: str, sent: frozenset[str] = frozenset(), **_: bool) -> JobResult:
        told.append(sent)
        return real(job_id, sent)

    desk.sume.result = result  # type: ignore[method-assign]  # a fake
    after = taking("b/after.sume.toml", "it rests", output_of(MADE))
    these = inputs(desk)
    these.body(after, {MADE.key: entry(desk, MADE)})
    these.named(after, {MADE.key: entry(desk, MADE)})
    assert told == [frozenset({"https://media/up_1"})] * 2


def test_what_a_lost_request_may_have_named_is_all_that_is_known() -> None:
    desk = a_desk(MADE, HERO)
    desk.apply()
    both = replace(CHAIN, inputs={("reference_image_urls", 0): output_of(HERO), ("reference_image_urls", 1): FILE})
    named = inputs(desk).named(both, {HERO.key: entry(desk, HERO)})
    assert "https://media/up_1" in named
    assert len(named) == 2
    desk.sume.gone = {f"job_{number}" for number in (1, 2)}
    inputs(desk).body(CHAIN, {HERO.key: entry(desk, HERO)})  # the picture itself went up
    assert {"https://media/up_1", "https://media/up_2"} <= inputs(desk).named(both, {HERO.key: entry(desk, HERO)})


def swap(source: Wanted) -> Wanted:
    """A face swap of a film of the project: Sume takes uploads alone there."""
    made = taking("b/swap.sume.toml", "Ana", output_of(source))
    body: dict[str, Json] = {"source_video_url": {"from": source.key.path, "output": 1}, "avatar_ids": ["a"]}
    upstream = replace(output_of(source), purpose="face_swap_source_video")
    return replace(made, kind="face-swap", request=body, inputs={("source_video_url",): upstream})


def test_an_upstream_is_uploaded_where_sume_takes_nothing_but_uploads() -> None:
    desk = a_desk(CLIP)
    desk.apply()
    body = json.loads(inputs(desk).body(swap(CLIP), {CLIP.key: entry(desk, CLIP)}).data)
    assert body == {"source_video_url": "https://media/up_1", "avatar_ids": ["a"]}
    assert desk.sume.uploads["up_1"] == desk.disk.files[entry(desk, CLIP).outputs[0].path]


def test_an_upstream_that_must_be_uploaded_and_is_not_here_is_to_be_loaded_first() -> None:
    desk = a_desk(CLIP)
    desk.apply()
    made = entry(desk, CLIP)
    film = desk.disk.files.pop(made.outputs[0].path)
    with pytest.raises(InputError, match="must be uploaded, and is not here") as told:
        inputs(desk).body(swap(CLIP), {CLIP.key: made})
    assert told.value.hint.endswith("sumesync fetch b/clip.sume.toml")
    desk.disk.files[made.outputs[0].path] = film + b"edited"
    with pytest.raises(InputError, match="not the file any more"):
        inputs(desk).body(swap(CLIP), {CLIP.key: made})
    assert desk.sume.puts == []


def test_an_asset_of_an_upstream_is_its_file() -> None:
    desk = a_desk(HERO)
    desk.apply()
    body = inputs(desk).body(asset("a/lib.sume.toml", "A jar", output_of(HERO)), {HERO.key: entry(desk, HERO)})
    assert json.loads(body.data) == {"title": "A jar", "upload_id": "up_1"}
    assert body.spent == ("up_1",)


def made_by(*jobs: Any, accepted: tuple[Output, ...] = ()) -> Entry:
    return Entry(HERO.key, HERO.fingerprint, "image", "sume", jobs, accepted)


ONE, TWO, THREE = out("a.png", "1", 1), out("b.png", "2", 2), out("c.png", "3", 3)


@pytest.mark.parametrize(
    ("entry_", "output", "url"),
    [
        (made_by(job("job_1", JobState.COMPLETED, ONE, TWO)), 2, "https://media/job_1/1"),
        (made_by(job("job_1", JobState.COMPLETED, ONE), job("job_2", JobState.COMPLETED, TWO, THREE)), 3, "job_2/1"),
        (made_by(job("job_1", JobState.FAILED), job("job_2", JobState.COMPLETED, ONE, TWO, attempt=2)), 1, "job_2/0"),
        (made_by(job("job_1", JobState.COMPLETED, ONE, TWO), accepted=(out("a.png", "x"), TWO)), 2, "job_1/1"),
    ],
)
def test_the_output_is_found_among_those_of_its_job(entry_: Entry, output: int, url: str) -> None:
    desk = a_desk(HERO)
    desk.sume.result = lambda job_id, sent=frozenset(), **_: result_of(job_id)  # type: ignore[method-assign]  # a fake
    made = inputs(desk).body(taking("b/film.sume.toml", "x", output_of(HERO, output)), {HERO.key: entry_})
    (named,) = made.named
    assert named.endswith(url)


def result_of(job_id: str) -> JobResult:
    """Of as many files as the jobs above."""
    entries = {"job_1": 2, "job_2": 2}
    return JobResult(tuple(f"https://media/{job_id}/{place}" for place in range(entries[job_id])))


@pytest.mark.parametrize(
    "entry_",
    [
        None,
        made_by(job("job_1", JobState.COMPLETED, ONE)),
        made_by(job("job_1", JobState.ACCEPTED)),
        replace(made_by(job("job_1", JobState.COMPLETED, ONE, TWO)), fingerprint="v1:" + "0" * 64),
        replace(made_by(job("job_1", JobState.COMPLETED, ONE, TWO)), endpoint="sandbox"),
    ],
)
def test_what_has_not_been_made_of_this_very_request_is_nothing_to_send(entry_: Entry | None) -> None:
    with pytest.raises(InputError, match=r"a/hero\.sume\.toml has no output 2 yet") as told:
        inputs(a_desk(HERO)).body(taking("b/film.sume.toml", "x", output_of(HERO, 2)), {HERO.key: entry_})
    assert told.value.hint == "make it first: sumesync apply a/hero.sume.toml"


def test_a_result_of_another_number_of_files_is_not_trusted() -> None:
    desk = a_desk(HERO)
    desk.disk.files["a.png"] = b"1"
    entry_ = made_by(job("job_1", JobState.COMPLETED, ONE, TWO))
    made = inputs(desk).body(CHAIN, {HERO.key: entry_})
    assert made.named == {"https://media/up_1"}


@pytest.mark.parametrize(("status", "gone"), [(404, True), (410, True), (403, False), (500, False)])
def test_only_where_sume_says_that_it_is_gone_is_the_file_uploaded_instead(status: int, gone: bool) -> None:
    desk = a_desk(HERO)
    desk.apply()

    def result(_job_id: str, _sent: frozenset[str] = frozenset(), **_: bool) -> JobResult:
        raise ApiError("no", status=status)

    desk.sume.result = result  # type: ignore[method-assign,assignment]  # a fake
    if gone:
        assert inputs(desk).body(CHAIN, {HERO.key: entry(desk, HERO)}).named == {"https://media/up_1"}
        return
    with pytest.raises(ApiError):
        inputs(desk).body(CHAIN, {HERO.key: entry(desk, HERO)})
    assert desk.sume.puts == []


def test_an_upstream_that_no_spec_asks_for_echoes_nothing_that_is_known() -> None:
    desk = a_desk(HERO)
    desk.apply()
    desk.specs = []
    assert len(inputs(desk).body(CHAIN, {HERO.key: entry(desk, HERO)}).named) == 1


def test_an_input_in_a_table_is_put_in_its_place() -> None:
    desk = a_desk()
    body: dict[str, Json] = {"prompt": "x", "style": {"like": {"file": FILE.path}, "weight": 2}}
    nested = replace(MADE, request=body, inputs={("style", "like"): FILE})
    made = json.loads(inputs(desk).body(nested, {}).data)
    assert made["style"] == {"like": "https://media/up_1", "weight": 2}


# --- After a crash -----------------------------------------------------------------------------------------------


def intent(desk: Desk) -> Any:
    (submission,) = desk.disk.journal.values()
    return submission


def test_a_body_is_made_again_only_of_urls_that_are_remembered() -> None:
    desk = a_desk(HERO)
    uploads = MemoryUploads(desk.disk, Fuse())
    submission = replace(_submission(MADE), body_sha256="")
    assert body_again(submission, [MADE], KINDS, uploads) is None
    made = inputs(desk).body(MADE, {})
    assert body_again(submission, [MADE], KINDS, uploads) == made.data
    assert body_again(_submission(CHAIN), [CHAIN], KINDS, uploads) is None


def _submission(of: Wanted) -> Any:
    from tests.builders import submission

    return submission(of, Step.UNKNOWN)


def lost(desk: Desk) -> None:
    """The next request is lost on its way, and the run ends without an answer."""
    desk.sume.script = {desk.sume.submits: lose_request}
    desk.apply()
    assert intent(desk).step is Step.UNKNOWN
    desk.sume.idempotent = True
    desk.clock.at += 1_000


def test_a_lost_request_is_sent_again_byte_for_byte_where_its_uploads_are_remembered() -> None:
    desk = a_desk(MADE)
    lost(desk)
    before = intent(desk).body_sha256
    desk.apply()
    assert [request.digest(job.request) for job in desk.sume.jobs] == [before]
    assert desk.sume.puts == ["up_1"]


def test_a_lost_request_with_a_signed_url_is_never_sent_again_nor_as_people_wrote_it() -> None:
    desk = a_desk(HERO)
    desk.apply()
    desk.specs.append(CHAIN)
    lost(desk)
    submits = desk.sume.submits
    desk.apply()
    assert desk.sume.submits == submits
    assert desk.plan().unknown


def test_the_urls_of_a_request_of_an_earlier_run_are_known_as_far_as_they_can_be() -> None:
    desk = a_desk(HERO)
    desk.apply()
    inputs(desk).body(MADE, {})
    both = taking("b/both.sume.toml", "both", output_of(HERO), FILE)
    found = inputs(desk).named(both, {HERO.key: entry(desk, HERO)})
    assert found == {"https://media/up_1", f"https://media/job_1?at={desk.clock.at}"}
    desk.sume.gone = {"job_1"}
    assert inputs(desk).named(both, {HERO.key: entry(desk, HERO)}) == {"https://media/up_1"}
    assert inputs(desk).named(both, {HERO.key: None}) == {"https://media/up_1"}
    blessed = made_by(job("job_1", JobState.COMPLETED, ONE), accepted=(out("a.png", "x"),))
    assert inputs(desk).named(CHAIN, {HERO.key: blessed}) == set()


@pytest.mark.parametrize("crash", [False, True])
def test_a_result_is_asked_for_with_the_urls_that_were_really_sent(crash: bool) -> None:
    desk = a_desk(MADE)
    if crash:
        desk.apply(wait=False)
    seen: list[frozenset[str]] = []
    real = desk.sume.result

    def result(job_id: str, sent: frozenset[str] = frozenset(), **_: bool) -> Any:
        seen.append(sent)
        return real(job_id, sent)

    desk.sume.result = result  # type: ignore[method-assign]  # a fake
    desk.apply()
    assert seen == [frozenset({"https://media/up_1"})]


def test_the_digest_in_the_journal_is_that_of_what_is_sent() -> None:
    desk = a_desk(MADE)
    desk.sume.script = {0: lose_request}
    desk.apply()
    whole: dict[str, Json] = {**MADE.request, "reference_image_urls": ["https://media/up_1"]}
    assert intent(desk).body_sha256 == request.digest(request.body(whole))
    assert "https://" not in repr(intent(desk)).replace("https://127", "")


def test_a_file_is_known_for_a_pointer_by_all_of_it() -> None:
    stores = MemoryStores(a_desk().disk, Fuse())
    stores.disk.files["p"] = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 5\n"
    stores.disk.files["q"] = stores.disk.files["p"] + b"and more"
    assert (is_pointer(stores, "p"), is_pointer(stores, "q")) == (True, False)
    with closing(stores.open("p")) as source:
        assert source.read(7) == b"version"
