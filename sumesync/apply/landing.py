"""Results on their way into their places: the ledger, then media, then metadata. Runs in a worker thread, of values
that were taken when it began; what came of it goes back to the loop, which tells the lock last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sumesync.apply import delivery
from sumesync.apply.ground import Errand
from sumesync.apply.record import Record
from sumesync.apply.run import Tools
from sumesync.core import metadata
from sumesync.core.advance import placed, turn_to
from sumesync.core.paths import suffix_of
from sumesync.core.placement import Ours, target_of
from sumesync.model import Entry, JobRecord, Output, Past, Wanted


@dataclass(frozen=True, slots=True)
class Place:
    """Where a variant's results go. ``kept``: outputs that stay as they are, by index. ``forced``: files edited by hand
    that a person agreed to lose. ``entry``: what the lock said of it."""

    wanted: Wanted
    entry: Entry | None
    kept: Mapping[int, Output]
    forced: frozenset[str]


@dataclass(frozen=True, slots=True)
class Landing:
    """The results of one errand, the places that they go to, and whose bytes give way."""

    errand: Errand
    hauls: tuple[delivery.Haul, ...]
    places: tuple[Place, ...]
    own: Ours
    endpoint: str
    free: bool
    """Of a search: no job stands for it, and the ledger does not hear of it."""


@dataclass(frozen=True, slots=True)
class Landed:
    """One variant's results in their places. ``fault``: why its metadata could not be written."""

    place: Place
    outputs: tuple[Output, ...]
    past: Past
    fault: str = ""

    @property
    def document(self) -> bool:
        return any(output.is_document for output in self.outputs)


@dataclass(slots=True)
class Ended:
    """What came of a landing."""

    jobs: dict[str, JobRecord]
    landed: list[Landed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    changed: list[tuple[Place, str]] = field(default_factory=list)
    """Variants that did not get their copy, and of which file."""


def land(landing: Landing, record: Record, tools: Tools) -> Ended:
    """Raises MediaError where the places are taken, and LocalStateError where our own disk fails."""
    first, *twins = landing.places
    ended = Ended(dict(landing.errand.jobs))
    outputs: list[Output] = []
    for haul in landing.hauls:
        outputs += _put(landing, haul, ended, record, tools) if haul.document is None else _held(landing, haul, ended)
        if haul.document is not None and not landing.free:
            _record(landing, ended.jobs[haul.job.id], record)
    ended.landed.append(_described(landing, first, tuple(outputs), ended, record))
    for twin in twins:
        copies = tuple(_copies(landing, twin, outputs, ended, tools))
        if len(copies) == len(outputs):
            ended.landed.append(_described(landing, twin, copies, ended, record))
    return ended


def _record(landing: Landing, job: JobRecord, record: Record) -> None:
    errand = landing.errand
    record.fact(errand.fingerprint, errand.kind, landing.places[0].wanted.key, job, written=True)


def _put(landing: Landing, haul: delivery.Haul, ended: Ended, record: Record, tools: Tools) -> tuple[Output, ...]:
    place = landing.places[0]
    outputs = delivery.outputs_of(haul, place.wanted)
    # Before the rename: if we die between the two, the next run knows these bytes as ours.
    _record(landing, delivery.recorded(haul, outputs), record)
    own = delivery.widened(landing.own, outputs)
    landed = []
    for item, output in zip(haul.loaded, outputs, strict=True):
        if output.index in place.kept:
            item.part.discard()
            landed.append(place.kept[output.index])
            continue
        force = output.path in place.forced
        landed.append(delivery.put(item.part, output, place.wanted, haul.job.id, own, tools, force))
    for want, got in zip(outputs, landed, strict=True):
        if want.path != got.path and want.index not in place.kept:
            ended.notes.append(f"{want.path} is taken by a file that is not ours: it is {got.path}")
    made = tuple(got if want.sha256 == got.sha256 else want for want, got in zip(outputs, landed, strict=True))
    ended.jobs[haul.job.id] = delivery.recorded(haul, made)
    return tuple(landed)


def _held(landing: Landing, haul: delivery.Haul, ended: Ended) -> tuple[Output, ...]:
    """A document is in hand: its metadata are its place. One that is not as it was recorded takes its place: what
    Sume tells of a job may change in a word."""
    outputs = delivery.outputs_of(haul, landing.places[0].wanted)
    ended.jobs[haul.job.id] = delivery.recorded(haul, outputs)
    return outputs


def _copies(landing: Landing, twin: Place, outputs: list[Output], ended: Ended, tools: Tools) -> Iterator[Output]:
    """The same bytes for another spec of the same request."""
    job_id = next(iter(ended.jobs))
    own = delivery.widened(landing.own, outputs)
    for output in outputs:
        if output.is_document:
            yield replace(output, path=metadata.path_of(twin.wanted.key))
        elif output.index in twin.kept:
            yield twin.kept[output.index]
        elif part := tools.media.copy(output.path, twin.wanted.folder, output.sha256):
            wanted = replace(output, path=target_of(twin.wanted, output.index, suffix_of(output.path)))
            yield delivery.put(part, wanted, twin.wanted, job_id, own, tools)
        else:
            ended.changed.append((twin, output.path))


def _described(landing: Landing, place: Place, outputs: tuple[Output, ...], ended: Ended, record: Record) -> Landed:
    """The metadata of a variant whose outputs are in their places."""
    made = {output.sha256 for job in ended.jobs.values() for output in job.outputs}
    blessed = outputs if any(output.sha256 not in made for output in outputs) else ()
    jobs = tuple(ended.jobs.values()) if blessed else placed(ended.jobs.values(), outputs)
    past = Past(landing.errand.fingerprint, landing.errand.kind, landing.endpoint, jobs, blessed)
    fault = record.metadata(place.wanted, turn_to(place.entry, place.wanted.key, past))
    return Landed(place, outputs, past, fault)
