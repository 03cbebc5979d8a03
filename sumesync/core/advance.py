"""How a lock entry moves from one state to the next. Pure, and applied to the entry as it stands in the file
at the moment of writing: a checkout in the middle of a run changes it under our hands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sumesync.core.paid import merge
from sumesync.model import Entry, EntryKey, JobRecord, Output, Past


def turn_to(entry: Entry | None, key: EntryKey, now: Past) -> Entry:
    """``entry`` at ``now``: what it was before goes to its history, what the history knew of ``now`` comes back."""
    if entry is None:
        return _entry(key, now, ())
    if _same(entry.present, now):
        return _entry(key, _join(entry.present, now), entry.history)
    history = [past for past in entry.history if not _same(past, now)]
    for past in entry.history:
        if _same(past, now):
            now = _join(past, now)
    if entry.jobs or entry.accepted:
        history = [past for past in history if not _same(past, entry.present)] + [entry.present]
    return _entry(key, now, tuple(history))


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


def take_over(entry: Entry | None, origin: Entry | None, key: EntryKey, now: Past) -> Entry:
    """The entry of a renamed spec: the old entry's history goes with it."""
    turned = turn_to(entry, key, now)
    if origin is None:
        return turned
    known = {(past.fingerprint, past.endpoint) for past in (*turned.history, turned.present)}
    inherited = tuple(past for past in origin.history if (past.fingerprint, past.endpoint) not in known)
    return replace(turned, history=(*inherited, *turned.history))


def placed(jobs: Iterable[JobRecord], outputs: Iterable[Output]) -> tuple[JobRecord, ...]:
    """``jobs`` with their outputs at new paths: matched by index."""
    by_index = {output.index: output for output in outputs}
    return tuple(
        replace(job, outputs=tuple(by_index.get(output.index, output) for output in job.outputs)) for job in jobs
    )


def _entry(key: EntryKey, now: Past, history: tuple[Past, ...]) -> Entry:
    return Entry(key, now.fingerprint, now.kind, now.endpoint, now.jobs, now.accepted, history)


def _same(one: Past, other: Past) -> bool:
    return (one.fingerprint, one.endpoint) == (other.fingerprint, other.endpoint)


def _join(known: Past, now: Past) -> Past:
    return replace(now, jobs=_merged(known.jobs, now.jobs), accepted=now.accepted)


def _merged(known: Iterable[JobRecord], new: Iterable[JobRecord]) -> tuple[JobRecord, ...]:
    jobs = {job.id: job for job in known}
    for job in new:
        jobs[job.id] = merge(jobs[job.id], job) if job.id in jobs else job
    return tuple(sorted(jobs.values(), key=lambda job: job.attempt))
