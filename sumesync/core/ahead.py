"""What those that take a variant's output have to expect of it by a plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from sumesync.core import chain
from sumesync.core.action import Action, Verb, Why
from sumesync.core.decide import Situation
from sumesync.core.kinds import Kind
from sumesync.core.sending import upload_only
from sumesync.model import EntryKey, UpstreamInput, Wanted


class Ahead(Enum):
    """How a variant will stand."""

    THERE = auto()
    LOAD = auto()
    """Sume has it, and this plan loads it: work for those alone that send the file itself."""
    WORK = auto()
    """This plan brings it, or brings it elsewhere."""
    NOTHING = auto()


def ahead(action: Action, situation: Situation) -> Ahead:
    if action.pays or action.verb in (Verb.RESUME, Verb.MOVE, Verb.COPY):
        return Ahead.WORK
    if action.verb is Verb.FETCH:
        return Ahead.LOAD
    blocked = action.verb in (Verb.ATTENTION, Verb.INVALID)
    lost = action.reason.code is Why.GONE or not situation.achieved
    return Ahead.NOTHING if blocked and lost else Ahead.THERE


def links(wanted: Wanted, states: Mapping[EntryKey, Ahead], kind: Kind) -> tuple[EntryKey | None, tuple[EntryKey, ...]]:
    """The first upstream that ``wanted`` waits for in vain, and those whose own work in this plan must end first."""
    found = {key: states.get(key, Ahead.NOTHING) for key in sorted(chain.upstreams(wanted))}
    files = {
        source.key
        for pointer, source in wanted.inputs.items()
        if isinstance(source, UpstreamInput) and upload_only(pointer, kind)
    }
    waits = next((key for key, state in found.items() if state is Ahead.NOTHING), None)
    first = (key for key, state in found.items() if state is Ahead.WORK or (state is Ahead.LOAD and key in files))
    return waits, tuple(first)
