"""What a session of watch looks at and does: the looks without the project's mutex, the passes with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from sumesync.cli import contract, money, pointers, remember, scope, wiring
from sumesync.cli.apply import guard
from sumesync.cli.execution import How, execute, meet
from sumesync.cli.options import Common
from sumesync.cli.person import Person
from sumesync.cli.plan import view
from sumesync.cli.session import Place, Session
from sumesync.cli.talk import Talk
from sumesync.core import metadata, paths, sight, watching
from sumesync.core.action import Plan, Verb
from sumesync.core.budget import Budget, caught_up
from sumesync.core.outcome import Outcome
from sumesync.core.sight import Item, Sight
from sumesync.core.text import count
from sumesync.core.watching import Around, Ask, Result, Watch
from sumesync.disk import git, memory, repository
from sumesync.errors import ApiError, LocalStateError, SumesyncError, UsageError
from sumesync.host import Stop
from sumesync.model import SANDBOX
from sumesync.render.watching import Standing, View


@dataclass
class Rounds:
    """The Desk and the Voice of a session. ``wrote`` hears which files a pass wrote."""

    common: Common
    place: Place
    named: tuple[str, ...]
    tags: tuple[str, ...]
    shows: View
    max_credits: float | None = None
    blind: bool = False
    """Jobs whose cost nobody can tell may be bought, too: the person said how many."""
    wrote: Callable[[list[str]], None] = lambda _paths: None
    person: Person | None = None
    ended: bool = False
    done: int = 0
    _bought: set[str] = field(default_factory=set)
    _seen: tuple[memory.Memory, Sight] | None = None
    """The last look, with all that it hung on."""
    _session: Session | None = None
    _plan: Plan = field(default_factory=Plan)
    _budget: Budget | None = None
    _trouble: str = ""
    _hint: str = ""
    _question: str = ""

    # --- Looking ---------------------------------------------------------------------------------------------

    def look(self) -> Sight:
        """Everything, anew; at once where all that the last look hung on is as it was."""
        root = str(self.place.home.root)
        if self._seen is not None and memory.holds(self._seen[0], root, alone=False):
            return self._seen[1]
        self._seen = None
        try:
            with git.heard() as asked:
                self._session = self._looked(recalling=True)
                self._plan = self._planned(self._session)
        except SumesyncError as error:
            self._hint = error.hint
            return Sight(fault="; ".join([error.what, *(f"{p.where}: {p.what}" for p in error.problems)]))
        seen = Sight(sight.items_of(self._plan), len(self._plan.actions))
        if (world := remember.world(self._session, asked)) is not None:
            self._seen = world, seen
        return seen

    def around(self) -> Around:
        root = self.place.home.root
        if not root.is_dir():
            raise LocalStateError(f"the project's folder is gone: {root}", "nothing that was paid for is lost at Sume")
        return Around(repository.at_work(root), repository.head(root), _key_sign(self.common))

    def _looked(self, recalling: bool = False) -> Session:
        root = self.place.home.root
        if not (root / paths.CONFIG_NAME).is_file():
            raise LocalStateError(f"{paths.CONFIG_NAME} is gone: this is no project now")
        place = wiring.find(self.common)
        if place.endpoint != self.place.endpoint:
            now, before = ("the sandbox", "Sume") if place.endpoint == SANDBOX else ("Sume", "the sandbox")
            raise LocalStateError(f"the project now asks for {now}, this session began at {before}", "start it again")
        return wiring.look(place, recalling=recalling)

    def _planned(self, session: Session) -> Plan:
        return scope.narrowed(self.common, session, session.policy(keep_going=True), self.named, self.tags)

    # --- Acting ----------------------------------------------------------------------------------------------

    def act(self, items: frozenset[Item]) -> Result:
        before = self.around()
        with ExitStack() as held:
            try:
                held.enter_context(wiring.holding(replace(self.common, lock_timeout=0.0), self.place.home, "watch"))
            except LocalStateError as error:
                self._tell("held", f"waiting: {error.what}")
                return Result(trouble=watching.BUSY)
            try:
                return self._pass(items, before)
            except ApiError as error:
                self._tell("error", error.what, error.hint)
                return Result(trouble=_kind_of(error.status))
            except UsageError as error:
                self._tell("error", error.what, error.hint)
                return Result(trouble=watching.KEY)
            except LocalStateError as error:
                self._tell("error", error.what, error.hint)
                return Result(trouble=watching.LOCAL)

    def _pass(self, items: frozenset[Item], before: Around) -> Result:
        session = self._looked()
        session.journal.sweep()

        def again(fresh: Session) -> Plan:
            return sight.narrowed(self._planned(fresh), items)

        plan_ = again(session)
        if missing := pointers.told(session, plan_):
            self._tell("guard", missing)
            items = frozenset(item for item in items if not item.jobs)
            plan_ = again(session)
        guard(session, plan_, plan_.pays, keep_going=True)
        if not plan_.work and not plan_.collects and not plan_.unknown:
            return Result()
        if before.git or self.around() != before:
            return Result(trouble=watching.GIT)
        quiet = replace(self.common, talk=Talk(quiet=True))
        with wiring.connected(quiet, session.place) as api:
            met = meet(quiet, session, api)
            if self._budget is not None:
                self._budget = caught_up(self._budget, session.state.facts, met.balance)
            how = How(
                session.policy(keep_going=True),
                wait=False,
                max_credits=self.max_credits,
                blind=self.blind,
                budget=self._budget,
                show=self.shows,
            )
            stop = Stop()
            try:
                outcome, _ = execute(quiet, session, plan_, again, stop, how, api, met)
            finally:
                self.ended = stop()  # heard, even where the run had come to its end by then
        return self._ended(items, outcome)

    def _ended(self, items: frozenset[Item], outcome: Outcome) -> Result:
        self.done += len(outcome.done)
        self._bought.update(outcome.bought)
        beside = [metadata.path_of(item.key) for item in items if item.key.path]
        self.wrote([*outcome.written, *outcome.removed, *beside, paths.LOCK_NAME])
        refused = [trouble for trouble in outcome.failed if trouble.status is not None]
        kinds = {_kind_of(trouble.status) for trouble in refused}
        kind = next((kind for kind in (watching.KEY, watching.NETWORK) if kind in kinds), "")
        self._budget = outcome.budget
        if outcome.refused is not None and outcome.over_budget:
            self._tell("guard", outcome.refused.text, "to go on, start it again with a higher --max-credits")
        elif outcome.refused is not None:
            self._tell("error", outcome.refused.text, outcome.refused.hint)
            kind = watching.LOCAL
        elif not kind:
            self._trouble = ""
        never = {trouble.key for trouble in refused if trouble.key and not _kind_of(trouble.status)}
        left = frozenset(outcome.not_begun)
        return Result(len(outcome.bought), left, kind, frozenset(never), spent=outcome.over_budget)

    def ask(self, ask: Ask) -> None:
        self._question = _question(ask, self.place.endpoint)
        if self.person:
            self.person.listen()
        self._pose()

    def answer(self) -> bool | None:
        line = self.person.line() if self.person else None
        if line is None:
            return None
        word = line.strip().lower()
        if word not in _ANSWERS:
            self._pose()
            return None
        self.shows.unask()
        if not _ANSWERS[word]:
            self.shows.note("note", "Declined; asked again when it changes.")
        return _ANSWERS[word]

    def withdraw(self) -> None:
        self.shows.unask()
        self.shows.note("note", "That question is out of date; nothing was done.")

    def _pose(self) -> None:
        self.shows.ask(f"{self._question} [y/N]: ")

    # --- Telling ---------------------------------------------------------------------------------------------

    def show(self, items: frozenset[Item]) -> None:
        session = self._session
        if session is None:
            return
        part = sight.seen_only(self._plan, items)
        self.shows.plan(part, view(self.common, session, quote=money.quote(session, part)))
        for problem in contract.of_plan(self.common, session, part):
            self.shows.note("warning", f"{problem.where}: {problem.what}", problem.hint)

    def rest(self, specs: int) -> None:
        self.shows.stands(self.standing())
        waiting = len(self._plan.of(Verb.INVALID, Verb.ATTENTION))
        wait = f"; {count(waiting, 'spec')} {'waits' if waiting == 1 else 'wait'} for you" if waiting else ""
        self.shows.note("idle", f"{count(specs - waiting, 'spec')} up to date{wait}.")

    def over(self, jobs: int, most: int) -> None:
        self.shows.note(
            "guard",
            f"that would be {count(jobs, 'paid job')} in this session, more than the {most:,} allowed; not submitted",
            f"if that is what you want, start it again with --max-jobs {jobs}",
        )

    def fault(self, text: str) -> None:
        self.shows.note("error", text, "; ".join(filter(None, (self._hint, "watching goes on"))))

    def held(self, why: str) -> None:
        self.shows.note("held", f"{why}: nothing is submitted meanwhile" if why else "git is done")

    def stands(self, state: Watch, settling: int) -> None:
        self.shows.stands(self.standing(settling, state.around.git if state.around else ""))

    def standing(self, settling: int = 0, note: str = "") -> Standing:
        facts = self._session.state.facts if self._session else ()
        credits_ = [f.job.credits for f in facts if f.job.id in self._bought and f.job.credits is not None]
        return Standing(
            specs=len(self._plan.actions),
            running=tuple(action.key for action in self._plan.of(Verb.RESUME)),
            settling=settling,
            done=self.done,
            bought=len(self._bought),
            credits=sum(credits_) if credits_ else None,
            note=note,
        )

    def _tell(self, what: str, text: str, hint: str = "") -> None:
        """Once, until something works again or something else is wrong."""
        if text != self._trouble:
            self.shows.note(what, text, hint)
        self._trouble = text


def _kind_of(status: int | None) -> str:
    """What an answer of Sume, or none (None, 0), means for the session; "": only for the request itself."""
    if status in (401, 402, 403):
        return watching.KEY
    return "" if status and 400 <= status < 500 and status not in (408, 429) else watching.NETWORK


_ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


def _question(ask: Ask, endpoint: str) -> str:
    what = f"Pay for {count(ask.jobs, 'job')}" if ask.jobs else "Do this (nothing is paid for)"
    if unknown := sum(item.deed == sight.SETTLE for item in ask.items):
        what += f" and settle {count(unknown, 'request')} whose outcome is unknown"
    beyond = ", beyond what this session may" if ask.over else ""
    return f"{what}{beyond}{' in the sandbox' if endpoint == SANDBOX else ''}?"


def _key_sign(common: Common) -> str:
    """Something that changes when the key's file does."""
    if common.key_file is None:
        return ""
    try:
        status = os.stat(common.folder / common.key_file)
    except OSError:
        return ""
    return f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"
