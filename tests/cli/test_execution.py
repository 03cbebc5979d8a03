"""What is left out of a run where recovery changed the plan that a person agreed to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sumesync.cli.execution import as_agreed
from sumesync.core.action import Plan, Verb
from sumesync.model import EntryKey, JobState, Step
from tests.builders import action_of, entry, file, job, output, planned, submission, taking, wanted

HERO = wanted("a/hero.sume.toml")
FILM = taking(HERO, "b/film.sume.toml")
TWIN = replace(FILM, key=EntryKey("b/twin.sume.toml"), stem="twin")
SIDE = wanted("c/side.sume.toml", "A jar")
LOST = submission(HERO, Step.UNKNOWN)
"""The upstream's request has an unknown outcome, so FILM waits for it."""
AGREED = planned(HERO, FILM, TWIN, SIDE, journal=[LOST])
MADE = entry(HERO, job("job_1", JobState.COMPLETED, output("a/hero.png", "h")))


def verbs(made: Plan) -> dict[str, Verb]:
    return {action.key.path: action.verb for action in made.actions}


def settled() -> Plan:
    """The upstream's job was found, or its media were: FILM could be bought now."""
    return planned(HERO, FILM, TWIN, SIDE, entries=[MADE], files={"a/hero.png": file("h")})


def test_what_was_shown_as_waiting_is_left_for_the_next_run_and_its_twins_with_it() -> None:
    assert action_of(AGREED, FILM.key.path).verb is Verb.ATTENTION
    assert AGREED.pays == 1
    now = settled()
    assert now.pays == 2
    plan_, left = as_agreed(AGREED, now)
    assert left == (FILM.key,)
    assert verbs(plan_) == {HERO.key.path: Verb.KEEP, SIDE.key.path: Verb.CREATE}
    assert plan_.pays == AGREED.pays


def test_what_was_shown_as_waiting_and_waits_still_stays_in_the_plan() -> None:
    assert as_agreed(AGREED, AGREED) == (AGREED, ())


@pytest.mark.parametrize("agreed", [settled(), planned(HERO, FILM, TWIN, SIDE)])
def test_what_was_shown_as_paid_for_is_bought(agreed: Plan) -> None:
    assert as_agreed(agreed, settled()) == (settled(), ())


def test_what_was_never_shown_is_not_let_through_by_this() -> None:
    """It is for the caller to refuse: a plan that is dearer, and not by what waited."""
    now = planned(
        HERO, FILM, TWIN, SIDE, wanted("d/new.sume.toml", "New"), entries=[MADE], files={"a/hero.png": file("h")}
    )
    plan_, left = as_agreed(AGREED, now)
    assert left == (FILM.key,)
    assert plan_.pays == 2 > AGREED.pays
