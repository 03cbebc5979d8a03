"""What a run writes down: the lock's patches in batches, the ledger at once, metadata before the lock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from sumesync.apply.run import Task, Tools
from sumesync.core import documents, metadata
from sumesync.errors import LocalStateError
from sumesync.model import Change, Entry, EntryKey, Fact, JobRecord, Json, Wanted

# Between two writes of the lock. What lies between is in the journal and the ledger already.
_FLUSH_SECONDS = 0.25
_SHARE = 10
"""A write of a large lock on a slow disk takes long: it is done the more rarely, for a tenth of the time at most."""


class Record:
    """Collects the lock's changes and writes them together. Journal files are cleared only after the lock has what they
    say."""

    def __init__(self, task: Task, tools: Tools) -> None:
        self._task = task
        self._tools = tools
        self._changes: dict[EntryKey, list[Change]] = {}
        self._clear: list[str] = []
        self._last = float("-inf")
        self.pause = _FLUSH_SECONDS
        """Seconds after which there may be something to write."""
        self.entries: dict[EntryKey, Entry | None] = dict(task.lock.entries)
        """The entries as this run knows them: what it read, and its own changes."""
        self._having: dict[str, set[EntryKey]] = {}
        """Of each job, the entries that ever had it in this run."""
        for entry in task.lock.entries.values():
            self._index(entry)
        self._documents: dict[str, Mapping[str, Json]] = {}
        self._asked: dict[str, metadata.Asked] = {}

    @property
    def dirty(self) -> bool:
        return bool(self._changes or self._clear)

    def change(self, key: EntryKey, change: Change) -> None:
        self._changes.setdefault(key, []).append(change)
        self.entries[key] = entry = change(self.entries.get(key))
        if entry is not None:
            self._index(entry)

    def _index(self, entry: Entry) -> None:
        for past in entry.pasts:
            for job in past.jobs:
                self._having.setdefault(job.id, set()).add(entry.key)

    def having(self, job_id: str) -> list[EntryKey]:
        """The entries that have a job, now or in their history."""
        found = ((key, self.entries.get(key)) for key in sorted(self._having.get(job_id, ())))
        return [key for key, entry in found if entry and any(job_id == j.id for p in entry.pasts for j in p.jobs)]

    def cleared(self, key: str) -> None:
        """The journal file ``key`` can go once the lock has been written."""
        self._clear.append(key)

    def fact(self, fingerprint: str, kind: str, key: EntryKey, job: JobRecord, written: bool = False) -> None:
        """Durable in the ledger when it returns; from any thread. ``written``: the job's outputs come from this very
        run."""
        fact = self._fact(fingerprint, kind, key, job)
        hashes = frozenset(output.sha256 for output in job.outputs) if written else frozenset()
        self._tools.ledger.record([replace(fact, written=hashes)])

    def facts(self, known: Iterable[tuple[str, str, EntryKey, JobRecord]]) -> None:
        """Many, for one fsync."""
        self._tools.ledger.record([self._fact(*each) for each in known])

    def _fact(self, fingerprint: str, kind: str, key: EntryKey, job: JobRecord) -> Fact:
        return Fact(fingerprint, job, kind, key, self._task.lock.workspace, self._task.lock.lineage)

    def document(self, result: Mapping[str, Json]) -> None:
        """A document that this run has in hand: metadata that stand for it are written with it."""
        self._documents[documents.output("", result).sha256] = result

    def _document(self, entry: Entry, before: str | None) -> Mapping[str, Json] | None:
        """What ``entry`` stands for, from this run or from the metadata as they are."""
        hashes = [output.sha256 for output in entry.outputs if output.is_document]
        held = next((self._documents[sha256] for sha256 in hashes if sha256 in self._documents), None)
        return metadata.read(before).result if hashes and held is None and before is not None else held

    def metadata(self, wanted: Wanted, entry: Entry | None = None) -> str:
        """Write the metadata of a variant: of ``entry``, or of its entry as it stands now. What stands in the way, if
        that is another's; then nothing is written."""
        entry, path = entry or self.entries.get(wanted.key), metadata.path_of(wanted.key)
        if entry is None:
            return ""
        try:
            before = self._tools.media.read_text(path)
        except LocalStateError as error:
            return error.what
        if before is not None and wanted.key not in self._task.lock.entries and not metadata.read(before).ours:
            return f"{path} is a file that sumesync did not write"
        asked = {**self._asked, **(metadata.read(before).asked if before is not None else {})}
        self._tools.media.write_text(path, metadata.render(wanted, entry, self._document(entry, before), asked))
        return ""

    def remember(self, key: EntryKey) -> None:
        """What the metadata of an entry say of its requests, for that of another which takes its place."""
        with suppress(LocalStateError):
            text = self._tools.media.read_text(metadata.path_of(key))
            if text is not None:
                self._asked.update(metadata.read(text).asked)

    def remove_metadata(self, key: EntryKey) -> None:
        """Remove the metadata of an entry, where a file of ours has that name: the key may be a stranger's word."""
        path = metadata.path_of(key)
        with suppress(LocalStateError):
            text = self._tools.media.read_text(path)
            if text is not None and metadata.read(text).ours:
                self._tools.media.remove_text(path)

    def flush(self, at_once: bool = False) -> None:
        """Write the lock, if there is anything to write and it is time; then clear the journal."""
        now = self._tools.clock.monotonic()
        if not self.dirty or (not at_once and now - self._last < self.pause):
            return
        if self._changes:
            self._tools.locks.patch(self._changes, self._task.lock.lineage, self._task.lock.workspace)
        self._changes = {}
        self._tools.journal.clear(*self._clear)
        self._clear = []
        self._last = now
        self.pause = max(_FLUSH_SECONDS, _SHARE * (self._tools.clock.monotonic() - now))
