"""What may start under ``--max-credits``: a table, and what holds for every order of events."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.budget import Budget, May, Stage, caught_up, refusal
from sumesync.core.cost import Estimate
from sumesync.model import EntryKey, Fact, JobRecord, JobState
from tests.builders import examples

row = pytest.param
Make = Callable[[], Budget]
"""Made in the test that asks, not when the tests are collected: else nothing that is broken meanwhile would show."""


def known() -> Budget:
    return Budget(20).begun("a", 12)


def alone() -> Budget:
    return Budget(20, balance=100, fresh=True).begun("a", None)


def told_nothing() -> Budget:
    return alone().accepted("a").read(100)


def blind() -> Budget:
    return Budget(20, blind=True, fresh=True)


@pytest.mark.parametrize(
    ("budget", "price", "may", "why"),
    [
        row(lambda: Budget(20), 20, May.START, "", id="all of it"),
        row(lambda: Budget(0.3).begun("a", 0.1).begun("b", 0.1), 0.1, May.START, "", id="sums that are not exact"),
        row(lambda: Budget(20), 20.5, May.STOP, "0 of 20 credits used; the next submit needs 20.50", id="too dear"),
        row(lambda: known(), 8, May.START, "", id="beside one that is being sent"),
        row(lambda: known(), 9, May.WAIT, "", id="the other may yet be refused"),
        row(lambda: known().dropped("a"), 9, May.START, "", id="it was"),
        row(
            lambda: known().accepted("a"),
            9,
            May.STOP,
            "12 of 20 credits used; the next submit needs 9",
            id="it was not",
        ),
        row(lambda: known().accepted("a", 4), 9, May.START, "", id="it cost less"),
        row(lambda: known().accepted("a").over("a", 16), 8, May.STOP, "16 of 20 credits used", id="it cost more"),
        row(lambda: known().accepted("a").over("a"), 9, May.STOP, "12 of 20", id="its jobs do not tell"),
        row(lambda: known().doubtful("a"), 9, May.STOP, "12 of 20", id="its outcome is unknown"),
        row(lambda: known(), None, May.WAIT, "", id="unknown goes alone"),
        row(lambda: known().accepted("a"), None, May.READ, "", id="unknown wants the balance"),
        row(lambda: known().accepted("a").read(50), None, May.START, "", id="and has it"),
        row(lambda: Budget(20).read(None), None, May.STOP, "the balance cannot be read", id="it cannot be read"),
        row(lambda: blind().read(None), None, May.START, "", id="and so many jobs are allowed"),
        row(lambda: known().accepted("a", 20), None, May.STOP, "20 of 20 credits used", id="unknown and nothing left"),
        row(lambda: told_nothing().over("a").read(99.5), 19.5, May.START, "", id="half a credit"),
        row(lambda: alone().doubtful("a").read(100), 1, May.STOP, "outcome is unknown", id="and stays so"),
        row(lambda: blind().begun("a", None).doubtful("a"), 20, May.START, "", id="blind: waived, too"),
        row(lambda: alone().accepted("a", 4).over("a").read(100), 16.5, May.STOP, "4 of 20", id="it was told"),
        row(lambda: alone(), 1, May.WAIT, "", id="nothing beside unknown"),
        row(lambda: alone().accepted("a"), 1, May.READ, "", id="accepted: what did it cost"),
        row(lambda: alone().accepted("a").read(93), 14, May.STOP, "7 of 20 credits used", id="the balance says it"),
        row(lambda: alone().accepted("a").read(93), 13, May.START, "", id="and what is left"),
        row(lambda: alone().accepted("a", 7), 13, May.START, "", id="the answer says it"),
        row(lambda: told_nothing(), 1, May.WAIT, "", id="the charge may show late"),
        row(lambda: told_nothing().over("a"), 1, May.READ, "", id="it ended: read again"),
        row(lambda: told_nothing().over("a").read(93), 14, May.STOP, "7 of 20", id="late, and there"),
        row(lambda: told_nothing().over("a").read(100), 20, May.START, "", id="it cost nothing"),
        row(lambda: told_nothing().over("a", 7), 14, May.STOP, "7 of 20", id="the job says it"),
        row(lambda: told_nothing().over("a").read(None), 1, May.STOP, "cannot be told", id="nobody says it"),
        row(lambda: told_nothing().over("a").read(150), 1, May.STOP, "cannot be told", id="somebody bought credits"),
        row(lambda: alone().doubtful("a"), 1, May.STOP, "outcome is unknown", id="unknown of unknown cost"),
        row(lambda: blind().begun("a", None).accepted("a").read(None), 1, May.WAIT, "", id="blind: alone all the same"),
        row(lambda: blind().begun("a", None).accepted("a").over("a").read(None), 20, May.START, "", id="blind: waived"),
    ],
)
def test_what_may_start(budget: Make, price: float | None, may: May, why: str) -> None:
    verdict = budget().ask(price)
    assert verdict.may is may, verdict
    assert why in verdict.why
    assert bool(verdict.why) is (may is May.STOP)


@pytest.mark.parametrize(
    ("total", "blind", "readable", "why"),
    [
        (Estimate(20, 0), False, True, ""),
        (Estimate(21, 0), False, True, "likely to cost 21 credits, more than the 20 allowed"),
        (Estimate(21, 2), True, True, "likely to cost 21 credits"),
        (Estimate(0, 2), False, True, ""),
        (Estimate(0, 2), False, False, "what 2 jobs will cost is not known, and the balance cannot be read"),
        (Estimate(0, 2), True, False, ""),
        (Estimate(20, 0), False, False, ""),
    ],
)
def test_what_is_refused_from_the_start(total: Estimate, blind: bool, readable: bool, why: str) -> None:
    found = refusal(total, 20, blind, readable)
    assert why in found
    assert bool(found) is bool(why)


PRICES = st.one_of(st.none(), st.integers(0, 30).map(float))


@given(st.lists(PRICES, max_size=12), st.integers(0, 60).map(float), st.data())
@settings(max_examples=examples(150))
def test_what_was_started_never_exceeds_the_limit(
    prices: list[float | None], limit: float, data: st.DataObject
) -> None:
    """Whatever the answers: with known prices the sum stays below the limit; of unknown ones one is in the air."""
    budget, balance = Budget(limit), 1000.0
    waiting, cost = list(enumerate(prices)), dict(enumerate(prices))
    charged = 0.0
    while True:
        verdict = budget.ask(waiting[0][1]) if waiting else None
        if verdict and verdict.may is May.START:
            number, price = waiting.pop(0)
            aside = [name for name, charge in budget.charges.items() if charge.open]
            assert not aside, "begun beside one of unknown cost"
            assert price is not None or all(c.stage is not Stage.SENDING for c in budget.charges.values())
            budget = budget.begun(str(number), price)
            real = price if price is not None else float(data.draw(st.integers(0, 30), label="real"))
            cost[number] = real
            if all(each is not None for each in prices):
                assert budget.used <= limit
            continue
        if verdict and verdict.may is May.READ:
            budget = budget.read(balance)
            continue
        flying = [name for name, charge in budget.charges.items() if charge.stage in (Stage.SENDING, Stage.ACCEPTED)]
        if not flying or (verdict and verdict.may is May.STOP):
            assert verdict is None or verdict.may is May.STOP, "it would wait for ever"
            break
        name = data.draw(st.sampled_from(flying), label="which")
        real = cost[int(name)] or 0.0
        if budget.charges[name].stage is Stage.ACCEPTED:
            budget = budget.over(name, data.draw(st.sampled_from([None, real]), label="told"))
        elif data.draw(st.booleans(), label="accepted"):
            charged, balance = charged + real, balance - real
            budget = budget.accepted(name, data.draw(st.sampled_from([None, real]), label="answer"))
        else:
            budget = budget.dropped(name)
    if all(each is not None for each in prices):
        assert charged <= limit


def fact(submission: str, state: JobState, credits_: float | None = None, job: str = "job_1") -> Fact:
    return Fact("f" * 64, JobRecord(job, state, credits=credits_), "image", EntryKey("a"), submission=submission)


TWO = [fact("a", JobState.COMPLETED, 4), fact("a", JobState.COMPLETED, 5, "job_2")]


@pytest.mark.parametrize(
    ("facts", "balance", "stage", "used"),
    [
        pytest.param([], 93, Stage.ACCEPTED, 7, id="only the balance tells"),
        pytest.param([fact("a", JobState.ACCEPTED)], 93, Stage.ACCEPTED, 7, id="it runs still"),
        pytest.param([fact("a", JobState.COMPLETED, 4)], 93, Stage.OVER, 4, id="its job tells"),
        pytest.param([fact("a", JobState.FAILED, 0)], 93, Stage.OVER, 0, id="it failed, and cost nothing"),
        pytest.param([fact("a", JobState.COMPLETED)], 93, Stage.OVER, 7, id="its job does not tell"),
        pytest.param(TWO, 50, Stage.OVER, 9, id="two jobs of one submit"),
        pytest.param([TWO[0], fact("a", JobState.COMPLETED, None, "job_2")], 93, Stage.OVER, 7, id="one does not tell"),
        pytest.param([TWO[0], fact("a", JobState.ACCEPTED, 5, "job_2")], 93, Stage.ACCEPTED, 7, id="one runs still"),
        pytest.param([fact("b", JobState.COMPLETED, 4)], 93, Stage.ACCEPTED, 7, id="somebody else's"),
    ],
)
def test_a_budget_that_two_runs_share_hears_what_became_of_its_submits(
    facts: list[Fact], balance: float, stage: Stage, used: float
) -> None:
    after = caught_up(alone().accepted("a"), facts, balance)
    assert (after.charges["a"].stage, after.used, after.balance, after.fresh) == (stage, used, balance, True)


def test_a_submit_that_is_over_is_not_heard_of_again() -> None:
    told = alone().accepted("a").over("a", 3)
    assert caught_up(told, [fact("a", JobState.COMPLETED, 4)], 90).used == 3


def test_what_was_read_is_old_after_every_event() -> None:
    begun = Budget(20, balance=100, fresh=True).begun("a", 4)
    later = begun.accepted("a").over("a")
    assert [each.fresh for each in (begun, begun.dropped("a"), begun.accepted("a"), later, begun.doubtful("a"))] == [
        False
    ] * 5
    assert begun.charges["a"].before == 100
    assert Budget(20, balance=100).begun("a", 4).charges["a"].before is None
