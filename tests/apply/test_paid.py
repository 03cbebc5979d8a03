"""The paid step by itself: what is durable when, for each thing that can come back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sumesync.answers import Accepted, JobPage, JobView, NotSent, Order, Refused, SubmitResult, Throttled, Unclear
from sumesync.apply import paid
from sumesync.apply.paid import LostIds, Payment, pay, recent_jobs, settle
from sumesync.apply.recovery import Settled, body_again, settle_journal
from sumesync.apply.run import Tools
from sumesync.core import request
from sumesync.core.recover import facts_of
from sumesync.errors import ApiError, LocalStateError
from sumesync.model import Event, Fact, News, Step, Submission
from tests.apply.desk import (
    Disk,
    Fuse,
    HandClock,
    InlineWorkers,
    JournalView,
    MemoryStores,
    MemoryUploads,
    Telling,
)
from tests.builders import KINDS, LINEAGE, submission
from tests.values import HERO, TEASER

BODY = b'{"prompt":"A cup"}'
WAITING = replace(submission(HERO, Step.INTENT, sent_at=None), body_sha256=hashlib.sha256(BODY).hexdigest())
UNKNOWN = replace(WAITING, step=Step.UNKNOWN, sent_at=1_000.0, detail="the answer was lost")


@dataclass
class World:
    """An API that answers by a list, over stores in memory. ``full``: effects that the disk refuses."""

    answers: list[SubmitResult | LocalStateError] = field(default_factory=list)
    full: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    pages: Mapping[str | None, JobPage | ApiError] = field(default_factory=dict)
    origin: str = WAITING.origin
    disk: Disk = field(default_factory=Disk)
    clock: HandClock = field(default_factory=HandClock)
    orders: list[Order] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    during: list[Submission | None] = field(default_factory=list)
    """What the journal said of the submission while each request was out."""
    telling: Telling = field(default_factory=Telling)

    def __post_init__(self) -> None:
        self.fuse = Full(self.full)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.at += seconds

    def declares_idempotency(self, route: str) -> bool:
        return route in self.declared

    def hold(self) -> float:
        return 0.0

    def submit(self, order: Order, before_first_byte: Callable[[], None]) -> SubmitResult:
        self.orders.append(order)
        answer = self.answers.pop(0)
        if not isinstance(answer, NotSent):
            before_first_byte()
            self.fuse.log.append("send")
        self.during.append(self.disk.journal.get(order.key))
        if isinstance(answer, LocalStateError):
            raise answer
        self.clock.at += 10
        return answer

    def list_jobs(self, cursor: str | None = None, limit: int = 100, *, only: Collection[str] | None = None) -> JobPage:
        self.asked.append(cursor)
        page = self.pages.get(cursor, JobPage(()))
        if isinstance(page, ApiError):
            raise page
        return page

    def tools(self) -> Tools:
        stores, clock = MemoryStores(self.disk, self.fuse), _Sleepy(self)
        api: Any = self  # of the port only what paying asks for
        return Tools(
            api,
            stores,
            JournalView(stores),
            stores,
            stores,
            clock,
            InlineWorkers(self.clock),
            self.telling,
            api,
            MemoryUploads(self.disk, self.fuse),
        )

    def begin(self, *journal: Submission) -> World:
        self.disk.journal = {each.key: each for each in journal}
        return self


@dataclass
class _Sleepy:
    world: World

    def now(self) -> float:
        return self.world.clock.at

    def monotonic(self) -> float:
        return self.world.clock.at

    def sleep(self, seconds: float) -> None:
        self.world.sleep(seconds)


class Full(Fuse):
    """A disk that refuses some effects."""

    def __init__(self, full: tuple[str, ...]) -> None:
        super().__init__()
        self.full = full

    def burn(self, name: str, effect: Callable[[], object] = lambda: None) -> None:
        if name in self.full:
            raise LocalStateError(f"cannot write {name}: no space left", "free some space")
        super().burn(name, effect)


def paying(*answers: SubmitResult | LocalStateError, full: tuple[str, ...] = ()) -> tuple[World, Payment]:
    world = World(list(answers), full)
    return world, pay(WAITING, BODY, world.tools())


def page(*jobs: tuple[str, str], cursor: str | None = None) -> JobPage:
    return JobPage(tuple(JobView(id_, "running", tokens=frozenset({token})) for id_, token in jobs), cursor)


SENDING = replace(WAITING, step=Step.SENDING, sent_at=1_000.0)
ACCEPTED = replace(WAITING, step=Step.ACCEPTED, job_ids=("job_1", "job_2"))


# --- One request, and what came back ------------------------------------------------------------------


def test_the_order_is_the_submission() -> None:
    world, _ = paying(Accepted(("job_1",)))
    assert world.orders == [Order(WAITING.key, WAITING.route, BODY)]


OUTCOMES: dict[str, tuple[SubmitResult, list[str], Submission | None]] = {
    "accepted": (
        Accepted(("job_1", "job_2")),
        ["journal intent", "journal sending", "send", "journal accepted", "ledger"],
        ACCEPTED,
    ),
    "throttled": (
        Throttled(6.0),
        ["journal intent", "journal sending", "send", "journal intent"],
        WAITING,
    ),
    "refused": (
        Refused(400, "bad", "no"),
        ["journal intent", "journal sending", "send", "journal clear"],
        None,
    ),
    "unclear": (
        Unclear("the answer was lost"),
        ["journal intent", "journal sending", "send", "journal unknown"],
        replace(UNKNOWN, sent_at=1_010.0),
    ),
    "not sent": (NotSent("refused"), ["journal intent"], WAITING),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_what_is_durable_after_each_outcome(name: str) -> None:
    result, steps, left = OUTCOMES[name]
    world, payment = paying(result)
    assert world.fuse.log == steps
    assert world.disk.journal == ({} if left is None else {left.key: left})
    assert payment == Payment(left or WAITING, result)
    assert world.disk.facts == (list(facts_of(ACCEPTED)) if name == "accepted" else [])


def test_the_journal_says_sending_while_the_request_is_out() -> None:
    assert paying(Accepted(("job_1",)))[0].during == [SENDING]


@pytest.mark.parametrize("step", [Step.SENDING, Step.UNKNOWN, Step.ACCEPTED])
def test_what_is_being_paid_for_is_not_paid_for_again(step: Step) -> None:
    world = World([Accepted(("job_1",))]).begin(replace(WAITING, step=step))
    with pytest.raises(LocalStateError, match="already being paid for"):
        pay(WAITING, BODY, world.tools())
    assert world.orders == []


# --- Our own disk fails -------------------------------------------------------------------------------


def test_without_an_intent_nothing_is_asked() -> None:
    world = World([Accepted(("job_1",))], full=("journal intent",))
    with pytest.raises(LocalStateError, match="journal intent"):
        pay(WAITING, BODY, world.tools())
    assert world.orders == []


@pytest.mark.parametrize("full", [("journal sending",), ("journal sending", "journal clear")])
def test_without_sending_nothing_is_sent_and_the_first_fault_is_told(full: tuple[str, ...]) -> None:
    world = World([Accepted(("job_1",))], full)
    with pytest.raises(LocalStateError, match="journal sending"):
        pay(WAITING, BODY, world.tools())
    assert "send" not in world.fuse.log
    assert world.disk.journal == ({} if len(full) == 1 else {WAITING.key: WAITING})


@pytest.mark.parametrize("full", ["journal accepted", "ledger"])
def test_one_of_journal_and_ledger_is_enough_for_a_job_id(full: str) -> None:
    world, payment = paying(Accepted(("job_1", "job_2")), full=(full,))
    assert payment == Payment(ACCEPTED, Accepted(("job_1", "job_2")), recorded=full != "ledger")
    if full == "ledger":
        assert world.disk.journal == {ACCEPTED.key: ACCEPTED}
    else:
        assert world.disk.facts == list(facts_of(ACCEPTED))


def test_ids_that_can_be_saved_nowhere_go_to_the_person() -> None:
    world = World([Accepted(("job_1", "job_2"))], full=("journal accepted", "ledger"))
    with pytest.raises(LostIds) as lost:
        pay(WAITING, BODY, world.tools())
    assert lost.value.submission == ACCEPTED
    path = WAITING.entry.path
    why = "cannot write journal accepted: no space left"
    assert lost.value.what == f"{WAITING.entry}: paid for job_1, job_2, and it could not be saved ({why})"
    assert lost.value.hint == f"write the id down; then: sumesync resolve {path} --adopt job_1"
    assert world.disk.journal == {SENDING.key: SENDING}


def test_a_full_disk_does_not_hide_that_the_outcome_is_unknown() -> None:
    world, payment = paying(Unclear("the answer was lost"), full=("journal unknown",))
    assert payment.submission == replace(UNKNOWN, sent_at=1_010.0)
    assert payment.result == Unclear("the answer was lost")
    assert world.disk.journal == {SENDING.key: SENDING}


# --- What is unknown ----------------------------------------------------------------------------------

SAFE: dict[str, Any] = {"declared": (WAITING.route,)}


def test_the_identical_request_is_sent_again_where_that_is_safe() -> None:
    world = World([Unclear("lost"), Accepted(("job_1",))], declared=(WAITING.route,))
    payment = pay(WAITING, BODY, world.tools())
    assert world.orders == [Order(WAITING.key, WAITING.route, BODY)] * 2
    assert payment.resent
    assert payment.result == Accepted(("job_1",))
    assert payment.submission.step is Step.ACCEPTED
    assert payment.submission.job_ids == ("job_1",)
    assert world.slept == []


@pytest.mark.parametrize(
    ("unknown", "body", "world"),
    [
        (UNKNOWN, BODY, {}),
        (UNKNOWN, BODY, {"declared": ("/videos/generations",)}),
        (UNKNOWN, None, SAFE),
        (UNKNOWN, BODY + b" ", SAFE),
        (replace(UNKNOWN, origin="http://127.0.0.1:1"), BODY, SAFE),
    ],
    ids=["not documented", "documented for another route", "no bytes", "other bytes", "another origin"],
)
def test_else_nothing_is_sent_again(unknown: Submission, body: bytes | None, world: dict[str, Any]) -> None:
    there = World([Accepted(("job_1",))], **world).begin(unknown)
    assert settle(unknown, body, there.tools()) is None
    assert there.orders == []
    assert there.disk.journal == {unknown.key: unknown}


def test_three_times_at_most_with_pauses_that_grow_and_it_stays_unknown() -> None:
    world = World([Unclear("lost")] * 9, **SAFE).begin(UNKNOWN)
    assert settle(UNKNOWN, BODY, world.tools()) is None
    assert world.slept == [4.0, 8.0]
    assert world.during == [UNKNOWN] * 3
    assert world.disk.journal == {UNKNOWN.key: UNKNOWN}


@pytest.mark.parametrize(
    ("answers", "sent", "slept", "found"),
    [
        ([Refused(400, "x", "no"), Accepted(("a",))], 1, [], False),
        ([Throttled(7.0), Accepted(("a",))], 2, [7.0, 4.0], True),
        ([NotSent("x"), Unclear("y"), Accepted(("a", "b"))], 3, [4.0, 8.0], True),
    ],
)
def test_what_the_second_answer_means(
    answers: list[SubmitResult | LocalStateError], sent: int, slept: list[float], found: bool
) -> None:
    world = World(list(answers), **SAFE).begin(UNKNOWN)
    payment = settle(UNKNOWN, BODY, world.tools())
    assert (payment is not None) is found
    assert len(world.orders) == sent
    assert world.slept == slept
    assert world.during == [UNKNOWN] * sent


def test_a_job_that_echoes_our_key_is_adopted_and_no_other() -> None:
    pages: dict[str | None, JobPage | ApiError] = {
        None: page(("job_3", "another key"), ("job_1", UNKNOWN.key), ("job_2", UNKNOWN.key))
    }
    world = World(pages=pages).begin(UNKNOWN)
    payment = settle(UNKNOWN, BODY, world.tools())
    adopted = replace(UNKNOWN, step=Step.ACCEPTED, job_ids=("job_1", "job_2"))
    assert payment == Payment(adopted, Accepted(("job_1", "job_2")), resent=False)
    assert world.disk.journal == {UNKNOWN.key: adopted}
    assert world.disk.facts == list(facts_of(adopted))
    assert world.orders == []


A, B, C, D = (page((name, "key"), cursor=f"after {name}") for name in "abcd")


@pytest.mark.parametrize(
    ("pages", "found", "asked"),
    [
        ({}, "", [None]),
        ({None: A, "after a": B, "after b": C, "after c": D}, "abc", [None, "after a", "after b"]),
        ({None: A, "after a": page(("z", "key"))}, "az", [None, "after a"]),
        ({None: A, "after a": page(("z", "key"), cursor="after a")}, "az", [None, "after a"]),
        ({None: A, "after a": ApiError("no")}, "a", [None, "after a"]),
        ({None: ApiError("no")}, "", [None]),
    ],
    ids=["none", "three pages at most", "the last page", "a cursor that goes nowhere", "it breaks off", "no list"],
)
def test_the_newest_pages_are_looked_through(
    pages: dict[str | None, JobPage | ApiError], found: str, asked: list[str | None]
) -> None:
    world: Any = World(pages=pages)
    assert "".join(job.id for job in recent_jobs(world)) == found
    assert world.asked == asked
    assert len(asked) <= paid._PAGES


# --- The journal of an earlier run --------------------------------------------------------------------

OURS = replace(UNKNOWN, body_sha256=request.digest(request.body(HERO.request)))
NOTE = Event(News.NOTE, OURS.entry, "an earlier request's outcome is unknown; asking Sume")


def settled(world: World, *facts: Fact, lineage: str = LINEAGE) -> Settled:
    return settle_journal(world.tools(), iter(facts), lineage, iter([TEASER, HERO]), KINDS)


def test_an_accepted_job_is_in_the_ledger_before_its_file_goes() -> None:
    world = World().begin(ACCEPTED)
    assert settled(world) == Settled(changed=True)
    assert world.fuse.log == ["ledger", "journal clear"]
    assert world.disk.facts == list(facts_of(ACCEPTED))
    assert world.disk.journal == {}


def test_what_was_never_sent_is_forgotten() -> None:
    world = World().begin(WAITING)
    assert settled(world) == Settled()
    assert world.disk.journal == {}
    assert (world.orders, world.asked, world.telling.events) == ([], [], [])


@pytest.mark.parametrize("step", [Step.SENDING, Step.UNKNOWN])
def test_what_may_have_been_sent_stays_unknown(step: Step) -> None:
    left = replace(OURS, step=step)
    world = World().begin(left)
    assert settled(world) == Settled()
    assert world.disk.journal == {left.key: left}
    assert world.orders == []
    assert world.telling.events == [NOTE]


def test_what_is_sent_again_is_bought_by_this_run() -> None:
    world = World([Accepted(("job_1",))], declared=(OURS.route,)).begin(OURS)
    assert settled(world) == Settled(changed=True, bought=("job_1",))
    assert world.orders == [Order(OURS.key, OURS.route, request.body(HERO.request))]
    assert world.fuse.log == ["send", "journal accepted", "ledger", "journal clear"]
    assert world.disk.journal == {}


def test_the_journal_file_stays_until_the_ledger_has_the_ids() -> None:
    world = World(pages={None: page(("job_1", OURS.key))}, full=("ledger",)).begin(OURS)
    assert settled(world) == Settled(changed=True)
    assert world.disk.journal == {OURS.key: replace(OURS, step=Step.ACCEPTED, job_ids=("job_1",))}


def test_what_is_found_again_was_bought_before() -> None:
    world = World(pages={None: page(("job_1", OURS.key))}).begin(OURS)
    assert settled(world) == Settled(changed=True)
    assert world.disk.journal == {}
    assert [fact.job.id for fact in world.disk.facts] == ["job_1"]


def test_another_project_in_the_same_repository_is_not_asked_about() -> None:
    world = World([Accepted(("job_1",))], declared=(OURS.route,), pages={None: page(("job_1", OURS.key))}).begin(OURS)
    assert settled(world, lineage="another") == Settled()
    assert (world.orders, world.asked, world.telling.events) == ([], [], [])
    assert world.disk.journal == {OURS.key: OURS}


def test_only_a_spec_of_the_very_request_gives_the_bytes_again() -> None:
    uploads = MemoryUploads(Disk(), Fuse())
    assert body_again(OURS, [TEASER, HERO], KINDS, uploads) == request.body(HERO.request)
    assert body_again(OURS, [TEASER], KINDS, uploads) is None
