"""Which files an action replaces or removes, told before anybody agrees to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace

from sumesync.core import placement
from sumesync.core.action import Action, Observed, Standing, Verb
from sumesync.core.placement import Ours
from sumesync.model import Entry, EntryKey, Lock, Wanted

_BRINGS = (Verb.CREATE, Verb.UPDATE, Verb.RESUME, Verb.FETCH)


@dataclass(frozen=True, slots=True)
class Ground:
    """What losses are told from. ``wanted_here``: places where the plan wants outputs to stand."""

    lock: Lock
    observed: Observed
    own: Ours
    wanted: Mapping[EntryKey, Wanted]
    outputs: Mapping[EntryKey, int]
    wanted_here: frozenset[str]
    recorded: Mapping[str, Set[EntryKey]]
    """The entries that have an output at a path."""


def told(action: Action, ground: Ground) -> Action:
    """``action`` with what it replaces and removes."""
    if action.verb in (Verb.MOVE, Verb.COPY) and action.twin is None:
        media = [place for place in action.places if not place.output.is_document]
        replaces = [place.target for place in media if place.standing is Standing.ELSEWHERE]
        sources = [place.source for place in media if action.verb is Verb.MOVE and place.source]
        removes = [source for source in sources if source not in ground.wanted_here]
    elif action.verb in _BRINGS or action.twin is not None:
        replaces = _in_the_way(action, ground)
        removes = [path for path in _left_behind(action, ground) if path not in replaces]
    else:
        return action
    if not (replaces or removes or action.forced):
        return action
    there = (path for path in replaces if path in ground.observed.files)
    return replace(action, replaces=_unique((*there, *action.forced)), removes=_unique(removes))


def doubts(actions: Iterable[Action], pruned: Iterable[str], ground: Ground) -> frozenset[str]:
    """Files that would be lost, of which nobody but the lock has said yet that they are ours. What a move takes away
    is not lost."""
    lost = {path for action in actions for path in action.replaces if path not in action.forced}
    lost.update(path for action in actions if action.verb is not Verb.MOVE for path in action.removes)
    return frozenset(
        path
        for path in lost.union(pruned)
        if path not in ground.own.committed
        and (fact := ground.observed.files.get(path))
        and fact.sha256 not in ground.own.vouched
    )


def _in_the_way(action: Action, ground: Ground) -> list[str]:
    """Files of ours where results go. The ending of a new one is not known: all that hold its stem."""
    wanted = ground.wanted[action.key]
    if action.verb is Verb.FETCH and action.places:
        media = (place for place in action.places if not place.output.is_document)
        places = [place.target for place in media if place.standing is not Standing.HERE]
    else:
        places = list(placement.in_place(wanted, ground.outputs[action.key], ground.observed))
    return [path for path in places if (fact := ground.observed.files.get(path)) and ground.own.owns(path, fact)]


def _left_behind(action: Action, ground: Ground) -> list[str]:
    """Earlier outputs of the entry, which a new result sweeps away."""
    entries = ground.lock.entries
    kept = {place.target for place in action.places}
    found = []
    for key in (action.key, action.origin):
        entry: Entry | None = entries.get(key) if key else None
        for past in entry.pasts if entry else ():
            if past.fingerprint == action.fingerprint:
                continue
            for output in (output for job in past.jobs for output in job.outputs):
                fact = ground.observed.files.get(output.path) if not output.is_document else None
                same = fact is not None and fact.sha256 == output.sha256 and ground.own.owns(output.path, fact)
                others = ground.recorded.get(output.path, frozenset()) - {action.key}
                if same and not others and output.path not in kept:
                    found.append(output.path)
    return found


def _unique(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))
