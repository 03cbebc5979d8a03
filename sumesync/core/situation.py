"""What each variant's decision hangs on, gathered from all that is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sumesync.core import metadata, placement
from sumesync.core.action import Policy, Standing
from sumesync.core.changes import changes
from sumesync.core.decide import Situation
from sumesync.core.paid import Paid
from sumesync.core.view import Seen, View
from sumesync.errors import Problem
from sumesync.model import Entry, EntryKey, FileKind, JobState, Output, Wanted


def settled(view: View, seen: Seen) -> bool:
    """Whether all is as the lock says: what ``decide`` would come to, for the many of which there is nothing to say."""
    entry, known, places = seen.entry, seen.known, seen.places
    outputs = entry.outputs if entry is not None else ()
    return (
        seen.current
        and entry is not None
        and not (view.policy.replace_edited or view.policy.restore_edited)
        and not known.unknown
        and known.completed
        and not known.in_flight
        and len(places) == len(outputs) > 0
        and all(place.standing is Standing.HERE for place in places)
        and {output.path for output in outputs} == {place.target for place in places}
        and not view.kinds[seen.wanted.kind].free
        and not metadata.stale(seen.wanted, entry, view.observed.metadata.get(metadata.path_of(seen.wanted.key)))
    )


def gathered(
    view: View,
    seen: Seen,
    problems: tuple[Problem, ...],
    twin: EntryKey | None,
    held: Mapping[str, frozenset[EntryKey]],
    unproven: frozenset[str],
) -> Situation:
    wanted, entry, known = seen.wanted, seen.entry, seen.known
    kind, described = view.kinds[wanted.kind], metadata.path_of(wanted.key)
    before = view.observed.metadata.get(described)
    achieved = seen.current and (known.completed or bool(known.accepted))
    edited = placement.edited(_shown(entry), view.observed, view.own) if entry else ()
    taken = placement.taken(wanted, seen.outputs, view.observed, view.own)
    places = view.places(seen)
    foreign = before is not None and (before.blocked or (entry is None and not before.ours))
    return Situation(
        wanted=wanted,
        policy=view.policy,
        paid=known,
        problems=problems,
        sender=_sender(known, view.state.sending),
        entry=entry,
        origin=seen.origin,
        places=places,
        held=frozenset([place.source for place in places if place.source and _others(held, place.source, wanted.key)]),
        taken=tuple([path for path in taken if path not in edited or _is_no_file(view, path)]),
        unrecorded=_unrecorded(wanted, known, before, view.policy),
        # A file of an entry is only stale.
        foreign_metadata=described if foreign else "",
        edited=edited,
        unproven=unproven,
        twin=twin,
        changes=() if seen.current else changes(wanted, before) if _tells(before, entry) else (),
        metadata_stale=achieved and entry is not None and metadata.stale(wanted, entry, before),
        jobs=kind.jobs(wanted.request),
        document=kind.document,
        search=kind.free,
    )


def _others(held: Mapping[str, frozenset[EntryKey]], path: str, key: EntryKey) -> bool:
    """Whether a variant other than ``key`` has its output at ``path``."""
    return bool(held.get(path, frozenset()) - {key})


def _is_no_file(view: View, path: str) -> bool:
    """A folder or a link: nobody's word lets a file take its place."""
    fact = view.observed.files.get(path)
    return fact is not None and fact.kind is FileKind.OTHER


def _tells(before: metadata.MetadataFact | None, entry: Entry | None) -> bool:
    """Whether the metadata speak of what the lock has: else "from what" would be a guess."""
    return bool(before and before.entry and entry and before.entry.fingerprint == entry.fingerprint)


def _shown(entry: Entry) -> tuple[Output, ...]:
    """The outputs that stand for an entry on disk: its own, else those of what it was last."""
    earlier = (past.accepted or tuple(o for job in past.jobs for o in job.outputs) for past in reversed(entry.history))
    return entry.outputs or next((outputs for outputs in earlier if outputs), ())


def _unrecorded(wanted: Wanted, known: Paid, before: metadata.MetadataFact | None, policy: Policy) -> bool:
    told = before.entry if before else None
    return (
        told is not None
        and not known.jobs
        and (told.key, told.fingerprint, told.endpoint) == (wanted.key, wanted.fingerprint, policy.endpoint)
        and any(job.state is JobState.COMPLETED for job in told.jobs)
    )


def _sender(known: Paid, sending: Mapping[str, str]) -> str:
    """The process that is sending this very request now; "" where there is none, or where another is open."""
    senders = [sending.get(submission.key, "") for submission in known.unknown]
    return senders[0] if senders and all(senders) else ""
