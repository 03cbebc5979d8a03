"""Drafts as JSON has them, and back: for what is remembered of specs between looks. Pure.

What comes back was checked when it was made; whoever reads it vouches that its spec is the same, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sumesync.core.chain import Draft, Link
from sumesync.core.inputs import Ask
from sumesync.core.kinds import Takes
from sumesync.core.metadata import is_clean
from sumesync.model import EntryKey, LocalInput, Wanted


def rememberable(drafts: Iterable[Draft]) -> bool:
    """Whether the drafts hang on nothing but the text of their spec and its prompt files, not on media; and hold no URL
    with a query: that may be a signature, and is written nowhere."""
    return all(_rememberable(draft) for draft in drafts)


def _rememberable(draft: Draft) -> bool:
    wanted = draft.wanted
    whole = (dict(wanted.request), dict(wanted.meta), draft.text if draft.links else "")
    takes_files = any(isinstance(given, LocalInput) for given in wanted.inputs.values())
    return not takes_files and all(is_clean(each) for each in whole)


def written(drafts: Iterable[Draft]) -> list[Any]:
    """``drafts`` of one spec, which are ``rememberable``, as ``read`` takes them. Only of links faults may be told
    later, so only with them the spec's text is kept."""
    return [
        [_wanted(draft.wanted), [_link(link) for link in draft.links], draft.text if draft.links else ""]
        for draft in drafts
    ]


def read(path: str, told: Any) -> tuple[Draft, ...]:
    """The inverse of ``written``, for the spec at ``path``. Raises ValueError, TypeError, KeyError or AttributeError
    for anything else."""
    return tuple([_draft(path, *each) for each in told])


def _wanted(wanted: Wanted) -> list[Any]:
    key, folder, stem = wanted.key, wanted.folder, wanted.stem
    return [key.variant, wanted.kind, wanted.take, wanted.request, wanted.fingerprint, folder, stem, wanted.meta]


def _link(link: Link) -> list[Any]:
    ask, takes = link.ask, link.ask.takes
    return [ask.place, ask.table, [takes.family, takes.purpose, takes.sent_as, takes.uploaded], ask.path, link.where]


def _draft(path: str, wanted: list[Any], links: list[Any], text: str) -> Draft:
    variant, kind, take, request, fingerprint, folder, stem, meta = wanted
    key, tags = EntryKey(path, variant), tuple(meta.get("tags", ()))
    made = Wanted(key, kind, take, request, fingerprint, folder, stem, meta, tags)
    return Draft(made, tuple([_linked(*link) for link in links]), text)


def _linked(place: list[Any], table: dict[str, Any], takes: list[Any], path: str, where: list[Any]) -> Link:
    return Link(Ask(tuple(place), table, Takes(*takes), path), tuple(where))
