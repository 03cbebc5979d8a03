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
    """The LockStore port on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / paths.LOCK_NAME

    def exists(self) -> bool:
        return self._path.exists() or self._path.is_symlink()

    def read(self) -> Lock | None:
        """The lock; None when there is none. Raises LockFault when it cannot be read."""
        return locks.read(self._text()).lock if self.exists() else None

    def create(self, lineage: str, workspace: str | None) -> Lock:
        """Write a header, durably. There must be no lock yet."""
        atomic.write(self._path, locks.new_text(lineage, workspace).encode())
        return Lock(lineage, workspace)

    def patch(self, changes: Mapping[EntryKey, Sequence[Change]], lineage: str, workspace: str | None = None) -> None:
        if not self.exists():
            self.create(lineage, workspace)
        before = self._text()
        entries = locks.read(before).lock.entries
        after = locks.patch(before, {key: _apply(entries.get(key), steps) for key, steps in changes.items()}, workspace)
        if after != before:
            atomic.write(self._path, after.encode())

    def replace(self, lock: Lock) -> None:
        """Write the whole lock anew (``lock rebuild``)."""
        atomic.write(self._path, locks.render(lock).encode())

    def _text(self) -> str:
        data = read_bytes(self._root, paths.LOCK_NAME, MAX_BYTES)
        if isinstance(data, str):
            raise locks.LockFault(data, locks.REBUILD_HINT)
        try:
            return data.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError:
            raise locks.LockFault(f"{paths.LOCK_NAME} is not text", locks.REBUILD_HINT) from None


def _apply(entry: Entry | None, steps: Sequence[Change]) -> Entry | None:
    for step in steps:
        entry = step(entry)
    return entry
