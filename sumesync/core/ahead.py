"""What those that take a variant's output have to expect of it by a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from sumesync.core import chain
from sumesync.core.action import Action, Handmade, Placed, Standing, Verb, Why
from sumesync.core.decide import Situation
from sumesync.core.kinds import Kind
from sumesync.core.sending import upload_only
from sumesync.model import EntryKey, Output, UpstreamInput, Wanted


class Ahead(Enum):
    """How a variant will stand."""

    THERE = auto()
    LOAD = auto()
    """Sume has it, and this plan loads it: work for those alone that send the file itself."""
    WORK = auto()
    """This plan brings it, or brings it elsewhere."""
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class Footing:
    """What a variant offers by a plan. ``accepted`` and ``edited``: the files that a person put in the place of an
    output and did, or did not, accept since, by the output's number."""

    stands: Ahead = Ahead.NOTHING
    accepted: Mapping[int, str] = field(default_factory=dict)
    edited: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Links:
    """What a variant has to expect of its upstreams: the first one that it waits for in vain, those whose own work in
    this plan must end first, and the files among what it takes that a person had in hand."""

    waits: EntryKey | None = None
    after: tuple[EntryKey, ...] = ()
    handmade: tuple[Handmade, ...] = ()


def ahead(action: Action, situation: Situation) -> Footing:
    if action.pays or action.verb in (Verb.RESUME, Verb.COPY):
        return Footing(Ahead.WORK)
    stands = _stands(action, situation)
    if stands is Ahead.NOTHING:
        return Footing()
    made = tuple(output for job in situation.paid.jobs for output in job.outputs)
    media = [place for place in situation.places if not place.output.is_document]
    return Footing(
        stands,
        {place.output.index: place.target for place in media if not _same(place.output, made)},
        {place.output.index: _path(place) for place in media if place.standing is Standing.EDITED},
    )


def _stands(action: Action, situation: Situation) -> Ahead:
    if action.verb is Verb.MOVE:
        return Ahead.WORK
    if action.verb is Verb.FETCH:
        return Ahead.LOAD
    blocked = action.verb in (Verb.ATTENTION, Verb.INVALID)
    # What its entry does not stand for yet comes to stand there only by work.
    lost = action.reason.code is Why.GONE or not situation.achieved or not situation.current
    return Ahead.NOTHING if blocked and lost else Ahead.THERE


def _same(output: Output, made: tuple[Output, ...]) -> bool:
    return any(other.index == output.index and other.sha256 == output.sha256 for other in made)


def _path(place: Placed) -> str:
    return place.source or place.target


def links(wanted: Wanted, states: Mapping[EntryKey, Footing], kind: Kind) -> Links:
    """Of ``wanted``, whose upstreams have ``states``."""
    found = {key: states.get(key, Footing()) for key in sorted(chain.upstreams(wanted))}
    files, vain = set(), {key for key, each in found.items() if each.stands is Ahead.NOTHING}
    handmade = []
    for pointer, source in wanted.inputs.items():
        if not isinstance(source, UpstreamInput):
            continue
        footing, as_file = found[source.key], upload_only(pointer, kind)
        if as_file:
            files.add(source.key)
        if source.output in footing.edited and (as_file or source.output in footing.accepted):
            vain.add(source.key)  # the file itself would be sent, and is not the one that is known
        handmade += list(_handmade(source, footing))
    first = (
        key for key, each in found.items() if each.stands is Ahead.WORK or (each.stands is Ahead.LOAD and key in files)
    )
    return Links(min(vain, default=None), tuple(first), tuple(dict.fromkeys(handmade)))


def _handmade(source: UpstreamInput, footing: Footing) -> Iterator[Handmade]:
    for files, accepted in ((footing.accepted, True), (footing.edited, False)):
        if path := files.get(source.output):
            yield Handmade(path, source.key, accepted)
