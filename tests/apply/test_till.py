"""The loop under a budget: what it begins, what it waits for, and what it notes of what was told."""

from __future__ import annotations

import pytest

from sumesync.answers import Accepted, Order, Refused, SubmitResult, Throttled
from sumesync.core import lock as locks
from sumesync.core.budget import Budget
from sumesync.errors import Exit
from sumesync.model import EntryKey, JobState, News
from tests.apply.desk import CLIP, HERO, SIDE, Behaviour, Desk, FakeSume, lose_answer, want

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
