"""Between a plan and the loop: meet the account, recover, and make sure that nobody pays for
more than was shown; and what is said when it ended."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from sumesync.answers import Credits
from sumesync.apply.loop import Loop
from sumesync.apply.recovery import settle_journal
from sumesync.apply.run import Task, Tools
from sumesync.cli import access, money, wiring
from sumesync.cli.options import Common
from sumesync.cli.session import Session
from sumesync.cli.talk import Quit, colours, is_terminal
from sumesync.core import schedule
from sumesync.core.action import Plan, Policy, Verb
from sumesync.core.budget import Budget
from sumesync.core.cost import Quote
from sumesync.core.outcome import Outcome
from sumesync.core.text import count
from sumesync.errors import ApiError, Exit, LocalStateError, first_of
from sumesync.host import Stop, SystemClock, ThreadWorkers
from sumesync.model import SANDBOX, EntryKey, Event, Lock, News
from sumesync.ports import JobApi, Progress
from sumesync.render import human, machine, progress

if TYPE_CHECKING:
    from sumesync.api.client import SumeClient


@dataclass(frozen=True, slots=True)
class How:
    """What the person asked of the run itself."""

    policy: Policy
    pays: bool = True
    """False: nothing may be submitted, not even again."""
    wait: bool = True
    deadline: float | None = None
    max_credits: float | None = None
    blind: bool = False
    """The person said how many jobs at most: such whose cost nobody can tell are among them."""
    budget: Budget | None = None
    """What earlier runs have left of ``max_credits``, where it is for several."""
    show: Progress | None = None
    """Who hears of the run, and outlives it; else what the command line asks for."""


@dataclass(frozen=True, slots=True)
class Met:
    """Whose account this is (a digest; None: not told), and what it has (None: it cannot be read)."""

    workspace: str | None
    credits: Credits | None

    @property
    def capacity(self) -> int:
        return (self.credits and self.credits.capacity) or schedule.DEFAULT_CAPACITY

    @property
    def balance(self) -> float | None:
        return self.credits.remaining if self.credits else None


def execute(
    common: Common,
    session: Session,
    plan_: Plan,
    remake: Callable[[Session], Plan],
    stop: Stop,
    how: How,
    api: SumeClient,
    met: Met,
) -> tuple[Outcome, Plan]:
    """Make sure that everything is still as it was agreed to, and run the loop."""
    workers, clock = ThreadWorkers(), SystemClock()
    since = clock.monotonic()  # what is asked of Sume before the loop counts, too
    stop.also(workers.wake)
    lock, uploads = _signed(session, met.workspace), wiring.uploads(session.place, met.workspace)
    show = _progress(common, plan_) if how.show is None else progress.Lasting(how.show)
    tools = Tools(
        api, session.ledger, session.journal, session.locks, session.media, clock, workers, show, api, uploads
    )
    outcome = Outcome()
    try:
        # What is sent once more may be charged only now, and the budget is not asked there: so not under one.
        again = plan_ if how.pays and how.max_credits is None else Plan()
        fresh, resent = _recovered(session, tools, lock, again)
        outcome.bought += resent
        if fresh is not session:
            now, left = as_agreed(plan_, remake(fresh))
            session, plan_ = fresh, _not_dearer(plan_, now)
            outcome.not_begun += left
            for key in left:
                tools.tell(News.NOTE, key, "what it waited for is settled now; to pay for it run apply again")
        task = _task(common, session, plan_, lock, met, stop, how, since)
        session.media.sweep(session.observed, session.project.spec_paths)
        with stop.listening():  # only now: before it a Ctrl-C ends the command at once, and nothing is under way
            Loop(task, tools, outcome).run()
    finally:
        workers.close()
        with suppress(OSError, ValueError):
            show.close()
    return outcome, plan_


def meet(common: Common, session: Session, api: JobApi) -> Met:
    """Whose account this is and what it has. Raises LocalStateError where it is another than paid so far."""
    digest = access.same_workspace(api, session.state.lock, session.place.endpoint)
    try:
        met = Met(digest, api.credits())
    except ApiError as error:
        met = Met(digest, None)
        common.talk.say(f"The balance cannot be read ({error.what}); going on with {met.capacity} jobs at once.")
    if common.talk.as_json:
        told = met.credits or Credits()
        common.talk.out(machine.line({"event": "balance", "balance": told.remaining, "capacity": told.capacity}))
    elif met.balance is not None:
        common.talk.say(human.balance(Quote(balance=met.balance, capacity=met.capacity)))
    return met


def _signed(session: Session, digest: str | None) -> Lock:
    """The lock with its header, durable before anything is paid for."""
    lock = session.state.lock
    if not session.lock_exists:
        return session.locks.create(lock.lineage, digest)
    if digest and lock.workspace is None:
        session.locks.patch({}, lock.lineage, digest)
        return replace(lock, workspace=digest)
    return lock


def _recovered(session: Session, tools: Tools, lock: Lock, agreed: Plan) -> tuple[Session, tuple[str, ...]]:
    """``session``, or a new look at the project where the journal, or the workspace, changed what is known; and jobs
    of requests that were sent once more. Only those of variants in ``agreed`` may be."""
    keys = {action.key for action in agreed.actions}
    wanted = [variant for variant in session.project.wanted if variant.key in keys]
    settled = settle_journal(tools, session.state.facts, lock.lineage, wanted, session.place.schemas.kinds)
    if not settled.changed and lock.workspace == session.state.lock.workspace:
        return session, ()
    fresh = wiring.look(session.place)
    known = replace(fresh.state.lock, workspace=lock.workspace)
    return replace(fresh, state=replace(fresh.state, lock=known)), settled.bought


def as_agreed(agreed: Plan, now: Plan) -> tuple[Plan, tuple[EntryKey, ...]]:
    """``now`` without purchases that were shown as waiting, and which: what they waited for was settled meanwhile."""
    waited = {action.key for action in agreed.of(Verb.ATTENTION)}
    left = tuple(action.key for action in now.actions if action.pays and action.key in waited)
    if now.pays <= agreed.pays or not left:
        return now, ()
    kept = (action for action in now.actions if action.key not in left and action.twin not in left)
    return replace(now, actions=tuple(kept)), left


def _not_dearer(agreed: Plan, now: Plan) -> Plan:
    """Nobody pays for more than was shown."""
    if now.pays > agreed.pays:
        raise LocalStateError(
            f"the plan changed while it was agreed to: {now.pays} paid jobs instead of {agreed.pays}",
            "run it again and look at the new plan",
        )
    return now


def _task(
    common: Common,
    session: Session,
    plan_: Plan,
    lock: Lock,
    met: Met,
    stop: Stop,
    how: How,
    since: float,
) -> Task:
    limited = how.max_credits is not None
    expected = money.quote(session, plan_).estimates if limited else {}
    local = session.place.endpoint == SANDBOX or access.is_local(common)
    return Task(
        plan=plan_,
        wanted={wanted.key: wanted for wanted in session.project.wanted},
        lock=replace(session.state.lock, workspace=lock.workspace),
        facts=session.state.facts,
        own=session.own,
        kinds=session.place.schemas.kinds,
        policy=how.policy,
        capacity=met.capacity,
        pace=schedule.LOCAL if local else schedule.Pace(),
        wait=how.wait,
        deadline=how.deadline,
        since=since,
        stopping=stop,
        budget=how.budget if limited and how.budget else _budget(how, met),
        prices={key: each.known for key, each in expected.items() if each.credits is not None},
    )


def _budget(how: How, met: Met) -> Budget | None:
    return None if how.max_credits is None else Budget(how.max_credits, how.blind, {}, met.balance, fresh=True)


def finish(common: Common, result: Outcome, plan_: Plan) -> None:
    """Say how it ended, and end with its exit code."""
    told = {submission.key for submission in result.unknown}
    result.unknown += [submission for submission in plan_.unknown if submission.key not in told]
    codes = result.codes()
    if plan_.invalid:
        codes.add(Exit.USAGE)
    left = [action for action in plan_.of(Verb.ATTENTION) if not action.unknown]
    if left:
        codes.add(Exit.FAILED)
    if any(action.unknown for action in plan_.of(Verb.ATTENTION)):
        codes.add(Exit.ATTENTION)
    code = first_of(codes)
    talk = common.talk
    if talk.as_json:
        talk.out(machine.line(machine.outcome(result, int(code))))
    else:
        talk.out("\n" + human.outcome(result, talk.style), newline=False)
        if left:
            talk.out(f"{count(len(left), 'spec')} left for your decision (see the plan above).")
    if code is not Exit.DONE:
        raise Quit(code)


class Shown(Protocol):
    """A Progress that can be ended."""

    def tell(self, event: Event) -> None: ...

    def close(self) -> None: ...


def _progress(common: Common, plan_: Plan) -> Shown:
    talk = common.talk
    if talk.as_json:
        return progress.JsonLines(talk.out)
    if talk.quiet:
        return progress.Silent(talk.warn)
    if is_terminal(sys.stderr):
        from rich.console import Console

        console = Console(stderr=True, highlight=False, markup=False, no_color=not colours(sys.stderr))
        return progress.LiveView(console, len(plan_.work), SystemClock())
    return progress.Lines(talk.say)
