"""The purchases of a run: which wait, which are being sent, and what each answer means for the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from sumesync.answers import Accepted, NotSent, Refused, Throttled
from sumesync.apply.ground import RETRY_SECONDS, TRIES, Errand, Ground, heard
from sumesync.apply.inputs import Body, InputError, Inputs, Left, needed
from sumesync.apply.paid import LostIds, Payment, pay
from sumesync.apply.run import Task
from sumesync.apply.till import balance
from sumesync.core import request
from sumesync.core.action import Action
from sumesync.core.advance import turn_to
from sumesync.core.budget import May
from sumesync.core.fingerprint import submission_key
from sumesync.core.outcome import Trouble
from sumesync.core.recover import share
from sumesync.core.text import in_credits, printable
from sumesync.errors import ApiError, LocalStateError, MediaError, MediaRefused
from sumesync.model import Change, EntryKey, JobRecord, JobState, News, Past, Step, Submission, UpstreamInput, Wanted

_AT_ONCE = (4, 3)
"""How many are sent at once: at first, and how many more for each that was accepted. Whatever else is answered brings
it back to the first: a Sume that is ill, or gone, meets few paid requests."""
_MOST = (16, 32)
"""And at most. After a crash or a broken line it has to be found out what became of each of them: so they are few, or,
where that is more, a tenth of what may run at once."""
_HINTS = {
    401: "check SUME_API_KEY",
    402: "add credits, then run apply again: what is done stays done",
    403: "ask for access to this workspace",
}
_LONGEST_WAIT = 60.0
_ABOUT_THE_REQUEST = (400, 404, 422)


class Payments:
    """Submits within the account's capacity, a few at a time. ``accepted`` is told of every errand that has jobs."""

    def __init__(self, ground: Ground, accepted: Callable[[Errand, float], None]) -> None:
        self._ground = ground
        self._accepted = accepted
        self._waiting: deque[tuple[float, Action, int]] = deque(
            (0.0, action, 0) for action in ground.task.plan.actions if action.pays
        )
        work = {action.key: place for place, action in enumerate(ground.task.plan.work)}
        self._needs = {action.key: _needs(action, ground.task, work) for _, action, _ in self._waiting}
        self._twins: dict[EntryKey, list[Wanted]] = {}
        for action in ground.task.plan.actions:
            if action.twin is not None:
                self._twins.setdefault(action.twin, []).append(ground.task.wanted[action.key])
        self._done: set[EntryKey] = set()
        self._counted = 0
        self._making: dict[EntryKey, int] = {}
        """Purchases whose inputs are being uploaded and asked for, and how often each was tried."""
        self._inputs = Inputs(ground.task, ground.tools, lambda: ground.closed or ground.task.stopping())
        self._bodies: dict[str, Body] = {}
        self._at_once, self._most = _AT_ONCE[0], at_most(ground.task.capacity)
        self._sending: dict[str, Errand] = {}
        self._intents: set[str] = set()
        self._quiet_until = 0.0
        self._reading = False
        """The balance is being asked for."""
        self._stayed = False
        """The budget lets nothing start before something else has ended."""
        # One unknown outcome stops its kind: more of the same could be lost the same way.
        self._held = {submission.kind for submission in ground.task.plan.unknown}

    @property
    def sending(self) -> int:
        return len(self._sending)

    def leave(self) -> list[Action]:
        """Purchases that this run never got through; what the journal intended for them is forgotten."""
        for key in self._intents:
            self._ground.record.cleared(key)
        left = [action for action in self._ground.task.plan.actions if action.key in self._making]
        left += [action for _, action, _ in self._waiting]
        for action in left:
            if missing := self._missing(action):
                self._ground.tools.tell(News.NOTE, action.key, f"not begun: {self._why(missing)}")
        return left

    def _missing(self, action: Action) -> list[EntryKey]:
        """The upstream variants that must end well before ``action`` is begun, and have not."""
        if not self._needs[action.key]:
            return []
        outcome = self._ground.outcome
        self._done.update(outcome.done[self._counted :])
        self._counted = len(outcome.done)
        failed = {trouble.key for trouble in outcome.failed}
        return [key for key in self._needs[action.key] if key not in self._done or key in failed]

    def _why(self, missing: list[EntryKey]) -> str:
        outcome = self._ground.outcome
        failed = {trouble.key for trouble in outcome.failed}
        unknown = {submission.entry for submission in outcome.unknown}
        key = next((key for key in missing if key in failed | unknown), missing[0])
        if key in unknown:
            why = "whose paid request has an unknown outcome"
        else:
            why = "which failed" if key in failed else "which is not done yet"
        return f"it waits for {printable(str(key))}, {why}"

    def _held_back(self, action: Action) -> bool:
        """Whether ``action`` may not be begun now, whatever the time is."""
        return action.kind in self._held or bool(self._missing(action))

    def can_start(self, flying: int) -> bool:
        """Whether this run could still submit something now or later."""
        if self._ground.closed:
            return False
        room = self._busy + flying < self._ground.task.capacity
        waits_for_jobs = self._stayed and not self.sending and not self._reading
        some = room and not waits_for_jobs and any(not self._held_back(action) for _, action, _ in self._waiting)
        return bool(self._making) or some

    @property
    def _busy(self) -> int:
        return len(self._sending) + len(self._making)

    def _room(self, flying: int) -> bool:
        return self._busy < self._at_once and self._busy + flying < self._ground.task.capacity

    def earliest(self, flying: int) -> float | None:
        """When the next purchase may be sent, as far as time decides; None: something has to end first."""
        if self._ground.closed or self._stayed or not self._room(flying):
            return None
        times = [max(at, self._quiet_until) for at, action, _ in self._waiting if not self._held_back(action)]
        return min(times, default=None)

    def start(self, now: float, flying: int) -> None:
        self._stayed = False
        for _ in range(len(self._waiting)):
            if self._ground.closed or not self._room(flying) or now < self._quiet_until:
                return
            due, action, tries = self._waiting.popleft()
            if due > now or self._held_back(action):
                self._waiting.append((due, action, tries))
            elif wait := self._wait(action):
                self._quiet_until = now + wait
                if wait >= 1:
                    text = f"Sume's limits leave room for the next request in {wait:.0f} s"
                    self._ground.tools.tell(News.NOTE, None, text)
                self._waiting.appendleft((due, action, tries))
                return
            elif not self._stayed and not self._ground.closed:
                self._begin(action, tries)
            else:
                self._waiting.appendleft((due, action, tries))
                return

    def _wait(self, action: Action) -> float:
        """Seconds that Sume's limits make this purchase wait, where the budget lets it start at all."""
        return self._ground.tools.api.hold() if self._may_start(action) else 0.0

    def _may_start(self, action: Action) -> bool:
        """What the budget says. Where it is used up the rest of the batch is not begun."""
        ground = self._ground
        verdict = ground.till.ask(action.key)
        self._stayed = verdict.may is not May.START
        if verdict.may is May.READ and not self._reading:
            self._reading = True
            ground.till.reading()
            ground.tools.workers.start(("balance",), lambda: balance(ground.tools.api))
        if verdict.may is May.STOP and not self._making:  # those were let begin, and come first
            ground.closed = True
            hint = "what was bought is finished; to go on, raise --max-credits and run apply again"
            ground.outcome.refused = ground.outcome.refused or Trouble(None, verdict.why, hint)
            ground.outcome.over_budget = True
        return verdict.may is May.START

    def balance_read(self, left: float | None) -> None:
        self._reading = self._stayed = False
        self._ground.till.read(left)

    def _begin(self, action: Action, tries: int) -> None:
        """Send what needs no more than its spec; else upload and ask for what the request takes in. What upstream
        work gave is in the lock by then."""
        ground, inputs = self._ground, self._inputs
        wanted = ground.task.wanted[action.key]
        if not wanted.inputs:
            self._send(action, Body(request.body(wanted.request), request.urls(wanted.request)), tries)
            return
        self._making[action.key] = tries
        ground.record.flush(at_once=bool(self._needs[action.key]))
        entries = needed(wanted, ground.record.entries)
        for file in inputs.outgoing(wanted):
            ground.tools.tell(News.UPLOADING, action.key, file)
        ground.tools.workers.start(("make", action), lambda: inputs.body(wanted, entries, action.attempt > 1))

    def made(self, action: Action, body: Body) -> None:
        """The body is ready. It is sent now or made anew later: some of its URLs do not last."""
        tries = self._making.pop(action.key)
        ground = self._ground
        if (
            ground.closed
            or action.kind in self._held
            or ground.now() < self._quiet_until
            or not self._may_start(action)
        ):
            self._waiting.appendleft((0.0, action, tries))
        else:
            self._send(action, body, tries)

    def unmade(self, action: Action, error: BaseException) -> None:
        """An input could not be had: nothing was sent. What is not about this purchase is raised further."""
        tries = self._making.pop(action.key)
        self._stayed = False
        match error:
            case Left():
                self._waiting.append((0.0, action, tries))
            case ApiError() if _passes(error) and tries + 1 < TRIES:
                wait = max(RETRY_SECONDS * 2**tries, min(error.retry_after or 0.0, _LONGEST_WAIT))
                text = f"an input is not ready ({error.what}); trying again in {wait:.0f} s"
                self._ground.tools.tell(News.NOTE, action.key, text)
                self._waiting.append((self._ground.now() + wait, action, tries + 1))
            case InputError() | ApiError():
                key_refused = isinstance(error, ApiError) and error.status in (401, 403)
                self._ground.closed |= key_refused and not isinstance(error, MediaError)
                hint = error.hint or "nothing was paid for; run apply again"
                self._ground.fail(action.key, error.what, hint, heard(error))
            case _:
                raise error

    def _send(self, action: Action, body: Body, tries: int) -> None:
        task, tools = self._ground.task, self._ground.tools
        wanted = task.wanted[action.key]
        submission = Submission(
            key=submission_key(task.lock.lineage, action.fingerprint, action.attempt),
            step=Step.INTENT,
            origin=tools.api.origin,
            route=task.kinds[action.kind].route,
            kind=action.kind,
            entry=action.key,
            fingerprint=action.fingerprint,
            attempt=action.attempt,
            body_sha256=request.digest(body.data),
            lineage=task.lock.lineage,
            workspace=task.lock.workspace,
        )
        errand = Errand(
            action.fingerprint, action.kind, [wanted, *self._twins.get(action.key, ())], tries=tries, named=body.named
        )
        self._sending[submission.key], self._bodies[submission.key] = errand, body
        self._ground.till.begun(submission.key, action.key)
        tools.tell(News.SUBMITTING, action.key)
        tools.workers.start(("pay", action, submission), lambda: pay(submission, body.data, tools))

    def broke(self, submission: Submission, error: BaseException) -> None:
        """The paid step raised: our own disk failed, or we have a fault. The caller raises it further."""
        self._sending.pop(submission.key, None)
        if isinstance(error, LostIds):
            self._ground.outcome.bought += error.submission.job_ids

    def ended(self, action: Action, payment: Payment) -> None:
        errand, body = self._sending.pop(payment.submission.key), self._bodies.pop(payment.submission.key)
        self._stayed = False
        self._intents.discard(payment.submission.key)
        first, more = _AT_ONCE
        self._at_once = min(self._most, self._at_once + more) if isinstance(payment.result, Accepted) else first
        match payment.result:
            case Accepted() as accepted:
                self._on_accepted(action, errand, payment, accepted)
                self._drop(body.spent)
            case Throttled(wait):
                self._ground.till.dropped(payment.submission.key)
                self._quiet_until = self._ground.now() + wait
                self._ground.tools.tell(News.NOTE, None, f"Sume asks to wait {wait:.0f} s before the next request")
                self._intents.add(payment.submission.key)
                self._waiting.appendleft((0.0, action, errand.tries))
            case NotSent(detail):
                self._ground.till.dropped(payment.submission.key)
                self._on_not_sent(action, errand, payment.submission, detail)
            case Refused() as refused:
                self._ground.till.dropped(payment.submission.key)
                self._on_refused(action, refused, body)
            case _:  # Unclear, the only one left
                self._on_unknown(action, payment.submission)

    def _on_accepted(self, action: Action, errand: Errand, payment: Payment, accepted: Accepted) -> None:
        ground, job_ids = self._ground, accepted.job_ids
        errand.tries = 0
        each = share(accepted.credits, len(job_ids))
        errand.jobs = {job_id: JobRecord(job_id, JobState.ACCEPTED, action.attempt, each) for job_id in job_ids}
        ground.till.accepted(payment.submission.key, errand.jobs, accepted.credits)
        past = Past(errand.fingerprint, errand.kind, ground.task.policy.endpoint, tuple(errand.jobs.values()))
        for wanted in errand.targets:
            ground.record.change(wanted.key, _turning(wanted.key, past))
        if payment.recorded:
            ground.record.cleared(payment.submission.key)
        ground.outcome.bought += job_ids
        told = "accepted" if each is None else f"accepted for {in_credits(each)}"
        for job_id in job_ids:
            ground.spent(errand.jobs[job_id])
            ground.tools.tell(News.ACCEPTED, action.key, told, job_id)
        self._accepted(errand, ground.now())

    def _on_not_sent(self, action: Action, errand: Errand, submission: Submission, detail: str) -> None:
        ground = self._ground
        self._intents.add(submission.key)
        if errand.tries + 1 >= TRIES or ground.closed:
            ground.closed = True  # the next one would not get through either
            ground.fail(action.key, f"not sent: {detail}", "nothing was paid for; run apply again", 0)
            return
        wait = RETRY_SECONDS * 2**errand.tries
        ground.tools.tell(News.NOTE, action.key, f"not sent ({detail}); trying again in {wait:.0f} s")
        self._waiting.append((ground.now() + wait, action, errand.tries + 1))

    def _on_refused(self, action: Action, refused: Refused, body: Body) -> None:
        named = f" ({refused.request_id})" if refused.request_id else ""
        hint = _HINTS.get(refused.status, f"change the spec{self._lists(action)}; nothing was paid for")
        gone = body.remembered or (body.spent if refused.status == 404 else ())
        if gone and refused.status in _ABOUT_THE_REQUEST:
            # Sume may have let go of what was uploaded long ago. Which it was it need not say.
            self._drop(gone)
            hint = "run apply again: what it takes in is uploaded anew; or change the spec. Nothing was paid for"
        text = f"Sume refused it: {refused.code or refused.status}: {refused.message}{named}"
        self._ground.fail(action.key, text, hint, refused.status)
        self._ground.closed = self._ground.closed or refused.stops_batch

    def _lists(self, action: Action) -> str:
        """Where the values of its fields are listed, for those that it names."""
        listed = self._ground.task.kinds[action.kind].listed
        request = self._ground.task.wanted[action.key].request
        said = [f"its {name} from: {command}" for name, command in listed.items() if name in request]
        return f" ({'; '.join(said)})" if said else ""

    def _drop(self, upload_ids: tuple[str, ...]) -> None:
        with suppress(LocalStateError):  # then they are tried once more
            for upload_id in upload_ids:
                self._ground.tools.uploads.drop(upload_id)

    def _on_unknown(self, action: Action, submission: Submission) -> None:
        self._held.add(action.kind)
        self._ground.till.doubtful(submission.key)
        self._ground.outcome.unknown.append(submission)
        self._ground.tools.tell(News.UNKNOWN, action.key, submission.detail)


def at_most(capacity: int) -> int:
    """How many purchases may be out at once, where so many jobs may run."""
    fewest, most = _MOST
    return max(fewest, min(most, capacity // 10))


def _needs(action: Action, task: Task, work: Mapping[EntryKey, int]) -> tuple[EntryKey, ...]:
    """The variants of whose outputs ``action`` makes something, and which this plan has work for, a download too: until
    it is done the lock may not tell what was made."""
    sources = task.wanted[action.key].inputs.values()
    keys = {*action.after, *(source.key for source in sources if isinstance(source, UpstreamInput))}
    return tuple(sorted(keys & work.keys(), key=lambda key: work[key]))


def _passes(error: ApiError) -> bool:
    """Whether another try may help: the network, a busy server, or a place to upload to that was given up. Not where
    a storage refuses the bytes, or the way in which they come."""
    if isinstance(error, MediaError):
        return not isinstance(error, MediaRefused)
    return error.status is None or error.status in (408, 429) or error.status >= 500


def _turning(key: EntryKey, past: Past) -> Change:
    return lambda entry: turn_to(entry, key, past)
