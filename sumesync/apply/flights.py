"""The jobs that run at Sume: looked at together, in as few requests as that takes, until they end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sumesync.answers import JobView
from sumesync.apply.ground import Errand, Ground
from sumesync.apply.run import Tools
from sumesync.core import schedule
from sumesync.core.text import printable
from sumesync.errors import ApiError
from sumesync.model import JobError, News

_LONGEST_WAIT = 1800.0
_LOST_LOOKS = 5
"""404s in a row after which a run no longer waits for a job. The job stays in flight in the lock."""


@dataclass(slots=True)
class Flight:
    """A job that runs at Sume. Times are monotonic seconds."""

    errand: Errand
    since: float
    due: float
    status: str = "accepted"
    lost: int = 0
    seen: bool = False
    """Looked at in this run, or begun in it."""


class Flights:
    """Polls in shared rounds. ``ended`` is told of every errand whose jobs have all come to an end."""

    def __init__(self, ground: Ground, ended: Callable[[Errand], None]) -> None:
        self._ground = ground
        self._ended = ended
        self._flying: dict[str, Flight] = {}
        self._looking = False
        self._taken: dict[str, list[float]] = {}

    def __len__(self) -> int:
        return len(self._flying)

    def take_up(self, errand: Errand, now: float) -> None:
        """Jobs that an earlier run submitted: looked at now."""
        for job in errand.jobs.values():
            if job.state.in_flight:
                self._flying[job.id] = Flight(errand, now, now)

    def launch(self, errand: Errand, now: float) -> None:
        """Jobs that this run submitted: looked at when they may be done."""
        wait = self._ground.task.pace.first(schedule.expected_seconds(self._taken.get(errand.kind, ())))
        for job_id in errand.jobs:
            self._flying[job_id] = Flight(errand, now, now + wait, seen=True)

    def earliest(self) -> float | None:
        """When to look again, in monotonic seconds; None while a look is under way, or nothing flies."""
        return min((flight.due for flight in self._flying.values()), default=None) if not self._looking else None

    def start(self, now: float) -> None:
        if self._looking:
            return
        # A run that does not wait looks once at what earlier runs began: it may be done, and make room.
        wait = self._ground.task.wait
        times = {job_id: flight.due for job_id, flight in self._flying.items() if wait or not flight.seen}
        jobs = schedule.due(times, now, self._ground.task.pace)
        if jobs:
            self._looking = True
            tools = self._ground.tools
            tools.workers.start(("look", jobs), lambda: look(jobs, tools))

    def leave_overdue(self, now: float) -> None:
        """A run waits for a job no longer than jobs of its kind may take; the next run will look again."""
        for job_id, flight in list(self._flying.items()):
            kind = self._ground.task.kinds.get(flight.errand.kind)  # a newer version's lock may name others
            if now - flight.since >= (kind.wait_seconds if kind else _LONGEST_WAIT):
                self._leave(job_id)

    def leave_all(self) -> None:
        for job_id in list(self._flying):
            self._leave(job_id)

    def _leave(self, job_id: str) -> None:
        self._ground.outcome.running[job_id] = self._flying.pop(job_id).errand.key

    @property
    def to_see(self) -> bool:
        """Whether there are jobs that this run has not looked at yet."""
        return self._looking or any(not flight.seen for flight in self._flying.values())

    def broke(self) -> None:
        self._looking = False

    def looked(self, jobs: tuple[str, ...], views: dict[str, JobView | ApiError]) -> None:
        self._looking = False
        now = self._ground.now()
        for job_id in jobs:
            flight = self._flying.get(job_id)
            if flight is None:
                continue
            flight.seen = True
            flight.due = now + self._ground.task.pace.again(now - flight.since)
            seen = views.get(job_id)
            if isinstance(seen, JobView):
                self._seen(job_id, flight, seen)
            elif seen is not None:
                self._unseen(job_id, flight, seen)

    def _seen(self, job_id: str, flight: Flight, view: JobView) -> None:
        flight.lost = 0
        errand = flight.errand
        if view.state.in_flight:
            if view.status != flight.status:
                flight.status = view.status
                self._ground.tools.tell(News.STATUS, errand.key, printable(view.status, 40), job_id)
            return
        del self._flying[job_id]
        self._taken.setdefault(errand.kind, []).append(self._ground.now() - flight.since)
        self._job_ended(errand, job_id, view)

    def _job_ended(self, errand: Errand, job_id: str, view: JobView) -> None:
        ground = self._ground
        known = errand.jobs[job_id]
        cost = known.credits if view.credits is None else view.credits
        job = replace(known, state=view.state, credits=cost)
        if view.state.ended_badly:
            job = replace(job, error=JobError(_code(view.error_code) or str(view.state), view.request_id))
        ground.note(errand, job)
        ground.spent(job)
        if view.state.ended_badly:
            told = ": ".join(filter(None, (str(view.state), job.error.code if job.error else "", view.error_message)))
            hint = "sumesync apply --retry-failed pays for another try, or change the spec" if errand.key else ""
            ground.fail(errand.key, printable(f"{job_id} {told}", 400), hint)
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


def look(jobs: tuple[str, ...], tools: Tools) -> dict[str, JobView | ApiError]:
    """Each job as Sume shows it now, or why it cannot be seen. A few pages of the list where that is cheaper;
    absence from the list proves nothing, so what it lacks is asked for by id. Runs in a worker thread."""
    found: dict[str, JobView | ApiError] = {}
    missing = set(jobs)
    try:
        found = _listed(missing, schedule.pages_worth(len(jobs)), tools)
        missing -= found.keys()
    except ApiError as error:
        if error.status in (401, 403):
            return dict.fromkeys(jobs, error)
    for job_id in sorted(missing):
        try:
            found[job_id] = tools.api.job(job_id)
        except ApiError as error:
            found[job_id] = error
            if error.status is None or error.status in (401, 403, 429) or error.status >= 500:
                break  # the others would fare the same; the next round asks again
    return found


def _listed(missing: set[str], pages: int, tools: Tools) -> dict[str, JobView | ApiError]:
    """Those of ``missing`` that the first pages of the list show. A cursor that loops ends it."""
    found: dict[str, JobView | ApiError] = {}
    seen: set[str | None] = set()
    cursor: str | None = None
    while pages > 0 and missing - found.keys() and cursor not in seen:
        seen.add(cursor)
        page = tools.api.list_jobs(cursor, schedule.PAGE_SIZE)
        found.update({view.id: view for view in page.jobs if view.id in missing})
        cursor = page.cursor
        pages = pages - 1 if cursor is not None else 0
    return found


def _code(code: str) -> str:
    """An error code as the lock may keep it: a word, nothing that could quote a secret."""
    return "".join(char for char in code if char.isalnum() or char in "_-.")[:64]
