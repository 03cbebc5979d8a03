"""The local ledger: one line of JSON a fact, appended and fsynced. It outlives branches, resets and cleans."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sumesync.core.lock import LockFault, job_table, read_job
from sumesync.core.paid import merge
from sumesync.disk import atomic
from sumesync.disk.journal import LocalJournal
from sumesync.errors import LocalStateError
from sumesync.model import EntryKey, Fact, Step, Submission

FORMAT: Final = 1
RETRACTING: Final = 2
"""Of a line that takes back an earlier one: a version that does not know of such lines must not read past it."""
NAME: Final = "ledger.jsonl"
MEND: Final = "sumesync lock rebuild"
UPDATE: Final = "update sumesync: pip install --upgrade sumesync"


class LocalLedger:
    """The Ledger port on this machine. Writers hold the project's mutex."""

    def __init__(self, folder: Path, journal: LocalJournal) -> None:
        self._path = folder / NAME
        self._journal = journal
        self._writing = threading.Lock()

    def list(self) -> tuple[Fact, ...]:
        found: dict[tuple[str, str], Fact] = {}
        for number, line in enumerate(self._lines(), start=1):
            try:
                fact = _read(line)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError, LockFault) as error:
                where = f"{self._path}:{number}"
                raise LocalStateError(f"{where}: not a ledger that reads ({str(error)[:80]})", f"run: {MEND}") from None
            known = found.get((fact.fingerprint, fact.job.id))
            found[fact.fingerprint, fact.job.id] = _later(known, fact) if known else fact
        return tuple(found.values())

    def record(self, facts: Iterable[Fact]) -> None:
        lines = "".join(json.dumps(_table(fact), ensure_ascii=True) + "\n" for fact in facts)
        if lines:
            with self._writing:
                atomic.append(self._path, lines.encode())

    def claim(self, submission: Submission) -> None:
        other = self._journal.find(submission.key)
        if other is not None and other.step is not Step.INTENT:
            raise LocalStateError(
                f"{submission.entry}: this request is already being paid for (attempt {other.attempt})",
                "run apply again: it resumes what was begun",
            )
        self._journal.write(submission)

    def salvage(self) -> int:
        """Keep every line that reads, set the damaged file aside, and say how many lines did not."""
        if not self._path.exists():
            return 0
        good, bad = [], 0
        for line in self._lines(whole=False):
            try:
                good.append(_read(line))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError, LockFault):
                bad += 1
        if bad:
            atomic.rename(self._path, self._path.with_suffix(f".{secrets.token_hex(4)}.damaged"))
            self.record(good)
        return bad

    def _lines(self, whole: bool = True) -> Iterable[bytes]:
        """Every whole line. What stands after the last newline was never durable."""
        with atomic.explained("read", self._path):
            try:
                data = atomic.read(self._path)
            except FileNotFoundError:
                return []
        return (line for line in data.split(b"\n")[: -1 if whole else None] if line)


def _later(known: Fact, fact: Fact) -> Fact:
    """Two lines about one job of one request. A retraction, and what comes after it, stands alone; what
    the job wrote stays ours to replace."""
    if fact.retracted or known.retracted:
        return replace(fact, written=known.written | fact.written)
    return Fact(
        fact.fingerprint,
        merge(known.job, fact.job),
        fact.kind,
        fact.key,
        fact.workspace or known.workspace,
        fact.lineage or known.lineage,
        fact.submission or known.submission,
        known.written | fact.written,
    )


def _table(fact: Fact) -> dict[str, Any]:
    table: dict[str, Any] = {
        "format_version": RETRACTING if fact.retracted else FORMAT,
        "fingerprint": fact.fingerprint,
        "kind": fact.kind,
        "path": fact.key.path,
        "variant": fact.key.variant,
        "lineage": fact.lineage,
        "workspace": fact.workspace,
        "submission": fact.submission,
        "written": bool(fact.written),
        "job": job_table(fact.job),
    }
    if fact.retracted:
        table["retracted"] = True
    return table


def _read(line: bytes) -> Fact:
    table = json.loads(line)
    if table["format_version"] not in (FORMAT, RETRACTING):
        raise LocalStateError(f"the ledger has format {table['format_version']}, newer than this sumesync", UPDATE)
    names = ("fingerprint", "kind", "path", "variant", "lineage", "submission")
    texts = [table.get(name, "") if name == "submission" else table[name] for name in names]
    workspace = table["workspace"]
    if not all(isinstance(text, str) for text in texts) or not isinstance(workspace, str | None):
        raise TypeError("a value is not text")
    fingerprint, kind, path, variant, lineage, submission = texts
    job = read_job(table["job"], "ledger")
    retracted = table["format_version"] == RETRACTING
    # A line of before there was the word was written with the media, or says nothing of any.
    written = frozenset(output.sha256 for output in job.outputs) if table.get("written", True) else frozenset()
    return Fact(fingerprint, job, kind, EntryKey(path, variant), workspace, lineage, submission, written, retracted)
