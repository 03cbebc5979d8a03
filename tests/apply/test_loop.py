"""The loop with everything around it in memory and time moved by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from sumesync.answers import NotSent, Order, Refused, SubmitResult, Throttled
from sumesync.core import lock as locks
from sumesync.core.action import Policy, Verb, Why
from sumesync.errors import Exit, LocalStateError, MediaError
from sumesync.model import JobState, News, Step
from tests.apply.desk import CLIP, HERO, SIDE, Behaviour, Crash, Desk, FakeSume, Fuse, accept, lose_answer, want


def answering(result: SubmitResult) -> Behaviour:
    def behave(_sume: FakeSume, _order: Order, hook: Callable[[], None]) -> SubmitResult:
        if not isinstance(result, NotSent):
            hook()
        return result

    return behave


def many(count: int) -> Desk:
    return Desk([want(f"a/{number:03}.sume.toml", f"picture {number}") for number in range(count)])


# --- The order of the paid step ----------------------------------------------------------------------


def test_each_step_is_durable_before_the_one_that_it_names() -> None:
    desk = Desk([HERO])
    fuse = Fuse()
    desk.apply(fuse=fuse)
    paid = [name for name in fuse.log if name != "metadata"]
    assert paid == [
        "lock",  # the header, before anything else
        "journal intent",
        "connect",
        "journal sending",
        "send",
        "receive",
        "journal accepted",
        "ledger",
        "lock",  # in flight
        "journal clear",
        "ledger",  # completed
        "ledger",  # its output, before the bytes stand there
        "rename",
        "lock",  # completed
    ]


def test_metadata_come_before_the_lock_says_completed() -> None:
    desk = Desk([HERO])
    fuse = Fuse()
    desk.apply(fuse=fuse)
    assert fuse.log[-3:] == ["rename", "metadata", "lock"]


def test_a_run_that_is_stopped_leaves_no_file_half_in_its_place() -> None:
    """What is being put in its place when somebody asks to stop is recorded before the run lets go of the project."""
    desk = Desk([HERO])

    class Stopping(Fuse):
        def burn(self, name: str, effect: Callable[[], object] = lambda: None) -> None:
            super().burn(name, effect)
            desk.stopping |= name == "rename"

    outcome, _ = desk.apply(fuse=Stopping())
    assert outcome.interrupted
    assert outcome.done == [HERO.key]
    assert locks.read(desk.disk.lock or "").lock.entries[HERO.key].jobs[0].state is JobState.COMPLETED


def test_a_run_that_ends_well_leaves_no_journal() -> None:
    desk = Desk([HERO, CLIP])
    desk.apply()
    assert desk.disk.journal == {}


def test_bytes_that_a_killed_run_put_in_place_are_not_downloaded_again() -> None:
    desk = Desk([HERO])
    fuse = Fuse()
    desk.apply(fuse=fuse)
    renamed = fuse.log.index("rename") + 1
    desk = Desk([HERO])
    with pytest.raises(Crash):
        desk.apply(fuse=Fuse(renamed, after=True))
    before = desk.sume.requests.count("media")
    desk.apply()
    assert desk.sume.requests.count("media") == before
    assert desk.plan().actions[0].reason.code is Why.UNCHANGED


# --- Outcomes of the paid request --------------------------------------------------------------------


def test_unknown_holds_its_kind_and_nothing_else() -> None:
    desk = Desk([HERO, SIDE, CLIP])
    desk.sume.script = {0: lose_answer}
    outcome, telling = desk.apply(capacity=1)
    assert [s.entry for s in outcome.unknown] == [HERO.key]
    assert outcome.done == [CLIP.key]
    assert outcome.not_begun == [SIDE.key]
    assert outcome.codes() == {Exit.ATTENTION}
    (submission,) = desk.disk.journal.values()
    assert submission.step is Step.UNKNOWN
    assert "connection broke" in submission.detail
    assert [event.key for event in telling.events if event.news is News.UNKNOWN] == [HERO.key]


def test_unknown_is_sticky_over_runs() -> None:
    desk = Desk([HERO, SIDE])
    desk.sume.script = {0: lose_answer}
    for _ in range(3):
        desk.apply(capacity=1)
    assert len(desk.sume.jobs) == 1
    assert desk.sume.submits == 1


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_refusal_fails_one_spec_and_is_not_retried(status: int) -> None:
    desk = Desk([HERO, SIDE])
    desk.sume.script = {0: answering(Refused(status, "bad_request", "no", "req_1"))}
    outcome, _ = desk.apply(capacity=1)
    assert [trouble.key for trouble in outcome.failed] == [HERO.key]
    assert "req_1" in outcome.failed[0].text
    assert outcome.done == [SIDE.key]
    assert desk.disk.journal == {}
    assert desk.plan().actions[0].attempt == 1, "a refused request was not charged: the same attempt, the same key"


@pytest.mark.parametrize("status", [401, 402, 403])
def test_no_key_no_credits_no_access_stop_the_batch(status: int) -> None:
    desk = many(6)
    desk.sume.script = {1: answering(Refused(status, "insufficient_credits", "no"))}
    outcome, _ = desk.apply(capacity=1)
    assert len(outcome.done) == 1
    assert len(outcome.failed) == 1
    assert len(outcome.not_begun) == 4
    assert outcome.codes() == {Exit.FAILED}


def test_throttled_waits_and_sends_the_same_key_again() -> None:
    desk = Desk([HERO])
    keys = []

    def throttle(_sume: FakeSume, order: Order, hook: Callable[[], None]) -> SubmitResult:
        keys.append(order.key)
        hook()
        return Throttled(7.0)

    desk.sume.script = {0: throttle}
    start = desk.clock.at
    outcome, _ = desk.apply()
    assert outcome.done == [HERO.key]
    assert [job.key for job in desk.sume.jobs] == keys
    assert desk.clock.at - start >= 7.0


def test_not_sent_is_tried_again_then_given_up_without_a_charge() -> None:
    desk = Desk([HERO, SIDE])
    nothing = answering(NotSent("connection refused"))
    desk.sume.script = dict.fromkeys(range(100), nothing)
    outcome, _ = desk.apply(capacity=1)
    assert desk.sume.jobs == []
    assert outcome.failed
    assert outcome.codes() == {Exit.FAILED}
    assert desk.disk.journal == {}
    desk.sume.script = {}
    assert desk.apply()[0].failed == []


def test_our_own_disk_failing_in_the_hook_sends_nothing_and_stops() -> None:
    desk = Desk([HERO, SIDE])

    def disk_is_full(_sume: object, _order: object, _hook: object) -> SubmitResult:
        raise LocalStateError("no space left")

    desk.sume.script = {0: disk_is_full}
    outcome, _ = desk.apply(capacity=1)
    assert desk.sume.jobs == []
    assert outcome.refused is not None
    assert outcome.codes() == {Exit.REFUSED}
    assert desk.disk.journal == {}


# --- Capacity, polls, time ---------------------------------------------------------------------------


def test_never_more_jobs_at_once_than_the_account_allows() -> None:
    desk = many(9)
    most = 0

    def count(sume: FakeSume, order: Order, hook: Callable[[], None]) -> SubmitResult:
        nonlocal most
        result = accept(sume, order, hook)
        most = max(most, sum(job.ends > desk.clock.at for job in desk.sume.jobs))
        return result

    desk.sume.script = dict.fromkeys(range(100), count)
    desk.apply(capacity=3)
    assert most == 3
    assert len(desk.sume.jobs) == 9


def test_polls_are_shared() -> None:
    desk = many(40)
    desk.apply(capacity=40)
    assert desk.sume.requests.count("job") <= 5  # the scout's
    assert desk.sume.requests.count("list") <= 2


def test_after_pages_in_vain_many_jobs_are_still_not_asked_for_one_by_one() -> None:
    desk = many(40)
    desk.sume.seconds = 60
    desk.sume.lagging = 2
    desk.apply(capacity=40)
    one_by_one = desk.sume.requests.count("job")
    assert 80 <= one_by_one < 100, "twice, when a page showed none; and the scouts'"


def test_two_specs_of_one_request_pay_once() -> None:
    desk = Desk([HERO, want("b/copy.sume.toml", "a bottle")])
    outcome, _ = desk.apply()
    assert len(desk.sume.jobs) == 1
    assert set(desk.disk.files) == {"a/hero.png", "b/copy.png"}
    assert len(outcome.done) == 2
    assert not any(action.pending for action in desk.plan().actions)


def test_no_wait_leaves_with_the_jobs_recorded() -> None:
    desk = Desk([HERO, CLIP])
    outcome, _ = desk.apply(wait=False)
    assert outcome.codes() == {Exit.RUNNING}
    assert sorted(outcome.running) == ["job_1", "job_2"]
    assert {action.verb for action in desk.plan().actions} == {Verb.RESUME}
    outcome, _ = desk.apply()
    assert len(outcome.done) == 2
    assert len(desk.sume.jobs) == 2


def test_a_deadline_ends_the_wait_and_loses_nothing() -> None:
    desk = Desk([HERO])
    desk.sume.seconds = 500
    start = desk.clock.at
    outcome, _ = desk.apply(deadline=20)
    assert outcome.codes() == {Exit.RUNNING}
    assert 20 <= desk.clock.at - start < 21
    desk.sume.jobs[0].ends = desk.clock.at
    assert desk.apply()[0].done == [HERO.key]


@pytest.mark.parametrize(("before", "sent"), [(15, 1), (20, 0), (400, 0)])
def test_a_deadline_counts_what_was_asked_before_the_loop(before: float, sent: int) -> None:
    desk = Desk([HERO])
    desk.sume.seconds = 500
    start = desk.clock.at
    desk.clock.at += before
    outcome, _ = desk.apply(deadline=20, since=start)
    assert outcome.codes() == {Exit.RUNNING}
    assert desk.clock.at - start < max(before, 20) + 1
    assert len(desk.sume.jobs) == sent


def test_a_job_is_waited_for_as_long_as_its_kind_may_take() -> None:
    desk = Desk([HERO])
    desk.sume.seconds = 10_000
    start = desk.clock.at
    outcome, _ = desk.apply()
    assert sorted(outcome.running) == ["job_1"]
    assert 600 <= desk.clock.at - start < 615


def test_asked_to_stop_it_submits_nothing_more_and_says_what_runs() -> None:
    desk = many(5)

    def stop_after(sume: FakeSume, order: Order, hook: Callable[[], None]) -> SubmitResult:
        desk.stopping = True
        return accept(sume, order, hook)

    desk.sume.script = {1: stop_after}
    outcome, _ = desk.apply(capacity=1)
    assert outcome.interrupted
    assert len(desk.sume.jobs) == 2
    assert list(outcome.running) == ["job_2"]
    assert len(outcome.not_begun) == 3
    desk.stopping = False
    desk.apply()
    assert len(desk.sume.jobs) == 5


# --- Ends of jobs ------------------------------------------------------------------------------------


def test_a_failed_job_waits_for_a_person() -> None:
    desk = Desk([HERO, SIDE])
    desk.sume.fates = {"bottle": "failed"}
    outcome, _ = desk.apply()
    assert [trouble.key for trouble in outcome.failed] == [HERO.key]
    assert outcome.done == [SIDE.key]
    assert desk.apply()[0].bought == []
    desk.sume.fates = {}
    outcome, _ = desk.apply(Policy(retry_failed=True))
    assert outcome.done == [HERO.key]
    entry = locks.read(desk.disk.lock or "").lock.entries[HERO.key]
    assert [(job.attempt, job.state) for job in entry.jobs] == [(1, JobState.FAILED), (2, JobState.COMPLETED)]


def test_a_failed_download_asks_again_and_never_generates_again() -> None:
    desk = Desk([HERO])
    desk.sume.broken = [MediaError("expired", status=403), MediaError("short")]
    # 403 of a media host is no word of the API's about the key.
    outcome, _ = desk.apply()
    assert len(desk.sume.jobs) == 1
    if outcome.failed:
        outcome, _ = desk.apply()
    assert outcome.done == [HERO.key]


def test_a_result_whose_place_was_taken_meanwhile_lands_beside_it() -> None:
    desk = Desk([HERO])
    desk.apply(wait=False)
    desk.disk.files["a/hero.png"] = b"a holiday picture"
    _, telling = desk.apply()
    assert desk.disk.files["a/hero.png"] == b"a holiday picture"
    assert "a/hero.job_1.png" in desk.disk.files
    assert any("hero.job_1.png" in event.text for event in telling.events)
    assert not desk.plan().actions[0].pending


def test_an_update_that_changes_the_ending_leaves_no_old_file() -> None:
    desk = Desk([want("a/x.sume.toml", "a bottle")])
    desk.apply()
    desk.specs = [want("a/x.sume.toml", "a slow pan", duration=5)]
    desk.apply()
    assert set(desk.disk.files) == {"a/x.mp4"}


def test_prune_removes_only_bytes_that_are_ours() -> None:
    desk = Desk([HERO, SIDE])
    desk.apply()
    desk.disk.files["a/hero.png"] = b"edited"
    desk.specs = []
    outcome, _ = desk.apply(Policy(prune=True))
    assert desk.disk.files == {"a/hero.png": b"edited"}
    assert outcome.removed == ["a/side.png"]
    assert locks.read(desk.disk.lock or "").lock.entries == {}
    desk.specs = [SIDE]
    outcome, _ = desk.apply()
    assert outcome.bought == []
    assert hashlib.sha256(desk.disk.files["a/side.png"]).hexdigest()


def test_swapped_names_swap_their_media_for_nothing() -> None:
    desk = Desk([want("a/x.sume.toml", "a bottle"), want("a/y.sume.toml", "a jar")])
    desk.apply()
    x, y = desk.disk.files["a/x.png"], desk.disk.files["a/y.png"]
    desk.specs = [want("a/x.sume.toml", "a jar"), want("a/y.sume.toml", "a bottle")]
    outcome, _ = desk.apply()
    assert outcome.bought == []
    assert (desk.disk.files["a/x.png"], desk.disk.files["a/y.png"]) == (y, x)
    assert not any(action.pending for action in desk.plan().actions)


def test_a_spec_changed_while_its_job_runs_pays_for_both_and_loses_neither() -> None:
    desk = Desk([HERO])
    desk.apply(wait=False)
    desk.specs = [want("a/hero.sume.toml", "another bottle")]
    plan = desk.plan()
    assert [collect.job.id for collect in plan.collects] == ["job_1"]
    desk.apply()
    assert len(desk.sume.jobs) == 2
    desk.specs = [HERO]
    outcome, _ = desk.apply()
    assert outcome.bought == []
    assert outcome.done == [HERO.key]
