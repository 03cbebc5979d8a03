"""From what to what: the fields of a request that changed, and the words of a text."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass

from sumesync.core.action import Change
from sumesync.core.text import count, printable
from sumesync.model import Json
from sumesync.render.style import Style

_VALUE = 72
_WORDS = 2000
_DIGEST = 8


@dataclass(frozen=True, slots=True)
class Run:
    """A run of words of two texts: common to both (the middle of a long one left out), or what went and what came."""

    common: str = ""
    gone: str = ""
    come: str = ""


def from_to(change: Change, style: Style) -> str:
    """One field of a request, on one line; of a long text only the words that differ."""
    name = printable(change.field)
    if isinstance(change.before, str) and isinstance(change.after, str) and len(change.before + change.after) > 50:
        return f"{name}: {words(change.before, change.after, style)}"
    return f"{name}: {shown_value(change.before)} → {shown_value(change.after)}"


def shown_value(value: Json) -> str:
    """A value of a request, cut to a line."""
    return "(not set)" if value is None else printable(_told(value), _VALUE)


def _told(value: Json) -> str:
    """As JSON, but for files and other specs' outputs: those by their name, and by the start of what tells a change."""
    if isinstance(value, dict) and isinstance(value.get("sha256"), str) and "file" in value:
        return f"{value['file']} ({str(value['sha256'])[:_DIGEST]})"
    if isinstance(value, dict) and isinstance(value.get("fingerprint"), str) and "from" in value:
        variant = f"[{value['variant']}]" if value.get("variant") else ""
        output = f" output {value['output']}" if value.get("output", 1) != 1 else ""
        identity = str(value["fingerprint"]).rpartition(":")[2][:_DIGEST]
        return f"{value['from']}{variant}{output} ({identity})"
    if isinstance(value, list):
        return f"[{', '.join(map(_told, value))}]"
    return json.dumps(value, ensure_ascii=False)


def words(before: str, after: str, style: Style) -> str:
    """A word diff on one line: ``… on a [-white-]{+marble+} counter``. Long common runs are left out."""
    runs = diff(before, after)
    if runs is None:
        sizes = f"{count(len(_words_of(before)), 'word')} to {count(len(_words_of(after)), 'word')}"
        return f"rewritten, from {sizes}; it began {shown_value(before)}"
    parts = []
    for run in runs:
        parts.append(printable(run.common))
        parts.append(style(f"[-{printable(run.gone, 400)}-]", fg="red") if run.gone else "")
        parts.append(style(f"{{+{printable(run.come, 400)}+}}", fg="green") if run.come else "")
    return " ".join(part for part in parts if part)


def diff(before: str, after: str, whole: bool = False) -> list[Run] | None:
    """The runs of words in which two texts differ, and those between; None where they are too long to compare.
    ``whole``: nothing is left out, not even the space after the words."""
    old, new = _words_of(before), _words_of(after)
    if len(old) + len(new) > _WORDS:
        return None  # finding the best match takes time with the square of the length
    runs = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            same = old[i1:i2]
            runs.append(Run(common="".join(same) if whole else _common(same, i1 == 0, i2 == len(old))))
        else:
            gone, come = "".join(old[i1:i2]), "".join(new[j1:j2])
            runs.append(Run(gone=gone, come=come) if whole else Run(gone=gone.strip(), come=come.strip()))
    return runs


def _words_of(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


def _common(run: list[str], first: bool, last: bool) -> str:
    if len(run) <= 8:
        return "".join(run).strip()
    head = "" if first else "".join(run[:3]).strip() + " "
    tail = "" if last else " " + "".join(run[-3:]).strip()
    return f"{head}…{tail}"
