"""What a person decided about a paid request, checked with Sume as far as it tells, and recorded. The caller holds the
mutex."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import click

from sumesync.answers import JobView
from sumesync.cli import access, wiring
from sumesync.cli.options import Common
from sumesync.cli.scope import Scope
from sumesync.cli.session import Session
from sumesync.cli.talk import Quit, can_ask
from sumesync.core import metadata
from sumesync.core.action import Change
from sumesync.core.advance import note_job, turn_to, without_job
from sumesync.core.decide import quoted
from sumesync.core.echo import apart, differences
from sumesync.core.ids import is_job_id
from sumesync.core.paid import find_job, holders, index
from sumesync.core.recover import facts_of, lost, retractions, void
from sumesync.core.text import printable
from sumesync.errors import ApiError, Exit, UsageError
from sumesync.model import Entry, EntryKey, Fact, Past, Step, Submission

_LOOK = "look again at the candidates"
_SHOWN = 60
"""Characters of a prompt."""


def adopt(common: Common, session: Session, submission: Submission, job_id: str, force: bool = False) -> bool:
    """``job_id`` is what the request created. Whether what the job was asked for could be compared; where that is
    plainly something else a person must say so twice, or ``force`` it."""
    _named(job_id)
    facts = (fact for fact in session.state.facts if fact.job.id == job_id and not fact.retracted)
    other = next((fact for fact in facts if fact.fingerprint != submission.fingerprint), None)
    if other is not None:
        raise UsageError(f"{job_id} is the job of {other.key}, another request", _LOOK)
    view = _asked(common, session, job_id)
    if view is None:
        raise UsageError(f"Sume has no job {job_id} in this workspace", _LOOK)
    others = [name for name in session.place.schemas.kinds if name != submission.kind and name in view.type]
    if others and submission.kind not in view.type:
        raise UsageError(f"{job_id} is a job of another kind ({printable(view.type, 40)})", _LOOK)
    compared = _compared(common, session, submission, view, force)
    accepted = replace(submission, step=Step.ACCEPTED, job_ids=(job_id,))
    session.journal.write(accepted)
    recorded = facts_of(accepted)
    session.ledger.record(recorded)
    past = Past(accepted.fingerprint, accepted.kind, session.place.endpoint, tuple(fact.job for fact in recorded))
    # A lock from before a retraction (a checkout) may still have what was taken back.
    back = (f for f in session.state.facts if f.retracted and f.fingerprint == past.fingerprint and f.job.id != job_id)
    dropped = [partial(_dropped, fact) for fact in back]
    session.locks.patch(
        {accepted.entry: [*dropped, lambda entry: turn_to(entry, accepted.entry, past)]}, session.state.lock.lineage
    )
    session.journal.settle(accepted.key)
    common.talk.say(
        f"{accepted.entry}: {job_id} ({printable(view.status, 40)}) is its job now. Collect it: sumesync apply"
    )
    return compared


def _compared(common: Common, session: Session, submission: Submission, view: JobView, force: bool) -> bool:
    """Whether the job tells of the request of ``submission``; False: it cannot be told. Raises UsageError, or asks,
    where it tells of another one."""
    wanted = next((w for w in session.project.wanted if w.fingerprint == submission.fingerprint), None)
    if wanted is None:
        common.talk.say(f"{submission.entry}: no spec asks for that request now, so the job could not be compared.")
        return False
    # What was sent for an input is a URL that nobody keeps.
    sent = {place[0] for place in wanted.inputs}
    found = differences({name: value for name, value in wanted.request.items() if name not in sent}, view.asked)
    if found is None:
        common.talk.say(f"{view.id}: Sume does not tell what it was asked for, so that could not be compared.")
        return False
    if found and not force:
        _doubted(common, submission, view.id, "; ".join(_told(change, submission) for change in found))
    return True


def _doubted(common: Common, submission: Submission, job_id: str, how: str) -> None:
    what = f"{job_id} was asked for something else: {how}"
    if not can_ask():
        command = f"sumesync resolve {quoted(str(submission.entry))} --adopt {job_id} --force"
        raise UsageError(what, f"{_LOOK}: sumesync resolve; if it is the job all the same: {command}")
    common.talk.warn(what)
    if not click.confirm("Is it the job all the same?", err=True):
        common.talk.say("Declined; nothing was done.")
        raise Quit(Exit.FAILED)


def _told(change: Change, submission: Submission) -> str:
    mine, theirs = apart(str(change.before), str(change.after), _SHOWN)
    name = printable(change.field, 40)
    return f'its {name} is "{printable(theirs)}"; {submission.entry} asks for "{printable(mine)}"'


def not_created(common: Common, session: Session, submission: Submission) -> None:
    """The request created no job."""
    session.ledger.record([void(submission)])
    session.journal.settle(submission.key)
    common.talk.say(f"{submission.entry}: noted that no job was created. The next apply pays for it again.")


def take_back(common: Common, session: Session, submission: Submission) -> None:
    """The decision on ``submission`` was wrong: its outcome is unknown again, and nothing of its kind is paid for until
    it is settled. The ledger's retraction comes last but for what was kept: until then the old decision holds."""
    taken = retractions(submission, session.state.facts)
    for fact in taken:
        keys = holders(session.state.lock, fact.job.id)
        for key in keys:
            _remove_metadata(session, key, fact)
        changes = {key: [partial(_dropped, fact)] for key in keys}
        if changes:
            session.locks.patch(changes, session.state.lock.lineage)
    session.journal.write(submission)
    session.ledger.record(taken)
    session.journal.forget(submission.key)
    spec = quoted(str(submission.entry))
    common.talk.say(f"{submission.entry}: its outcome is unknown again. Settle it: sumesync resolve {spec}")


def _dropped(fact: Fact, entry: Entry | None) -> Entry | None:
    return without_job(entry, fact.fingerprint, fact.job.id)


def _remove_metadata(session: Session, key: EntryKey, fact: Fact) -> None:
    """Metadata that tell of the job would bring it back with ``lock rebuild``."""
    path = metadata.path_of(key)
    text = session.media.read_text(path)
    told = metadata.read(text).entry if text is not None else None
    if told is not None and any(job.id == fact.job.id for past in (*told.history, told.present) for job in past.jobs):
        session.media.remove_text(path)


def give_up(common: Common, session: Session, job_id: str, only: Scope | None) -> EntryKey:
    """Nothing comes of a job in flight any more: only where Sume answers, in this very workspace, that it has none."""
    _named(job_id)
    state = session.state
    found = find_job(index(state.lock, state.facts, state.journal, session.place.endpoint), job_id)
    if found is None:
        raise UsageError(f"{job_id} is no job of this project", "see which are: sumesync status")
    paid, job = found
    if not job.state.in_flight:
        raise UsageError(f"{job_id} is not in flight: it is {job.state}", "there is nothing to give up")
    keys = holders(state.lock, job_id)
    known = next((fact for fact in state.facts if fact.job.id == job_id), None)
    sent = next((s.entry for s in state.journal if job_id in s.job_ids), EntryKey(""))
    key = known.key if known else keys[0] if keys else sent
    if only is not None and not any(only.covers(each) for each in (*keys, key)):
        raise UsageError(f"{job_id} is a job of {key}, not of {only}", "name the spec that it is of, or none")
    view = _asked(common, session, job_id)
    if view is not None:
        raise UsageError(f"Sume has {job_id} still ({printable(view.status, 40)})", "collect it: sumesync apply")
    ended = lost(job)
    fact = Fact(paid.fingerprint, ended, paid.kind, key, state.lock.workspace, state.lock.lineage)
    session.ledger.record([replace(known, job=ended) if known else fact])
    if keys:
        changes = {each: [lambda entry: note_job(entry, paid.fingerprint, ended)] for each in keys}
        session.locks.patch(changes, state.lock.lineage)
    again = f"sumesync apply --retry-failed {quoted(str(key))}"
    common.talk.say(f"{key}: {job_id} is given up. To pay for another try: {again}")
    return key


def _named(job_id: str) -> None:
    if not is_job_id(job_id):
        raise UsageError(f"{printable(job_id, 80)} is not a job id")


def _asked(common: Common, session: Session, job_id: str) -> JobView | None:
    """The job as Sume shows it; None: it answers that there is none in this project's workspace."""
    with wiring.connected(common, session.place) as api:
        access.same_workspace(api, session.state.lock, session.place.endpoint)
        try:
            return api.job(job_id)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
