"""What a report shows, as values. Paths of media are relative to the report's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SINCE: Final = {"new": "new", "changed": "changed", "moved": "moved", "removed": "removed", "same": "unchanged"}
"""What became of a spec since a commit, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A result: its names in the report, or (``note``) why it is not there and what to do."""

    path: str
    """In the project."""
    file: str = ""
    thumb: str = ""
    family: str = ""
    """image, video or audio."""
    width: int = 0
    height: int = 0
    note: str = ""
    hint: str = ""
    text: str = ""
    """A result that is a document."""


@dataclass(frozen=True, slots=True)
class Side:
    """What was asked for, and what came of it, at one time."""

    prompt: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    shots: tuple[Shot, ...] = ()


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job as a reviewer sees it."""

    id: str
    state: str
    credits: float | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """One variant of a spec. ``state`` is a word for styles and filters, ``words`` are for people."""

    key: str
    path: str
    title: str
    kind: str
    state: str
    words: str
    now: Side
    reason: str = ""
    hint: str = ""
    tags: tuple[str, ...] = ()
    jobs: tuple[JobLine, ...] = ()
    cost: float | None = None
    since: str = ""
    """One of ``SINCE``; "" where no commit was named."""
    before: Side | None = None
    origin: str = ""
    """Where it stood before it was moved."""

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Gallery:
    """All that the page shows. ``since`` names the commit that it compares with, "" for none."""

    name: str
    cards: tuple[Card, ...]
    waiting: int = 0
    """Specs that need a person."""
    sandbox: bool = False
    since: str = ""


def anchor(key: str) -> str:
    """A name for a spec in the page's addresses; the same in every report."""
    return "s-" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:12]
