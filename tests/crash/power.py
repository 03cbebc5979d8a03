"""What a disk may forget when the power goes: bytes that no fsync made durable, and names whose folder none did.

The page cache keeps everything as long as only a process dies. Here it is kept by hand which changes are not yet
durable and how to take them back, after the rules that POSIX gives: ``fsync`` of a file keeps its bytes, ``fsync`` of a
folder keeps the names in it, and nothing else keeps anything.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

Undo = Callable[[], None]


@dataclass(frozen=True)
class _Name:
    """A change of a folder that is not durable yet."""

    folder: str
    undo: Undo


class Power:
    """Told of each change after it was done, except where it says before."""

    def __init__(self) -> None:
        self._names: list[_Name] = []
        self._durable: dict[str, bytes] = {}
        """What is left of a file whose bytes were changed since its last fsync."""

    def made(self, path: str) -> None:
        if not os.path.isdir(path):
            self._durable[path] = b""
        self._names.append(_Name(os.path.dirname(path), lambda: _remove(path)))

    def changes(self, path: str) -> None:
        """Before the bytes of a file are changed."""
        if path not in self._durable:
            self._durable[path] = _read(path) or b""

    def synced(self, path: str) -> None:
        self._durable.pop(path, None)
        self._names = [name for name in self._names if name.folder != path]

    def renaming(self, old: str, new: str) -> Undo:
        """Before a rename: how to take it back."""
        replaced = _read(new)

        def undo() -> None:
            moved = _read(new)
            _write(old, moved)
            _write(new, replaced)

        return undo

    def renamed(self, old: str, new: str, undo: Undo) -> None:
        self._names.append(_Name(os.path.dirname(new), undo))
        self._durable.pop(new, None)
        if old in self._durable:
            self._durable[new] = self._durable.pop(old)

    def linked(self, old: str, new: str) -> None:
        self._names.append(_Name(os.path.dirname(new), lambda: _remove(new)))
        if old in self._durable:
            self._durable[new] = self._durable[old]

    def removing(self, path: str) -> Undo:
        """Before a file is removed: how to take it back."""
        data = _read(path)
        return lambda: _write(path, data)

    def removed(self, path: str, undo: Undo) -> None:
        self._durable.pop(path, None)
        self._names.append(_Name(os.path.dirname(path), undo))

    def lose(self) -> None:
        """Everything that was not synced is as it was before."""
        for path, data in list(self._durable.items()):  # another thread may be about to write
            if os.path.lexists(path):
                _write(path, data)
        for name in reversed(self._names):
            name.undo()

    def shred(self) -> None:
        """The names stay; of bytes that were not synced the first half has come to the disk."""
        for path, data in list(self._durable.items()):  # another thread may be about to write
            now = _read(path)
            if now is not None:
                kept = len(data) if now.startswith(data) else 0
                _write(path, now[: kept + (len(now) - kept) // 2])


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def _write(path: str, data: bytes | None) -> None:
    if data is None:
        _remove(path)
    elif os.path.isdir(os.path.dirname(path)):
        # Not in place: a file that is linked elsewhere keeps its bytes there.
        _remove(path)
        with open(path, "wb") as file:
            file.write(data)


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
