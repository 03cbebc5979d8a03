"""How a lock entry moves from one state to the next. Pure, and applied to the entry as it stands in the file
at the moment of writing: a checkout in the middle of a run changes it under our hands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sumesync.core.paid import merge
from sumesync.model import Entry, EntryKey, JobRecord, JobState, Output, Past


def turn_to(entry: Entry | None, key: EntryKey, now: Past) -> Entry:
    """``entry`` at ``now``: what it was before goes to its history, what the history knew of ``now`` comes back."""
    return _turned(entry.pasts if entry else (), key, now)


def note_job(entry: Entry | None, fingerprint: str, job: JobRecord) -> Entry | None:
    """``entry`` with what became of a job, wherever in it that job stands. An entry that never had it stays."""
    if entry is None:
        return None
    if entry.fingerprint == fingerprint:
        return replace(entry, jobs=_merged(entry.jobs, (job,)))
    history = tuple(
        replace(past, jobs=_merged(past.jobs, (job,)))
        if past.fingerprint == fingerprint and any(known.id == job.id for known in past.jobs)
        else past
        for past in entry.history
    )
    return replace(entry, history=history)


def without_job(entry: Entry | None, fingerprint: str, job_id: str) -> Entry | None:
    """``entry`` as if that job had never been this request's: what is left with nothing goes, and what it was before
    is what it is again."""
    if entry is None:
        return None
    pasts = [
        replace(past, jobs=tuple(job for job in past.jobs if job.id != job_id))
        if past.fingerprint == fingerprint
        else past
        for past in (*entry.history, entry.present)
    ]
    kept = [past for past in pasts if past.jobs or past.accepted]
    if not kept:
        return None
    now = kept[-1]
    return Entry(entry.key, now.fingerprint, now.kind, now.endpoint, now.jobs, now.accepted, tuple(kept[:-1]))


def take_over(entry: Entry | None, origin: Entry | None, key: EntryKey, now: Past) -> Entry:
    """The entry of a renamed spec: all that the old entry knew goes with it."""
    inherited = origin.pasts if origin else ()
    own = entry.pasts if entry else ()
    return _turned((*inherited, *own), key, now)


def promised(jobs: Iterable[JobRecord], earlier: Iterable[Past]) -> tuple[JobRecord, ...]:
    """``jobs`` as the lock may tell of them while their media are on their way: it says that one completed only when
    they are durable, or where one of ``earlier`` said so already."""
    said = {job.id for past in earlier for job in past.jobs if job.state is JobState.COMPLETED}
    return tuple(
        replace(job, state=JobState.ACCEPTED, outputs=())
        if job.state is JobState.COMPLETED and job.id not in said
        else job
        for job in jobs
    )


def placed(jobs: Iterable[JobRecord], outputs: Iterable[Output]) -> tuple[JobRecord, ...]:
    """``jobs`` with their outputs at new paths: matched by index."""
    by_index = {output.index: output for output in outputs}
    return tuple(
        replace(job, outputs=tuple(by_index.get(output.index, output) for output in job.outputs)) for job in jobs
    )


def search_record(fingerprint: str, outputs: tuple[Output, ...] = ()) -> JobRecord:
    """What stands for a search in the lock: no job, and no id that Sume knows."""
    name = fingerprint.rpartition(":")[2][:16]
    return JobRecord(f"search-{name}", JobState.COMPLETED, outputs=outputs)


def _turned(earlier: Iterable[Past], key: EntryKey, now: Past) -> Entry:
    """No job of ``earlier`` is ever dropped: it goes to ``now`` or to the history, one Past a request."""
    history: dict[tuple[str, str], Past] = {}
    now = replace(now, jobs=_merged((), now.jobs))
    for past in earlier:
        if _same(past, now):
            now = replace(now, jobs=_merged(past.jobs, now.jobs))
        elif past.jobs or past.accepted:
            known = history.pop((past.fingerprint, past.endpoint), past)
            accepted = past.accepted or known.accepted
            merged = replace(past, jobs=_merged(known.jobs, past.jobs), accepted=accepted)
            history[past.fingerprint, past.endpoint] = merged
    return Entry(key, now.fingerprint, now.kind, now.endpoint, now.jobs, now.accepted, tuple(history.values()))


def _same(one: Past, other: Past) -> bool:
    return (one.fingerprint, one.endpoint) == (other.fingerprint, other.endpoint)


def _merged(known: Iterable[JobRecord], new: Iterable[JobRecord]) -> tuple[JobRecord, ...]:
    jobs = {job.id: job for job in known}
    for job in new:
        jobs[job.id] = merge(jobs[job.id], job) if job.id in jobs else job
    return tuple(sorted(jobs.values(), key=lambda job: job.attempt))
