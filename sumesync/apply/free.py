"""What costs nothing and needs no network: moves, copies, records, metadata, prune. Done before anything is paid."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sumesync.apply.record import Record
from sumesync.apply.run import Task, Tools
from sumesync.core import metadata, paths
from sumesync.core.action import Action, Orphan, Placed, Standing, Verb
from sumesync.core.advance import placed, search_record, take_over
from sumesync.core.outcome import Outcome, Trouble
from sumesync.core.paid import pasts
from sumesync.core.placement import Ours
from sumesync.model import SANDBOX, SUME, Entry, EntryKey, FileFact, JobRecord, JobState, News, Output, Past
from sumesync.ports import Part


@dataclass(frozen=True, slots=True)
class _Carried:
    """Bytes copied beside their new place, and where they came from. ``part`` None: a document, in hand."""

    action: Action
    place: Placed
    part: Part | None = None
    there: FileFact | None = None


def do_free(task: Task, tools: Tools, record: Record, outcome: Outcome) -> None:
    """Every free action of the plan that is no download. The lock is written before it returns."""
    _import(task, record)
    moves = [action for action in task.plan.actions if action.verb in (Verb.MOVE, Verb.COPY) and action.twin is None]
    _relocate(moves, task, tools, record, outcome)
    for action in task.plan.of(Verb.KEEP):
        if action.free and _record(action, task, record, outcome):
            tools.tell(News.FREE, action.key, "recorded in sume.lock" if action.records else "metadata written anew")
            outcome.done.append(action.key)
    record.flush(at_once=True)
    if task.policy.prune:
        for orphan in task.plan.orphans:
            _prune(orphan, task, tools, record, outcome)
        record.flush(at_once=True)


def _import(task: Task, record: Record) -> None:
    """Tell the ledger of jobs that only the lock knows: another machine's, or a fresh clone's. From then on a
    reset or another branch cannot make this machine forget them.

    Only where their media stand here: a lock is a file that a pull request can write, and what the ledger
    is once told it keeps.
    """
    known = {fact.job.id: fact.job for fact in task.facts}
    record.facts(
        (past.fingerprint, past.kind, key, job)
        for key, past in pasts(task.lock)
        if past.endpoint == task.policy.endpoint and not _is_search(past.kind, task)
        for job in past.jobs
        if job.state is JobState.COMPLETED
        and (job.id not in known or known[job.id].state.in_flight)
        and any(task.own.standing.get(output.sha256) for output in job.outputs)
    )


def _relocate(moves: list[Action], task: Task, tools: Tools, record: Record, outcome: Outcome) -> None:
    """Copy first, place then, remove last: two specs may have swapped names, and a crash loses nothing."""
    carried: list[_Carried] = []
    for action in moves:
        carried += _carry(action, task, tools, record, outcome)
    landed = {
        item.place.target
        for item in carried
        if item.part is None or tools.media.place(item.part, item.place.target, item.there)
    }
    for item in carried:
        if item.part is not None and item.place.target not in landed:
            item.part.discard()
            outcome.failed.append(
                Trouble(item.action.key, f"{item.place.target} was taken meanwhile", "run apply again")
            )
    missed = {item.action.key for item in carried if item.place.target not in landed}
    for action in moves:
        if action.key in missed or any(trouble.key == action.key for trouble in outcome.failed):
            continue
        _leave(action, task, tools, landed, outcome)
        if not _record(action, task, record, outcome):
            continue
        outcome.written += [place.target for place in action.places if place.target in landed]
        outcome.done.append(action.key)
        tools.tell(News.FREE, action.key, f"{_PAST[action.verb]} ({action.reason.text})")


_PAST = {Verb.MOVE: "moved for free", Verb.COPY: "copied for free"}


def _carry(action: Action, task: Task, tools: Tools, record: Record, outcome: Outcome) -> list[_Carried]:
    found: list[_Carried] = []
    for place in action.places:
        if place.standing is not Standing.ELSEWHERE or place.source is None:
            continue
        if place.output.is_document:
            if _take_document(place, tools, record):
                found.append(_Carried(action, place))
                continue
            text = f"the result in {place.source} changed while the plan was being applied"
            outcome.failed.append(Trouble(action.key, text, "run apply again"))
            return []
        there = tools.media.look(place.target)
        part = None
        if there is None or task.own.yields(place.target, there):
            part = tools.media.copy(place.source, paths.parent(place.target), place.output.sha256)
        if part is None:
            text = f"{place.source} or {place.target} changed while the plan was being applied"
            outcome.failed.append(Trouble(action.key, text, "run apply again"))
            for item in found:
                if item.part is not None:
                    item.part.discard()
            return []
        found.append(_Carried(action, place, part, there))
    return found


def _take_document(place: Placed, tools: Tools, record: Record) -> bool:
    """Have the document of another's metadata in hand, if it is the very one."""
    text = tools.media.read_text(place.source or "")
    fact = metadata.read(text) if text is not None else None
    if fact is None or fact.result is None or fact.output is None or fact.output.sha256 != place.output.sha256:
        return False
    record.document(fact.result)
    return True


def _leave(action: Action, task: Task, tools: Tools, landed: set[str], outcome: Outcome) -> None:
    """Remove what a move leaves behind, unless somebody else wants it there."""
    if action.verb is not Verb.MOVE:
        return
    wanted_here = {place.target for other in task.plan.actions for place in other.places}
    for place in action.places:
        if place.output.is_document:
            continue  # where it was are metadata: those of a renamed spec go with its entry
        left = place.source and place.source not in wanted_here | landed
        if left and place.source and tools.media.remove(place.source, place.output.sha256):
            outcome.removed.append(place.source)


def _record(action: Action, task: Task, record: Record, outcome: Outcome) -> bool:
    """The entry as the action leaves it, and its metadata; whether both are. A document is in its metadata before the
    lock says so."""
    wanted = task.wanted[action.key]
    outputs = tuple(replace(place.output, path=place.target) for place in action.places)
    origin = record.entries.get(action.origin) if action.origin else None
    if action.origin is not None:
        record.remember(action.origin)
    now = _now(action, task, outputs)
    if any(output.is_document for output in outputs):
        entry = record.entries.get(action.key)
        if fault := record.metadata(wanted, take_over(entry, origin, action.key, now) if action.records else entry):
            outcome.failed.append(Trouble(wanted.key, fault, "move it, then run apply again"))
            return False
    if action.records:
        record.change(action.key, lambda entry: take_over(entry, origin, action.key, now))
    if not any(output.is_document for output in outputs) and (fault := record.metadata(wanted)):
        outcome.failed.append(Trouble(wanted.key, fault, "move it, then run apply again"))
    if action.origin is not None:
        forget(action.origin, task, record)
    return True


def _now(action: Action, task: Task, outputs: tuple[Output, ...]) -> Past:
    blessed = _blessed(action, task)
    known = _searched(action, task, outputs) or action.jobs
    jobs: tuple[JobRecord, ...] = known if blessed else placed(known, outputs)
    return Past(action.fingerprint, action.kind, task.policy.endpoint, jobs, outputs if blessed else ())


def _is_search(kind: str, task: Task) -> bool:
    known = task.kinds.get(kind)
    return known is not None and known.free


def _searched(action: Action, task: Task, outputs: tuple[Output, ...]) -> tuple[JobRecord, ...]:
    """What the lock says of a search, which is no job: () for every other kind."""
    return (search_record(action.fingerprint, outputs),) if _is_search(action.kind, task) else ()


def _blessed(action: Action, task: Task) -> bool:
    """Whether the places of ``action`` are those of outputs that a person accepted."""
    if _is_search(action.kind, task):
        return False  # it can be made again at any time
    written = {output.sha256 for job in action.jobs for output in job.outputs}
    return any(place.output.sha256 not in written for place in action.places)


def forget(origin: EntryKey, task: Task, record: Record) -> None:
    """A renamed spec leaves its old entry and metadata."""
    record.change(origin, lambda _entry: None)
    if metadata.path_of(origin) not in {metadata.path_of(key) for key in task.wanted}:
        record.remove_metadata(origin)


def _prune(orphan: Orphan, task: Task, tools: Tools, record: Record, outcome: Outcome) -> None:
    entry: Entry | None = record.entries.get(orphan.key)
    if entry is None or orphan.in_flight or _keeps_paid(entry, task):
        return
    known = {fact.job.id for fact in task.facts}
    record.facts(
        (past.fingerprint, past.kind, orphan.key, job)
        for past in entry.pasts
        if not _is_search(past.kind, task)
        for job in past.jobs
        if job.id not in known
    )
    protected = {
        output.path for key, other in record.entries.items() if other and key != orphan.key for output in other.outputs
    }
    for output in entry.outputs:
        unwanted = not output.is_document and output.path in orphan.outputs and output.path not in protected
        if unwanted and task.own.vouches(output.path, output.sha256) and tools.media.remove(output.path, output.sha256):
            outcome.removed.append(output.path)
    forget(orphan.key, task, record)
    outcome.done.append(orphan.key)
    tools.tell(News.FREE, orphan.key, "pruned: nothing asks for it now")


def _keeps_paid(entry: Entry, task: Task) -> bool:
    """Whether the sandbox would be forgetting what was paid for at Sume: its ledger does not have that."""
    return task.policy.endpoint == SANDBOX and any(past.endpoint == SUME for past in entry.pasts)


def leftovers(entry: Entry | None, kept: set[str], own: Ours) -> tuple[Output, ...]:
    """Earlier outputs of an entry that stand where nothing of it belongs any more."""
    if entry is None:
        return ()
    return tuple(
        output
        for past in entry.history
        for job in past.jobs
        for output in job.outputs
        if not output.is_document and output.path not in kept and own.vouches(output.path, output.sha256)
    )
