"""A lock made again: from what still reads of the old one (both sides of a conflict), from metadata, never at the
cost of a paid job. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import tomli

from sumesync.core import lock as locks
from sumesync.core.advance import take_over
from sumesync.core.lock import LockFault
from sumesync.model import Entry, EntryKey, Fact, Lock, Submission

_ENTRY = re.compile(r"^\[\[entry\]\]\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Salvage:
    """What a lock text still says. ``lost``: blocks that do not read."""

    lineage: str | None = None
    workspace: str | None = None
    entries: tuple[Entry, ...] = ()
    lost: int = 0


def salvage(text: str) -> Salvage:
    """Everything that reads of ``text``, whatever happened to it. Raises LockFault for a newer format: an older
    sumesync must not write over that."""
    text = text.replace("\r\n", "\n")
    sides = [_side(text, "theirs"), _side(text, "ours")] if re.search(r"^<{7}", text, re.MULTILINE) else [text]
    found: list[Entry] = []
    lost = 0
    for side in sides:
        for block in _ENTRY.split(side)[1:]:
            entry = _entry("[[entry]]\n" + block)
            if entry is None:
                lost += 1
            else:
                found.append(entry)
    head = _ENTRY.split(text)[0]
    if (version := re.search(r"^format_version\s*=\s*(\d+)", head, re.MULTILINE)) and int(
        version[1]
    ) > locks.FORMAT_VERSION:
        locks.read(f"format_version = {version[1]}\n")
    lineage = re.search(r'^lineage\s*=\s*"([0-9a-f]{32})"', head, re.MULTILINE)
    workspace = re.search(r'^workspace\s*=\s*"(sha256:[0-9a-f]{64})"', head, re.MULTILINE)
    return Salvage(lineage[1] if lineage else None, workspace[1] if workspace else None, tuple(found), lost)


def sides(text: str) -> tuple[str, str, str] | None:
    """The base, ours and theirs of a text with merge markers; None where it has none. The base is "" unless git wrote
    it between them (``merge.conflictStyle`` diff3 or zdiff3)."""
    text = text.replace("\r\n", "\n")
    if not re.search(r"^<{7}( |$)", text, re.MULTILINE):
        return None
    has_base = re.search(r"^\|{7}( |$)", text, re.MULTILINE)
    return (_side(text, "base") if has_base else ""), _side(text, "ours"), _side(text, "theirs")


def _side(text: str, wanted: str) -> str:
    """One side of every merge conflict in ``text``, and what is outside of them."""
    kept = []
    side = ""
    for line in text.split("\n"):
        marker = line[:7]
        if marker == "<<<<<<<":
            side = "ours"
        elif marker == "|||||||" and side:
            side = "base"
        elif marker == "=======" and side:
            side = "theirs"
        elif marker == ">>>>>>>":
            side = ""
        elif side in ("", wanted):
            kept.append(line)
    return "\n".join(kept)


def _entry(block: str) -> Entry | None:
    kept = [line for line in block.split("\n") if not re.match(r"<{7}|={7}|>{7}|\|{7}", line)]
    if "[[entry]]".startswith(kept[-1]):
        kept.pop()  # the file was cut off where the next entry began
    lines = "\n".join(kept)
    whole = f'format_version = 1\nlineage = "{"0" * 32}"\n{lines}'
    try:
        tomli.loads(whole)
        entries = locks.read(whole).lock.entries
    except (tomli.TOMLDecodeError, LockFault, RecursionError, ValueError):
        return None
    return next(iter(entries.values()), None)


def known_as(old: Salvage, journal: Iterable[Submission], facts: Iterable[Fact]) -> tuple[str | None, str | None]:
    """The lineage and the workspace of the project, as far as anything tells; the old lock's word counts first."""
    facts = tuple(facts)
    lineages = [old.lineage, *(submission.lineage for submission in journal), *(fact.lineage for fact in facts)]
    workspaces = [old.workspace, *(fact.workspace for fact in facts)]
    return next(filter(None, lineages), None), next(filter(None, workspaces), None)


def rebuild(lineage: str, workspace: str | None, sources: Iterable[Entry]) -> Lock:
    """One lock of all ``sources``; of two about one variant the later is what it is now, the earlier its history."""
    entries: dict[EntryKey, Entry] = {}
    for entry in sources:
        known = entries.get(entry.key)
        entries[entry.key] = take_over(known, entry, entry.key, entry.present)
    return Lock(lineage, workspace, entries)


def count_jobs(lock: Lock) -> int:
    return sum(1 for _ in _jobs(lock))


def _jobs(lock: Lock) -> Iterator[str]:
    for entry in lock.entries.values():
        for past in (*entry.history, entry.present):
            yield from (job.id for job in past.jobs)
