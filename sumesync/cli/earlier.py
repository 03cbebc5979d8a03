"""What a report compares with: the project as it stood at a commit, read from git alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from sumesync.cli.exhibition import clean, cost_of, document, jobs_of, shot, side, standing, title_of
from sumesync.cli.options import Common
from sumesync.cli.session import Session
from sumesync.core import lock as locks
from sumesync.core import metadata, paths
from sumesync.core.metadata import MetadataFact
from sumesync.core.text import printable
from sumesync.disk import history
from sumesync.disk.album import Album, copy_of
from sumesync.disk.lockfile import MAX_BYTES
from sumesync.model import Entry, EntryKey, FileKind, Output, Wanted
from sumesync.render.exhibits import Card, Shot, Side

_POINTER = b"version https://git-lfs"
_POINTER_MAX = 1024


@dataclass(frozen=True, slots=True)
class Then:
    """A project at a commit. ``specs`` are the paths of its specs, valid or not."""

    specs: frozenset[str]
    wanted: Mapping[EntryKey, Wanted]
    entries: Mapping[EntryKey, Entry]
    told: Mapping[EntryKey, MetadataFact]
    blobs: Mapping[str, history.Blob]
    """The media, by path, and which of them were git-lfs pointers."""
    pointers: frozenset[str]

    def side(self, key: EntryKey, shots: tuple[Shot, ...]) -> Side:
        """What was asked for: by the spec, else by the metadata."""
        if wanted := self.wanted.get(key):
            return side(wanted.request, wanted.take, shots)
        told = self.told.get(key)
        return side(told.request or {}, told.take, shots) if told and told.ours else Side(shots=shots)

    def fingerprint(self, key: EntryKey) -> str:
        """Of what was asked for; "" where nothing tells."""
        if wanted := self.wanted.get(key):
            return wanted.fingerprint
        told = self.told.get(key)
        return told.entry.fingerprint if told and told.entry else ""

    @property
    def keys(self) -> set[EntryKey]:
        """Every variant; of a spec that was wrong, the spec."""
        known = {key.path for key in self.wanted}
        return {*self.wanted, *(EntryKey(path) for path in self.specs - known)}


def look(common: Common, session: Session, commit: str) -> Then:
    """The project at ``commit``."""
    root = session.place.home.root
    project = history.project_at(root, commit, session.place.schemas)
    wanted = {variant.key: variant for variant in project.wanted}
    entries = _entries(common, session, commit)
    documents = {metadata.path_of(key): key for key in {*wanted, *entries}}
    told = history.texts_at(root, commit, documents, metadata.MAX_BYTES)
    facts = {documents[path]: metadata.read(data.decode("utf-8", "replace")) for path, data in told.items()}
    blobs = history.blobs_at(root, commit, {output.path for entry in entries.values() for output in standing(entry)})
    small = history.texts_at(root, commit, blobs, _POINTER_MAX)
    pointers = frozenset(path for path, data in small.items() if data.startswith(_POINTER))
    return Then(project.spec_paths, wanted, entries, facts, blobs, pointers)


def _entries(common: Common, session: Session, commit: str) -> Mapping[EntryKey, Entry]:
    text = history.texts_at(session.place.home.root, commit, [paths.LOCK_NAME], MAX_BYTES).get(paths.LOCK_NAME)
    try:
        return locks.read(text.decode("utf-8", "replace")).lock.entries if text else {}
    except locks.LockFault as fault:
        common.talk.warn(f"warning: {printable(fault.what)} at {commit[:9]}; media from before cannot be shown")
        return {}


def compared(
    session: Session, cards: Iterable[Card], then: Then, made: Album, accept: Callable[[EntryKey], bool] | None
) -> tuple[Card, ...]:
    """The cards with what became of each since ``then``, and those of specs that are gone since."""
    now = {_key(card): card for card in cards}
    here = {wanted.key: wanted for wanted in session.project.wanted}
    lost = {key for key in then.keys - {*here, *now} if _is_lost(session, key) and (accept is None or accept(key))}
    origins = _origins(now, here, then, lost)
    found = []
    for key, card in now.items():
        was = origins.get(key, key)
        since = "moved" if was != key else _since(session, card, key, then, here.get(key))
        before = None
        if since in ("changed", "moved"):
            before = then.side(was, _shots(session, then, was, made) if since == "changed" else ())
        found.append(replace(card, since=since, before=before, origin=str(was) if since == "moved" else ""))
    return (*found, *(_removed(session, then, key, made) for key in sorted(lost - set(origins.values()))))


def _key(card: Card) -> EntryKey:
    return EntryKey(card.path, card.key.removeprefix(card.path)[1:-1])


def _is_lost(session: Session, key: EntryKey) -> bool:
    """Whether a variant that nothing asks for now is gone: of a spec that is wrong nobody knows which it has."""
    wrong = {problem.path for problem in session.project.problems}
    return key.path not in wrong | session.project.left_alone


def _origins(
    now: Mapping[EntryKey, Card], here: Mapping[EntryKey, Wanted], then: Then, lost: set[EntryKey]
) -> dict[EntryKey, EntryKey]:
    """Renames: a new variant that asks for just what one asked for that is gone."""
    gone: dict[str, list[EntryKey]] = {}
    for key in sorted(lost & set(then.wanted)):
        gone.setdefault(then.wanted[key].fingerprint, []).append(key)
    found = {}
    for key in sorted(set(now) & set(here) - then.keys):
        if waiting := gone.get(here[key].fingerprint):
            found[key] = waiting.pop(0)
    return found


def _since(session: Session, card: Card, key: EntryKey, then: Then, wanted: Wanted | None) -> str:
    if card.state == "gone":  # its entry is still in the lock
        return "removed" if key in then.keys else "same"
    if wanted is None:  # the spec is wrong now
        was_right = any(other.path == key.path for other in then.wanted)
        return "changed" if was_right else "same" if key.path in then.specs else "new"
    if key not in then.keys:
        return "new"
    made = _bytes(standing(then.entries.get(key))) == _bytes(_now(session, key))
    return "same" if made and then.fingerprint(key) == wanted.fingerprint else "changed"


def _now(session: Session, key: EntryKey) -> tuple[Output, ...]:
    """The outputs with the hashes of what stands there now."""
    outputs = standing(session.state.lock.entries.get(key))
    facts = session.observed.files
    return tuple(replace(o, sha256=facts[o.path].sha256) if o.path in facts else o for o in outputs)


def _bytes(outputs: Iterable[Output]) -> list[str]:
    return [output.sha256 for output in outputs]


def _shots(session: Session, then: Then, key: EntryKey, made: Album) -> tuple[Shot, ...]:
    root = session.place.home.root
    found = []
    for output in standing(then.entries.get(key)):
        blob = then.blobs.get(output.path)
        if output.is_document:
            found.append(document(output, then.told.get(key), ""))
        elif blob is not None and output.path not in then.pointers:
            found.append(shot(output.path, made.keep(partial(history.export, root, blob))))
        elif path := _same_bytes(session, output):
            found.append(shot(output.path, made.keep(copy_of(root, path), output.sha256)))
        elif blob is not None:
            found.append(Shot(output.path, note="Kept in git-lfs then.", hint="git lfs fetch --all"))
        else:
            found.append(Shot(output.path, note="It was not kept in git then."))
    return tuple(found)


def _same_bytes(session: Session, output: Output) -> str:
    """A file of today that has the very bytes; "" where there is none."""
    facts = session.observed.files
    same = (p for p, fact in facts.items() if fact.kind is FileKind.FILE and fact.sha256 == output.sha256)
    return next(same, "")


def _removed(session: Session, then: Then, key: EntryKey, made: Album) -> Card:
    wanted, entry = then.wanted.get(key), then.entries.get(key)
    return Card(
        key=str(key),
        path=key.path,
        title=title_of(key, wanted.meta if wanted else {}),
        kind=entry.kind if entry else wanted.kind if wanted else "",
        state="gone",
        words="spec is gone",
        now=Side(),
        tags=tuple(map(clean, wanted.tags)) if wanted else (),
        jobs=jobs_of(session, entry),
        cost=cost_of(entry),
        since="removed",
        before=then.side(key, _shots(session, then, key, made)),
    )
