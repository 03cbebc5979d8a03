"""From what to what: the fields in which two requests differ. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sumesync.core.action import Change
from sumesync.core.metadata import Asked, MetadataFact, clean
from sumesync.model import Json, Wanted


def changes(wanted: Wanted, before: MetadataFact | None) -> tuple[Change, ...]:
    """What the spec asks for now, against what the metadata say was asked for; () when they cannot tell.

    The metadata hold URLs without queries, so only those are compared.
    """
    if before is None or before.entry is None or before.request is None:
        return ()
    return between(before.entry.kind, Asked(before.take, before.request), wanted)


def between(kind: str, asked: Asked, wanted: Wanted) -> tuple[Change, ...]:
    """What ``wanted`` asks for, against what was ``asked`` for as a ``kind``."""
    after = {key: clean(value) for key, value in wanted.request.items()}
    found = [change for change in _fields(asked.request, after) if not _same_media(change)]
    if kind != wanted.kind:
        found.insert(0, Change("kind", kind, wanted.kind))
    if asked.take != wanted.take:
        found.append(Change("take", asked.take, wanted.take))
    return tuple(found)


def _same_media(change: Change) -> bool:
    """Whether all that differs is where media stand: another path to the same bytes, or to the same upstream."""
    return _without_paths(change.before) == _without_paths(change.after)


def _without_paths(value: Json) -> Json:
    if isinstance(value, list):
        return [_without_paths(item) for item in value]
    if isinstance(value, dict):
        shown = set(value)
        if shown == {"file", "sha256"} or {"from", "output", "fingerprint"} <= shown:
            return {key: item for key, item in value.items() if key not in ("file", "from", "variant")}
        return {key: _without_paths(item) for key, item in value.items()}
    return value


def _fields(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Change]:
    return [
        Change(name, before.get(name), after.get(name))
        for name in sorted({*before, *after}, key=lambda name: (name != "prompt", name))
        if before.get(name) != after.get(name)
    ]
