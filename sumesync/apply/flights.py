"""The jobs that run at Sume: looked at together, in as few requests as that takes, until they end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sumesync.answers import JobView
from sumesync.apply.ground import Errand, Ground
from sumesync.apply.run import Tools
from sumesync.core import schedule
from sumesync.core.schedule import Look
from sumesync.core.text import printable
from sumesync.errors import ApiError
from sumesync.model import JobError, JobRecord, News

_LONGEST_WAIT = 1800.0
_REMEMBERED = 101
_MANY = 24
"""So many jobs are never asked for one by one before a page of the list was tried."""
_LOST_LOOKS = 5
"""404s in a row after which a run no longer waits for a job. The job stays in flight in the lock."""


@dataclass(slots=True)
class Flight:
    """A job that runs at Sume. Times are monotonic seconds."""

    errand: Errand
    since: float
    until: float
    """No run waits for it longer; the next one looks again."""
    look: Look
    number: int | None = None
    """Among the jobs that this run began; None: an earlier run began it, and nobody knows how old it is."""
    status: str = "accepted"
    lost: int = 0
    seen: bool = False
    """Looked at in this run, or begun in it."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a round has seen: each job, or why it cannot be seen. ``listed``: how many of them ``pages`` of the list
    showed."""

    views: dict[str, JobView | ApiError]
    pages: int = 0
    listed: int = 0


class Flights:
    """Polls in shared rounds. ``ended`` is told of every errand whose jobs have all come to an end."""

    def __init__(self, ground: Ground, ended: Callable[[Errand], None]) -> None:
        self._ground = ground
        self._ended = ended
        self._flying: dict[str, Flight] = {}
        self._begun = 0
        self._looking = False
        self._taken: dict[str, deque[float]] = {}
        """How long the latest jobs of each kind took."""
        self._scouts: dict[str, str] = {}
        """Of a kind of which nobody knows that yet, the job that is to tell."""
        self._rounds = self._listing_from = self._in_vain = 0
        self._overdue = float("inf")
        """Until when no job is overdue."""
        self._at: float | None = None
        self._stale = True
        """Whether something changed since ``_at`` was reckoned."""

    def __len__(self) -> int:
        return len(self._flying)

    def take_up(self, errand: Errand, now: float) -> None:
        """Jobs that an earlier run submitted: looked at now."""
        for job in errand.jobs.values():
            if job.state.in_flight:
                self._flying[job.id] = Flight(errand, now, self._until(errand, now), Look(now, now))
                self._stale = True

    def launch(self, errand: Errand, now: float) -> None:
        """Jobs that this run submitted: looked at when they may be done."""
        expected = self._expected(errand.kind)
        wait = 0.0 if expected is None else self._ground.task.pace.first(expected)
        look_ = self._ground.task.pace.look(now, wait)
        for job_id in errand.jobs:
            self._begun += 1
            self._flying[job_id] = Flight(errand, now, self._until(errand, now), look_, self._begun, seen=True)
            self._stale = True
        self._send_scout(errand.kind, now)
        if expected is None:
            for job_id in errand.jobs:
                self._look_again(job_id, now)

    def _until(self, errand: Errand, now: float) -> float:
        kind = self._ground.task.kinds.get(errand.kind)  # a newer version's lock may name others
        until = now + (kind.wait_seconds if kind else _LONGEST_WAIT)
        self._overdue = min(self._overdue, until)
        return until

    def _expected(self, kind: str) -> float | None:
        return schedule.expected_seconds(self._taken.get(kind, ()))

    def _send_scout(self, kind: str, now: float) -> None:
        """Where nobody knows how long jobs of a kind take, the oldest of them is to tell."""
        if kind in self._taken or self._scouts.get(kind) in self._flying:
            return
        begun = (id_ for id_, it in self._flying.items() if it.errand.kind == kind and it.number is not None)
        if (scout := next(begun, None)) is not None:
            self._scouts[kind] = scout
            self._look_again(scout, now)

    def _look_again(self, job_id: str, now: float, spread: float = 1.0) -> None:
        flight, pace = self._flying[job_id], self._ground.task.pace
        age, kind = now - flight.since, flight.errand.kind
        self._stale = True
        if self._scouts.get(kind) == job_id:
            flight.look = schedule.scout_look(now, pace.scout(age, len(self._flying)), len(self._flying))
            return
        expected = self._expected(kind)
        if expected is None and (scout := self._flying.get(self._scouts.get(kind, ""))) and flight.number is not None:
            at = now + pace.for_scout(now - scout.since)
            flight.look = Look(at, at)  # all who wait for its word, in one round
            return
        flight.look = pace.look(now, pace.again(age, expected) * spread, age)

    def earliest(self) -> float | None:
        """When to look again, in monotonic seconds; None while a look is under way, or nothing flies."""
        if self._looking:
            return None
        if self._stale:
            self._at = schedule.next_round([flight.look for flight in self._flying.values()])
            self._stale = False
        return self._at

    def start(self, now: float) -> None:
        at = self.earliest()
        if at is None or at > now:
            return
        # A run that does not wait looks once at what earlier runs began: it may be done, and make room.
        wait, soon = self._ground.task.wait, now + self._ground.task.pace.shortest / 2
        jobs = tuple(
            id_ for id_, flight in self._flying.items() if flight.look.due <= soon and (wait or not flight.seen)
        )
        if not jobs:
            self._stale = True
            return
        self._looking = True
        self._rounds += 1
        tools, pages = self._ground.tools, self._pages(jobs)
        tools.workers.start(("look", jobs), lambda: look(jobs, pages, tools))

    def _pages(self, jobs: tuple[str, ...]) -> int:
        """How many pages of the list a look at ``jobs`` is to begin with. None for a while where they showed none of
        ours: others have begun many since. A page in vain is little beside many jobs asked for one by one."""
        if self._rounds < self._listing_from and len(jobs) < _MANY:
            return 0
        numbers = [self._flying[job_id].number for job_id in jobs]
        return schedule.pages_worth(self._begun - (number or 0) for number in numbers)

    def leave_overdue(self, now: float) -> None:
        """A run waits for a job no longer than jobs of its kind may take; the next run will look again."""
        if now < self._overdue:
            return
        for job_id in [job_id for job_id, flight in self._flying.items() if now >= flight.until]:
            self._leave(job_id)
        self._overdue = min((flight.until for flight in self._flying.values()), default=float("inf"))

    def leave_all(self) -> None:
        for job_id in list(self._flying):
            self._leave(job_id)

    def _leave(self, job_id: str) -> None:
        self._ground.outcome.running[job_id] = self._flying.pop(job_id).errand.key
        self._stale = True

    @property
    def to_see(self) -> bool:
        """Whether there are jobs that this run has not looked at yet."""
        return self._looking or any(not flight.seen for flight in self._flying.values())

    def broke(self) -> None:
        self._looking = False

    def looked(self, jobs: tuple[str, ...], looked: Looked) -> None:
        self._looking = False
        self._stale = True
        now, ended = self._ground.now(), []
        self._learn(looked)
        spread = schedule.jitter(jobs[0], self._rounds)
        for job_id in jobs:
            flight = self._flying.get(job_id)
            if flight is None:
                continue
            flight.seen = True
            self._look_again(job_id, now, spread)
            seen = looked.views.get(job_id)
            if isinstance(seen, JobView):
                if self._seen(job_id, flight, seen):
                    ended.append((flight.errand, job_id, seen))
            elif seen is not None:
                self._unseen(job_id, flight, seen)
        self._jobs_ended(ended)
        for kind in {self._flying[job_id].errand.kind for job_id in self._flying} - self._taken.keys():
            self._send_scout(kind, now)

    def _learn(self, looked: Looked) -> None:
        """Pages that showed none of our jobs are left out for a while, each time for longer."""
        if looked.pages:
            self._in_vain = 0 if looked.listed else min(self._in_vain + 1, 5)
            self._listing_from = self._rounds + 2**self._in_vain if self._in_vain else 0

    def _seen(self, job_id: str, flight: Flight, view: JobView) -> bool:
        """Whether it has ended."""
        flight.lost = 0
        errand = flight.errand
        if view.state.in_flight:
            if view.status != flight.status:
                flight.status = view.status
                self._ground.tools.tell(News.STATUS, errand.key, printable(view.status, 40), job_id)
            return False
        del self._flying[job_id]
        if flight.number is not None and not view.state.ended_badly:
            self._took(errand.kind, self._ground.now() - flight.since)
        return True

    def _took(self, kind: str, seconds: float) -> None:
        """The first of its kind tells when to look at the others."""
        known = kind in self._taken
        self._taken.setdefault(kind, deque(maxlen=_REMEMBERED)).append(seconds)
        if known:
            return
        pace = self._ground.task.pace
        wait = pace.first(seconds)
        for flight in self._flying.values():
            if flight.errand.kind == kind and flight.number is not None:
                flight.look = pace.look(flight.since, wait)

    def _jobs_ended(self, ended: list[tuple[Errand, str, JobView]]) -> None:
        """The ledger hears of all of them with one write."""
        ground = self._ground
        found = [(errand, _job(errand.jobs[job_id], view), view) for errand, job_id, view in ended]
        ground.note(*((errand, job) for errand, job, _ in found))
        for errand, job, view in found:
            ground.spent(job)
            if view.state.ended_badly:
                told = (str(view.state), job.error.code if job.error else "", view.error_message)
                hint = "sumesync apply --retry-failed pays for another try, or change the spec" if errand.key else ""
                ground.fail(errand.key, printable(f"{job.id} {': '.join(filter(None, told))}", 400), hint)
        for errand in {id(errand): errand for errand, _, _ in found}.values():
            if not any(known.state.in_flight for known in errand.jobs.values()):
                self._ended(errand)

    def _unseen(self, job_id: str, flight: Flight, error: ApiError) -> None:
        """A failed poll is not a failed job."""
        ground = self._ground
        if error.status in (401, 403):
            ground.closed = True
            ground.fail(flight.errand.key, error.what, error.hint, error.status)
            self.leave_all()
            return
        flight.lost = flight.lost + 1 if error.status == 404 else 0
        if flight.lost >= _LOST_LOOKS:
            text = f"Sume does not know job {job_id} now"
            hint = f"it stays recorded: run apply again later; to give it up: sumesync resolve --lost {job_id}"
            ground.fail(flight.errand.key, text, hint)
            self._leave(job_id)


def look(jobs: tuple[str, ...], pages: int, tools: Tools) -> Looked:
    """Each job as Sume shows it now, or why it cannot be seen. So many pages of the list first, and more where others'
    jobs may have come between; absence from it proves nothing, so what it lacks is asked for by id. Runs in a worker
    thread."""
    found: dict[str, JobView | ApiError] = {}
    read = in_vain = 0
    try:
        listing, wanted = _pages(tools, frozenset(jobs)), set(jobs)
        while pages and schedule.worth_a_page(len(wanted), pages - read, in_vain):
            if (views := next(listing, None)) is None:
                break
            read += 1
            new = {view.id: view for view in views if view.id in wanted}
            found.update(new)
            wanted -= new.keys()
            in_vain = in_vain + 1 if read >= pages and len(new) < 2 else 0
    except ApiError as error:
        if error.status in (401, 403):
            return Looked(dict.fromkeys(jobs, error))
    listed = len(found)
    for job_id in jobs:
        if job_id in found:
            continue
        try:
            found[job_id] = tools.api.job(job_id)
        except ApiError as error:
            found[job_id] = error
            if error.status is None or error.status in (401, 403, 429) or error.status >= 500:
                break  # the others would fare the same; the next round asks again
    return Looked(found, read, listed)


def _pages(tools: Tools, only: frozenset[str]) -> Iterator[tuple[JobView, ...]]:
    """Our jobs on the pages of the list, newest first, each page asked for when it is wanted. A cursor that loops ends
    them."""
    seen: set[str | None] = set()
    cursor: str | None = None
    while cursor not in seen:
        seen.add(cursor)
        page = tools.api.list_jobs(cursor, schedule.PAGE_SIZE, only=only)
        yield page.jobs
        if page.cursor is None:
            return
        cursor = page.cursor


def _job(known: JobRecord, view: JobView) -> JobRecord:
    """What is recorded of a job that has ended."""
    job = replace(known, state=view.state, credits=known.credits if view.credits is None else view.credits)
    if view.state.ended_badly:
        job = replace(job, error=JobError(_code(view.error_code) or str(view.state), view.request_id))
    return job


def _code(code: str) -> str:
    """An error code as the lock may keep it: a word, nothing that could quote a secret."""
    return "".join(char for char in code if char.isalnum() or char in "_-.")[:64]
