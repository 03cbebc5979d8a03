"""What ``watch`` does next: a state machine of values. Pure; times are passed in, monotonic seconds.

The loop tells it what it heard (``heard``), saw (``looked``), noticed of git and the key (``noticed``), did
(``passed``) and was told by a person (``answered``), and asks for the next ``step``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from sumesync.core.schedule import Pace
from sumesync.core.sight import COLLECT, RESUME, Item, Sight
from sumesync.model import EntryKey

_LONGEST_DEBOUNCES: Final = 10
"""Somebody who saves without a pause is looked at after so many debounces nevertheless."""
_GIT_SECONDS: Final = 1.0
_BUSY_SECONDS: Final = 1.0
_FIRST_RETRY: Final = 2.0
_LONGEST_RETRY: Final = 60.0
_LONGEST_ITEM_RETRY: Final = 300.0
_KEY_SECONDS: Final = 300.0
_KEY_LOOK: Final = 2.0


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around the project. ``git``: what git is in the middle of; ``head``: where its HEAD is; ``key``: a
    sign of the API key's file."""

    git: str = ""
    head: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a session may do, and its times in seconds."""

    applies: bool = False
    asks: bool = False
    """Whether a person is there to answer."""
    debounce: float = 0.3
    settle: float = 3.0
    every: float = 120.0
    max_jobs: int = 100
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Tried:
    """How often an item was tried in vain, and when it may be again."""

    times: int
    at: float


@dataclass(frozen=True, slots=True)
class Watch:
    """All that a session remembers."""

    look_at: float
    full_at: float = float("-inf")
    """When to look whether or not anything is heard."""
    hinted: float | None = None
    """Since when there are hints that no look has answered."""
    sight: Sight = field(default_factory=Sight)
    since: Mapping[Item, float] = field(default_factory=dict)
    around: Around | None = None
    moved_at: float = float("-inf")
    """When git was last seen at work, or its HEAD to have moved."""
    poll_at: float = float("-inf")
    flying_since: float = 0.0
    retry_at: float = float("-inf")
    tries: int = 0
    trouble: str = ""
    tried: Mapping[Item, Tried] = field(default_factory=dict)
    agreed: frozenset[Item] = frozenset()
    aside: frozenset[Item] = frozenset()
    """A person said no to these."""
    bought: int = 0
    granted: int = 0
    """Paid jobs beyond the guard that a person agreed to."""
    asking: Ask | None = None
    """The question that stands."""
    shown: frozenset[Item] = frozenset()
    rested: int | None = None
    """How many specs were told to be up to date, while they are."""
    over_told: bool = False


# --- What the loop is to do ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing until then, unless something is heard."""

    until: float


@dataclass(frozen=True, slots=True)
class Look:
    """Look at the whole project."""


@dataclass(frozen=True, slots=True)
class Show:
    """Tell a person of these."""

    items: frozenset[Item]


@dataclass(frozen=True, slots=True)
class Rest:
    """Say that everything is as the specs want it."""


@dataclass(frozen=True, slots=True)
class TellOver:
    """Say that the guard holds purchases, where nobody can be asked."""

    jobs: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a person for these, and go on meanwhile. ``over``: they are beyond the guard."""

    items: frozenset[Item]
    jobs: int
    over: bool


@dataclass(frozen=True, slots=True)
class Withdraw:
    """What was asked for is not what there is now."""


@dataclass(frozen=True, slots=True)
class Act:
    """Do these, and nothing else, in one pass."""

    items: frozenset[Item]


Step: TypeAlias = Wait | Look | Show | Rest | TellOver | Ask | Withdraw | Act


@dataclass(frozen=True, slots=True)
class Result:
    """What a pass came to. ``trouble``: "" or one of TROUBLES; ``left``: items that did not come to their turn."""

    bought: int = 0
    left: frozenset[EntryKey] = frozenset()
    trouble: str = ""
    refused: frozenset[EntryKey] = frozenset()
    """What Sume does not accept as it is: not tried again before it changes."""
    spent: bool = False
    """The credits of the session are used up: what is left waits long."""


BUSY, GIT, NETWORK, KEY, LOCAL = "busy", "git", "network", "key", "local"
TROUBLES: Final = (BUSY, GIT, NETWORK, KEY, LOCAL)


# --- What happened ---------------------------------------------------------------------------------------------


def begin(now: float) -> Watch:
    return Watch(look_at=now)


def heard(state: Watch, rules: Rules, paths: Iterable[str], now: float) -> Watch:
    """Something has changed on disk, perhaps: look when it is quiet. What a named spec wants settles anew."""
    named = frozenset(paths)
    first = now if state.hinted is None else state.hinted
    due = min(now + rules.debounce, first + _LONGEST_DEBOUNCES * rules.debounce)
    since = {item: now if item.key.path in named else at for item, at in state.since.items()}
    retry = now if state.trouble == KEY else state.retry_at
    return replace(state, hinted=first, look_at=min(due, state.full_at), since=since, retry_at=retry)


def looked(state: Watch, rules: Rules, sight: Sight, now: float) -> Watch:
    """A look is over. What is not there any more is forgotten, so that it counts anew when it comes back."""
    flew = state.sight.flying
    state = replace(state, look_at=now + rules.every, full_at=now + rules.every, hinted=None, sight=sight)
    if sight.fault:
        return state
    here = sight.items
    return replace(
        state,
        since={item: state.since.get(item, now) for item in here},
        tried={item: tried for item, tried in state.tried.items() if item in here},
        aside=state.aside & here,
        shown=state.shown & here,
        flying_since=state.flying_since if flew else now,
        poll_at=state.poll_at if flew else max(state.poll_at, now),
        rested=None if sight.work else state.rested,
        over_told=state.over_told and any(item.jobs for item in here),
    )


def noticed(state: Watch, around: Around, now: float) -> Watch:
    """What stands around the project, seen cheaply and often."""
    before = state.around
    if around == before and not around.git:
        return state
    moved = around.git or (before is not None and around.head != before.head)
    new_key = before is not None and around.key != before.key and state.trouble == KEY
    return replace(
        state,
        around=around,
        moved_at=now if moved else state.moved_at,
        retry_at=now if new_key else state.retry_at,
    )


def passed(state: Watch, rules: Rules, items: frozenset[Item], result: Result, now: float) -> Watch:
    """A pass is over; what it did shows in the look that follows."""
    state = replace(state, look_at=now, full_at=now, bought=state.bought + result.bought)
    if result.bought:
        state = replace(state, flying_since=now)
    state = replace(state, poll_at=now + rules.pace.again(now - state.flying_since))
    if result.trouble:
        state = _troubled(state, result.trouble, now)
    else:
        state = replace(state, tries=0, retry_at=now, trouble="")
    if result.trouble in (BUSY, GIT, NETWORK, KEY):
        return state
    return replace(state, tried={**state.tried, **_tried(state, items, result, now)})


def _troubled(state: Watch, trouble: str, now: float) -> Watch:
    if trouble in (BUSY, GIT):
        return replace(state, retry_at=now + _BUSY_SECONDS, trouble=trouble)
    tries = state.tries + 1
    wait = _KEY_SECONDS if trouble == KEY else min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(tries - 1, 10))
    return replace(state, tries=tries, retry_at=now + wait, trouble=trouble)


def _tried(state: Watch, items: frozenset[Item], result: Result, now: float) -> dict[Item, Tried]:
    """What is still there after a pass that had it is not hurried: it did not work, or there was no room."""
    found: dict[Item, Tried] = {}
    for item in items:
        if item.polls:
            continue
        if item.key in result.refused and item.jobs:
            found[item] = Tried(0, float("inf"))
        elif item.key in result.left:
            found[item] = Tried(0, now + _LONGEST_ITEM_RETRY if result.spent else state.poll_at)
        else:
            times = state.tried[item].times + 1 if item in state.tried else 1
            found[item] = Tried(times, now + min(_LONGEST_ITEM_RETRY, _FIRST_RETRY * 2.0 ** min(times, 10)))
    return found


def asked(state: Watch, ask: Ask) -> Watch:
    return replace(state, asking=ask)


def withdrawn(state: Watch) -> Watch:
    """What is left of the question is told anew before it is asked anew."""
    items = state.asking.items if state.asking else frozenset()
    return replace(state, asking=None, shown=state.shown - items)


def answered(state: Watch, rules: Rules, yes: bool) -> Watch:
    ask = state.asking
    if ask is None:
        return state
    if not yes:
        return replace(state, asking=None, aside=state.aside | ask.items)
    beyond = state.bought + ask.jobs - rules.max_jobs
    return replace(state, asking=None, agreed=state.agreed | ask.items, granted=max(state.granted, beyond))


def woke(state: Watch, now: float) -> Watch:
    """Time has jumped: the machine slept. What people did meanwhile settles anew; what failed is tried again."""
    since = dict.fromkeys(state.since, now)
    return replace(state, look_at=now, full_at=now, since=since, retry_at=now, poll_at=now, tries=0)


def showed(state: Watch, items: frozenset[Item]) -> Watch:
    return replace(state, shown=state.shown | items)


def rested(state: Watch) -> Watch:
    return replace(state, rested=state.sight.specs)


def told_over(state: Watch) -> Watch:
    return replace(state, over_told=True)


# --- What is next ----------------------------------------------------------------------------------------------


def step(state: Watch, rules: Rules, now: float) -> Step:
    """The one thing to do now."""
    if now >= state.look_at:
        return Look()
    settled = frozenset(item for item in state.sight.items if _settles_at(state, rules, item) <= now)
    if state.asking is not None:
        return Withdraw() if state.asking.items - settled else _meanwhile(state, rules, settled, now)
    if state.sight.fault:
        return Wait(state.look_at)
    if fresh := frozenset(item for item in settled - state.shown if not item.polls):
        return Show(fresh)
    if not state.sight.work and state.rested != state.sight.specs:
        return Rest()
    ready = _together(state, _ready(state, rules, settled, now))
    return _held(state, rules, ready, now) or _consented(state, rules, ready, now)


def _meanwhile(state: Watch, rules: Rules, settled: frozenset[Item], now: float) -> Step:
    """What goes on while a question stands: what runs is brought, and what needs no other answer is done."""
    ready = _ready(state, rules, settled, now)
    free = {item for item in ready if not item.jobs} if rules.applies else _consents(state, ready)
    allowed = _together(state, frozenset(free))
    return _held(state, rules, allowed, now) or Act(allowed)


def _held(state: Watch, rules: Rules, ready: frozenset[Item], now: float) -> Wait | None:
    """How long to wait where there is nothing to do, or it may not be done now."""
    if state.hinted is not None or not ready:
        return Wait(_next_time(state, rules, now))
    if state.around is not None and state.around.git:
        return Wait(min(state.look_at, now + _GIT_SECONDS))
    if now < state.retry_at:
        soon = now + _KEY_LOOK if state.trouble == KEY else state.retry_at
        return Wait(min(state.look_at, state.retry_at, soon))
    return None


def _ready(state: Watch, rules: Rules, settled: frozenset[Item], now: float) -> frozenset[Item]:
    return frozenset(item for item in _open(state, rules) & settled if _due(state, rules, item) <= now)


def _open(state: Watch, rules: Rules) -> frozenset[Item]:
    """Work that somebody may do: none where nobody can act or answer, and none that a person declined."""
    return state.sight.work - state.aside if rules.applies or rules.asks else frozenset()


def _together(state: Watch, ready: frozenset[Item]) -> frozenset[Item]:
    """Without what hangs on work that is not among them."""
    missing = {item.key for item in state.sight.work - ready if not item.polls}
    while hanging := {item for item in ready if missing.intersection(item.after)}:
        ready -= hanging
        missing |= {item.key for item in hanging}
    return ready


def _consented(state: Watch, rules: Rules, ready: frozenset[Item], now: float) -> Step:
    """Do what may be done; ask for the rest, where somebody can answer."""
    if not rules.applies:
        agreed = _together(state, _consents(state, ready))
        if agreed and not _over(state, rules, agreed):
            return Act(agreed)
        return Ask(ready, _jobs(ready), _over(state, rules, ready))
    buys = frozenset(item for item in ready if item.jobs)
    if not _over(state, rules, ready):
        return Act(ready | _polls(state))
    if free := ready - buys:
        return Act(free | _polls(state))
    if rules.asks:
        return Ask(buys, _jobs(buys), True)
    return Wait(_next_time(state, rules, now)) if state.over_told else TellOver(state.bought + _jobs(buys))


def _jobs(items: frozenset[Item]) -> int:
    return sum(item.jobs for item in items)


def _over(state: Watch, rules: Rules, items: frozenset[Item]) -> bool:
    """Whether they are more than the session may buy, and a person has agreed to beyond that."""
    return _jobs(items) > 0 and state.bought + _jobs(items) > rules.max_jobs + state.granted


def _polls(state: Watch) -> frozenset[Item]:
    """A pass looks at what runs, due or not: that is one request for all of it."""
    return frozenset(item for item in state.sight.work if item.polls)


def _consents(state: Watch, items: frozenset[Item]) -> frozenset[Item]:
    """Those of ``items`` that a person has agreed to. What runs was agreed to when it was bought."""
    bought = {item.what for item in state.agreed if item.jobs}
    return frozenset(
        item
        for item in items
        if item in state.agreed
        or (item.deed == RESUME and item.what in bought)
        or (item.deed == COLLECT and bool(state.agreed))
    )


def _settles_at(state: Watch, rules: Rules, item: Item) -> float:
    """When an item has stood long enough to be told and done. What runs is there to be looked at."""
    if item.polls:
        return float("-inf")
    at = state.since.get(item, 0.0) + rules.settle
    return max(at, state.moved_at + rules.settle) if item.jobs else at


def _due(state: Watch, rules: Rules, item: Item) -> float:
    at = state.poll_at if item.polls else _settles_at(state, rules, item)
    tried = state.tried.get(item)
    return max(at, tried.at) if tried else at


def _next_time(state: Watch, rules: Rules, now: float) -> float:
    """When time alone will give something to do."""
    times = [_settles_at(state, rules, item) for item in state.sight.items - state.shown if not item.polls]
    times += [_due(state, rules, item) for item in _open(state, rules)]
    return min([state.look_at, *(at for at in times if at > now)])


def settling(state: Watch, rules: Rules, now: float) -> frozenset[Item]:
    """Purchases that have not stood long enough yet, for the view."""
    return frozenset(item for item in state.sight.items if item.jobs and _settles_at(state, rules, item) > now)


def held_by_git(state: Watch) -> str:
    """What git is in the middle of, where something waits for that; else ""."""
    return state.around.git if state.around is not None and state.sight.work else ""
