"""What a job tells of the request that made it, held against ours. Pure.

Nothing of it is documented: jobs may tell their prompt whole, cut, or not at all. So only what plainly differs counts,
and likeness proves nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from sumesync.core.action import Change
from sumesync.core.text import without_secrets, without_signed_urls
from sumesync.model import Json, Request

TEXTS: Final = ("prompt", "script")
"""Fields that say what a picture or a clip is to show: the names by which a job may tell it, the likeliest first."""
_CUT: Final = 40
"""A text of so many characters that ours begins with was cut; a shorter one is another text."""
_BEFORE: Final = 20


def differences(request: Request, asked: Mapping[str, Json]) -> tuple[Change, ...] | None:
    """The fields of ``request`` that a job which was ``asked`` for that tells plainly otherwise: from ours to its own.
    None: it tells too little to compare."""
    both = [name for name in request if name in asked and _comparable(request[name], asked[name])]
    found = tuple(Change(name, request[name], asked[name]) for name in both if _differ(request[name], asked[name]))
    telling = [name for name in TEXTS if name in request] or list(request)
    return found if found or any(name in both for name in telling) else None


def text_of(asked: Mapping[str, Json]) -> str:
    """The prompt that a job tells; "" when it tells none."""
    return next((text for name in TEXTS if isinstance(text := asked.get(name), str)), "")


def apart(one: str, other: str, limit: int) -> tuple[str, str]:
    """Two texts, each of at most ``limit`` characters, from shortly before they differ."""
    one, other = " ".join(one.split()), " ".join(other.split())
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = same - _BEFORE if max(len(one), len(other)) > limit and same > _BEFORE else 0
    return _window(one, start, limit), _window(other, start, limit)


def _window(text: str, start: int, limit: int) -> str:
    text = f"…{text[start + 1 :]}" if start else text
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _comparable(ours: Json, theirs: Json) -> bool:
    """Of addresses they may show others; of lists and tables some."""
    if isinstance(ours, str) and isinstance(theirs, str):
        return bool(theirs.strip()) and not ours.startswith(("https://", "http://"))
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return isinstance(ours, bool) and isinstance(theirs, bool)
    return isinstance(ours, int | float) and isinstance(theirs, int | float)


def _differ(ours: Json, theirs: Json) -> bool:
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return ours != theirs
    mine, told = _folded(ours), _folded(theirs)
    whole = told.removesuffix("…").removesuffix("...").rstrip()
    cut = whole != told or len(told) >= _CUT
    return mine != told and not (cut and mine.startswith(whole))


def _folded(text: str) -> str:
    """As it is compared. A job's texts have lost what may not be shown, so ours lose it, too."""
    return " ".join(unicodedata.normalize("NFD", without_secrets(without_signed_urls(text))).casefold().split())
