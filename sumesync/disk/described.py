"""The metadata of a project's entries: read, or remembered where they are what they were and say what the lock says.

Only for looking, as ``recall`` is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sumesync.core import metadata
from sumesync.core.metadata import MetadataFact
from sumesync.disk import signs
from sumesync.disk.facts import Facts
from sumesync.disk.project import file_sign, read_bytes
from sumesync.model import Entry, EntryKey


class Described:
    """One look's view. ``blocks``: the text of each entry in the lock. ``proved``: as of ``reached``."""

    def __init__(self, root: Path, facts: Facts, blocks: Mapping[EntryKey, str], proved: set[str]) -> None:
        self._root, self._facts, self._blocks, self._proved = root, facts, blocks, proved

    def of(self, path: str, entry: Entry | None) -> MetadataFact | None:
        """What stands at ``path``, where the metadata of ``entry`` belong, or those of an entry to come."""
        block = self._blocks.get(entry.key) if entry is not None else None
        if entry is None or block is None or not (self._facts.knows or self._facts.learns):
            return read(self._root, path, self._proved, entry)
        sign, said = file_sign(self._root, path, self._proved), signs.digest(block.encode())
        known = self._facts.of(path, sign) if sign else None
        if known is not None and (told := _told(known, said, entry)):
            return told
        fact = read(self._root, path, self._proved, entry)
        if sign and fact is not None and fact.exact and fact.entry is entry and fact.request is not None:
            self._facts.learn(path, sign, [said, fact.take, dict(fact.request), dict(fact.meta)])
        return fact


def _told(known: list[Any], said: str, entry: Entry) -> MetadataFact | None:
    """None where it is nothing that we wrote, or of what the entry was before."""
    if len(known) != 4 or known[0] != said:
        return None
    _, take, request, meta = known
    whole = type(take) is int and type(request) is dict and type(meta) is dict
    return metadata.as_recorded(entry, take, request, meta) if whole else None


def read(root: Path, path: str, proved: set[str] | None = None, likely: Entry | None = None) -> MetadataFact | None:
    """A metadata file; None when there is none. One that cannot be read is not ours. ``likely``: as of
    ``metadata.read``."""
    data = read_bytes(root, path, metadata.MAX_BYTES, proved)
    if isinstance(data, str):
        return MetadataFact(ours=False, blocked=True) if os.path.lexists(f"{root}/{path}") else None
    return metadata.read(data.decode("utf-8", "replace"), likely)
