"""The loop of apply: it starts work while there is capacity and reaps what has ended.

All state is changed here, in one thread; workers do IO and hand back values. The lock advances from
results, never from intentions. Whatever ends the run, the Outcome says what really happened.
"""

from __future__ import annotations

from sumesync.apply import free
from sumesync.apply.deliveries import Deliveries
from sumesync.apply.flights import Flights, Looked
from sumesync.apply.ground import Errand, Ground
from sumesync.apply.inputs import Body
from sumesync.apply.landing import Ended, Landing
from sumesync.apply.paid import Payment
from sumesync.apply.payments import Payments
from sumesync.apply.record import Record
from sumesync.apply.run import Task, Tools
from sumesync.core.action import Action, Verb
from sumesync.core.advance import promised, search_record, take_over
from sumesync.core.outcome import Outcome, Trouble
from sumesync.errors import LocalStateError
from sumesync.model import Done, News, Past, Submission

_SHORTEST_WAIT = 0.01


class Loop:
    """One run. ``run`` returns when there is nothing left to do, or when it must not go on."""

    def __init__(self, task: Task, tools: Tools, outcome: Outcome) -> None:
        self._ground = Ground(task, tools, Record(task, tools), outcome)
        self._deliveries = Deliveries(self._ground)
        self._flights = Flights(self._ground, self._deliveries.take)
        self._payments = Payments(self._ground, self._flights.launch)
        self._started = tools.clock.monotonic() if task.since is None else task.since

    def run(self) -> None:
        try:
            self._begin()
            while self._step():
                pass
        except LocalStateError as error:
            self._ground.outcome.refused = Trouble(None, error.what, error.hint)
            self._drain()
        except Exception:  # whatever it is, what is being paid for gets its answer written down first
            self._drain()
            raise
        finally:
            self._end()

    def _begin(self) -> None:
        """Free work at once; then what earlier runs submitted is taken up, before anything is paid for."""
        ground = self._ground
        free.do_free(ground.task, ground.tools, ground.record, ground.outcome)
        errands: dict[str, Errand] = {}
        for action in ground.task.plan.of(Verb.RESUME, Verb.FETCH):
            self._take_up(action, errands)
        for collect in ground.task.plan.collects:
            errand = errands.setdefault(collect.fingerprint, Errand(collect.fingerprint, collect.kind))
            errand.jobs[collect.job.id] = collect.job
        for errand in errands.values():
            self._flights.take_up(errand, ground.now())
            if not any(job.state.in_flight for job in errand.jobs.values()):
                self._deliveries.take(errand)

    def _take_up(self, action: Action, errands: dict[str, Errand]) -> None:
        task, record = self._ground.task, self._ground.record
        errand = errands.setdefault(action.fingerprint, Errand(action.fingerprint, action.kind))
        errand.targets.append(task.wanted[action.key])
        if task.kinds[action.kind].free:
            self._take_up_search(action, errand)
            return
        errand.jobs.update({job.id: job for job in action.jobs})
        known = record.entries.get(action.key)
        same = known is not None and (known.fingerprint, known.endpoint) == (action.fingerprint, task.policy.endpoint)
        blessed = known.accepted if known is not None and same else ()
        origin = record.entries.get(action.origin) if action.origin else None
        earlier = [past for entry in (known, origin) if entry for past in entry.pasts]
        past = Past(action.fingerprint, action.kind, task.policy.endpoint, promised(action.jobs, earlier), blessed)
        record.change(action.key, lambda entry: take_over(entry, origin, action.key, past))
        if action.origin is not None:
            free.forget(action.origin, task, record)

    def _take_up_search(self, action: Action, errand: Errand) -> None:
        """No job stands for it, so the lock hears of it when its scenes are there; what a rename left is taken over."""
        record = self._ground.record
        job = search_record(action.fingerprint)
        errand.jobs[job.id] = job
        origin = record.entries.get(action.origin) if action.origin else None
        if action.origin is not None and origin is not None:
            record.change(action.key, lambda entry: take_over(entry, origin, action.key, origin.present))
            free.forget(action.origin, self._ground.task, record)

    def _step(self) -> bool:
        """One round: start what may start, wait for one thing to end. False when the run is over."""
        ground = self._ground
        now = ground.now()
        if ground.task.stopping():
            ground.outcome.interrupted = True
            ground.closed = True
            if not self._unsettled:
                return False
        elif self._out_of_time(now):
            ground.closed = True
            if not self._unsettled:
                return False
        else:
            self._flights.leave_overdue(now)
            self._payments.start(now, len(self._flights))
            self._deliveries.start(now)
            self._flights.start(now)
        ground.record.flush()
        if not ground.tools.workers.busy and self._earliest() is None:
            return False
        done = ground.tools.workers.next(self._pause(now))
        if done is not None:
            self._reap(done)
        return True

    @property
    def _unsettled(self) -> int:
        """What no end of the run may leave to its threads: requests that are being paid for, and files that are being
        put in their places, which only this run's mutex allows."""
        return self._payments.sending + self._deliveries.landing

    def _out_of_time(self, now: float) -> bool:
        task = self._ground.task
        if task.deadline is not None and now - self._started >= task.deadline:
            return True
        if task.wait:
            return False
        idle = not self._payments.can_start(len(self._flights)) and not self._deliveries.open
        return idle and not self._flights.to_see

    def _earliest(self) -> float | None:
        """When time alone will give something to do; None: it will not."""
        times = (self._payments.earliest(len(self._flights)), self._flights.earliest(), self._deliveries.earliest())
        return min((at for at in times if at is not None), default=None)

    def _pause(self, now: float) -> float | None:
        """How long to wait for something to end. None: until it does."""
        task, earliest = self._ground.task, self._earliest()
        ends = [] if earliest is None else [earliest]
        if task.deadline is not None and not self._ground.closed:
            ends.append(self._started + task.deadline)
        if self._ground.record.dirty:
            ends.append(now + self._ground.record.pause)
        return max(min(ends) - now, _SHORTEST_WAIT) if ends else None

    def _reap(self, done: Done) -> None:
        """One task has ended: hand its value, or its error, to the part that started it."""
        match done.tag, done.value:
            case ("make", Action() as action), Body() as body if done.error is None:
                self._payments.made(action, body)
            case ("make", Action() as action), _:
                self._payments.unmade(action, _raised(done))
            case ("pay", Action() as action, Submission()), Payment() as payment if done.error is None:
                self._payments.ended(action, payment)
            case ("pay", _, Submission() as submission), _:
                self._payments.broke(submission, _raised(done))
                raise _raised(done)
            case ("balance",), float() | int() | None as left if done.error is None:
                self._payments.balance_read(left)
            case ("balance",), _:
                raise _raised(done)
            case ("look", tuple() as jobs), Looked() as looked if done.error is None:
                self._flights.looked(jobs, looked)
            case ("look", _), _:
                self._flights.broke()
                raise _raised(done)
            case ("load", Errand() as errand), list() as hauls if done.error is None:
                self._deliveries.loaded(errand, hauls)
            case ("load", Errand() as errand), _:
                self._deliveries.broke(errand, _raised(done))
            case ("land", Landing() as landing), Ended() as ended if done.error is None:
                self._deliveries.landed(landing, ended)
            case ("land", Landing() as landing), _:
                self._deliveries.aground(landing, _raised(done))

    def _drain(self) -> None:
        """Something broke, such as our own disk: stop, but wait for what is being paid for or put in its place,
        whatever else breaks."""
        ground = self._ground
        ground.closed = True
        broken: Exception | None = None
        while self._unsettled:
            done = ground.tools.workers.next(None)
            if done is None:
                continue
            try:
                self._reap(done)
            except LocalStateError as another:
                ground.tools.tell(News.FAILED, None, f"{another.what}; {another.hint}")
            except Exception as another:  # noqa: BLE001 - raised when nothing is being paid for any more
                broken = broken or another
        if broken is not None:
            raise broken

    def _end(self) -> None:
        """Say what was not begun and what still runs; write the lock."""
        ground = self._ground
        ground.outcome.not_begun += [action.key for action in self._payments.leave()]
        self._flights.leave_all()
        ground.outcome.budget = ground.till.budget
        ground.outcome.undelivered += [wanted.key for errand in self._deliveries.open for wanted in errand.targets]
        try:
            ground.record.flush(at_once=True)
        except LocalStateError as error:
            ground.outcome.refused = ground.outcome.refused or Trouble(None, error.what, error.hint)


def _raised(done: Done) -> BaseException:
    return done.error or TypeError(f"a task ended with {type(done.value).__name__}")
