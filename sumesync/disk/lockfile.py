"""``sume.lock`` on disk: read, made once, patched after re-reading. Never truncated in place."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from sumesync.core import lock as locks
from sumesync.core import paths
from sumesync.disk import atomic
from sumesync.disk.project import read_bytes
from sumesync.model import Change, Entry, EntryKey, Lock

# Far beyond a lock of 100,000 entries; keeps a hostile one from costing memory.
MAX_BYTES = 256 << 20


def new_lineage() -> str:
    """32 random hex digits: which project a paid request belongs to."""
    return secrets.token_hex(16)


class LockFile:
    """The LockStore port on this machine. One thread at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / paths.LOCK_NAME
        self._data = b""
        """The bytes that were last read or written here; what they say is ``_known``. None: nothing was yet."""
        self._known: locks.LockText | None = None

    def exists(self) -> bool:
        return self._path.exists() or self._path.is_symlink()

    def read(self) -> Lock | None:
        """The lock; None when there is none. Raises LockFault when it cannot be read."""
        return self._now().lock if self.exists() else None

    @property
    def blocks(self) -> Mapping[EntryKey, str]:
        """The text of each entry, as it was last read or written here."""
        return self._known.blocks if self._known else {}

    def create(self, lineage: str, workspace: str | None) -> Lock:
        """Write a header, durably. There must be no lock yet."""
        atomic.write(self._path, locks.new_text(lineage, workspace).encode())
        return Lock(lineage, workspace)

    def patch(self, changes: Mapping[EntryKey, Sequence[Change]], lineage: str, workspace: str | None = None) -> None:
        if not self.exists():
            self.create(lineage, workspace)
        before = self._now()
        entries = before.lock.entries
        after = locks.patched(
            before, {key: _apply(entries.get(key), steps) for key, steps in changes.items()}, workspace
        )
        data = after.text.encode()
        if data != (self._data.replace(b"\r\n", b"\n") if b"\r" in self._data else self._data):
            atomic.write(self._path, data)
            self._data, self._known = data, after

    def replace(self, lock: Lock) -> None:
        """Write the whole lock anew (``lock rebuild``)."""
        atomic.write(self._path, locks.render(lock).encode())

    def _now(self) -> locks.LockText:
        """The file as it is now. It is read each time, since a checkout may have changed it; what is byte for byte what
        we know already is not parsed again."""
        data = read_bytes(self._root, paths.LOCK_NAME, MAX_BYTES)
        if isinstance(data, str):
            raise locks.LockFault(data, locks.REBUILD_HINT)
        if self._known is None or data != self._data:
            try:
                self._known = locks.read(data.decode("utf-8"))
            except UnicodeDecodeError:
                raise locks.LockFault(f"{paths.LOCK_NAME} is not text", locks.REBUILD_HINT) from None
            self._data = data
        return self._known


def _apply(entry: Entry | None, steps: Sequence[Change]) -> Entry | None:
    for step in steps:
        entry = step(entry)
    return entry
