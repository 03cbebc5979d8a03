"""The purchases of a run: what each answer means for the others, and what people are told of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sumesync.answers import Accepted, NotSent, Order, Refused, SubmitResult, Throttled, Unclear
from sumesync.apply.ground import Errand, Ground
from sumesync.apply.paid import LostIds, Payment
from sumesync.apply.payments import Payments, at_most
from sumesync.apply.record import Record
from sumesync.apply.run import Task, Tools
from sumesync.core import lock as locks
from sumesync.core import placement, request
from sumesync.core.action import Observed, Policy
from sumesync.core.fingerprint import submission_key
from sumesync.core.outcome import Outcome, Trouble
from sumesync.errors import Exit, LocalStateError
from sumesync.model import EntryKey, JobState, Lock, News, Step, Submission
from tests.apply.desk import CLIP, HERO, LINEAGE, SIDE, Desk, Fuse, MemoryUploads, local, lose_answer, taking, want
from tests.builders import KINDS


def answers(*results: SubmitResult) -> dict[int, Any]:
    """The first submits go so; the later ones are accepted."""

    def behave(result: SubmitResult) -> Any:
        def answer(_sume: object, _order: object, hook: Any) -> SubmitResult:
            if not isinstance(result, NotSent):
                hook()
            return result

        return answer

    return {number: behave(result) for number, result in enumerate(results)}


def told(desk: Desk, **options: Any) -> tuple[Outcome, list[tuple[News, EntryKey | None, str, str | None]]]:
    outcome, telling = desk.apply(**options)
    return outcome, [(event.news, event.key, event.text, event.job_id) for event in telling.events]


# --- What is sent -------------------------------------------------------------------------------------


def test_a_submission_says_all_that_is_needed_to_find_its_job_again(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk([HERO, want("b/copy.sume.toml", "a bottle")])
    desk.disk.lock = locks.new_text(LINEAGE, "sha256:" + "a" * 64)
    desk.sume.script = {0: lose_answer}
    orders: list[Order] = []
    real = desk.sume.submit

    def submit(order: Order, hook: Any) -> SubmitResult:
        orders.append(order)
        return real(order, hook)

    monkeypatch.setattr(desk.sume, "submit", submit)
    start = desk.clock.at
    desk.apply()
    body = request.body(HERO.request)
    key = submission_key(LINEAGE, HERO.fingerprint, 1)
    route = KINDS["image"].route
    assert orders == [Order(key, route, body)]
    assert list(desk.disk.journal.values()) == [
        Submission(
            key=key,
            step=Step.UNKNOWN,
            origin=desk.sume.origin,
            route=route,
            kind="image",
            entry=HERO.key,
            fingerprint=HERO.fingerprint,
            attempt=1,
            body_sha256=request.digest(body),
            lineage=LINEAGE,
            workspace="sha256:" + "a" * 64,
            sent_at=start,
            detail="the connection broke while waiting for the answer",
        )
    ]


def test_each_purchase_is_told_when_it_is_sent_and_when_it_is_accepted() -> None:
    _, events = told(Desk([HERO]))
    assert events[:2] == [
        (News.SUBMITTING, HERO.key, "", None),
        (News.ACCEPTED, HERO.key, "accepted", "job_1"),
    ]


def test_a_file_that_goes_out_is_told_of_before_the_request() -> None:
    picture = b"\x89PNG\r\n\x1a\n of ours"
    desk = Desk([taking("b/cut.sume.toml", "it falls", local("in/take.png", picture))])
    desk.disk.files["in/take.png"] = picture
    _, events = told(desk)
    assert [(news, text) for news, _, text, _ in events[:2]] == [
        (News.UPLOADING, "in/take.png (16 bytes)"),
        (News.SUBMITTING, ""),
    ]


def test_an_accepted_job_is_in_flight_in_the_lock_for_every_spec_of_its_request() -> None:
    desk = Desk([HERO, want("b/copy.sume.toml", "a bottle")])
    outcome, _ = desk.apply(wait=False)
    assert outcome.bought == ["job_1"]
    entries = locks.read(desk.disk.lock or "").lock.entries
    assert {key.path: [(job.id, job.state, job.attempt) for job in entry.jobs] for key, entry in entries.items()} == {
        "a/hero.sume.toml": [("job_1", JobState.ACCEPTED, 1)],
        "b/copy.sume.toml": [("job_1", JobState.ACCEPTED, 1)],
    }
    assert {(entry.fingerprint, entry.kind, entry.endpoint) for entry in entries.values()} == {
        (HERO.fingerprint, "image", Policy().endpoint)
    }


def test_several_jobs_of_one_request_are_all_recorded() -> None:
    desk = Desk([HERO, CLIP])
    desk.sume.script = answers(Accepted(("job_8", "job_9")))
    outcome, events = told(desk, wait=False, capacity=3)
    assert outcome.bought == ["job_8", "job_9", "job_1"]
    assert [event[3] for event in events if event[0] is News.ACCEPTED] == ["job_8", "job_9", "job_1"]


# --- What was not sent --------------------------------------------------------------------------------


def test_not_sent_is_tried_four_times_with_pauses_that_grow() -> None:
    desk = Desk([HERO, SIDE, CLIP])
    desk.sume.script = answers(*[NotSent("connection refused")] * 99)
    start = desk.clock.at
    outcome, events = told(desk, capacity=1)
    assert outcome.failed == [
        Trouble(HERO.key, "not sent: connection refused", "nothing was paid for; run apply again", 0)
    ]
    assert set(outcome.not_begun) == {SIDE.key, CLIP.key}
    notes = [event[2] for event in events if event[0] is News.NOTE and event[1] == HERO.key]
    assert notes == [f"not sent (connection refused); trying again in {wait} s" for wait in (2, 4, 8)]
    assert desk.clock.at - start == pytest.approx(14, abs=1)
    assert desk.disk.journal == {}


def test_a_purchase_that_gets_through_at_last_is_made_once() -> None:
    desk = Desk([HERO])
    desk.sume.script = answers(*[NotSent("no route")] * 3)
    outcome, _ = desk.apply()
    assert outcome.done == [HERO.key]
    assert len(desk.sume.jobs) == 1
    assert desk.disk.journal == {}


def test_when_one_gives_up_the_others_are_not_begun() -> None:
    desk = Desk([HERO, SIDE])
    desk.sume.script = answers(*[NotSent("down")] * 99)
    outcome, _ = desk.apply(capacity=2)
    assert desk.sume.submits == 8
    assert {trouble.key for trouble in outcome.failed} | set(outcome.not_begun) == {HERO.key, SIDE.key}
    assert len(desk.disk.journal) == 0


# --- What was refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "text", "hint"),
    [
        (Refused(400, "bad", "No.", "req_1"), "bad: No. (req_1)", "change the spec; nothing was paid for"),
        (Refused(422, "", "No."), "422: No.", "change the spec; nothing was paid for"),
        (Refused(401, "unauthorized", "No."), "unauthorized: No.", "check SUME_API_KEY"),
        (Refused(402, "x", "No."), "x: No.", "add credits, then run apply again: what is done stays done"),
        (Refused(403, "x", "No."), "x: No.", "ask for access to this workspace"),
    ],
)
def test_a_refusal_says_what_sume_said_and_what_to_do(refused: Refused, text: str, hint: str) -> None:
    desk = Desk([HERO])
    desk.sume.script = answers(refused)
    outcome, _ = desk.apply()
    assert outcome.failed == [Trouble(HERO.key, f"Sume refused it: {text}", hint, refused.status)]
    assert outcome.codes() == {Exit.FAILED}


def test_a_refusal_of_one_does_not_open_a_batch_that_was_ended() -> None:
    desk = Desk([HERO, SIDE, want("a/x.sume.toml", "x")])
    desk.sume.script = answers(Refused(402, "x", "No."), Refused(400, "x", "No."))
    outcome, _ = desk.apply(capacity=2)
    assert len(outcome.failed) == 2
    assert len(outcome.not_begun) == 1


def test_an_unknown_outcome_is_told_with_its_reason() -> None:
    desk = Desk([HERO])
    desk.sume.script = {0: lose_answer}
    _, events = told(desk)
    why = "the connection broke while waiting for the answer"
    assert [event for event in events if event[0] is News.UNKNOWN] == [(News.UNKNOWN, HERO.key, why, None)]


# --- What waits ---------------------------------------------------------------------------------------


def test_throttled_is_told_and_holds_every_purchase_back(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk([HERO, SIDE])
    desk.sume.script = answers(Throttled(7.0))
    sent: list[tuple[float, str]] = []
    real = desk.sume.submit

    def submit(order: Order, hook: Any) -> SubmitResult:
        sent.append((desk.clock.at, order.key))
        return real(order, hook)

    monkeypatch.setattr(desk.sume, "submit", submit)
    start = desk.clock.at
    _, events = told(desk, capacity=1)
    assert (News.NOTE, None, "Sume asks to wait 7 s before the next request", None) in events
    first, again, other = sent
    assert first[1] == again[1] != other[1], "the one that was throttled goes first"
    assert again[0] - start == pytest.approx(7, abs=0.5)


# --- By itself ----------------------------------------------------------------------------------------


@dataclass
class Held:
    """Workers that never begin: what was started is listed."""

    tasks: list[Any] = field(default_factory=list)
    busy: int = 0

    def start(self, tag: object, task: object) -> None:
        self.tasks.append((tag, task))


class Counter:
    """Payments of some specs with nothing behind them, and what they told."""

    def __init__(self, *specs: Any, capacity: int = 9, at: float = 100.0) -> None:
        desk = Desk(list(specs))
        desk.clock.at = at
        self.desk, self.workers = desk, Held()
        self.events: list[Any] = []
        tell = type("Tell", (), {"tell": lambda _, event: self.events.append(event)})()
        unused: Any = None
        workers: Any = self.workers  # of the port only what payments ask for
        uploads = MemoryUploads(desk.disk, Fuse())
        self.tools = Tools(desk.sume, unused, unused, unused, unused, desk.clock, workers, tell, unused, uploads)
        lock = Lock(LINEAGE)
        self.task = Task(
            plan=desk.plan(),
            wanted={spec.key: spec for spec in specs},
            lock=lock,
            facts=(),
            own=placement.ours(lock, (), Observed()),
            kinds=KINDS,
            policy=Policy(),
            capacity=capacity,
        )
        self.ground = Ground(self.task, self.tools, Record(self.task, self.tools), Outcome())
        self.accepted: list[tuple[Errand, float]] = []
        self.payments = Payments(self.ground, lambda errand, now: self.accepted.append((errand, now)))

    def end(self, result: SubmitResult) -> None:
        """The oldest purchase ends so."""
        (_, action, submission), _ = self.workers.tasks.pop(0)
        self.payments.ended(action, Payment(submission, result))

    @property
    def sent(self) -> list[str]:
        return [tag[1].key.path for tag, _ in self.workers.tasks]


def many(count: int) -> list[Any]:
    return [want(f"a/{number}.sume.toml", f"picture {number}") for number in range(count)]


@pytest.mark.parametrize(
    ("capacity", "flying", "sent"), [(9, 0, 4), (3, 0, 3), (9, 7, 2), (9, 9, 0), (9, 10, 0), (9, 5, 4)]
)
def test_at_most_four_at_once_and_never_beyond_the_capacity(capacity: int, flying: int, sent: int) -> None:
    counter = Counter(*many(6), capacity=capacity)
    counter.payments.start(100.0, flying)
    assert counter.payments.sending == len(counter.sent) == sent


@pytest.mark.parametrize(("capacity", "most"), [(1, 16), (4, 16), (169, 16), (200, 20), (500, 32), (100_000, 32)])
def test_a_tenth_of_what_may_run_is_paid_for_at_once(capacity: int, most: int) -> None:
    assert at_most(capacity) == most


@pytest.mark.parametrize("trouble", [Throttled(6), NotSent("refused"), Refused(400, "x", "no"), Unclear("lost")])
def test_more_are_sent_at_once_as_they_are_accepted_and_few_again_after_trouble(trouble: SubmitResult) -> None:
    counter = Counter(*many(200), capacity=200)
    most = []
    for turn in range(60):
        counter.payments.start(100.0, 0)
        most.append(counter.payments.sending)
        counter.end(Accepted((f"job_{turn}",)))
    assert most[:3] == [4, 7, 10]
    assert max(most) == most[-1] == 20
    counter.end(trouble)
    left = counter.payments.sending
    counter.payments.start(100.0, 0)
    assert counter.payments.sending == left
    counter.workers.tasks[4:] = []
    assert not counter.payments._room(0)


def test_sumes_limits_hold_purchases_back(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = Counter(*many(6))
    waits = iter([0.0, 0.0, 30.0, 0.0, 0.0])
    monkeypatch.setattr(counter.desk.sume, "hold", lambda: next(waits))
    counter.payments.start(100.0, 0)
    assert counter.sent == ["a/0.sume.toml", "a/1.sume.toml"]
    assert counter.payments.earliest(0) == 130.0
    counter.payments.start(129.9, 0)
    assert counter.payments.sending == 2
    counter.payments.start(130.0, 0)
    assert counter.payments.sending == 4


@pytest.mark.parametrize(("wait", "says"), [(0.9, []), (1.0, ["Sume's limits leave room for the next request in 1 s"])])
def test_a_wait_for_sumes_limits_is_told_where_a_person_would_notice(
    monkeypatch: pytest.MonkeyPatch, wait: float, says: list[str]
) -> None:
    desk = Desk([HERO])
    waits = iter([wait, 0.0])
    monkeypatch.setattr(desk.sume, "hold", lambda: next(waits))
    _, events = told(desk)
    assert [text for news, _, text, _ in events if news is News.NOTE] == says


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ({"avatar_id": "av_1"}, "change the spec (its avatar_id from: sumesync avatars list); nothing was paid for"),
        ({}, "change the spec; nothing was paid for"),
    ],
)
def test_a_refusal_says_where_the_values_of_a_field_are_listed(named: dict[str, Any], hint: str) -> None:
    made = replace(HERO, kind="ad-video", request={"prompt": "a bottle", **named})
    counter = Counter(made)
    counter.payments.start(100.0, 0)
    counter.end(Refused(400, "x", "no"))
    assert [trouble.hint for trouble in counter.ground.outcome.failed] == [hint]


def test_what_nobody_knows_is_told_and_counted_and_holds_its_kind() -> None:
    counter = Counter(*many(6), capacity=1)
    counter.payments.start(100.0, 0)
    (_, action, submission), _ = counter.workers.tasks[0]
    counter.end(Unclear("lost"))
    assert counter.ground.outcome.unknown == [submission]
    told = [(event.news, event.key, event.text) for event in counter.events if event.news is News.UNKNOWN]
    assert told == [(News.UNKNOWN, action.key, submission.detail)]
    counter.payments.start(100.0, 0)
    assert counter.payments.sending == 0


def test_a_place_that_is_free_again_is_taken() -> None:
    counter = Counter(*many(6), capacity=2)
    counter.payments.start(100.0, 0)
    assert not counter.payments.can_start(0)
    counter.end(Refused(400, "x", "no"))
    assert counter.payments.can_start(0)
    assert not counter.payments.can_start(1)
    counter.payments.start(100.0, 0)
    assert counter.sent == ["a/1.sume.toml", "a/2.sume.toml"]


def test_nothing_can_start_where_nothing_waits_or_the_run_is_closed() -> None:
    counter = Counter(*many(2))
    assert counter.payments.can_start(0)
    assert counter.payments.earliest(0) == 0.0
    counter.ground.closed = True
    assert not counter.payments.can_start(0)
    assert counter.payments.earliest(0) is None
    counter.payments.start(100.0, 0)
    assert counter.sent == []
    assert [action.key.path for action in counter.payments.leave()] == ["a/0.sume.toml", "a/1.sume.toml"]
    counter.ground.closed = False
    counter.payments.start(100.0, 0)
    assert counter.payments.earliest(0) is None
    assert not counter.payments.can_start(0)
    assert counter.payments.leave() == []


def test_after_an_unknown_outcome_no_more_of_its_kind() -> None:
    counter = Counter(HERO, SIDE, CLIP, capacity=1)
    counter.payments.start(100.0, 0)
    counter.end(Unclear("lost"))
    assert [each.entry for each in counter.ground.outcome.unknown] == [HERO.key]
    assert counter.payments.can_start(0)
    counter.payments.start(100.0, 0)
    assert counter.sent == [CLIP.key.path]
    counter.end(Refused(400, "x", "no"))
    assert not counter.payments.can_start(0)
    assert counter.payments.earliest(0) is None
    counter.payments.start(100.0, 0)
    assert counter.sent == []
    assert [action.key for action in counter.payments.leave()] == [SIDE.key]


def test_a_kind_that_was_unknown_before_the_run_is_held_from_its_start() -> None:
    counter = Counter(HERO, CLIP)
    lost = Submission("k", Step.UNKNOWN, "o", "r", "image", SIDE.key, "v1:x", 1, "b", LINEAGE)
    ground = replace(counter.ground, task=replace(counter.task, plan=replace(counter.task.plan, unknown=(lost,))))
    payments = Payments(ground, lambda _errand, _now: None)
    payments.start(100.0, 0)
    assert counter.sent == [CLIP.key.path]


def test_not_sent_waits_its_time_and_lets_others_pass() -> None:
    counter = Counter(HERO, SIDE, capacity=1)
    counter.payments.start(100.0, 0)
    counter.end(NotSent("down"))
    assert counter.payments.earliest(0) == 0.0
    counter.payments.start(100.0, 0)
    assert counter.sent == [SIDE.key.path]
    counter.end(Refused(400, "x", "no"))
    assert counter.payments.earliest(0) == 102.0
    counter.payments.start(101.9, 0)
    assert counter.sent == []
    counter.payments.start(102.0, 0)
    assert counter.sent == [HERO.key.path]


def test_throttled_is_quiet_until_its_time() -> None:
    counter = Counter(HERO, SIDE, capacity=2)
    counter.payments.start(100.0, 1)
    counter.end(Throttled(7.0))
    assert counter.payments.earliest(0) == 107.0
    counter.payments.start(106.9, 0)
    assert counter.sent == []
    counter.payments.start(107.0, 1)
    assert counter.sent == [HERO.key.path]


def test_the_journal_of_what_never_got_through_is_forgotten_with_the_next_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counter = Counter(HERO, SIDE, capacity=2)
    counter.payments.start(100.0, 0)
    counter.end(Throttled(7.0))
    counter.end(NotSent("down"))
    cleared: list[str] = []
    monkeypatch.setattr(counter.ground.record, "cleared", cleared.append)
    assert [action.key for action in counter.payments.leave()] == [HERO.key, SIDE.key]
    assert sorted(cleared) == sorted(submission_key(LINEAGE, spec.fingerprint, 1) for spec in (HERO, SIDE))


def test_what_got_through_in_the_end_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = Counter(HERO, capacity=1)
    counter.payments.start(100.0, 0)
    counter.end(Throttled(7.0))
    counter.payments.start(107.0, 0)
    counter.end(Refused(400, "x", "no"))
    cleared: list[str] = []
    monkeypatch.setattr(counter.ground.record, "cleared", cleared.append)
    counter.payments.leave()
    assert cleared == []


def test_an_accepted_errand_is_handed_on_with_its_time_and_its_tries_forgotten() -> None:
    counter = Counter(HERO, want("b/copy.sume.toml", "a bottle"), capacity=1)
    counter.payments.start(100.0, 0)
    counter.end(NotSent("down"))
    counter.desk.clock.at = 130.0
    counter.payments.start(130.0, 0)
    counter.end(Accepted(("job_1",)))
    ((errand, now),) = counter.accepted
    assert now == 130.0
    assert (errand.fingerprint, errand.kind, errand.tries) == (HERO.fingerprint, "image", 0)
    assert [target.key.path for target in errand.targets] == ["a/hero.sume.toml", "b/copy.sume.toml"]
    assert list(errand.jobs) == ["job_1"]
    assert counter.payments.sending == 0


@pytest.mark.parametrize("recorded", [True, False])
def test_the_journal_file_goes_only_when_the_ledger_has_the_ids(
    recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Counter(HERO)
    counter.payments.start(100.0, 0)
    ((_, action, submission), _) = counter.workers.tasks[0]
    cleared: list[str] = []
    monkeypatch.setattr(counter.ground.record, "cleared", cleared.append)
    counter.payments.ended(action, Payment(submission, Accepted(("job_1",)), recorded=recorded))
    assert cleared == ([submission.key] if recorded else [])


def test_jobs_that_could_not_be_saved_were_bought_all_the_same() -> None:
    counter = Counter(HERO, SIDE)
    counter.payments.start(100.0, 0)
    (_, _, submission), _ = counter.workers.tasks[0]
    counter.ground.outcome.bought = ["job_0"]
    paid = replace(submission, job_ids=("job_1",))
    counter.payments.broke(submission, LostIds(paid, LocalStateError("no space left")))
    assert counter.ground.outcome.bought == ["job_0", "job_1"]
    assert counter.payments.sending == 1
    (_, _, other), _ = counter.workers.tasks[1]
    counter.payments.broke(other, LocalStateError("no space left"))
    counter.payments.broke(other, ValueError("twice"))
    assert counter.ground.outcome.bought == ["job_0", "job_1"]
    assert counter.payments.sending == 0


def test_where_there_is_no_room_time_alone_lets_nothing_start() -> None:
    counter = Counter(*many(6), capacity=2)
    counter.payments.start(100.0, 0)
    assert counter.payments.can_start(0) is False
    assert counter.payments.earliest(0) is None
    counter.end(Refused(400, "x", "no"))
    assert counter.payments.earliest(1) is None
    assert counter.payments.earliest(0) == 0.0


def test_whatever_breaks_the_answers_to_what_is_being_paid_for_are_written_down() -> None:
    def fault(_sume: object, _order: object, _hook: object) -> SubmitResult:
        raise ZeroDivisionError

    desk = Desk([HERO, SIDE, CLIP])
    desk.sume.script = {0: fault, 1: fault}
    with pytest.raises(ZeroDivisionError):
        desk.apply()
    entries = locks.read(desk.disk.lock or "").lock.entries
    assert [key for key, entry in entries.items() if entry.jobs] == [CLIP.key]
