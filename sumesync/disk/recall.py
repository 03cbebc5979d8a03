"""Specs that need not be read again: they, and the prompt files that they name, are what they were.

Only for looking: what is paid for is always read anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sumesync.core import kept
from sumesync.core.chain import Draft
from sumesync.disk.facts import Facts
from sumesync.disk.project import file_sign
from sumesync.disk.signs import Sign


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a spec said, and the prompt files that it names."""

    drafts: tuple[Draft, ...]
    prompts: frozenset[str]


def recalled(
    root: Path, found: Iterable[str], facts: Facts, proved: set[str], usable: Callable[[str], bool]
) -> dict[str, Recalled]:
    """Those of ``found`` that are remembered. ``usable``: whether outputs can still go to a folder; ``proved``: as of
    ``reached``."""
    seen = ((path, _recall(root, path, facts, proved, usable)) for path in found) if facts.knows else ()
    return {path: each for path, each in seen if each is not None}


def _recall(root: Path, path: str, facts: Facts, proved: set[str], usable: Callable[[str], bool]) -> Recalled | None:
    here = file_sign(root, path, proved)
    told = facts.of(path, here) if here else None
    if told is None:
        return None
    try:
        prompts, texts = told
        if any(
            (there := file_sign(root, each, proved)) is None or list(there) != known for each, known in prompts.items()
        ):
            return None
        drafts = kept.read(path, texts)
        whole = all(usable(folder) for folder in {draft.wanted.folder for draft in drafts})
        return Recalled(drafts, frozenset(prompts)) if whole else None
    except (ValueError, TypeError, KeyError, AttributeError):  # nothing that we wrote
        return None


class Learning:
    """Of specs that are about to be read: their signs before that, and those of their prompt files."""

    def __init__(self, root: Path, facts: Facts, unread: Iterable[str], proved: set[str]) -> None:
        self._root, self._facts, self._proved = root, facts, proved
        self._signs = {path: file_sign(root, path, proved) for path in unread} if facts.learns else {}
        self._prompts: dict[str, Sign | None] = {}

    def prompts(self, named: Iterable[str]) -> None:
        """Prompt files that are about to be read."""
        if self._facts.learns:
            self._prompts = {path: file_sign(self._root, path, self._proved) for path in named}

    def learn(self, path: str, prompts: Iterable[str], drafts: tuple[Draft, ...]) -> None:
        """A spec was read, and said ``drafts``."""
        here, named = self._signs.get(path), {each: self._prompts.get(each) for each in prompts}
        if here is None or not kept.rememberable(drafts):
            return
        if all(there is not None and self._facts.settled(there) for there in named.values()):
            self._facts.learn(path, here, [named, kept.written(drafts)])

    def told(self, path: str, written: list[Any]) -> None:
        """A spec that names no prompt file was read elsewhere, and said this, as ``kept`` has it."""
        if (here := self._signs.get(path)) is not None:
            self._facts.learn(path, here, [{}, written])
