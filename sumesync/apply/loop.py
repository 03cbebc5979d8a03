"""The loop of apply: it starts work while there is capacity and reaps what has ended.

All state is changed here, in one thread; workers do IO and hand back values. The lock advances from
results, never from intentions. Whatever ends the run, the Outcome says what really happened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sumesync.apply import delivery, free
from sumesync.apply.paid import LostIds, Payment, pay
from sumesync.apply.record import Record
from sumesync.apply.run import Outcome, Task, Tools, Trouble
from sumesync.core import request, schedule
from sumesync.core.action import Action, Verb
from sumesync.core.advance import note_job, placed, turn_to
from sumesync.core.fingerprint import submission_key
from sumesync.core.placement import target_of
from sumesync.core.text import printable, without_secrets
from sumesync.errors import ApiError, LocalStateError
from sumesync.model import (
    Accepted,
    Done,
    EntryKey,
    JobError,
    JobRecord,
    JobState,
    JobView,
    News,
    NotSent,
    Output,
    Past,
    Refused,
    Step,
    Submission,
    Throttled,
    Unclear,
    Wanted,
)

_SUBMITS_AT_ONCE = 4
_DOWNLOADS_AT_ONCE = 8
_TRIES = 4
_RETRY_SECONDS = 2.0
_LOST_LOOKS = 5
"""404s in a row after which a run no longer waits for a job. The job stays in flight in the lock."""


@dataclass(slots=True)
class Errand:
    """One fingerprint on its way: its jobs, and the variants that wait for them. No targets: collected only."""

    fingerprint: str
    kind: str
    targets: list[Wanted] = field(default_factory=list)
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    tries: int = 0

    @property
    def key(self) -> EntryKey | None:
        return self.targets[0].key if self.targets else None

    @property
    def latest(self) -> list[JobRecord]:
        last = max(job.attempt for job in self.jobs.values())
        return [job for job in self.jobs.values() if job.attempt == last]


@dataclass(slots=True)
class Flight:
    """A job that runs at Sume. Times are monotonic seconds."""

    errand: Errand
    since: float
    due: float
    status: str = "accepted"
    lost: int = 0


class Loop:
    """One run. ``run`` returns when there is nothing left to do, or when it must not go on."""

    def __init__(self, task: Task, tools: Tools, record: Record, outcome: Outcome) -> None:
        self._task, self._tools, self._record, self._outcome = task, tools, record, outcome
        self._own = task.own
        self._waiting: deque[tuple[float, Action, int]] = deque()
        self._paying: dict[str, Errand] = {}
        self._flying: dict[str, Flight] = {}
        self._arrived: list[tuple[float, Errand]] = []
        self._loading = 0
        self._looking = False
        self._quiet_until = 0.0
        self._held: set[str] = {s.kind for s in task.plan.unknown}
        self._closed = False
        self._taken: dict[str, list[float]] = {}
        self._started = tools.clock.monotonic()

    def run(self) -> None:
        try:
            self._begin()
            while self._step():
                pass
        except LocalStateError as error:
            self._refuse(error)
        self._end()

    # --- What there is to do -----------------------------------------------------------------------

    def _begin(self) -> None:
        free.do_free(self._task, self._tools, self._record, self._outcome)
        errands: dict[str, Errand] = {}
        for action in self._task.plan.actions:
            if action.verb in (Verb.RESUME, Verb.FETCH):
                self._take_up(action, errands)
            elif action.pays:
                self._waiting.append((0.0, action, 0))
        for collect in self._task.plan.collects:
            errand = errands.setdefault(collect.fingerprint, Errand(collect.fingerprint, collect.kind))
            errand.jobs[collect.job.id] = collect.job
        now = self._now()
        for errand in errands.values():
            for job in errand.jobs.values():
                if job.state.in_flight:
                    self._flying[job.id] = Flight(errand, now, now)
            self._arrive_if_ended(errand)

    def _take_up(self, action: Action, errands: dict[str, Errand]) -> None:
        errand = errands.setdefault(action.fingerprint, Errand(action.fingerprint, action.kind))
        errand.targets.append(self._task.wanted[action.key])
        errand.jobs.update({job.id: job for job in action.jobs})
        if action.verb is Verb.RESUME or action.records:
            past = Past(action.fingerprint, action.kind, self._task.policy.endpoint, action.jobs)
            key = action.key
            self._record.change(key, lambda entry: turn_to(entry, key, past))

    def _step(self) -> bool:
        """One round: start what may start, wait for one thing to end. False when the run is over."""
        now = self._now()
        if self._task.stopping():
            self._outcome.interrupted = True
            self._closed = True
            if not self._paying:
                return False
        elif self._out_of_time(now) and not self._paying:
            return False
        else:
            self._start_payments(now)
            self._start_downloads(now)
            self._start_look(now)
        self._record.flush()
        if not self._tools.workers.busy and self._earliest() is None:
            return False
        done = self._tools.workers.next(self._pause(now))
        if done is not None:
            self._reap(done)
        return True

    def _out_of_time(self, now: float) -> bool:
        if not self._task.wait and not self._room() and not self._arrived and not self._loading:
            return True
        if self._task.deadline is not None and now - self._started >= self._task.deadline:
            self._closed = True
            return True
        for job_id, flight in list(self._flying.items()):
            if now - flight.since >= self._task.kinds[flight.errand.kind].wait_seconds:
                self._leave(job_id, flight)
        return False

    def _room(self) -> bool:
        """Whether a purchase could still be started."""
        open_ones = any(action.kind not in self._held for _, action, _ in self._waiting)
        return open_ones and not self._closed and len(self._paying) + len(self._flying) < self._task.capacity

    def _leave(self, job_id: str, flight: Flight) -> None:
        """This run waits no longer for a job; the next one will."""
        self._outcome.running[job_id] = flight.errand.key
        del self._flying[job_id]

    def _earliest(self) -> float | None:
        times = [at for at, _ in self._arrived] + [flight.due for flight in self._flying.values()]
        if not self._closed:
            times += [max(at, self._quiet_until) for at, action, _ in self._waiting if action.kind not in self._held]
        return min(times, default=None)

    def _pause(self, now: float) -> float | None:
        earliest = self._earliest()
        ends = [] if earliest is None else [max(earliest - now, 0.01)]
        if self._task.deadline is not None:
            ends.append(max(self._started + self._task.deadline - now, 0.01))
        if self._record.dirty:
            ends.append(0.25)
        return min(ends, default=None)

    # --- Paying ------------------------------------------------------------------------------------

    def _start_payments(self, now: float) -> None:
        for _ in range(len(self._waiting)):
            room = len(self._paying) < _SUBMITS_AT_ONCE and len(self._paying) + len(self._flying) < self._task.capacity
            if self._closed or not room or now < self._quiet_until:
                return
            due, action, tries = self._waiting.popleft()
            if action.kind in self._held or due > now:
                self._waiting.append((due, action, tries))
                continue
            self._pay(action, tries)

    def _pay(self, action: Action, tries: int) -> None:
        task, wanted = self._task, self._task.wanted[action.key]
        body = request.body(wanted.request)
        submission = Submission(
            key=submission_key(task.lock.lineage, action.fingerprint, action.attempt),
            step=Step.INTENT,
            origin=self._tools.api.origin,
            route=task.kinds[action.kind].route,
            kind=action.kind,
            entry=action.key,
            fingerprint=action.fingerprint,
            attempt=action.attempt,
            body_sha256=request.digest(body),
            lineage=task.lock.lineage,
            workspace=task.lock.workspace,
        )
        twins = [other.key for other in task.plan.actions if other.twin == action.key]
        errand = Errand(action.fingerprint, action.kind, [wanted, *(task.wanted[key] for key in twins)], tries=tries)
        self._paying[submission.key] = errand
        self._tools.tell(News.SUBMITTING, action.key)
        self._tools.workers.start(("pay", action, submission), lambda: pay(submission, body, self._tools))

    def _paid(self, action: Action, payment: Payment) -> None:
        errand = self._paying.pop(payment.submission.key)
        match payment.result:
            case Accepted(job_ids):
                self._accepted(action, errand, payment.submission, job_ids)
            case Throttled(wait):
                self._quiet_until = self._now() + wait
                self._tools.tell(News.NOTE, None, f"Sume asks to wait {wait:.0f} s before the next request")
                self._waiting.appendleft((0.0, action, errand.tries))
            case NotSent(detail):
                self._not_sent(action, errand, payment.submission, detail)
            case Refused() as refused:
                self._refused(action, refused)
            case Unclear():
                self._unknown(action, payment.submission)

    def _accepted(self, action: Action, errand: Errand, paid: Submission, job_ids: tuple[str, ...]) -> None:
        errand.tries = 0
        errand.jobs = {job_id: JobRecord(job_id, JobState.ACCEPTED, action.attempt) for job_id in job_ids}
        now = self._now()
        past = Past(errand.fingerprint, errand.kind, self._task.policy.endpoint, tuple(errand.jobs.values()))
        for wanted in errand.targets:
            key = wanted.key
            self._record.change(key, lambda entry, key=key: turn_to(entry, key, past))  # type: ignore[misc]
        self._record.cleared(paid.key)
        for job_id in job_ids:
            self._outcome.bought.append(job_id)
            wait = self._task.pace.first(schedule.expected_seconds(self._taken.get(errand.kind, ())))
            self._flying[job_id] = Flight(errand, now, now + wait)
            self._tools.tell(News.ACCEPTED, action.key, "accepted", job_id)

    def _not_sent(self, action: Action, errand: Errand, submission: Submission, detail: str) -> None:
        if errand.tries + 1 >= _TRIES or self._closed:
            self._record.cleared(submission.key)
            self._closed = True  # the next one would not get through either
            self._fail(action.key, f"not sent: {detail}", "nothing was paid for; run apply again")
            return
        wait = _RETRY_SECONDS * 2**errand.tries
        self._tools.tell(News.NOTE, action.key, f"not sent ({detail}); trying again in {wait:.0f} s")
        self._waiting.append((self._now() + wait, action, errand.tries + 1))

    def _refused(self, action: Action, refused: Refused) -> None:
        named = f" ({refused.request_id})" if refused.request_id else ""
        hints = {
            401: "check SUME_API_KEY",
            402: "add credits, then run apply again: what is done stays done",
            403: "ask for access to this workspace",
        }
        hint = hints.get(refused.status, "change the spec; nothing was paid for")
        self._fail(action.key, f"Sume refused it: {refused.code or refused.status}: {refused.message}{named}", hint)
        self._closed = self._closed or refused.stops_batch

    def _unknown(self, action: Action, submission: Submission) -> None:
        self._held.add(action.kind)
        self._outcome.unknown.append(submission)
        self._tools.tell(News.UNKNOWN, action.key, f"sent, and its outcome is unknown: {submission.detail}")

    # --- Looking at jobs ---------------------------------------------------------------------------

    def _start_look(self, now: float) -> None:
        if self._looking or not self._task.wait:
            return
        times = {job_id: flight.due for job_id, flight in self._flying.items()}
        jobs = schedule.due(times, now, self._task.pace)
        if jobs:
            self._looking = True
            self._tools.workers.start(("look", jobs), lambda: look(jobs, self._tools))

    def _looked(self, jobs: tuple[str, ...], views: dict[str, JobView | ApiError]) -> None:
        self._looking = False
        now = self._now()
        for job_id in jobs:
            flight = self._flying.get(job_id)
            if flight is None:
                continue
            flight.due = now + self._task.pace.again(now - flight.since)
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
                self._tools.tell(News.STATUS, errand.key, printable(view.status, 40), job_id)
            return
        del self._flying[job_id]
        self._taken.setdefault(errand.kind, []).append(self._now() - flight.since)
        self._job_ended(errand, job_id, view)

    def _job_ended(self, errand: Errand, job_id: str, view: JobView) -> None:
        job = replace(errand.jobs[job_id], state=view.state, credits=view.credits)
        if view.state.ended_badly:
            job = replace(job, error=JobError(_code(view.error_code) or str(view.state), view.request_id))
        errand.jobs[job_id] = job
        self._note(errand, job)
        self._spent(job)
        if view.state.ended_badly:
            told = ": ".join(filter(None, (str(view.state), job.error.code if job.error else "", view.error_message)))
            hint = "sumesync apply --retry-failed pays for another try, or change the spec" if errand.key else ""
            self._fail(errand.key, printable(f"{job_id} {told}", 400), hint)
        self._arrive_if_ended(errand)

    def _spent(self, job: JobRecord) -> None:
        if job.credits is not None and job.id in self._outcome.bought:
            self._outcome.credits = (self._outcome.credits or 0) + job.credits

    def _note(self, errand: Errand, job: JobRecord) -> None:
        """What became of a job: in the ledger at once, in every entry that has it with the next write of the lock."""
        key = errand.key or self._holder(job.id) or EntryKey("")
        self._record.fact(errand.fingerprint, errand.kind, key, job)
        for name, entry in list(self._record.entries.items()):
            if entry is not None and any(known.id == job.id for p in (*entry.history, entry.present) for known in p.jobs):
                self._record.change(name, lambda e: note_job(e, errand.fingerprint, job))

    def _holder(self, job_id: str) -> EntryKey | None:
        return next((fact.key for fact in self._task.facts if fact.job.id == job_id), None)

    def _unseen(self, job_id: str, flight: Flight, error: ApiError) -> None:
        """A failed poll is not a failed job."""
        if error.status in (401, 403):
            self._closed = True
            self._fail(flight.errand.key, error.what, error.hint)
            for other, its in list(self._flying.items()):
                self._leave(other, its)
            return
        flight.lost = flight.lost + 1 if error.status == 404 else 0
        if flight.lost >= _LOST_LOOKS:
            self._fail(flight.errand.key, f"Sume does not know job {job_id} now", "run apply again later: it stays recorded")
            self._leave(job_id, flight)

    # --- Delivering --------------------------------------------------------------------------------

    def _arrive_if_ended(self, errand: Errand) -> None:
        if any(job.state.in_flight for job in errand.jobs.values()):
            return
        if errand.targets and any(job.state in (JobState.COMPLETED, JobState.GONE) for job in errand.latest):
            self._arrived.append((0.0, errand))
        elif not errand.targets:
            self._tools.tell(News.NOTE, None, f"{', '.join(errand.jobs)} ended; no spec asks for it now, its id is kept")

    def _start_downloads(self, now: float) -> None:
        for due, errand in list(self._arrived):
            if due > now or self._loading >= _DOWNLOADS_AT_ONCE:
                continue
            self._arrived.remove((due, errand))
            self._loading += 1
            self._tools.tell(News.DOWNLOADING, errand.key)
            self._tools.workers.start(("load", errand), self._load(errand))

    def _load(self, errand: Errand) -> Callable[[], list[delivery.Haul]]:
        wanted = errand.targets[0]
        sent = request.urls(wanted.request)
        family = self._task.kinds[errand.kind].media
        jobs = list(errand.latest)

        def load() -> list[delivery.Haul]:
            hauls: list[delivery.Haul] = []
            index = 1
            for job in jobs:
                if job.state.ended_badly:
                    index += 1
                    continue
                haul = delivery.download(job, index, wanted.folder, family, sent, self._tools)
                index += len(haul.loaded) or 1
                hauls.append(haul)
            return hauls

        return load

    def _loaded(self, errand: Errand, hauls: list[delivery.Haul]) -> None:
        self._loading -= 1
        for haul in hauls:
            if haul.gone:
                self._gone(errand, haul.job)
        whole = [haul for haul in hauls if not haul.gone]
        if whole:
            self._deliver(errand, whole)

    def _gone(self, errand: Errand, job: JobRecord) -> None:
        self._note(errand, replace(job, state=JobState.GONE))
        spec = errand.key.path if errand.key else ""
        text = f"Sume no longer has the result of {job.id}"
        self._fail(errand.key, text, f"restore the file from git, or pay again: sumesync apply --regenerate {spec}")

    def _deliver(self, errand: Errand, hauls: list[delivery.Haul]) -> None:
        """Ledger, then media, then metadata; the lock says it last."""
        first = errand.targets[0]
        landings: list[Output] = []
        forced = self._task.policy.replace_edited or self._task.policy.restore_edited
        for haul in hauls:
            outputs = delivery.outputs_of(haul, first)
            # Before the rename: if we die between the two, the next run knows these bytes as ours.
            self._record.fact(errand.fingerprint, errand.kind, first.key, delivery.recorded(haul, outputs))
            self._own = delivery.widened(self._own, outputs)
            landed = tuple(
                delivery.put(item.part, output, first, haul.job.id, self._own, self._tools, forced)
                for item, output in zip(haul.loaded, outputs, strict=True)
            )
            self._beside(first, outputs, landed)
            before = errand.jobs[haul.job.id]
            errand.jobs[haul.job.id] = delivery.recorded(haul, landed)
            if before.credits is None:
                self._spent(errand.jobs[haul.job.id])
            landings += landed
        self._finish(errand, first, landings)
        for twin in errand.targets[1:]:
            self._finish(errand, twin, self._copy(errand, twin, landings))

    def _beside(self, wanted: Wanted, asked: tuple[Output, ...], landed: tuple[Output, ...]) -> None:
        for want, got in zip(asked, landed, strict=True):
            if want.path != got.path:
                self._tools.tell(News.NOTE, wanted.key, f"{want.path} is taken by a file that is not ours: it is {got.path}")

    def _copy(self, errand: Errand, twin: Wanted, outputs: list[Output]) -> list[Output]:
        """The same bytes for another spec of the same request."""
        copies = []
        job_id = next(iter(errand.jobs))
        for output in outputs:
            suffix = output.path[output.path.rindex(".") :]
            part = self._tools.media.copy(output.path, twin.folder, output.sha256)
            if part is None:
                self._fail(twin.key, f"{output.path} changed meanwhile", "run apply again")
                continue
            wanted = replace(output, path=target_of(twin, output.index, suffix))
            copies.append(delivery.put(part, wanted, twin, job_id, self._own, self._tools))
        return copies

    def _finish(self, errand: Errand, wanted: Wanted, outputs: list[Output]) -> None:
        """Metadata, then the lock entry, then what the entry left behind elsewhere."""
        key = wanted.key
        jobs = placed(errand.jobs.values(), outputs)
        past = Past(errand.fingerprint, errand.kind, self._task.policy.endpoint, jobs)
        self._record.change(key, lambda entry: turn_to(entry, key, past))
        self._record.metadata(wanted)
        self._outcome.written += [output.path for output in outputs]
        self._outcome.done.append(key)
        self._sweep(key, outputs)
        self._tools.tell(News.DONE, key, ", ".join(output.path for output in outputs))

    def _sweep(self, key: EntryKey, outputs: list[Output]) -> None:
        """An update that gave another name or ending leaves no old file behind, where that is ours."""
        kept = {output.path for output in outputs}
        kept |= {o.path for other, entry in self._record.entries.items() if entry and other != key for o in entry.outputs}
        for old in free.leftovers(self._record.entries.get(key), kept, self._own):
            if self._tools.media.remove(old.path, old.sha256):
                self._outcome.removed.append(old.path)

    # --- Ends --------------------------------------------------------------------------------------

    def _reap(self, done: Done) -> None:
        tag = done.tag
        if not isinstance(tag, tuple):
            raise TypeError("not a task of this loop")
        if done.error is not None:
            self._broken(tag, done.error)
        elif tag[0] == "pay" and isinstance(done.value, Payment):
            self._paid(tag[1], done.value)
        elif tag[0] == "look" and isinstance(done.value, dict):
            self._looked(tag[1], done.value)
        elif tag[0] == "load" and isinstance(done.value, list):
            self._loaded(tag[1], done.value)

    def _broken(self, tag: tuple[str, object, object], error: BaseException) -> None:
        """A task that raised. Of the network only downloads may; of our disk any; the rest is a fault of ours."""
        if tag[0] == "load" and isinstance(error, ApiError) and isinstance(tag[1], Errand):
            self._loading -= 1
            self._download_failed(tag[1], error)
            return
        if tag[0] == "pay" and isinstance(tag[2], Submission):
            self._paying.pop(tag[2].key, None)
            if isinstance(error, LostIds):
                self._outcome.bought += error.submission.job_ids
        if tag[0] == "look":
            self._looking = False
        if tag[0] == "load":
            self._loading -= 1
        raise error

    def _download_failed(self, errand: Errand, error: ApiError) -> None:
        """A failed download asks for a fresh URL and tries again; it never generates again."""
        errand.tries += 1
        if errand.tries < _TRIES and error.status not in (401, 403) and not self._closed:
            wait = _RETRY_SECONDS * 2 ** (errand.tries - 1)
            self._tools.tell(News.NOTE, errand.key, f"{error.what}; trying again in {wait:.0f} s")
            self._arrived.append((self._now() + wait, errand))
            return
        self._fail(errand.key, error.what, error.hint or "run apply again: it downloads for free")

    def _refuse(self, error: LocalStateError) -> None:
        """Our own disk does not take what must be kept: stop, but wait for what is being paid for."""
        self._outcome.refused = Trouble(None, error.what, error.hint)
        self._closed = True
        while self._paying:
            done = self._tools.workers.next(None)
            if done is None:
                return
            try:
                self._reap(done)
            except LocalStateError as another:
                self._tools.tell(News.NOTE, None, another.what)

    def _end(self) -> None:
        """Say what was not begun and what still runs; write the lock."""
        self._outcome.not_begun += [action.key for _, action, _ in self._waiting]
        for job_id, flight in self._flying.items():
            self._outcome.running[job_id] = flight.errand.key
        try:
            self._record.flush(at_once=True)
        except LocalStateError as error:
            self._outcome.refused = self._outcome.refused or Trouble(None, error.what, error.hint)

    def _fail(self, key: EntryKey | None, text: str, hint: str) -> None:
        text = without_secrets(text)
        self._outcome.failed.append(Trouble(key, text, hint))
        self._tools.tell(News.FAILED, key, text)

    def _now(self) -> float:
        return self._tools.clock.monotonic()


def look(jobs: tuple[str, ...], tools: Tools) -> dict[str, JobView | ApiError]:
    """Each job as Sume shows it now, or why it cannot be seen. A few pages of the list where that is cheaper;
    absence from the list proves nothing, so what it lacks is asked for by id."""
    found: dict[str, JobView | ApiError] = {}
    pages = schedule.pages_worth(len(jobs))
    cursor: str | None = None
    seen: set[str | None] = set()
    missing = set(jobs)
    try:
        while pages > 0 and missing and cursor not in seen:
            seen.add(cursor)
            page = tools.api.list_jobs(cursor, schedule.PAGE_SIZE)
            found.update({view.id: view for view in page.jobs if view.id in missing})
            missing -= found.keys()
            cursor = page.cursor
            pages = pages - 1 if cursor is not None else 0
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


def _code(code: str) -> str:
    """An error code as the lock may keep it: a word, nothing that could quote a secret."""
    return "".join(char for char in code if char.isalnum() or char in "_-.")[:64]
