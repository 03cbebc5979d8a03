"""Two versions of a lock, or of a metadata file, that grew from one: merged entry by entry. Pure.

What a branch paid for is never dropped: where both sides changed an entry, one of them says what it is now and the
other becomes its history, so that neither is paid for again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sumesync.core import lock as locks
from sumesync.core import metadata
from sumesync.core.advance import take_over
from sumesync.core.lock import LockFault, past_table
from sumesync.model import Entry, EntryKey, JobState, Lock, Past


def merge_locks(base: Lock | None, ours: Lock, theirs: Lock) -> Lock:
    """One lock of both. ``base`` None: where they parted is not known, and everything is kept.

    Raises LockFault where they belong to two workspaces: their jobs are not each other's.
    """
    if ours.workspace and theirs.workspace and ours.workspace != theirs.workspace:
        raise LockFault(
            "the two sides of the merge were paid for by two workspaces",
            "keep one side: git checkout --ours sume.lock (or --theirs), then git add sume.lock",
        )
    before: Mapping[EntryKey, Entry] = base.entries if base else {}
    merged = {
        key: merge_entries(before.get(key), ours.entries.get(key), theirs.entries.get(key))
        for key in {**ours.entries, **theirs.entries}
    }
    # The lineage of the base counts: it is in the keys of paid requests that are still open.
    lineage = theirs.lineage if base and base.lineage == theirs.lineage else ours.lineage
    entries = {key: entry for key, entry in merged.items() if entry is not None}
    return Lock(lineage, ours.workspace or theirs.workspace, entries)


def merge_entries(base: Entry | None, ours: Entry | None, theirs: Entry | None) -> Entry | None:
    """One entry of both. What one side alone changed, or removed, is as that side has it."""
    if base is not None and base in (ours, theirs):
        return theirs if ours == base else ours
    if ours is None or theirs is None or ours == theirs:
        return ours or theirs
    now, other = (theirs, ours) if _standing(theirs.present) > _standing(ours.present) else (ours, theirs)
    return take_over(now, other, now.key, _apart(now.present, other.present))


def _apart(now: Past, other: Past) -> Past:
    """``now``, its last jobs as a later attempt where ``other`` has others of the same request: two machines paid for
    it at the same time. One attempt is what the entry stands for, and the other stays known."""
    same = (now.fingerprint, now.endpoint) == (other.fingerprint, other.endpoint)
    mine, theirs = _last(now), _last(other)
    if not same or not mine or not theirs or mine & {job.id for job in other.jobs} or theirs & {j.id for j in now.jobs}:
        return now
    later = 1 + max(job.attempt for job in (*now.jobs, *other.jobs))
    return replace(now, jobs=tuple(replace(job, attempt=later) if job.id in mine else job for job in now.jobs))


def _last(past: Past) -> set[str]:
    """The jobs of the last attempt."""
    last = max((job.attempt for job in past.jobs), default=0)
    return {job.id for job in past.jobs if job.attempt == last}


def _standing(past: Past) -> int:
    """How far a request came: what a person accepted, what is completed, what is under way, the rest."""
    last = _last(past)
    states = {job.state for job in past.jobs if job.id in last}
    if past.accepted:
        return 3
    if states and states <= {JobState.COMPLETED, JobState.GONE}:
        return 2
    return 1 if JobState.ACCEPTED in states else 0


def merge_lock_texts(base: str | None, ours: str, theirs: str) -> str:
    """The merged text of sume.lock: every block of ``ours`` that does not change stays as it is.

    A ``base`` that does not read is none. Raises LockFault where ``ours`` or ``theirs`` does not read.
    """
    mine = locks.read(ours).lock
    merged = merge_locks(_readable(base), mine, locks.read(theirs).lock)
    if merged.lineage != mine.lineage:
        return locks.render(merged)
    changes: dict[EntryKey, Entry | None] = dict.fromkeys(mine.entries)
    return locks.patch(ours, {**changes, **merged.entries}, merged.workspace)


def _readable(text: str | None) -> Lock | None:
    try:
        return locks.read(text).lock if text else None
    except LockFault:
        return None


def merge_metadata_texts(base: str | None, ours: str, theirs: str) -> str | None:
    """The merged text of a metadata file; None where a side does not read. What the spec says now is written into it
    by the next apply, for free."""
    facts = metadata.read(ours), metadata.read(theirs)
    mine, other = (fact.entry for fact in facts)
    if mine is None or other is None or mine.key != other.key:
        return None
    merged = merge_entries(metadata.read(base).entry if base else None, mine, other)
    if merged is None:
        return ours
    told = ours if _request_of(mine) == _request_of(merged) else theirs
    document: dict[str, Any] = json.loads(told)
    for name in (*past_table(mine), *past_table(other), "history", "result"):
        document.pop(name, None)
    document.update(past_table(merged))
    if merged.history:
        document["history"] = metadata.history_tables(merged.history, {**facts[1].asked, **facts[0].asked})
    results = (metadata.kept(merged, fact.result) for fact in facts)
    if (result := next((held for held in results if held is not None), None)) is not None:
        document["result"] = result
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _request_of(entry: Entry) -> tuple[str, str]:
    return entry.fingerprint, entry.endpoint
