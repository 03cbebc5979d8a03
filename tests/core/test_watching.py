"""What watch does next, with time moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sumesync.core import watching
from sumesync.core.schedule import Pace
from sumesync.core.sight import COLLECT, ORPHAN, RESUME, Item, Sight
from sumesync.core.watching import (
    Act,
    Around,
    Ask,
    Look,
    Rest,
    Result,
    Rules,
    Show,
    Step,
    TellOver,
    Wait,
    Watch,
    Withdraw,
)
from sumesync.model import EntryKey

RULES = Rules(applies=True, every=60.0, pace=Pace(5, 20))
ASKS = Rules(asks=True, every=60.0, pace=RULES.pace)
HERO, SIDE, DEEP = (EntryKey(f"{name}.sume.toml") for name in ("hero", "side", "deep/three"))


def buy(key: EntryKey = HERO, what: str = "v1:a", jobs: int = 1, *after: EntryKey) -> Item:
    return Item(key, "create", what, jobs, after)


def fetch(key: EntryKey = SIDE) -> Item:
    return Item(key, "fetch", "v1:f")


def resume(key: EntryKey = HERO, what: str = "v1:a") -> Item:
    return Item(key, RESUME, what)


class Session:
    """A state, a clock and the rules; every step is taken as the loop takes it."""

    def __init__(self, *items: Item, rules: Rules = RULES) -> None:
        self.now, self.rules = 100.0, rules
        self.state = watching.begin(self.now)
        self.look(*items)

    def look(self, *items: Item, fault: str = "") -> None:
        self.state = watching.looked(self.state, self.rules, Sight(frozenset(items), len(items), fault), self.now)

    def after(self, seconds: float) -> Session:
        self.now += seconds
        return self

    def hear(self, *paths: str) -> None:
        self.state = watching.heard(self.state, self.rules, paths, self.now)

    def notice(self, **around: str) -> None:
        self.state = watching.noticed(self.state, Around(**around), self.now)

    def end(self, *items: Item, **result: object) -> None:
        done = Result(**result)  # type: ignore[arg-type]  # a row of the table
        self.state = watching.passed(self.state, self.rules, frozenset(items), done, self.now)

    def answer(self, ask: Step, yes: bool) -> None:
        assert isinstance(ask, Ask)
        self.state = watching.answered(watching.asked(self.state, ask), self.rules, yes)

    def next(self) -> Step:
        """The next step that is not only talk."""
        while True:
            step = watching.step(self.state, self.rules, self.now)
            if isinstance(step, Show):
                self.state = watching.showed(self.state, step.items)
            elif isinstance(step, Rest):
                self.state = watching.rested(self.state)
            else:
                return step

    def until(self) -> float:
        """Seconds that there is nothing to do."""
        step = self.next()
        assert isinstance(step, Wait), step
        return round(step.until - self.now, 9)


def act(*items: Item) -> Act:
    return Act(frozenset(items))


# --- Looking ---------------------------------------------------------------------------------------------------


def test_the_first_thing_is_a_look() -> None:
    assert watching.step(watching.begin(5.0), RULES, 5.0) == Look()


def test_hints_are_debounced_and_a_stream_of_them_is_looked_at_nevertheless() -> None:
    session = Session()
    session.hear("hero.sume.toml")
    assert session.until() == 0.3
    session.after(0.2).hear("hero.sume.toml")
    assert session.until() == 0.3
    assert session.after(0.3).next() == Look()
    for _ in range(40):
        session.hear("x")
        session.after(0.1)
        if session.next() == Look():
            break
    else:
        raise AssertionError("never looked")
    assert session.now - 100.5 <= 10 * 0.3 + 0.1


def test_everything_is_looked_at_now_and_then() -> None:
    session = Session()
    assert session.until() == 60.0
    assert session.after(60).next() == Look()


def test_nothing_is_done_while_hints_wait_for_a_look() -> None:
    session = Session(buy())
    session.after(10).hear("other.txt")
    assert session.until() == 0.3


def test_a_fault_waits_for_the_next_look() -> None:
    session = Session(buy())
    session.after(10).look(fault="sume.lock has merge markers")
    assert session.until() == 60.0
    session.look(buy())
    assert session.next() == act(buy()), "it had settled before the fault"


# --- Settling --------------------------------------------------------------------------------------------------


def test_a_purchase_settles_first() -> None:
    session = Session(buy())
    assert session.until() == 3.0
    assert session.after(3).next() == act(buy())


def test_typing_never_pays() -> None:
    session = Session()
    for number in range(20):
        session.after(2.9).look(buy(what=f"v1:{number}"))
        assert session.until() <= 3.0
    assert session.after(3).next() == act(buy(what="v1:19"))


def test_a_hint_of_the_spec_settles_it_anew_though_its_request_is_the_same() -> None:
    session = Session(buy(), buy(SIDE, "v1:b"))
    session.after(2).hear(HERO.path)
    session.after(0.3).look(buy(), buy(SIDE, "v1:b"))
    assert session.after(0.7).next() == act(buy(SIDE, "v1:b"))
    session.end(buy(SIDE, "v1:b"), bought=1)
    session.look(buy())
    assert session.until() == 2.0


def test_what_goes_and_comes_back_settles_anew() -> None:
    session = Session(buy())
    session.after(2).look()
    session.after(2).look(buy())
    assert session.until() == 3.0


def test_what_hangs_on_a_purchase_that_has_not_settled_waits_for_it() -> None:
    twin = Item(SIDE, "copy", "v1:a", 0, (HERO,))
    chain = buy(DEEP, "v1:c", 1, SIDE)
    session = Session(buy(), twin, chain)
    session.after(2).hear(HERO.path)
    session.after(0.3).look(buy(), twin, chain)
    assert session.after(1).until() == 1.7
    assert session.after(1.7).next() == act(buy(), twin, chain)


# --- git -------------------------------------------------------------------------------------------------------


def test_nothing_is_done_while_git_is_at_work_and_nothing_paid_for_the_settle_time_after_head_moves() -> None:
    session = Session(buy(), fetch())
    session.notice(head="one")
    session.after(10).notice(git="a merge is under way", head="one")
    assert session.until() <= 1.0
    session.after(600).look(buy(), fetch())
    session.notice(git="a merge is under way", head="one")
    assert session.until() <= 1.0
    session.after(1).notice(head="two")
    assert session.next() == act(fetch())
    session.end(fetch())
    session.look(buy())
    assert session.until() == 3.0
    session.after(1).notice(head="three")
    assert session.until() == 3.0
    session.after(3).notice(head="three")
    assert session.next() == act(buy())


def test_the_first_head_is_no_move() -> None:
    session = Session(buy())
    session.after(3).notice(head="one")
    assert session.next() == act(buy())


def test_what_git_does_is_told_only_where_something_waits() -> None:
    session = Session()
    session.notice(git="a merge is under way")
    assert watching.held_by_git(session.state) == ""
    session.look(buy())
    assert watching.held_by_git(session.state) == "a merge is under way"


# --- Polling ---------------------------------------------------------------------------------------------------


def test_jobs_are_looked_at_in_growing_steps_and_free_work_of_others_goes_with_them() -> None:
    session = Session(resume())
    assert session.next() == act(resume())
    waits = []
    for _ in range(16):
        session.end(resume())
        session.look(resume())
        waits.append(session.until())
        session.after(waits[-1] + 0.001)
        assert session.next() == act(resume())
    assert waits[0] == 5.0
    assert waits == sorted(waits)
    assert waits[-1] == 20.0
    session.end(resume())
    session.look(resume(), buy(SIDE))
    assert session.after(3).next() == act(resume(), buy(SIDE))


def test_a_purchase_without_room_is_tried_with_the_next_poll() -> None:
    session = Session(buy())
    assert session.after(3).next() == act(buy())
    session.end(buy(), left=frozenset({HERO}))
    session.look(buy())
    assert session.until() == 5.0


# --- What does not work ----------------------------------------------------------------------------------------


def test_an_hour_without_network_is_waited_out() -> None:
    session = Session(buy())
    assert session.after(3).next() == act(buy())
    waits = []
    for _ in range(60):
        session.end(buy(), trouble=watching.NETWORK)
        session.look(buy())
        waits.append(session.until())
        session.after(waits[-1])
        if session.next() == Look():
            session.look(buy())
        assert session.next() == act(buy())
    assert waits[:4] == [2.0, 4.0, 8.0, 16.0]
    assert max(waits) == 60.0
    session.end(buy(), bought=1)
    assert session.state.tries == 0


def test_whoever_holds_the_mutex_is_waited_for() -> None:
    session = Session(fetch())
    session.after(3)
    for _ in range(30):
        assert session.next() == act(fetch())
        session.end(fetch(), trouble=watching.BUSY)
        session.look(fetch())
        assert session.until() == 1.0
        session.after(1)


@pytest.mark.parametrize("change", ["key", "project"])
def test_a_revoked_key_waits_for_a_change(change: str) -> None:
    session = Session(buy())
    session.notice(key="old")
    assert session.after(3).next() == act(buy())
    session.end(buy(), trouble=watching.KEY)
    session.look(buy())
    assert session.until() <= 2.0
    session.after(30).notice(key="old")
    assert session.until() <= 2.0
    if change == "key":
        session.notice(key="new")
    else:
        session.hear("notes.md")
        session.after(0.3).look(buy())
    assert session.next() == act(buy())


def test_a_revoked_key_is_tried_after_five_minutes_though_nothing_changed() -> None:
    session = Session(buy())
    session.after(3).end(buy(), trouble=watching.KEY)
    session.look(buy())
    session.after(299).look(buy())
    assert isinstance(session.next(), Wait)
    session.after(1)
    assert session.next() == act(buy())


def test_work_that_never_succeeds_is_done_ever_more_rarely() -> None:
    session = Session(fetch())
    waits = []
    session.after(3)
    for _ in range(12):
        assert session.next() == act(fetch())
        session.end(fetch())
        session.look(fetch())
        waits.append(0.0)
        while isinstance(step := session.next(), Wait | Look):
            if isinstance(step, Look):
                session.look(fetch())
                continue
            waits[-1] += step.until - session.now
            session.now = step.until
    assert waits == sorted(waits)
    assert waits[0] >= 2
    assert waits[-1] >= 240


def test_what_sume_refuses_is_not_sent_again_before_it_changes() -> None:
    session = Session(buy())
    assert session.after(3).next() == act(buy())
    session.end(buy(), refused=frozenset({HERO}))
    session.look(buy())
    for _ in range(100):
        session.after(60).look(buy())
        assert session.until() == 60.0
    session.look(buy(what="v1:b"))
    assert session.after(3).next() == act(buy(what="v1:b"))


def test_after_a_sleep_what_changed_settles_anew_and_what_failed_is_tried_at_once() -> None:
    session = Session(buy(), fetch())
    session.after(3).end(buy(), fetch(), trouble=watching.NETWORK)
    session.after(30_000)
    session.state = watching.woke(session.state, session.now)
    assert session.next() == Look()
    session.look(buy(), fetch())
    assert session.until() == 3.0
    assert session.after(3).next() == act(buy(), fetch())


# --- The guard -------------------------------------------------------------------------------------------------


def test_the_guard_counts_what_the_session_bought() -> None:
    session = Session(buy(jobs=3), rules=replace(RULES, max_jobs=4))
    assert session.after(3).next() == act(buy(jobs=3))
    session.end(buy(jobs=3), bought=3)
    session.look(buy(SIDE, jobs=2), fetch(DEEP))
    assert session.after(3).next() == act(fetch(DEEP)), "what is free goes on"
    session.end(fetch(DEEP))
    session.look(buy(SIDE, jobs=2))
    step = session.next()
    assert step == TellOver(5)
    session.state = watching.told_over(session.state)
    assert session.until() > 0
    session.look(buy(SIDE, jobs=1))
    assert session.after(3).next() == act(buy(SIDE, jobs=1))


@pytest.mark.parametrize("yes", [True, False])
def test_above_the_guard_a_person_is_asked(yes: bool) -> None:
    many = tuple(buy(EntryKey(f"{number}.sume.toml")) for number in range(5))
    session = Session(*many, rules=replace(RULES, asks=True, max_jobs=4))
    session.after(3)
    ask = session.next()
    assert ask == Ask(frozenset(many), 5, True)
    session.answer(ask, yes)
    if not yes:
        assert session.until() == 57.0
        return
    assert session.next() == act(*many)
    session.end(*many, bought=5)
    session.look(buy(SIDE))
    session.after(3)
    assert session.next() == Ask(frozenset([buy(SIDE)]), 1, True), "the yes was for those"


# --- Asking ----------------------------------------------------------------------------------------------------


def test_without_apply_a_person_is_asked_once_and_only_what_was_agreed_is_done() -> None:
    session = Session(buy(), fetch(), rules=ASKS)
    session.after(3)
    ask = session.next()
    assert ask == Ask(frozenset([buy(), fetch()]), 1, False)
    session.answer(ask, True)
    assert session.next() == act(buy(), fetch())
    session.end(buy(), fetch(), bought=1)
    session.look(resume())
    assert session.after(5).next() == act(resume()), "what was bought is brought without another question"
    session.end(resume())
    session.look(buy(what="v1:b"))
    session.after(3)
    assert isinstance(session.next(), Ask)


def test_what_was_declined_is_not_asked_again_before_it_changes() -> None:
    session = Session(buy(), rules=ASKS)
    session.after(3)
    session.answer(session.next(), False)
    assert session.until() == 57.0
    session.after(57).look(buy())
    assert session.until() == 60.0
    session.look(buy(what="v1:b"))
    session.after(3)
    assert isinstance(session.next(), Ask)


def asking(*items: Item, rules: Rules = ASKS) -> Session:
    """A session whose question for ``items`` stands."""
    session = Session(*items, rules=rules)
    ask = session.after(3).next()
    assert isinstance(ask, Ask)
    session.state = watching.asked(session.state, ask)
    return session


def test_what_runs_is_brought_while_a_question_stands() -> None:
    session = Session(buy(), rules=ASKS)
    session.answer(session.after(3).next(), True)
    assert session.next() == act(buy())
    session.end(buy(), bought=1)
    session.look(resume(), buy(SIDE, "v1:s"))
    assert session.after(5).next() == act(resume())
    session.end(resume())
    session.look(resume(), buy(SIDE, "v1:s"))
    ask = session.next()
    assert ask == Ask(frozenset([buy(SIDE, "v1:s")]), 1, False)
    session.state = watching.asked(session.state, ask)
    assert session.until() == 5.0
    assert session.after(5).next() == act(resume())
    session.end(resume())
    session.look(buy(SIDE, "v1:s"))
    assert session.until() == 60.0, "and then it is only waited"
    session.state = watching.answered(session.state, ASKS, True)
    assert session.next() == act(buy(SIDE, "v1:s"))


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.look(buy(what="v1:b")),
        lambda session: session.look(),
        lambda session: session.look(fault="sume.lock does not read"),
        lambda session: session.hear(HERO.path),
        lambda session: session.notice(git="a merge is under way"),
    ],
    ids=["another request", "gone", "nothing can be planned", "somebody types", "git is at work"],
)
def test_a_question_that_is_out_of_date_is_withdrawn_and_what_is_left_is_told_anew(
    change: Callable[[Session], None],
) -> None:
    session = asking(buy(), fetch())
    session.notice()
    change(session)
    assert session.next() == Withdraw()
    session.state = watching.withdrawn(session.state)
    session.state = watching.answered(session.state, ASKS, True)
    assert not session.state.agreed, "a late yes is for nothing"
    session.notice()
    session.look(buy(), fetch())
    session.after(10)
    assert watching.step(session.state, ASKS, session.now) == Show(frozenset([buy(), fetch()]))


def test_what_is_new_waits_for_the_question_that_stands() -> None:
    """Somebody who is about to answer does not answer for what they have not read."""
    session = asking(buy())
    session.look(buy(), buy(SIDE, "v1:s"))
    assert session.after(5).until() > 0
    session.state = watching.answered(session.state, ASKS, True)
    assert watching.step(session.state, ASKS, session.now) == Show(frozenset([buy(SIDE, "v1:s")]))
    assert session.next() == act(buy()), "the yes was for this"
    session.end(buy(), bought=1)
    session.look(resume(), buy(SIDE, "v1:s"))
    assert session.next() == Ask(frozenset([buy(SIDE, "v1:s")]), 1, False)


def test_above_the_guard_what_is_free_goes_on_while_the_question_stands() -> None:
    session = asking(buy(), rules=replace(RULES, asks=True, max_jobs=0))
    session.look(buy(), fetch(DEEP))
    assert session.after(3).next() == act(fetch(DEEP))


def test_where_nobody_can_answer_it_only_tells() -> None:
    session = Session(buy(), resume(SIDE, "v1:s"), rules=Rules(every=60.0))
    told = []
    session.after(3)
    while isinstance(step := watching.step(session.state, session.rules, session.now), Show):
        told.append(step.items)
        session.state = watching.showed(session.state, step.items)
    assert told == [frozenset([buy()])]
    assert session.until() == 57.0


def test_wrong_specs_are_told_once() -> None:
    wrong = Item(HERO, "invalid", "unknown field prmpt")
    session = Session(wrong, Item(SIDE, ORPHAN, ""))
    session.after(3)
    step = watching.step(session.state, session.rules, session.now)
    assert step == Show(frozenset([wrong, Item(SIDE, ORPHAN, "")]))
    session.state = watching.showed(session.state, step.items)
    assert watching.step(session.state, session.rules, session.now) == Rest()
    for _ in range(5):
        session.after(60).look(wrong, Item(SIDE, ORPHAN, ""))
        assert session.until() == 60.0
    session.look()
    session.look(wrong)
    session.after(3)
    assert watching.step(session.state, session.rules, session.now) == Show(frozenset([wrong]))


# --- Always ----------------------------------------------------------------------------------------------------

ITEMS = st.sampled_from(
    [
        buy(),
        buy(what="v1:b"),
        buy(SIDE, "v1:c", 2),
        fetch(DEEP),
        Item(DEEP, "copy", "v1:a", 0, (HERO,)),
        resume(SIDE, "v1:r"),
        Item(EntryKey(""), COLLECT, "job_1"),
        Item(HERO, "invalid", "wrong"),
    ]
)
SIGHTS = st.frozensets(ITEMS, max_size=5)
TROUBLE = st.sampled_from(["", "", "", *watching.TROUBLES])
EVENTS = st.one_of(
    st.tuples(st.just("look"), SIGHTS),
    st.tuples(st.just("hear"), st.sampled_from([HERO.path, SIDE.path, "sume.lock"])),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 0.5, 2.9, 3.0, 20.0, 70.0, 100_000.0])),
    st.tuples(st.just("git"), st.sampled_from(["", "a merge is under way"])),
    st.tuples(st.just("head"), st.sampled_from(["one", "two"])),
    st.tuples(st.just("go"), TROUBLE),
    st.tuples(st.just("answer"), st.booleans()),
)
ALL_RULES = st.builds(Rules, applies=st.booleans(), asks=st.booleans(), max_jobs=st.integers(0, 4))


@given(ALL_RULES, st.lists(EVENTS, max_size=40))
def test_whatever_happens_money_is_only_spent_on_what_has_settled(
    rules: Rules, events: list[tuple[str, object]]
) -> None:
    session = Session(rules=rules)
    git, head = "", "one"
    stood: dict[Item, float] = {}
    moved, agreed, bought = float("-inf"), 0, 0
    for name, value in events:
        if name == "look":
            assert isinstance(value, frozenset)
            stood = {item: stood.get(item, session.now) for item in value}
            session.look(*value)
        elif name == "hear":
            session.hear(str(value))
            stood = {item: session.now if item.key.path == value else at for item, at in stood.items()}
        elif name == "wait":
            session.now += float(str(value))
        elif name == "answer" and session.state.asking is not None:
            agreed += session.state.asking.jobs if value else 0
            session.state = watching.answered(session.state, rules, bool(value))
        elif name in ("git", "head"):
            git, head = (str(value), head) if name == "git" else (git, str(value))
        before = session.state.around
        session.notice(git=git, head=head)
        if git or (before and before.head != head):
            moved = session.now
        step = session.next()
        if isinstance(step, Ask):
            assert session.state.asking is None
            session.state = watching.asked(session.state, step)
        elif isinstance(step, Withdraw):
            session.state = watching.withdrawn(session.state)
        elif isinstance(step, TellOver):
            session.state = watching.told_over(session.state)
        elif isinstance(step, Act):
            assert rules.applies or rules.asks
            assert not git
            jobs = sum(item.jobs for item in step.items)
            bought += jobs if name == "go" and not value else 0
            for item in step.items:
                assert item in stood
                assert item.polls or session.now >= stood[item] + rules.settle
                assert not item.jobs or session.now >= moved + rules.settle
            assert session.state.bought + jobs <= max(rules.max_jobs, rules.max_jobs + session.state.granted)
            if not rules.applies:
                assert jobs <= agreed
            session.end(
                *step.items,
                bought=0 if value in watching.TROUBLES else jobs,
                trouble=str(value) if value in watching.TROUBLES else "",
            )
        elif isinstance(step, Wait):
            assert step.until > session.now, "it would spin"


@given(SIGHTS, ALL_RULES, st.sampled_from(["", *watching.TROUBLES]), st.sampled_from([True, False, None]))
def test_a_sight_that_never_changes_never_spins(
    items: frozenset[Item], rules: Rules, trouble: str, answer: bool | None
) -> None:
    """Passes in which nothing comes of anything, for ten minutes: few steps."""
    session = Session(*items, rules=rules)
    steps = 0
    ends = session.now + 600
    while session.now < ends:
        steps += 1
        assert steps < 2_000
        step = session.next()
        if isinstance(step, Wait):
            session.now = step.until
        elif isinstance(step, Look):
            session.look(*items)
        elif isinstance(step, TellOver):
            session.state = watching.told_over(session.state)
        elif isinstance(step, Ask):
            session.state = watching.asked(session.state, step)
            if answer is not None:
                session.answer(step, answer)
        else:
            assert isinstance(step, Act)
            session.end(*step.items, trouble=trouble)


def test_a_state_is_a_value() -> None:
    state = watching.begin(1.0)
    assert state == Watch(look_at=1.0)
    assert watching.heard(state, RULES, ["x"], 1.0) is not state
