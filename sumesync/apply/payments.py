"""The purchases of a run: which wait, which are being sent, and what each answer means for the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sumesync.answers import Accepted, NotSent, Refused, Throttled
from sumesync.apply.ground import RETRY_SECONDS, TRIES, Errand, Ground
from sumesync.apply.paid import LostIds, Payment, pay
from sumesync.apply.till import balance
from sumesync.core import request
from sumesync.core.action import Action
from sumesync.core.advance import turn_to
from sumesync.core.budget import May
from sumesync.core.fingerprint import submission_key
from sumesync.core.outcome import Trouble
from sumesync.core.recover import share
from sumesync.core.text import amount
from sumesync.model import Change, EntryKey, JobRecord, JobState, News, Past, Step, Submission

_AT_ONCE = 4
_HINTS = {
    401: "check SUME_API_KEY",
    402: "add credits, then run apply again: what is done stays done",
    403: "ask for access to this workspace",
}


class Payments:
    """Submits within the account's capacity, a few at a time. ``accepted`` is told of every errand that has jobs."""

    def __init__(self, ground: Ground, accepted: Callable[[Errand, float], None]) -> None:
        self._ground = ground
        self._accepted = accepted
        self._waiting: deque[tuple[float, Action, int]] = deque(
            (0.0, action, 0) for action in ground.task.plan.actions if action.pays
        )
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
        return [action for _, action, _ in self._waiting]

    def can_start(self, flying: int) -> bool:
        """Whether this run could still submit something now or later."""
        room = self.sending + flying < self._ground.task.capacity
        waits_for_jobs = self._stayed and not self.sending and not self._reading
        if not room or waits_for_jobs or self._ground.closed:
            return False
        return any(action.kind not in self._held for _, action, _ in self._waiting)

    def earliest(self) -> float | None:
        """When the next purchase may be sent, as far as time decides; None: time does not."""
        if self._ground.closed or self._stayed:
            return None
        times = [max(at, self._quiet_until) for at, action, _ in self._waiting if action.kind not in self._held]
        return min(times, default=None)

    def start(self, now: float, flying: int) -> None:
        self._stayed = False
        for _ in range(len(self._waiting)):
            room = self.sending < _AT_ONCE and self.sending + flying < self._ground.task.capacity
            if self._ground.closed or not room or now < self._quiet_until:
                return
            due, action, tries = self._waiting.popleft()
            if action.kind in self._held or due > now:
                self._waiting.append((due, action, tries))
            elif self._may_start(action):
                self._send(action, tries)
            else:
                self._waiting.appendleft((due, action, tries))
                return

    def _may_start(self, action: Action) -> bool:
        """What the budget says. Where it is used up the rest of the batch is not begun."""
        ground = self._ground
        verdict = ground.till.ask(action.key)
        self._stayed = verdict.may is not May.START
        if verdict.may is May.READ and not self._reading:
            self._reading = True
            ground.tools.workers.start(("balance",), lambda: balance(ground.tools.api))
        if verdict.may is May.STOP:
            ground.closed = True
            hint = "what was bought is finished; to go on, raise --max-credits and run apply again"
            ground.outcome.refused = ground.outcome.refused or Trouble(None, verdict.why, hint)
        return verdict.may is May.START

    def balance_read(self, left: float | None) -> None:
        self._reading = self._stayed = False
        self._ground.till.read(left)

    def _send(self, action: Action, tries: int) -> None:
        task, tools = self._ground.task, self._ground.tools
        wanted = task.wanted[action.key]
        body = request.body(wanted.request)
        submission = Submission(
            key=submission_key(task.lock.lineage, action.fingerprint, action.attempt),
            step=Step.INTENT,
            origin=tools.api.origin,
            route=task.kinds[action.kind].route,
            kind=action.kind,
            entry=action.key,
            fingerprint=action.fingerprint,
            attempt=action.attempt,
            body_sha256=request.digest(body),
            lineage=task.lock.lineage,
            workspace=task.lock.workspace,
        )
        twins = [task.wanted[other.key] for other in task.plan.actions if other.twin == action.key]
        self._sending[submission.key] = Errand(action.fingerprint, action.kind, [wanted, *twins], tries=tries)
        self._ground.till.begun(submission.key, action.key)
        tools.tell(News.SUBMITTING, action.key)
        tools.workers.start(("pay", action, submission), lambda: pay(submission, body, tools))

    def broke(self, submission: Submission, error: BaseException) -> None:
        """The paid step raised: our own disk failed, or we have a fault. The caller raises it further."""
        self._sending.pop(submission.key, None)
        if isinstance(error, LostIds):
            self._ground.outcome.bought += error.submission.job_ids

    def ended(self, action: Action, payment: Payment) -> None:
        errand = self._sending.pop(payment.submission.key)
        self._stayed = False
        self._intents.discard(payment.submission.key)
        match payment.result:
            case Accepted() as accepted:
                self._on_accepted(action, errand, payment, accepted)
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
                self._on_refused(action, refused)
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
        told = "accepted" if each is None else f"accepted for {amount(each)} credits"
        for job_id in job_ids:
            ground.spent(errand.jobs[job_id])
            ground.tools.tell(News.ACCEPTED, action.key, told, job_id)
        self._accepted(errand, ground.now())

    def _on_not_sent(self, action: Action, errand: Errand, submission: Submission, detail: str) -> None:
        ground = self._ground
        self._intents.add(submission.key)
        if errand.tries + 1 >= TRIES or ground.closed:
            ground.closed = True  # the next one would not get through either
            ground.fail(action.key, f"not sent: {detail}", "nothing was paid for; run apply again")
            return
        wait = RETRY_SECONDS * 2**errand.tries
        ground.tools.tell(News.NOTE, action.key, f"not sent ({detail}); trying again in {wait:.0f} s")
        self._waiting.append((ground.now() + wait, action, errand.tries + 1))

    def _on_refused(self, action: Action, refused: Refused) -> None:
        named = f" ({refused.request_id})" if refused.request_id else ""
        hint = _HINTS.get(refused.status, "change the spec; nothing was paid for")
        text = f"Sume refused it: {refused.code or refused.status}: {refused.message}{named}"
        self._ground.fail(action.key, text, hint)
        self._ground.closed = self._ground.closed or refused.stops_batch

    def _on_unknown(self, action: Action, submission: Submission) -> None:
        self._held.add(action.kind)
        self._ground.till.doubtful(submission.key)
        self._ground.outcome.unknown.append(submission)
        self._ground.tools.tell(News.UNKNOWN, action.key, submission.detail)


def _turning(key: EntryKey, past: Past) -> Change:
    return lambda entry: turn_to(entry, key, past)
