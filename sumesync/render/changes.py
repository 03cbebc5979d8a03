"""From what to what: the fields of a request that changed, and the words of a text."""

from __future__ import annotations

import difflib
import json
import re

from sumesync.core.action import Change
from sumesync.core.text import count, printable
from sumesync.model import Json
from sumesync.render.style import Style

_VALUE = 72
_WORDS = 2000


def from_to(change: Change, style: Style) -> str:
    """One field of a request, on one line; of a long text only the words that differ."""
    name = printable(change.field)
    if isinstance(change.before, str) and isinstance(change.after, str) and len(change.before + change.after) > 50:
        return f"{name}: {words(change.before, change.after, style)}"
    return f"{name}: {_value(change.before)} → {_value(change.after)}"


def _value(value: Json) -> str:
    if value is None:
        return "(not set)"
    return printable(json.dumps(value, ensure_ascii=False), _VALUE)


def words(before: str, after: str, style: Style) -> str:
    """A word diff on one line: ``… on a [-white-]{+marble+} counter``. Long common runs are left out."""
    old, new = re.findall(r"\S+\s*", before), re.findall(r"\S+\s*", after)
    if len(old) + len(new) > _WORDS:
        # Finding the best match takes time with the square of the length.
        sizes = f"{count(len(old), 'word')} to {count(len(new), 'word')}"
        return f"rewritten, from {sizes}; it began {_value(before)}"
    parts = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        gone, come = printable("".join(old[i1:i2]).strip(), 400), printable("".join(new[j1:j2]).strip(), 400)
        if tag == "equal":
            parts.append(_common(old[i1:i2], i1 == 0, i2 == len(old)))
            continue
        if gone:
            parts.append(style(f"[-{gone}-]", fg="red"))
        if come:
            parts.append(style(f"{{+{come}+}}", fg="green"))
    return " ".join(part for part in parts if part)


def _common(run: list[str], first: bool, last: bool) -> str:
    if len(run) <= 8:
        return printable("".join(run).strip())
    head = "" if first else printable("".join(run[:3]).strip()) + " "
    tail = "" if last else " " + printable("".join(run[-3:]).strip())
    return f"{head}…{tail}"
