"""The decision table: one action for every state of a variant, the first row that fits. Pure.

Each row is a function from a Situation to an Action, or None where it does not fit. The last row always
fits, so the table is total; a property test says so. Money is spent by four rows alone (``_gone`` and ``_retry``
when a person asks, ``_update``, ``_create``), and all four go through ``_buy``.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from sumesync.core.action import Action, Change, Handmade, Placed, Policy, Reason, Standing, Verb, Why
from sumesync.core.paid import Paid
from sumesync.core.text import count
from sumesync.errors import Problem
from sumesync.model import Entry, EntryKey, JobRecord, Wanted


@dataclass(frozen=True, slots=True)
class Situation:
    """All that decides about one variant."""

    wanted: Wanted
    policy: Policy
    paid: Paid
    problems: tuple[Problem, ...] = ()
    sender: str = ""
    """The live process that is sending its request now."""
    entry: Entry | None = None
    """What the lock says of this very path, at whichever endpoint."""
    origin: EntryKey | None = None
    """An entry without a spec that is at this fingerprint: where this one was renamed from."""
    places: tuple[Placed, ...] = ()
    """Where each output stands; () while nothing is completed."""
    held: frozenset[str] = frozenset()
    """Sources of ``places`` where another variant's outputs are wanted and stand."""
    taken: tuple[str, ...] = ()
    """Files that were never ours, in the places that a new result may need."""
    unrecorded: bool = False
    """Its metadata know a job for this very request that neither lock nor ledger has."""
    foreign_metadata: str = ""
    """A file that is not ours where the metadata belong."""
    edited: tuple[str, ...] = ()
    """The entry's present outputs that are not ours to replace."""
    unproven: frozenset[str] = frozenset()
    """Files that the lock alone says are ours, and of which git has no copy."""
    twin: EntryKey | None = None
    """An earlier variant of this plan that buys the same fingerprint."""
    waits: EntryKey | None = None
    """A variant whose output it takes, and which will not have one by this plan."""
    after: tuple[EntryKey, ...] = ()
    """Variants whose outputs it takes, and whose own work in this plan must end first."""
    handmade: tuple[Handmade, ...] = ()
    """What a person had in hand of what it takes."""
    changes: tuple[Change, ...] = ()
    metadata_stale: bool = False
    jobs: int = 1
    """How many jobs its request is paid for as."""
    document: bool = False
    """Its result is a document, kept in its metadata."""
    search: bool = False
    """It is free: nothing is submitted, and there is no job."""

    @property
    def current(self) -> bool:
        """Whether the lock has this entry at this fingerprint and endpoint."""
        entry = self.entry
        return (
            entry is not None
            and entry.fingerprint == self.wanted.fingerprint
            and entry.endpoint == self.policy.endpoint
        )

    @property
    def achieved(self) -> bool:
        """Whether what this fingerprint stands for is known: paid for, or blessed by hand."""
        return not self.paid.in_flight and (self.paid.completed or bool(self.paid.accepted))

    @property
    def lost(self) -> bool:
        """Whether what is missing of it cannot be fetched: Sume has it no more, or no job ever made it."""
        return self.paid.gone or not self.paid.completed

    @property
    def forced(self) -> tuple[str, ...]:
        """Edits that a person has agreed to lose."""
        if self.policy.restore_edited:
            return tuple(place.target for place in self.standing(Standing.EDITED))
        return self.edited if self.policy.replace_edited else ()

    def standing(self, *standings: Standing) -> tuple[Placed, ...]:
        return tuple([place for place in self.places if place.standing in standings])


Row = Callable[[Situation], Action | None]


def decide(situation: Situation) -> Action:
    """The action of the first row that fits."""
    for row in ROWS:
        if action := row(situation):
            return action
    raise AssertionError("the last row always fits")  # pragma: no cover


def _action(
    situation: Situation, verb: Verb, code: Why, text: str, records: bool = False, jobs: tuple[JobRecord, ...] = ()
) -> Action:
    return Action(
        verb=verb,
        key=situation.wanted.key,
        kind=situation.wanted.kind,
        reason=Reason(code, text),
        fingerprint=situation.wanted.fingerprint,
        jobs=jobs,
        places=situation.places,
        origin=situation.origin,
        forced=situation.forced,
        records=records,
        metadata=situation.metadata_stale,
    )


def unchanged(wanted: Wanted, paid: Paid, places: tuple[Placed, ...]) -> Action:
    """Of a variant whose outputs and records are all as they should be."""
    return Action(Verb.KEEP, wanted.key, wanted.kind, _SAME, wanted.fingerprint, jobs=paid.latest, places=places)


_SAME: Final = Reason(Why.UNCHANGED, "unchanged")


def _invalid(s: Situation) -> Action | None:
    if not s.problems:
        return None
    return replace(_action(s, Verb.INVALID, Why.INVALID, "the spec is invalid"), problems=s.problems)


def _search(s: Situation) -> Action | None:
    """Free and never a job: it is made again where it is new, changed or lost, or somebody asks."""
    if not s.search:
        return None
    if s.foreign_metadata:
        return _taken(s, (s.foreign_metadata,))
    if not s.policy.refresh and (done := _keep(s) or _move(s)):
        return replace(done, jobs=())
    known = s.entry is not None and s.entry.endpoint == s.policy.endpoint
    if known and s.current:
        code, text = Why.MISSING, "its result is missing"
    elif known and s.entry is not None and s.origin is None:
        fields = ", ".join(change.field for change in s.changes)
        code, text = Why.CHANGED, f"changed: {fields}" if fields else "changed"
    else:
        code, text = Why.NEW, "new"
    if s.policy.refresh and s.achieved:
        code, text = Why.REFRESH, "you asked for it"
    action = _action(s, Verb.FETCH, code, f"{text}; searched, free")
    return replace(action, changes=s.changes, records=True)


def _unknown(s: Situation) -> Action | None:
    if not s.paid.unknown:
        return None
    if s.sender:
        text = f"its request is being sent by {s.sender}"
        return replace(_action(s, Verb.RESUME, Why.SENDING, text), hint="wait for that run to end")
    text = "a paid request was sent and its outcome is unknown"
    action = replace(_action(s, Verb.ATTENTION, Why.UNKNOWN, text), unknown=True)
    return replace(action, hint=f"sumesync resolve {quoted(str(s.wanted.key))}")


def _resume(s: Situation) -> Action | None:
    jobs = s.paid.in_flight
    if not jobs:
        return None
    text = f"{count(len(jobs), 'job')} in flight: {', '.join(job.id for job in jobs)}"
    return replace(
        _action(s, Verb.RESUME, Why.IN_FLIGHT, text), jobs=tuple(j for j in s.paid.jobs if j in (*jobs, *s.paid.latest))
    )


def _keep(s: Situation) -> Action | None:
    if not s.achieved or not s.places or s.standing(*_NOT_HERE):
        return None
    if s.origin is not None:
        text = f"renamed from {s.origin}; its media are here already"
        return _action(s, Verb.MOVE, Why.RENAMED, text, records=True, jobs=s.paid.latest)
    if not s.current or s.entry is None or _recorded(s.entry) != _targets(s.places):
        text = "its media are here; the lock does not say so yet"
        return _action(s, Verb.KEEP, Why.RECORD, text, records=True, jobs=s.paid.latest)
    if s.metadata_stale:
        text = "unchanged; its metadata file is out of date"
        return _action(s, Verb.KEEP, Why.METADATA, text, jobs=s.paid.latest)
    return replace(unchanged(s.wanted, s.paid, s.places), forced=s.forced)


def _edited(s: Situation) -> Action | None:
    """Completed, this entry, and a person has changed the file: theirs stays. What else is missing is fetched, or a
    person decides where it cannot be."""
    by_hand = s.standing(Standing.EDITED)
    if not s.achieved or not s.current or not by_hand or s.policy.restore_edited:
        return None
    missing = s.standing(Standing.MISSING)
    if missing and s.lost:
        return _gone(s)
    spec = quoted(str(s.wanted.key))
    edited = tuple(place.source or place.target for place in by_hand)
    text = _missing_and_edited(s)
    fetched = missing and s.policy.store != "none"
    action = _action(s, Verb.FETCH, Why.MISSING, text) if fetched else _action(s, Verb.KEEP, Why.EDITED, text)
    return replace(
        action,
        metadata=False,
        records=bool(fetched),
        edited=edited,
        jobs=s.paid.latest,
        hint=f"sumesync accept {spec} keeps it; sumesync fetch --force {spec} restores ours",
    )


def _blocked(s: Situation) -> Action | None:
    """Paid for, but a file that is not ours stands where it belongs."""
    if not s.achieved:
        return None
    if s.foreign_metadata:
        return _taken(s, (s.foreign_metadata,))
    if foreign := s.standing(Standing.TAKEN):
        return _taken(s, tuple(place.target for place in foreign))
    by_hand = s.standing(Standing.EDITED)
    if by_hand and not (s.policy.replace_edited or s.policy.restore_edited):
        return _edited_attention(s, tuple(place.target for place in by_hand))
    return None


def _move(s: Situation) -> Action | None:
    """Completed, and all its bytes are in the project, not all of them in place."""
    if not s.achieved or not s.places or s.standing(*_ABSENT):
        return None
    away = s.standing(Standing.ELSEWHERE)
    copied = any(place.source in s.held for place in away)
    verb = Verb.COPY if copied else Verb.MOVE
    source = ", ".join(dict.fromkeys(place.source or "" for place in away))
    if s.origin is not None:
        code, text = Why.RENAMED, f"renamed from {s.origin}"
    elif copied:
        code, text = Why.COPIED, f"the same request as the one of {source}"
    elif s.current:
        code, text = Why.RENAMED, f"its output moves from {source}"
    else:
        code, text = Why.REVERTED, f"paid for before; its bytes stand at {source}"
    return replace(_action(s, verb, code, text), records=True, jobs=s.paid.latest)


def _not_stored(s: Situation) -> Action | None:
    """``[media] store = "none"``: an absent output is fetched when somebody asks for it."""
    if s.policy.store != "none" or s.document or not s.achieved or not s.places or s.paid.gone:
        return None
    if not s.paid.completed or (not s.current and s.origin is None):
        return None  # what no job made cannot be fetched; what this path never had is
    if s.standing(Standing.ELSEWHERE, Standing.EDITED, Standing.TAKEN):
        return None
    text = "its media are not stored here; sumesync fetch brings them"
    if s.metadata_stale:
        text = "its metadata file is out of date (its media are not stored here)"
    if s.origin is not None:
        text = f"renamed from {s.origin}; its media are not stored here"
        return replace(_action(s, Verb.MOVE, Why.RENAMED, text), records=True, jobs=s.paid.latest)
    action = _action(s, Verb.KEEP, Why.NOT_STORED, text)
    return replace(action, jobs=s.paid.latest)


def _gone(s: Situation) -> Action | None:
    """Its output is missing and cannot come back: Sume has it no more, or no job ever made it."""
    if not s.achieved or not s.lost:
        return None
    spec = quoted(str(s.wanted.key))
    keeps_edits = bool(s.standing(Standing.EDITED)) and not s.policy.replace_edited
    if s.policy.regenerates(s.wanted.key) and not keeps_edits:
        return _blocked_buy(s) or _buy(s, Why.REGENERATE, "its result is gone; made again because you asked")
    what = "Sume no longer has its result" if s.paid.gone else "the accepted file is missing, and no job made it"
    hint = f"restore the file from git, or pay again: sumesync apply --regenerate {spec}"
    if keeps_edits:
        what = f"{_missing_and_edited(s)}; {what}"
        hint = (
            f"restore the file from git; sumesync accept {spec} does without it; "
            f"sumesync apply --replace-edited --regenerate {spec} pays again and replaces the edit"
        )
    return replace(_action(s, Verb.ATTENTION, Why.GONE, what), hint=hint)


def _missing_and_edited(s: Situation) -> str:
    missing = ", ".join(place.target for place in s.standing(Standing.MISSING))
    edited = ", ".join(place.source or place.target for place in s.standing(Standing.EDITED))
    return "; ".join([*([f"missing: {missing}"] if missing else []), f"edited by hand: {edited}"])


def _fetch(s: Situation) -> Action | None:
    if not s.achieved:
        return None
    missing = s.standing(Standing.MISSING, Standing.EDITED)
    reverted = not s.current and s.origin is None
    paths = ", ".join(place.target for place in missing) or "its media"
    code = Why.REVERTED if reverted else Why.MISSING
    text = "paid for before; downloaded again" if reverted else f"missing: {paths}"
    return replace(_action(s, Verb.FETCH, code, text), jobs=s.paid.latest, records=True)


def _retry(s: Situation) -> Action | None:
    """Some of its jobs ended badly. Only a person's word pays for them again."""
    failed = s.paid.failed
    if not failed:
        return None
    said = ", ".join(f"{job.id} {job.state}{f': {job.error.code}' if job.error else ''}" for job in failed)
    if s.policy.retry_failed:
        return _blocked_buy(s) or _buy(s, Why.RETRY, f"tried again because you asked{_again(s)}; before: {said}")
    hint = f"sumesync apply --retry-failed {quoted(str(s.wanted.key))}{_again(s)}, or change the spec"
    return replace(_action(s, Verb.ATTENTION, Why.FAILED, said), hint=hint, jobs=failed)


def _again(s: Situation) -> str:
    """What a retry pays for where one request is several jobs: which of them is whose, Sume does not tell."""
    return f" (pays for all {s.jobs} jobs again)" if s.jobs > 1 else ""


def _blocked_buy(s: Situation) -> Action | None:
    """What must be decided before a new result can take the place: files of others, edits by hand."""
    if s.taken or s.foreign_metadata:
        return _taken(s, (*s.taken, *filter(None, (s.foreign_metadata,))))
    if s.edited and not s.policy.replace_edited:
        return _edited_attention(s, s.edited)
    return None


def _unrecorded(s: Situation) -> Action | None:
    """The lock lost an entry (the wrong side of a merge) that the metadata still have: that was paid for."""
    if not s.unrecorded:
        return None
    text = "its metadata file knows a job for this request, and the lock does not"
    return replace(_action(s, Verb.ATTENTION, Why.UNRECORDED, text), hint="sumesync lock rebuild")


def _update(s: Situation) -> Action | None:
    if s.entry is None or s.entry.endpoint != s.policy.endpoint:
        return None
    fields = ", ".join(change.field for change in s.changes)
    text = f"changed: {fields}" if fields else "changed; what it was before is not recorded here"
    return _buy(s, Why.CHANGED, text)


def _create(s: Situation) -> Action:
    if s.entry is not None:
        was = "in the sandbox" if s.entry.endpoint != "sume" else "at Sume"
        return _buy(s, Why.OTHER_ENDPOINT, f"made {was} only")
    return _buy(s, Why.NEW, "new")


def _buy(s: Situation, code: Why, text: str) -> Action:
    """The only place where an action comes to cost something."""
    if s.twin is not None:
        text = f"the same request as {s.twin}: one job serves both (take = 2 asks for another)"
        return replace(_action(s, Verb.COPY, Why.TWIN, text), twin=s.twin, places=(), records=True)
    if s.waits is not None:
        text = f"waits for {s.waits}, whose output it takes"
        action = replace(_action(s, Verb.ATTENTION, Why.WAITING, text), changes=s.changes)
        return replace(action, hint=f"see what that one needs: sumesync plan {quoted(str(s.waits))}")
    entry = s.entry if s.entry is not None and s.entry.endpoint == s.policy.endpoint else None
    never_made = code is Why.RETRY and entry is not None and not (entry.outputs or entry.history)
    verb = Verb.CREATE if entry is None or never_made else Verb.UPDATE
    return replace(
        _action(s, verb, code, text),
        pays=s.jobs,
        attempt=s.paid.attempts + 1,
        after=s.after,
        handmade=s.handmade,
        changes=s.changes,
        places=(),
    )


def _taken(s: Situation, files: tuple[str, ...]) -> Action:
    path = s.wanted.key.path
    shown = ", ".join(files)
    accept = f"sumesync accept {quoted(str(s.wanted.key))}"
    hint = f"move the file, set [output] name, or take it as this spec's media: {accept}"
    if files == (s.foreign_metadata,):
        hint = "move it away, then run this again"
    problem = Problem(path, f"its output would take the place of {shown}, which sumesync did not write", hint)
    return replace(_action(s, Verb.INVALID, Why.TAKEN, f"{shown} is not ours"), problems=(problem,))


def _edited_attention(s: Situation, files: tuple[str, ...]) -> Action:
    spec = quoted(str(s.wanted.key))
    if s.unproven.intersection(files):
        text = f"{', '.join(files)} would be replaced; sume.lock alone calls it ours, and git has no copy of it"
        hint = f"commit the file, or: sumesync accept {spec} keeps it; sumesync apply --replace-edited {spec}"
        return replace(_action(s, Verb.ATTENTION, Why.UNPROVEN, text), hint=f"{hint} replaces it", changes=s.changes)
    text = f"changed, and {', '.join(files)} was edited by hand"
    hint = f"sumesync accept {spec} keeps the file; sumesync apply --replace-edited {spec} replaces it"
    return replace(_action(s, Verb.ATTENTION, Why.EDITED_CHANGED, text), hint=hint, changes=s.changes)


def quoted(path: str) -> str:
    """``path`` as one word of a shell's command line, and no option of ours."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def _recorded(entry: Entry) -> set[str]:
    return {output.path for output in entry.outputs}


def _targets(places: tuple[Placed, ...]) -> set[str]:
    return {place.target for place in places}


_NOT_HERE: Final = (Standing.ELSEWHERE, Standing.MISSING, Standing.EDITED, Standing.TAKEN)
_ABSENT: Final = (Standing.MISSING, Standing.EDITED, Standing.TAKEN)

ROWS: Final[tuple[Row, ...]] = (
    _invalid,
    _search,
    _unknown,
    _resume,
    _keep,
    _edited,
    _blocked,
    _move,
    _not_stored,
    _gone,
    _fetch,
    _retry,
    _unrecorded,
    _blocked_buy,
    _update,
    _create,
)
