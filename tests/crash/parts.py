"""The searches that make up all of it, each to be run in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sumesync.sandbox.settings import Idempotency
from tests.crash.explore import Broken, Explorer, Figures
from tests.crash.stories import CALM, STORIES, WEATHERS, Weather
from tests.crash.yard import opened

LARGE: Final = ("chain", "upload", "mixed", "pair")
"""Stories of whose recoveries every eighth boundary is killed."""


@dataclass(frozen=True)
class Part:
    """One search of one story."""

    search: str
    story: str
    idempotency: Idempotency
    stride: int = 1
    weathers: tuple[Weather, ...] = (CALM,)

    def __str__(self) -> str:
        outcomes = f", {len(self.weathers)} outcomes of the paid request" if len(self.weathers) > 1 else ""
        return f"{self.search.replace('_', ' ')}: {self.story}, header {self.idempotency}{outcomes}"


@dataclass(frozen=True)
class Found:
    part: Part
    figures: Figures
    seconds: float
    fault: str = ""


def parts() -> Iterator[Part]:
    """The long ones first, so that no processor waits at the end."""
    for way in Idempotency:
        yield Part("kill_twice", "first", way, weathers=WEATHERS)
    for story in LARGE:
        for way in Idempotency:
            yield Part("kill_twice", story, way, stride=8)
    for search in ("kill_twice", "cut_power", "fail"):
        for story in STORIES:
            for way in Idempotency:
                if search != "kill_twice" or story not in ("first", *LARGE):
                    yield Part(search, story, way)


def explore(part: Part) -> Found:
    began, fault = time.monotonic(), ""
    with opened() as yard:
        explorer = Explorer(yard, STORIES[part.story], part.idempotency, part.stride)
        try:
            if part.search == "kill_twice":
                explorer.kill_twice(part.weathers)
            else:
                getattr(explorer, part.search)()
        except Broken as broken:
            fault = str(broken)
    return Found(part, explorer.figures, time.monotonic() - began, fault)
