"""Kill at every boundary, kill the recovery at every one of its own, then let it finish: what must hold, and figures.

The states that a kill can leave behind are far fewer than the boundaries: states that no command could tell apart are
followed once. So every pair of a boundary and a boundary of its recovery is covered without running each.
"""

from __future__ import annotations

import errno
import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sumesync.sandbox.settings import Idempotency
from tests.crash.probe import Deed, Orders, Touch
from tests.crash.stories import CALM, MINE, Story, Weather
from tests.crash.yard import Run, State, Yard

DISK_ERRORS: Final = {
    "open": (errno.ENOSPC, errno.EACCES, errno.EROFS),
    "write": (errno.ENOSPC, errno.EIO),
    "fsync": (errno.EIO, errno.ENOSPC),
    "rename": (errno.EIO, errno.EACCES),
    "link": (errno.EIO, errno.EPERM),
    "unlink": (errno.EIO, errno.EACCES),
    "mkdir": (errno.ENOSPC, errno.EROFS),
    "truncate": (errno.EIO,),
}
FREE: Final = Orders(Deed.KILL)
"""No touch is named: the run goes its way, and nobody looks."""
NETWORK_ERRORS: Final = (errno.ECONNRESET, errno.ETIMEDOUT)


@dataclass
class Figures:
    """What was done and what it came to. They can be added up."""

    boundaries: set[str] = field(default_factory=set)
    """Labels of the touches of the command itself, and of all recoveries."""
    killed: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, other: Figures) -> None:
        self.boundaries |= other.boundaries
        self.killed |= other.killed
        self.counts += other.counts

    @property
    def left_out(self) -> set[str]:
        """Kinds of boundary at which nothing was killed."""
        return self.boundaries - self.killed

    def __str__(self) -> str:
        told = ", ".join(f"{self.counts[name]:,} {name}" for name in _TOLD if self.counts[name] or name in _ALWAYS)
        return f"{len(self.boundaries)} kinds of boundary; {told}"


_TOLD: Final = (
    "kills",
    "kills of the recovery",
    "power cuts",
    "errors",
    "runs",
    "states told apart",
    "states finished",
    "charges",
    "duplicates",
    "losses",
)
_ALWAYS: Final = ("duplicates", "losses")


class Broken(AssertionError):
    """What must hold did not: which boundary, and what the command said."""


class _Duplicate(AssertionError):
    """Paid for twice."""


class _Loss(AssertionError):
    """Paid for, and nobody knows."""


@dataclass
class Explorer:
    """One story. ``stride``: every how many boundaries is killed where the search is not of all of them."""

    yard: Yard
    story: Story
    idempotency: Idempotency
    stride: int = 1
    about: str = ""
    """Only boundaries whose label this pattern finds."""
    figures: Figures = field(default_factory=Figures)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    """The deeds after which a person had to decide."""
    _weather: Weather = CALM
    _finished: set[str] = field(default_factory=set)
    _recovered: set[str] = field(default_factory=set)
    _trail: tuple[str, ...] = ()

    def begin(self) -> State:
        """The state before the command."""
        self.yard.stage.settings(idempotency=Idempotency.IGNORED)
        self.yard.script()
        self.story.prepare(self.yard)
        self.yard.stage.settings(idempotency=self.idempotency)
        return self.yard.state()

    # --- The three searches ---------------------------------------------------------------------------

    def kill_twice(self, weathers: Iterable[Weather] = (CALM,)) -> None:
        """Every boundary in each weather, then every boundary of the recovery from each state that this leaves. The
        weather has cleared by then: a state that two of them leave is recovered from once."""
        start = self.begin()
        for self._weather in weathers:
            left = self._each(start, "kills", _kills(self._watch(start, self.story.args)))
            weather, self._weather = self._weather, CALM
            for state, trail in left:
                self._trail = (f"weather: {weather.name}", *trail)
                self._kill_recovery(state)
            self._trail = ()

    def _kill_recovery(self, state: State) -> None:
        if state.mark in self._recovered:
            return
        self._recovered.add(state.mark)
        recovery = self.story.recovery
        touches = self._watch(state, recovery)
        offset = len(self._recovered) % self.stride
        left = self._each(state, "kills of the recovery", _kills(touches[offset :: self.stride]), recovery)
        self.finish(state)
        self._finish_all(left)

    def kill_once(self) -> None:
        start = self.begin()
        touches = self._watch(start, self.story.args)[:: self.stride]
        self._finish_all(self._each(start, "kills", _kills(touches)))

    def cut_power(self) -> None:
        """Before every touch: what no fsync has made durable is gone, or half there."""
        start = self.begin()
        touches = self._watch(start, self.story.args)[:: self.stride]
        cuts = [Orders(deed, touch) for touch in touches for deed in (Deed.LOSE, Deed.SHRED)]
        self._finish_all(self._each(start, "power cuts", cuts))

    def fail(self) -> None:
        """Each operation fails, once and from then on for good."""
        start = self.begin()
        touches = self._watch(start, self.story.args)[:: self.stride]
        self._finish_all(self._each(start, "errors", (orders for touch in touches for orders in _errors(touch))))

    # --- How ------------------------------------------------------------------------------------------

    def _watch(self, state: State, args: Iterable[str]) -> tuple[Touch, ...]:
        """The boundaries of a run from here; what that run comes to is finished too."""
        self._restore(state)
        run = self._run(args, Orders())
        if run.strays:
            raise Broken(f"changed without being seen: {run.strays}")
        self.figures.boundaries |= {touch.label for touch in run.touches}
        self._check(run)
        self.finish(self.yard.state())
        return tuple(touch for touch in run.touches if re.search(self.about, touch.label))

    def _each(
        self, state: State, what: str, orders: Iterable[Orders], args: Iterable[str] | None = None
    ) -> list[tuple[State, tuple[str, ...]]]:
        """The distinct states that a run with each of the orders leaves, and how they came to be."""
        found: dict[str, tuple[State, tuple[str, ...]]] = {}
        trail = self._trail
        for order in orders:
            self._trail = (*trail, str(order))
            self._restore(state)
            run = self._run(args or self.story.args, order)
            if run.killed and order.at:
                self.figures.killed.add(order.at.label)
            self.figures.counts[what] += run.killed or order.deed is Deed.FAIL
            self._check(run)
            after = self.yard.state()
            if after.mark not in found:
                found[after.mark] = (after, self._trail)
        self.figures.counts["states told apart"] += len(found)
        self._trail = trail
        return list(found.values())

    def _finish_all(self, states: Iterable[tuple[State, tuple[str, ...]]]) -> None:
        before = self._trail
        for state, self._trail in states:
            self.finish(state)
        self._trail = before

    def _restore(self, state: State) -> None:
        self.yard.restore(state)
        self.yard.script(*self._weather.rules)

    def _run(self, args: Iterable[str], orders: Orders) -> Run:
        self.figures.counts["runs"] += 1
        try:
            return self.yard.run(*args, orders=orders)
        except AssertionError as error:
            raise Broken(f"{self._told()}{error}") from None

    # --- What must hold ---------------------------------------------------------------------------------

    def _check(self, run: Run) -> None:
        """After any run, however it ended."""
        try:
            self._charges()
            self._no_id_lost(run)
            self._files()
        except (AssertionError, tomllib.TOMLDecodeError) as error:
            raise self._broken(error, run) from None

    def _broken(self, error: Exception, run: Run) -> Broken:
        self.figures.counts["duplicates"] += isinstance(error, _Duplicate)
        self.figures.counts["losses"] += isinstance(error, _Loss)
        return Broken(f"{self._told()}{error}\n{run.result}")

    def _told(self) -> str:
        return f"{self.story.name} ({self._weather.name}; header {self.idempotency})\n" + "".join(
            f"  {step}\n" for step in self._trail
        )

    def _charges(self) -> None:
        charges = self.yard.stage.charges()
        keys = [charge.idempotency_key for charge in charges]
        if len(keys) != len(set(keys)):
            raise _Duplicate("a submission was charged twice")
        if len(charges) > self.story.charges:
            raise _Duplicate("a job too many was paid for")

    def _no_id_lost(self, run: Run) -> None:
        """Every job that was paid for is recorded; or its request is still recorded as one that was sent, and where its
        id was heard of and could not be saved, it was said."""
        stage = self.yard.stage
        known = stage.ledger() + (stage.read("sume.lock") if stage.has("sume.lock") else "")
        open_keys = set()
        for path in (stage.state_folder() / "journal").glob("*.json"):
            text = path.read_text()
            known += text
            if '"step": "sending"' in text or '"step": "unknown"' in text:
                open_keys.add(path.stem)
        lost = [charge for charge in stage.charges() if charge.job_id not in known]
        if not all(charge.idempotency_key in open_keys for charge in lost):
            raise _Loss(f"paid for and forgotten: {lost}")
        heard = run.orders.deed is Deed.FAIL and run.orders.at is not None and not run.orders.at.network
        heard = heard and self.story.args[0] == "apply"  # the others do not hear of a job that is not recorded
        if heard and not self._weather.rules and not all(charge.job_id in run.result.text for charge in lost):
            raise _Loss(f"paid for and not named: {lost}")

    def _files(self) -> None:
        stage = self.yard.stage
        for path in self.story.mine:
            assert stage.path(path).read_bytes() == MINE, f"{path} was made by hand and is another now"
        if not stage.has("sume.lock"):
            return
        entries = tomllib.loads(stage.read("sume.lock")).get("entry", [])
        if self.story.absent:
            return
        there = {hashlib.sha256(data).hexdigest() for data in stage.tree().values()}
        wanted = [output for entry in entries for job in entry["jobs"] for output in job.get("outputs", [])]
        missing = [output["path"] for output in wanted if output["sha256"] not in there]
        assert not missing, f"the lock calls complete what is not there: {missing}"

    def finish(self, state: State) -> None:
        """The weather has cleared: the next runs finish the work, and it costs what it should."""
        mark = state.mark
        if mark in self._finished:
            return
        self.yard.restore(state)
        self.yard.script()
        if self.story.again:
            self._run(self.story.args, FREE)
        for _ in range(4):
            run = self._run(self.story.finish, FREE)
            if run.result.code == 4:
                self.asked.append(self._trail)
                self._resolve()
            elif run.result.code != 5:  # of a chain, what an unknown outcome held back is for one more run
                break
        self._finally(run)
        self._finished.add(mark)
        self.figures.counts["states finished"] += 1

    def _resolve(self) -> None:
        """What a person does who looks at Sume."""
        made = {charge.idempotency_key: charge.job_id for charge in self.yard.stage.charges()}
        for step in self.yard.stage.journal():
            if step["step"] in ("sending", "unknown"):
                job = made.get(step["key"])
                how = ("--adopt", job) if job else ("--not-created",)
                self._run(("resolve", step["entry"]["path"], *how), FREE)

    def _finally(self, run: Run) -> None:
        stage = self.yard.stage
        try:
            assert run.result.code == 0, "the next run did not finish the work"
            after = self._run(("plan", "--exit-code"), FREE)
            assert after.result.code == 0, f"there is something left to do\n{after.result}"
            self._charges()
            assert len(stage.charges()) == self.story.charges, f"{len(stage.charges())} jobs were paid for"
            self.figures.counts["charges"] += len(stage.charges())
            stage.nothing_lost()
            assert not stage.journal(), "the journal is not empty"
            assert not [path for path in stage.tree() if path.endswith(".part")], "a part file is left"
            self._files()
            stage.no_secret()
        except AssertionError as error:
            raise self._broken(error, run) from None


def _kills(touches: Iterable[Touch]) -> Iterator[Orders]:
    """Before each; in the middle of what has one; after the last."""
    touches = tuple(touches)
    for touch in touches:
        yield Orders(Deed.KILL, touch)
        if touch.label.split(" ", 1)[0] in ("write", "send") or touch is touches[-1]:
            yield Orders(Deed.TEAR, touch)


def _errors(touch: Touch) -> Iterator[Orders]:
    codes = NETWORK_ERRORS if touch.network else DISK_ERRORS[touch.label.split(" ", 1)[0]]
    for code in codes:
        yield Orders(Deed.FAIL, touch, code)
        yield Orders(Deed.FAIL, touch, code, lasting=True)
