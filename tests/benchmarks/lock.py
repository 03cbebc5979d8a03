"""A checkpoint in a project of 10,000 entries: one of them changes, and the whole file is replaced durably."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from sumesync.core import lock as locks
from sumesync.disk import atomic
from sumesync.disk.lockfile import LockFile
from sumesync.model import Entry, EntryKey, JobRecord, JobState, Lock, Output
from tests.benchmarks.disk import scratch
from tests.benchmarks.row import Row

_LINEAGE = "ab" * 16
_TURNS = 21


def rows() -> Iterator[Row]:
    for entries in (100, 10_000):
        with tempfile.TemporaryDirectory(dir=scratch()) as name:
            yield _row(Path(name), entries)


def _row(folder: Path, entries: int) -> Row:
    """Ours and the peer in turns, so that both meet the disk in the same mood."""
    made = [_entry(number) for number in range(entries)]
    (folder / "sume.lock").write_text(locks.render(Lock(_LINEAGE, None, {each.key: each for each in made})))
    store = LockFile(folder)
    store.read()
    ours, theirs = [], []
    for turn in range(_TURNS):
        entry = made[turn * 97 % entries]
        ours.append(_seconds(lambda e=entry, t=turn: store.patch({e.key: [lambda _: _again(e, t)]}, _LINEAGE)))  # type: ignore[misc]
        data = (folder / "sume.lock").read_bytes()
        theirs.append(_seconds(lambda d=data: atomic.write(folder / "peer", d)))  # type: ignore[misc]
    what = f"one changed entry of {entries:,} in the lock"
    beside = "the atomic replace of the same bytes"
    return Row(what, statistics.median(ours) * 1e3, "ms", beside, statistics.median(theirs) * 1e3, 3)


def _seconds(act: Callable[[], None]) -> float:
    before = time.perf_counter()
    act()
    return time.perf_counter() - before


def _entry(number: int) -> Entry:
    stem = f"folder-{number // 100:03}/picture-{number:05}"
    output = Output(1, f"{stem}.png", f"{number:064x}", 100_000 + number, "image/png")
    job = JobRecord(f"job_{number:024x}", JobState.COMPLETED, 1, 5, outputs=(output,))
    return Entry(EntryKey(f"{stem}.sume.toml"), f"v1:{number:064x}", "image", "sume", (job,))


def _again(entry: Entry, turn: int) -> Entry:
    """Another generation of it."""
    (job,) = entry.jobs
    return replace(
        entry, fingerprint=f"v1:{turn:064x}", jobs=(replace(job, id=f"job_again{turn}"),), history=(entry.present,)
    )
