"""The loop under a budget: what it begins, what it waits for, and what it notes of what was told."""

from __future__ import annotations

import pytest

from sumesync.answers import Accepted, Order, Refused, SubmitResult, Throttled
from sumesync.apply.inputs import Body, InputError
from sumesync.apply.paid import Payment
from sumesync.apply.till import Till
from sumesync.core import lock as locks
from sumesync.core.budget import Budget, May
from sumesync.errors import ApiError, Exit
from sumesync.model import EntryKey, JobState, News, Wanted
from tests.apply.desk import CLIP, HERO, SIDE, Behaviour, Desk, FakeSume, local, lose_answer, output_of, taking, want
from tests.apply.test_payments import Counter
from tests.builders import job

THREE = [HERO, SIDE, CLIP]
EACH = {HERO.key: 4.0, SIDE.key: 4.0, CLIP.key: 20.0}


def costing(credits_: float | None, jobs: int = 1) -> Behaviour:
    """Accepted, and the answer tells what it costs."""

    def answer(sume: FakeSume, order: Order, hook: object) -> SubmitResult:
        assert callable(hook)
        hook()
        return Accepted(tuple(sume.create(order).id for _ in range(jobs)), credits_)

    return answer


def answering(result: SubmitResult) -> Behaviour:
    return lambda _sume, _order, hook: hook() or result  # type: ignore[func-returns-value]  # the hook tells nothing


@pytest.mark.parametrize(
    ("limit", "prices", "script", "sent", "why"),
    [
        pytest.param(28, EACH, {}, 3, "", id="all of it"),
        pytest.param(27, EACH, {}, 2, "8 of 27 credits used; the next submit needs 20", id="not the last"),
        pytest.param(24, EACH, {1: answering(Refused(422, "x", "no"))}, 3, "", id="a refused one gives back its share"),
        pytest.param(28, EACH, {0: answering(Throttled(3))}, 4, "", id="a throttled one, too"),
        pytest.param(27, EACH, {0: costing(9)}, 2, "13 of 27 credits used; the next submit needs 20", id="told more"),
        pytest.param(30, {}, {0: costing(30)}, 1, "30 of 30 credits used; what the next", id="unknown, then told"),
        pytest.param(
            5, {}, {}, 2, "8 of 5 credits used; what the next submit needs is not known", id="told at the end"
        ),
        pytest.param(50, {}, {0: lose_answer}, 1, "outcome is unknown, and so is what it cost", id="lost"),
    ],
)
def test_what_a_budget_lets_begin(
    limit: float, prices: dict[EntryKey, float], script: dict[int, Behaviour], sent: int, why: str
) -> None:
    desk = Desk(THREE)
    desk.sume.script = script
    outcome, _ = desk.apply(budget=Budget(limit), prices=prices)
    assert desk.sume.submits == sent
    assert why in (outcome.refused.text if outcome.refused else "")
    assert (Exit.REFUSED in outcome.codes()) is bool(why)
    assert not outcome.running


def test_of_unknown_cost_one_flies_at_a_time_where_the_balance_does_not_move() -> None:
    desk = Desk(THREE)
    most = 0

    def flying() -> float:
        nonlocal most
        most = max(most, sum(desk.clock.at < job.ends for job in desk.sume.jobs))
        return 100.0

    desk.sume.balance = flying
    outcome, _ = desk.apply(budget=Budget(50))
    assert outcome.credits == 12
    assert (len(outcome.done), most) == (3, 1)


def test_what_the_balance_lost_is_what_it_cost() -> None:
    desk = Desk(THREE)
    desk.sume.seconds = 1e6
    desk.sume.balance = lambda: 100.0 - 15 * len(desk.sume.jobs)
    outcome, _ = desk.apply(budget=Budget(29), wait=False)
    assert len(outcome.bought) == 2
    assert outcome.refused
    assert "30 of 29 credits used" in outcome.refused.text


@pytest.mark.parametrize(("blind", "sent"), [(False, 1), (True, 3)])
def test_a_balance_that_cannot_be_read_any_more_ends_what_is_not_bought_blindly(blind: bool, sent: int) -> None:
    desk = Desk(THREE)
    desk.sume.script = {0: costing(4)}

    def broken() -> float:
        raise ApiError("no answer")

    desk.sume.balance = broken
    outcome, _ = desk.apply(budget=Budget(50, blind, balance=100.0, fresh=True))
    assert desk.sume.submits == sent
    assert bool(outcome.refused) is not blind


def test_without_a_budget_the_balance_is_never_asked_for() -> None:
    desk = Desk(THREE)
    desk.apply()
    assert "credits" not in desk.sume.requests


def test_what_an_answer_tells_is_kept_until_the_job_tells_itself() -> None:
    desk = Desk([want("a/x.sume.toml", "x")])
    desk.sume.script = {0: costing(7, jobs=2)}
    outcome, telling = desk.apply(wait=False)
    told = [event.text for event in telling.events if event.news is News.ACCEPTED]
    assert told == ["accepted for 3.50 credits"] * 2
    assert outcome.credits == 7
    (entry,) = locks.read(desk.disk.lock or "").lock.entries.values()
    assert [job.credits for job in entry.jobs] == [3.5, 3.5]
    assert [fact.job.credits for fact in desk.disk.facts if fact.job.state is JobState.ACCEPTED] == [3.5, 3.5]
    desk.clock.at += 10
    desk.apply()
    (entry,) = locks.read(desk.disk.lock or "").lock.entries.values()
    assert [job.credits for job in entry.jobs] == [4, 4]


# --- With inputs -------------------------------------------------------------------------------------------

PICTURE = b"\x89PNG\r\n\x1a\n a picture of ours"
FILE = local("in/take.png", PICTURE)
MADE = taking("b/cut.sume.toml", "it falls", FILE)
OTHER = taking("b/fall.sume.toml", "it stands", FILE)
CHAIN = taking("b/film.sume.toml", "it turns", output_of(HERO))
LATE = want("c/late.sume.toml", "late")


def a_desk(*specs: Wanted) -> Desk:
    desk = Desk(list(specs))
    desk.disk.files[FILE.path] = PICTURE
    return desk


@pytest.mark.parametrize(
    ("limit", "prices", "done", "why"),
    [
        (24, {HERO.key: 4.0, CHAIN.key: 20.0}, [HERO.key, CHAIN.key], ""),
        (23, {HERO.key: 4.0, CHAIN.key: 20.0}, [HERO.key], "4 of 23 credits used; the next submit needs 20"),
        (50, {}, [HERO.key, CHAIN.key], ""),
        (4, {}, [HERO.key], "4 of 4 credits used"),
    ],
)
@pytest.mark.parametrize("capacity", [1, 4])
def test_a_chain_is_bought_as_far_as_the_budget_goes(
    limit: float, prices: dict[EntryKey, float], done: list[EntryKey], why: str, capacity: int
) -> None:
    desk = a_desk(CHAIN, HERO)
    outcome, _ = desk.apply(budget=Budget(limit), prices=prices, capacity=capacity)
    assert outcome.done == done
    assert why in (outcome.refused.text if outcome.refused else "")
    assert bool(outcome.refused) is bool(why)
    assert set(outcome.not_begun) == {HERO.key, CHAIN.key} - set(done)


@pytest.mark.parametrize("told", [None, 4.0])
def test_of_unknown_cost_one_is_sent_at_a_time_however_many_are_made_ready(told: float | None) -> None:
    desk = a_desk(MADE, OTHER)
    desk.sume.script = {0: costing(told), 1: costing(told)}
    most = 0

    def left() -> float:
        nonlocal most
        most = max(most, sum(desk.clock.at < job.ends for job in desk.sume.jobs))
        return 100.0

    desk.sume.balance = left
    outcome, _ = desk.apply(budget=Budget(50))
    assert (len(outcome.done), outcome.credits, outcome.refused) == (2, 8, None)
    assert desk.sume.puts == ["up_1"]
    assert most == 1


def test_where_the_first_uses_it_up_what_was_made_ready_is_not_sent() -> None:
    desk = a_desk(MADE, OTHER)
    desk.sume.script = {0: costing(30)}
    outcome, _ = desk.apply(budget=Budget(30))
    assert desk.sume.submits == 1
    assert len(outcome.not_begun) == 1
    assert outcome.refused
    assert "30 of 30 credits used" in outcome.refused.text


def under(budget: Budget, prices: dict[EntryKey, float], *specs: Wanted) -> Counter:
    counter = Counter(*specs)
    counter.ground.till = Till(budget, prices)
    counter.payments.start(100.0, 0)
    return counter


@pytest.mark.parametrize("refused", [True, False])
def test_a_budget_that_is_used_up_while_a_body_is_made_holds_it_back(refused: bool) -> None:
    """Nothing is reserved before a request is sent: what is sent first has the credits."""
    counter = under(Budget(20), {MADE.key: 20.0, LATE.key: 4.0}, MADE, LATE)
    tags = {tag[0]: tag for tag, _ in counter.workers.tasks}
    counter.workers.tasks.clear()
    counter.payments.made(tags["make"][1], Body(b"{}"))
    assert counter.payments.sending == 1
    assert counter.payments.can_start(0)
    assert counter.payments.earliest(0) is None
    counter.payments.start(100.0, 0)
    assert (counter.workers.tasks, counter.ground.closed) == ([], False)
    answer = Refused(422, "x", "no") if refused else Accepted(("job_1",))
    counter.payments.ended(tags["pay"][1], Payment(tags["pay"][2], answer))
    counter.payments.start(100.0, 0)
    assert [tag[0] for tag, _ in counter.workers.tasks] == (["make"] if refused else [])
    assert counter.ground.closed is not refused
    assert [action.key for action in counter.payments.leave()] == [MADE.key]


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_made_ready_comes_before_a_later_one_that_does_not_fit(fails: bool) -> None:
    counter = under(Budget(20), {MADE.key: 20.0, LATE.key: 25.0}, MADE, LATE)
    ((tag, _),) = counter.workers.tasks
    assert not counter.ground.closed
    if fails:
        counter.payments.unmade(tag[1], InputError("gone"))
    else:
        counter.payments.made(tag[1], Body(b"{}"))
        assert counter.payments.sending == 1
    assert counter.payments.can_start(0)
    counter.payments.start(100.0, 0)
    assert counter.ground.closed is fails


def test_a_balance_that_was_overtaken_tells_nothing() -> None:
    """It was read before the charge showed, and heard of when the job had ended: nothing lost then is no price of 0."""
    till = Till(Budget(10, balance=100.0, fresh=True), {})
    till.begun("key", HERO.key)
    till.accepted("key", {"job_1": job("job_1", JobState.ACCEPTED)}, None)
    assert till.ask(SIDE.key).may is May.READ
    till.reading()
    till.heard(job("job_1", JobState.COMPLETED))
    till.read(100.0)
    assert till.ask(SIDE.key).may is May.READ
    till.reading()
    till.read(85.0)
    assert till.ask(SIDE.key).may is May.STOP
    assert till.budget
    assert till.budget.used == 15
